#include "tabletserver/hints/delivery_route.h"

#include <utility>

#include "common/rpc/idl_convert.h"
#include "common/rpc/stubs.h"
#include "tabletserver/shard/shard.h"

namespace ebla::tabletserver {
namespace {

constexpr size_t kPlacesMax = 10'000;
constexpr size_t kDistrustedMax = 1000;

// Whether another server may be the primary.
bool Elsewhere(Code code) {
  switch (code) {
    case Code::kWrongTablet:
    case Code::kNotPrimary:
    case Code::kStaleEpoch:
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
    case Code::kUnknownOutcome: return true;
    default: return false;
  }
}

}  // namespace

WriteRequest DeliveryRoute::RequestOf(const Effect& effect) {
  WriteRequest request;
  request.level = AckLevel::kMajority;
  Write& write = request.writes.emplace_back();
  write.kind = effect.is_delete ? WriteKind::kDelete : WriteKind::kPut;
  write.key = effect.key;
  write.value = effect.value;
  write.stamp = WriteStamp{effect.write_time_ms, effect.writer};
  write.expires_at = effect.expires_at;
  return request;
}

idl::WriteRequest DeliveryRoute::RequestTo(TableId table, const Effect& effect, Duration deadline) {
  idl::WriteRequest request;
  request.header.tableId = static_cast<int64_t>(table.value);
  request.header.deadlineMs =
      static_cast<int32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(deadline).count());
  request.level = idl::WriteLevel::MAJORITY;
  idl::Write& write = request.writes.emplace_back();
  write.kind = effect.is_delete ? idl::WriteKind::DELETE : idl::WriteKind::PUT;
  write.key = effect.key;
  if (!effect.is_delete) write.__set_value(effect.value);
  write.__set_writeTimeMs(effect.write_time_ms);
  write.__set_writer(effect.writer);
  if (effect.expires_at) write.__set_expiresAtMs(static_cast<int64_t>(effect.expires_at.value));
  return request;
}

void DeliveryRoute::Send(TableId table, const Effect& effect, Done done) {
  ports_.executor.Post(
      [this, parcel = Parcel{table, &effect, std::move(done), false, {}}]() mutable { Try(std::move(parcel)); });
}

bool DeliveryRoute::Distrusted(const std::string& target) {
  const auto found = distrusted_.find(target);
  if (found == distrusted_.end()) return false;
  if (ports_.executor.Now() < found->second) return true;
  distrusted_.erase(found);
  return false;
}

std::optional<rpc::Endpoint> DeliveryRoute::Remembered(TableId table, const std::string& key) const {
  auto after = places_.upper_bound({table, key});
  if (after == places_.begin()) return std::nullopt;
  const auto& [place, known] = *std::prev(after);
  return place.first == table && known.range.Contains(key) ? std::optional(known.primary) : std::nullopt;
}

void DeliveryRoute::Try(Parcel parcel) {
  const auto snapshot = ports_.directory.snapshot();
  const auto* handle = snapshot->Find(parcel.table, parcel.effect->key);
  const auto view = handle == nullptr ? nullptr : (*handle)->view();
  if (view != nullptr && view->role == RoleKind::kPrimary) return SendHere(*handle, std::move(parcel));
  if (view != nullptr && !view->primary.empty()) {
    // Another epoch's primary is another chance, also when it is the same server.
    parcel.target = view->primary + "/" + std::to_string(view->tablet.value) + "." + std::to_string(view->epoch.value);
    const auto peer = ports_.peers.Find(view->primary);
    if (peer.has_value() && !Distrusted(parcel.target)) return SendTo(peer->endpoint, std::move(parcel));
  }
  if (const auto primary = Remembered(parcel.table, parcel.effect->key); primary.has_value()) {
    parcel.target.clear();
    return SendTo(*primary, std::move(parcel));
  }
  AskMaster(std::move(parcel));
}

void DeliveryRoute::SendHere(const std::shared_ptr<TabletHandle>& handle, Parcel parcel) {
  parcel.target.clear();
  WriteCall call;
  call.handle = handle;
  call.request = RequestOf(*parcel.effect);
  call.request.deadline = ports_.executor.Now() + options_.attempt;
  call.bytes = parcel.effect->key.size() + parcel.effect->value.size();
  auto held = std::make_shared<Parcel>(std::move(parcel));
  call.done = [this, held](WriteReply reply) {
    ports_.executor.Post(
        [this, held, status = std::move(reply.status)]() mutable { OnAnswer(std::move(*held), std::move(status)); });
  };
  if (Status status = ports_.shards[handle->shard]->Admit(call); !status.ok()) held->done(std::move(status));
}

