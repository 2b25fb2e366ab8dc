// master/procedures/finish_merge.h
// The end of a merge (PROTOCOL 14): sends the merged tablet's configuration to each voter that has yet to merge the
// two, and then removes `merged` from its znode.
// Place:      merge_tablets.h puts the tablet into the catalog. tablet_admin.h starts this after it, and for each such
//             tablet that a new master finds.
// Invariant:  `merged` is removed only once a majority has the tablet, led, and no voter that lives may yet merge the
//             two, or has had long enough.
// Tests:      master/host/master_merge_late_test.cc
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "master/procedures/context.h"
#include "master/procedures/procedure.h"

namespace ebla::master {

std::string FinishMergeName(TabletId tablet);

class FinishMerge final : public Procedure {
 public:
  // `outgrow`: takes the tablet to an epoch above a promise, so that the voter that made it can merge the two.
  using Outgrow = std::function<void(TabletId, Epoch)>;
  FinishMerge(const Context& context, TabletId tablet, Outgrow outgrow)
      : context_(context), tablet_(tablet), outgrow_(std::move(outgrow)) {}
  Subject subject() const override { return {.kind = "unite", .tablet = tablet_, .table = {}, .server = {}}; }
  void Step(coordination::Callback<Progress> done) override;

 private:
  bool MayStillMerge(const TabletEntry& tablet, const ServerName& voter) const;
  bool HasMajority(const TabletEntry& tablet) const;
  void SendConfig(const TabletEntry& tablet, const ServerName& voter);
  void Close(coordination::Callback<Progress> done);

  const Context context_;
  const TabletId tablet_;
  const Outgrow outgrow_;
  Epoch epoch_;                    // in which...
  std::set<ServerName> informed_;  // ...these obeyed, or are being told
  std::optional<MonotonicTime> led_since_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
