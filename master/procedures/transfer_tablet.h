// master/procedures/transfer_tablet.h
// Repeats an operator's request to make another voter the primary, until that voter is the primary or the operator's
// patience ends. tablet_reconciler.h carries a transfer out. A master's death ends the repetition; the next master's
// reconciler completes a transfer that has begun.
// Tests:   master/host/master_transfer_test.cc
// Threads: the master's executor.
#pragma once

#include <string>

#include "master/procedures/procedure.h"
#include "master/procedures/tablet_reconciler.h"

namespace ebla::master {

std::string TransferTabletName(TabletId tablet, const ServerName& to);

// OK; NOT_FOUND no such tablet; INVALID_ARGUMENT the server has no vote in it.
Status CheckTransfer(const Image& image, TabletId tablet, const ServerName& to);

class TransferTablet final : public Procedure {
 public:
  TransferTablet(const Context& context, TabletReconciler& reconciler, TabletId tablet, ServerName to,
                 MonotonicTime until)
      : Procedure(until), context_(context), reconciler_(reconciler), tablet_(tablet), to_(std::move(to)) {}
  Subject subject() const override { return {.kind = "transfer", .tablet = tablet_, .table = {}, .server = to_}; }
  void Step(coordination::Callback<Progress> done) override;

 private:
  const Context context_;
  TabletReconciler& reconciler_;
  const TabletId tablet_;
  const ServerName to_;
};

}  // namespace ebla::master
