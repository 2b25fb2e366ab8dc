// common/base/rule.h
// The rules of docs/design/replication-rules.md as named predicates, so that a page of a core reads as the protocol:
//
//   // PROTOCOL 4: a fence is answered once every lease that this replica granted has run out.
//   EBLA_RULE(FenceWaitsForGrants, fence_ignores_grants)
//   ...
//   const MonotonicTime not_before = rules::FenceWaitsForGrants() ? grants_.until() : MonotonicTime{};
//
// A rule always holds in the Debian packages: its predicate is the constant true, and the compiler drops the test. In a
// developer's build (EBLA_PLANTED_BUGS) it is false while the bug of that name is planted (planted_bug.h), so that the
// tests can prove that they would see the difference.
// Place:   each component lists its rules in a rules.h of its own. A new rule needs its line there, and its bug's name
//          in planted_bug.h; a name that is missing there does not link.
// Threads: a bug is planted before anything runs, by one thread; then it is only read.
#pragma once

// Stands in namespace ebla::rules.
#ifdef EBLA_PLANTED_BUGS
#define EBLA_RULE(rule, bug) \
  namespace planted {        \
  extern bool bug;           \
  }                          \
  inline bool rule() { return !planted::bug; }
#else
#define EBLA_RULE(rule, bug) \
  constexpr bool rule() { return true; }
#endif
