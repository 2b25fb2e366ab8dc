// master/procedures/merge_exclusion.h
// Finds out whether servers have a merged tablet that the catalog lacks (PROTOCOL 14). Reports may show it. Else its
// voters are fenced above its first epoch: none makes it for an earlier master from then on.
//
//   a voter's answer                              counts as
//   has the tablet                                found
//   lacks it, and reports both parts whole        a proof: it never had it
//   lacks it, and one of them                     nothing, unless every voter has answered
//   has it, and lost its data (in memory)         found, as long as another report shows how it began
//
// Place:      merge_tablets.h asks, for a master that did not write the intents.
// Invariants: 1. Excluded: a majority of proofs, or an answer of every voter, and none found. For a table in memory
//                every voter must answer or be gone for long, because a restart takes the tablet with it.
//             2. Found: a majority has answered, and a voter has it.
//             3. If an operator has accepted the loss of a majority, the voters that live are enough.
// Tests:      master/host/master_merge_outage_test.cc
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <map>
#include <optional>

#include "master/procedures/context.h"

namespace ebla::master {

// The servers' last reports of a merge.
struct MergeReports {
  bool found = false;                 // a voter has the merged tablet
  size_t agree = 0;                   // voters that have it, or both parts frozen for it and no further
  std::optional<idl::Merged> merged;  // how it begins, where that is known
};
MergeReports LookAtMerge(const Context& context, const TabletEntry& left, const TabletEntry& right);

class MergeExclusion {
 public:
  enum class Outcome { kUndecided, kExcluded, kFound };
  using Done = coordination::Callback<std::pair<Outcome, Status>>;  // the status: why it is undecided

  explicit MergeExclusion(const Context& context) : context_(context) {}
  ~MergeExclusion() { context_.executor.Cancel(timer_); }
  MergeExclusion(const MergeExclusion&) = delete;

  // One round of fences; `done` never runs inside the call. The two stay in the catalog meanwhile.
  void Fence(const TabletEntry& left, const TabletEntry& right, bool loss_accepted, Done done);

 private:
  struct Answer {
    bool known = false;
    bool complete = false;
    bool proof = false;
  };
  void OnFenced(const ServerName& server, const Result<std::map<TabletId, idl::FenceResult>>& results);
  bool IsProof(const ServerName& server) const;
  bool IsGone(const ServerName& server) const;
  Outcome Judge() const;
  void End();

  const Context context_;
  TabletId left_, right_, into_;
  std::vector<ServerName> voters_;
  bool in_memory_ = false;
  bool loss_accepted_ = false;
  Epoch floor_first_;  // the merged tablet's first epoch
  Epoch floor_;        // promised already
  std::map<ServerName, Answer> answers_;
  size_t waiting_ = 0;
  uint64_t round_ = 0;
  Status why_;
  Done done_;
  TimerId timer_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