void DeliveryRoute::SendTo(const rpc::Endpoint& endpoint, Parcel parcel) {
  auto& stub = servers_[endpoint];
  if (stub == nullptr)
    stub = rpc::MakeTabletStub(ports_.connector.Connect(endpoint, ports_.executor), options_.attempt);
  const idl::WriteRequest request = RequestTo(parcel.table, *parcel.effect, options_.attempt);
  auto held = std::make_shared<Parcel>(std::move(parcel));
  stub->write(
      [this, held](const idl::WriteReply& reply) {
        OnAnswer(std::move(*held), Status(rpc::FromIdl(reply.header.code), reply.header.message));
      },
      request);
}

void DeliveryRoute::OnAnswer(Parcel parcel, Status status) {
  if (!Elsewhere(status.code())) return parcel.done(std::move(status));
  if (!parcel.target.empty()) {
    if (distrusted_.size() >= kDistrustedMax) distrusted_.clear();
    distrusted_[parcel.target] = ports_.executor.Now() + options_.distrust;
  } else if (auto after = places_.upper_bound({parcel.table, parcel.effect->key}); after != places_.begin()) {
    places_.erase(std::prev(after));  // the master's word, or the next best one: both are soon asked for again
  }
  if (parcel.asked_master) return parcel.done(std::move(status));
  AskMaster(std::move(parcel));
}

// ---- the master -----------------------------------------------------------------------------------------------------

void DeliveryRoute::AskMaster(Parcel parcel) {
  if (std::exchange(parcel.asked_master, true)) {
    return parcel.done(Error(Code::kUnavailable, "the key's tablet has no known primary at present"));
  }
  asking_.push_back(std::move(parcel));
  if (asking_.size() == 1) AskNext();
}

void DeliveryRoute::AskNext() {
  const auto master = leader_.has_value() ? std::exchange(leader_, std::nullopt) : ports_.peers.master();
  if (!master.has_value()) {
    for (Parcel& parcel : std::exchange(asking_, {})) parcel.done(Error(Code::kUnavailable, "no master is known yet"));
    return;
  }
  auto& stub = masters_[*master];
  if (stub == nullptr) stub = rpc::MakeMasterStub(ports_.connector.Connect(*master, ports_.executor), options_.attempt);
  const Parcel& first = asking_.front();
  idl::LocateRequest request;
  request.tableId = static_cast<int64_t>(first.table.value);
  request.range = rpc::ToIdl(KeyRange{first.effect->key, KeyAfter(first.effect->key)});
  request.limit = 1;
  stub->locate([this](const idl::LocateReply& reply) { OnLocated(reply); }, request);
}

// Sends every parcel that waits for this answer, and asks for the next key.
void DeliveryRoute::OnLocated(const idl::LocateReply& reply) {
  const Code code = rpc::FromIdl(reply.header.code);
  const TableId table = asking_.front().table;
  if (code == Code::kNotPrimary && reply.header.__isset.leader) {
    if (const auto leader = rpc::FromIdl(reply.header.leader)) leader_ = *leader;  // for the next question
  }
  std::optional<Place> place;
  for (const idl::TabletLocation& tablet : reply.tablets) {
    for (const idl::Replica& replica : tablet.replicas) {
      const auto endpoint = rpc::FromIdl(replica.endpoint);
      if (replica.server == tablet.primary && endpoint) place = Place{rpc::FromIdl(tablet.range), *endpoint};
    }
  }
  if (place.has_value()) {
    if (places_.size() >= kPlacesMax) places_.clear();
    places_[{table, place->range.start}] = *place;
  }
  std::deque<Parcel> others;
  bool first = true;
  for (Parcel& parcel : std::exchange(asking_, {})) {
    if (parcel.table == table && place.has_value() && place->range.Contains(parcel.effect->key)) {
      parcel.target.clear();
      SendTo(place->primary, std::move(parcel));
    } else if (parcel.table == table && code == Code::kNoSuchTable) {
      parcel.done(Status(code, reply.header.message));
    } else if (first || code != Code::kOk) {
      parcel.done(Error(Code::kUnavailable, "the master names no primary of the key's tablet"));
    } else {
      others.push_back(std::move(parcel));
    }
    first = false;
  }
  asking_ = std::move(others);
  if (!asking_.empty()) AskNext();
}

}  // namespace ebla::tabletserver
