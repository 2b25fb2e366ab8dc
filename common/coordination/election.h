// common/coordination/election.h
// Decides which of several masters leads, and stamps its term: the one with the lowest election node.
// Place:      master/ runs one; a standby answers with the leader's endpoint that this reports.
// How:        Each candidate makes an ephemeral sequential node and watches its predecessor alone (no herd). The first
//             candidate raises /masters/term, by compare-and-set, in one Multi that also checks its own node. The name
//             of the election node holds a number drawn anew for each session, so that a create whose outcome is
//             unknown is found again instead of repeated.
// Fencing:    Leading carries the version of /masters/term. Every change that a leader makes to the catalog must be a
//             Multi with Op::Check(layout::kTerm, term_version): a leader that was cut off, or does not know yet that
//             it was deposed, then changes nothing. So a mere disconnection does not end leadership; the end of the
//             session, the loss of the election node, or another's term do.
// Invariants: 1. Terms only grow; each is led by one candidate.
//             2. on_role is called for every change and never from the constructor; Leading is only reported after the
//                term is in the coordinator.
// Threads:    everything on the coordinator's executor, the destructor included. No call of on_role after that.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "common/base/executor.h"
#include "common/coordination/coordinator.h"
#include "common/rpc/channel.h"

namespace ebla::coordination {

struct Candidate {
  std::string name;        // "master-1"; unique in the cluster
  rpc::Endpoint endpoint;  // where its clients reach it
  std::string version{};   // of its build; empty: not said
  int protocol = 0;        // the greatest that it speaks; 0: not said
  int feature_level = 0;   // that it speaks; 0: not said, which is 1
};

struct Leading {
  uint64_t term = 0;
  int term_version = 0;  // of layout::kTerm
  friend bool operator==(const Leading&, const Leading&) = default;
};

struct Following {
  std::optional<Candidate> leader;  // none: not known (no leader yet, or this candidate itself in an earlier life)
  friend bool operator==(const Following& a, const Following& b) {
    if (a.leader.has_value() != b.leader.has_value()) return false;
    return !a.leader || (a.leader->name == b.leader->name && a.leader->endpoint == b.leader->endpoint);
  }
};

using Role = std::variant<Following, Leading>;

class LeaderElection {
 public:
  // Takes part from now on. `coordinator` and `executor` (its executor) outlive this.
  LeaderElection(Coordinator& coordinator, Executor& executor, Candidate self,
                 std::function<void(const Role&)> on_role);
  ~LeaderElection();

  const Role& role() const;
  // No value unless it leads.
  const Leading* leading() const { return std::get_if<Leading>(&role()); }

  // A server has seen this term already, but the coordinator has none so high, because it was restored from an older
  // state. This candidate leads only above it; if it leads now, it needs a new term.
  void RaiseAbove(uint64_t term);

  // Takes no part any more: follows, and removes its election node so that the next candidate leads at once rather
  // than when the session ends. `done` runs when the node is gone or cannot be reached.
  void Resign(std::function<void()> done);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

// The masters that take part, in the order in which they would lead.
void ListCandidates(Coordinator& coordinator, Callback<Result<std::vector<Candidate>>> done);

}  // namespace ebla::coordination
