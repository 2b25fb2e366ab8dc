#include "master/procedures/transfer_tablet.h"

namespace ebla::master {

std::string TransferTabletName(TabletId tablet, const ServerName& to) {
  return "transfer tablet " + std::to_string(tablet.value) + " to " + to;
}

Status CheckTransfer(const Image& image, TabletId id, const ServerName& to) {
  const TabletEntry* tablet = image.Tablet(id);
  if (!tablet || !image.LivingTable(*tablet)) return Error(Code::kNotFound, "the tablet is gone");
  const idl::TabletInfo& info = tablet->node.info;
  if (IsIn(to, info.voters)) return {};
  return Error(Code::kInvalidArgument, "server " + to + " has no vote in tablet " + std::to_string(id.value) +
                                           "; choose one of " + Joined(info.voters));
}

void TransferTablet::Step(coordination::Callback<Progress> done) {
  if (Status status = CheckTransfer(context_.image(), tablet_, to_); !status.ok()) {
    return done(Progress::Done(std::move(status)));
  }
  const TabletEntry* tablet = context_.image().Tablet(tablet_);
  if (tablet->node.info.primary == to_ && reconciler_.SettledLoad(*tablet)) return done(Progress::Done());
  if (context_.executor.Now() >= until()) {
    return done(Progress::Done(Error(Code::kUnavailable, "the tablet could not be transferred in time")));
  }
  reconciler_.Transfer(tablet_, to_, [done = std::move(done)](Status status) mutable {
    done(status.ok() ? Progress::Done() : Progress::Later(std::move(status)));
  });
}

}  // namespace ebla::master
