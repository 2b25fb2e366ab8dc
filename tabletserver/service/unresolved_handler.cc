#include "tabletserver/service/unresolved_handler.h"

#include <utility>

#include "common/rpc/idl_convert.h"
#include "tabletserver/service/translate.h"

namespace ebla::tabletserver {
namespace {

constexpr size_t kListUnresolvedDefault = 100;
constexpr size_t kReplyBytesMax = 4 << 20;  // one entry may be as large
// After one entry of any size there is room for another here, which shows that there are more.
constexpr size_t kListedBytesMax = 2 * kReplyBytesMax;

UnresolvedPosition PlaceOf(int64_t tablet, const idl::Version& version) {
  return {TabletId{static_cast<uint64_t>(tablet)}, rpc::FromIdl(version)};
}

idl::KeptWrite ToIdl(const HintDelivery::Unresolved& unresolved) {
  const LogEntry& entry = unresolved.entry.entry;
  idl::KeptWrite to;
  to.tabletId = static_cast<int64_t>(unresolved.entry.tablet.value);
  to.version = rpc::ToIdl(entry.version);
  to.tabletTimeMs = static_cast<int64_t>(entry.time.value);
  to.waiting = unresolved.waiting;
  to.repeated = unresolved.repeated;
  to.clientId = static_cast<int64_t>(entry.client.value);
  to.sequence = static_cast<int64_t>(entry.sequence.value);
  for (const Effect& effect : entry.effects) {
    idl::KeptEffect& one = to.effects.emplace_back();
    one.key = effect.key;
    one.isDelete = effect.is_delete;
    if (!effect.is_delete) one.__set_value(effect.value);
    if (effect.expires_at) one.__set_expiresAtMs(static_cast<int64_t>(effect.expires_at.value));
  }
  return to;
}

}  // namespace

void ListUnresolved(HintDelivery& hint_delivery, const idl::ListKeptRequest& request,
                    std::move_only_function<void(idl::ListKeptReply)> done) {
  const size_t limit = request.limit == 0 ? kListUnresolvedDefault : static_cast<size_t>(request.limit);
  hint_delivery.List(TableId{static_cast<uint64_t>(request.header.tableId)},
                     PlaceOf(request.afterTabletId, request.afterVersion), limit + 1, kListedBytesMax,
                     [limit, done = std::move(done)](Result<std::vector<HintDelivery::Unresolved>> listed) mutable {
                       idl::ListKeptReply reply;
                       if (!listed) {
                         FillRefusal(listed.error(), -1, reply.header);
                         return done(std::move(reply));
                       }
                       size_t bytes = 0;
                       for (const HintDelivery::Unresolved& unresolved : *listed) {
                         bytes += unresolved.entry.entry.ApproximateBytes();
                         reply.more = reply.writes.size() == limit || (bytes > kReplyBytesMax && !reply.writes.empty());
                         if (reply.more) break;
                         reply.writes.push_back(ToIdl(unresolved));
                       }
                       done(std::move(reply));
                     });
}

void DiscardUnresolved(HintDelivery& hint_delivery, const idl::ForgetKeptRequest& request,
                       std::move_only_function<void(idl::ForgetKeptReply)> done) {
  hint_delivery.Forget(TableId{static_cast<uint64_t>(request.header.tableId)},
                       PlaceOf(request.tabletId, request.version),
                       [done = std::move(done)](const Status& status) mutable {
                         idl::ForgetKeptReply reply;
                         FillRefusal(status, -1, reply.header);
                         done(std::move(reply));
                       });
}

}  // namespace ebla::tabletserver
