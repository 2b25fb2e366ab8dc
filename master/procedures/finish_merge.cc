#include "master/procedures/finish_merge.h"

#include <glog/logging.h>

#include <algorithm>

#include "master/procedures/caught_up.h"
#include "master/procedures/tablet_batch.h"

namespace ebla::master {
namespace {

// A voter that lives and cannot merge them is copied to, after so long.
constexpr Duration kVotersMergePatience = std::chrono::seconds(30);

}  // namespace

std::string FinishMergeName(TabletId tablet) {
  return "merge what tablet " + std::to_string(tablet.value) + " is made of";
}

// It lives, and has both and not yet what they became, or has not said what it has.
bool FinishMerge::MayStillMerge(const TabletEntry& tablet, const ServerName& voter) const {
  if (!context_.servers.IsLive(voter)) return false;
  const Report* report = context_.servers.ReportOf(voter);
  if (!report) return true;
  if (report->Find(tablet_)) return false;
  return HasBoth(*report, tablet.node.merged);
}

// A lost voter does not count, and is made anew once the merge is closed.
bool FinishMerge::HasMajority(const TabletEntry& tablet) const {
  size_t counted = 0, whole = 0;
  for (const ServerName& voter : tablet.node.info.voters) {
    const idl::TabletLoad* load = context_.servers.LoadOf(voter, tablet_);
    if (load && load->lost) continue;
    ++counted;
    whole += load && !load->incomplete && !load->failed ? 1 : 0;
  }
  return whole > counted / 2;
}

void FinishMerge::Step(coordination::Callback<Progress> done) {
  const TabletEntry* tablet = context_.image().Tablet(tablet_);
  if (!tablet || !context_.image().LivingTable(*tablet) || !tablet->merge_unfinished()) return done(Progress::Done());
  if (auto stale = context_.stale_catalog.Why())
    return done(Progress::Later(Error(Code::kUnavailable, *std::move(stale))));
  if (epoch_ != tablet->epoch()) informed_.clear();
  epoch_ = tablet->epoch();
  std::string waits;
  for (const ServerName& voter : tablet->node.info.voters) {
    if (!MayStillMerge(*tablet, voter)) continue;
    waits += (waits.empty() ? "" : ", ") + voter;
    if (voter != tablet->node.info.primary) SendConfig(*tablet, voter);  // the primary is the reconciler's
  }
  if (!context_.servers.Leads(tablet->node.info.primary, tablet->id(), tablet->epoch()))
    return done(Progress::Later(Error(Code::kUnavailable, "it has no primary yet")));
  if (!led_since_) led_since_ = context_.executor.Now();
  const bool late = HasMajority(*tablet) && context_.executor.Now() - *led_since_ >= kVotersMergePatience;
  if (!waits.empty() && !late) return done(Progress::Later(Error(Code::kUnavailable, "not merged yet on " + waits)));
  Close(std::move(done));
}

// Sooner than the config resender, which waits until a replica lags: until a majority has it the tablet takes no write.
void FinishMerge::SendConfig(const TabletEntry& tablet, const ServerName& voter) {
  if (!informed_.insert(voter).second) return;
  context_.tablet_server_client.Configure(
      voter, {ConfigureOrder(context_, tablet, *context_.image().LivingTable(tablet))},
      if_alive_([this, voter, epoch = epoch_](Result<std::map<TabletId, idl::ConfigureResult>> results) {
        const auto result = results ? results->find(tablet_) : decltype(results->find({}))();
        const bool obeyed = results && result != results->end() && result->second.status.code == idl::Code::OK;
        if (!obeyed && epoch == epoch_) informed_.erase(voter);
        if (obeyed || !results || result == results->end() || epoch != epoch_) return;
        const Epoch promised{static_cast<uint64_t>(std::max<int64_t>(result->second.promisedEpoch, 0))};
        if (promised > epoch) outgrow_(tablet_, promised);
      }));
}

void FinishMerge::Close(coordination::Callback<Progress> done) {
  auto decide = [id = tablet_](const Image& image) -> Result<Change> {
    Change change;
    const TabletEntry* tablet = image.Tablet(id);
    if (!tablet || !tablet->merge_unfinished()) return change;
    idl::TabletNode node = tablet->node;
    node.__isset.merged = false;
    change.PutTablet(std::move(node));
    return change;
  };
  context_.catalog.Commit(std::move(decide), if_alive_([this, done = std::move(done)](Status status) mutable {
                            if (status.ok()) LOG(INFO) << "tablet " << tablet_ << " is whole at every live voter";
                            done(status.ok() ? Progress::Again() : Progress::Later(std::move(status)));
                          }));
}

}  // namespace ebla::master
