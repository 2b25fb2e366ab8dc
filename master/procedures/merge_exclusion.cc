#include "master/procedures/merge_exclusion.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/number_limits.h"
#include "common/rpc/idl_convert.h"
#include "master/catalog/table_rules.h"
#include "master/cluster/options.h"
#include "master/procedures/fence_round.h"
#include "master/procedures/merge_decision.h"

namespace ebla::master {
namespace {

// Frozen through the last entry of its log, for this merge.
std::optional<idl::LogPosition> FreezeOf(const Report& report, const TabletEntry& part) {
  const idl::TabletLoad* load = report.Find(part.id());
  if (!load || load->failed || load->incomplete || load->forgetful) return std::nullopt;
  if (!load->__isset.frozenInto || load->frozenInto != part.node.merge.intoId) return std::nullopt;
  if (load->lastEpoch != part.node.merge.epoch || load->appliedLsn != load->lastLsn) return std::nullopt;
  idl::LogPosition freeze;
  freeze.epoch = load->lastEpoch;
  freeze.lsn = load->lastLsn;
  return freeze;
}

// A part has an entry of an epoch after its FREEZE's, so the merge was given up, and no merged tablet counts (PROTOCOL
// 24): the catalog was restored to open intents.
bool GoesOn(const Context& context, const TabletEntry& part) {
  return std::ranges::any_of(part.node.info.voters, [&](const ServerName& voter) {
    const idl::TabletLoad* load = context.servers.LoadOf(voter, part.id());
    return load && load->lastEpoch > part.node.merge.epoch;
  });
}

}  // namespace

MergeReports LookAtMerge(const Context& context, const TabletEntry& left, const TabletEntry& right) {
  MergeReports seen;
  if (GoesOn(context, left) || GoesOn(context, right)) return seen;
  std::optional<idl::FreezeResult> left_frozen, right_frozen;
  for (const ServerName& voter : left.node.info.voters) {
    const Report* report = context.servers.ReportOf(voter);
    if (!report) continue;
    if (const idl::TabletLoad* load = report->Find(left.into())) {
      seen.found = true;
      ++seen.agree;
      if (!load->__isset.merged || !IsMergeOf(load->merged, left.node, right.node)) continue;
      if (!seen.merged) seen.merged = load->merged;
      seen.merged->tabletTimeMs = std::max(seen.merged->tabletTimeMs, load->tabletTimeMs);
      continue;
    }
    const auto left_freeze = FreezeOf(*report, left), right_freeze = FreezeOf(*report, right);
    if (left_freeze) left_frozen.emplace().freeze = *left_freeze;
    if (right_freeze) right_frozen.emplace().freeze = *right_freeze;
    seen.agree += left_freeze && right_freeze ? 1 : 0;
  }
  if (!seen.merged && left_frozen && right_frozen)
    seen.merged = MergedOf(left.node, right.node, *left_frozen, *right_frozen);
  return seen;
}

void MergeExclusion::Fence(const TabletEntry& left, const TabletEntry& right, bool loss_accepted, Done done) {
  left_ = left.id();
  right_ = right.id();
  into_ = left.into();
  floor_first_ = left.into_epoch();
  voters_ = left.node.info.voters;
  const TableEntry* table = context_.image().LivingTable(left);
  in_memory_ = table && IsInMemory(table->node.schema);
  loss_accepted_ = loss_accepted;
  answers_.clear();
  why_ = Error(Code::kUnavailable, "no majority of the voters answers whether it has the merged tablet");
  done_ = std::move(done);
  waiting_ = voters_.size();
  idl::FenceTablet order;
  order.tabletId = static_cast<int64_t>(into_.value);
  // A voter accepts the epoch that it has promised again, so repetition raises nothing.
  order.epoch = static_cast<int64_t>(std::max(left.into_epoch().Next(), floor_).value);
  const uint64_t round = ++round_;
  context_.executor.Cancel(timer_);
  timer_ = context_.executor.After(kFencePatience, if_alive_([this] { End(); }));
  for (const ServerName& voter : voters_) {
    context_.tablet_server_client.Fence(voter, {order}, if_alive_([this, voter, round](const auto& results) {
                                          if (round == round_ && done_) OnFenced(voter, results);
                                        }));
  }
}

void MergeExclusion::OnFenced(const ServerName& server, const Result<std::map<TabletId, idl::FenceResult>>& results) {
  --waiting_;
  const auto result = results ? results->find(into_) : decltype(results->find({}))();
  if (!results) {
    why_ = results.error();
  } else if (result != results->end()) {
    const idl::FenceResult& its = result->second;
    const Status status = rpc::FromIdl(its.status);
    const Epoch promised{static_cast<uint64_t>(std::max<int64_t>(its.promisedEpoch, 0))};
    // No master reaches an epoch so far beyond, so the promise does not count.
    if (!limits::IsLeap(floor_first_, promised, limits::kReportedEpochLeapMax)) floor_ = std::max(floor_, promised);
    if (status.ok() || its.known) {
      answers_[server] = {its.known, its.known && !its.incomplete, status.ok() && !its.known && IsProof(server)};
    } else {
      why_ = status;
    }
  }
  if (waiting_ == 0 || Judge() != Outcome::kUndecided) End();
}

// Lost neither the merged tablet nor either part: both are there, and whole.
bool MergeExclusion::IsProof(const ServerName& server) const {
  const Report* report = context_.servers.ReportOf(server);
  return report && std::ranges::all_of(std::array{left_, right_}, [&](TabletId part) {
           const idl::TabletLoad* load = report->Find(part);
           return load && !load->failed && !load->incomplete && !load->forgetful;
         });
}

bool MergeExclusion::IsGone(const ServerName& server) const {
  const Server* known = context_.servers.Find(server);
  if (!known || !known->live) {
    return loss_accepted_ || !known || context_.executor.Now() - known->changed >= context_.options.report_patience;
  }
  return false;
}

MergeExclusion::Outcome MergeExclusion::Judge() const {
  size_t proofs = 0;
  bool known = false, complete = false;
  for (const auto& [server, answer] : answers_) {
    known = known || answer.known;
    complete = complete || answer.complete;
    proofs += answer.proof ? 1 : 0;
  }
  const auto answered = [&](const ServerName& voter) { return answers_.contains(voter); };
  const bool all = std::ranges::all_of(voters_, answered);
  const TabletEntry *left = context_.image().Tablet(left_), *right = context_.image().Tablet(right_);
  if (!left || !right) return Outcome::kUndecided;
  // Without a majority the merged tablet could not serve, and the two may have gone on at voters that did not answer.
  if (known && !loss_accepted_ && answers_.size() <= voters_.size() / 2) return Outcome::kUndecided;
  if (known && !GoesOn(context_, *left) && !GoesOn(context_, *right)) {
    const bool lost = all && !complete && !LookAtMerge(context_, *left, *right).merged;
    return lost ? Outcome::kExcluded : Outcome::kFound;
  }
  if (all) return Outcome::kExcluded;
  const bool all_that_may =
      std::ranges::all_of(voters_, [&](const ServerName& voter) { return answered(voter) || IsGone(voter); });
  if (loss_accepted_ && all_that_may && !answers_.empty()) return Outcome::kExcluded;
  const bool enough = proofs > voters_.size() / 2 && (!in_memory_ || all_that_may);
  return enough ? Outcome::kExcluded : Outcome::kUndecided;
}

void MergeExclusion::End() {
  if (!done_) return;
  context_.executor.Cancel(timer_);
  std::exchange(done_, nullptr)({Judge(), why_});
}

}  // namespace ebla::master
