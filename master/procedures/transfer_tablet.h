// master/procedures/transfer_tablet.h
// Has a tablet led by another of its voters, as an operator asked: again and again until it is, or until the operator's
// patience ends. A master's death ends it; what it had begun, the reconciler of the next one completes.
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
