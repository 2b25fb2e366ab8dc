#include "tabletserver/maintenance/replica_asker.h"

#include <optional>
#include <utility>

#include "common/base/mutex.h"
#include "common/rpc/idl_convert.h"
#include "common/rpc/stubs.h"

namespace ebla::tabletserver {
namespace {

using Clock = std::chrono::steady_clock;

// Stubs answer within the patience, at least with a timeout.
constexpr Duration kGrace = std::chrono::seconds(2);
// Restarted servers leave stubs behind, because each start has a new address.
constexpr size_t kStubsMax = 1'000;

}  // namespace

struct ReplicaAsker::Waiting {
  Mutex mutex;
  CondVar changed;
  bool stopped EBLA_GUARDED_BY(mutex) = false;
};

ReplicaAsker::ReplicaAsker(Executor& executor, rpc::Connector& connector, const PeerBook& peers)
    : executor_(executor), connector_(connector), peers_(peers), waiting_(std::make_shared<Waiting>()) {}

void ReplicaAsker::Stop() {
  MutexLock lock(waiting_->mutex);
  waiting_->stopped = true;
  waiting_->changed.NotifyAll();
}

bool ReplicaAsker::Pause(Duration duration) {
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(duration);
  MutexLock lock(waiting_->mutex);
  while (!waiting_->stopped && Clock::now() < until) waiting_->changed.WaitUntil(waiting_->mutex, until);
  return !waiting_->stopped;
}

template <class Reply, class Stub, class Request>
Result<Reply> ReplicaAsker::Call(Stub& stub, void (Stub::*method)(std::function<void(const Reply&)>, const Request&),
                                 const Request& request) {
  const auto answer = std::make_shared<std::optional<Reply>>();  // under the mutex
  (stub.*method)(
      [waiting = waiting_, answer](const Reply& reply) {
        MutexLock lock(waiting->mutex);
        *answer = reply;
        waiting->changed.NotifyAll();
      },
      request);
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(kPatience + kGrace);
  MutexLock lock(waiting_->mutex);
  while (!waiting_->stopped && !*answer && Clock::now() < until) waiting_->changed.WaitUntil(waiting_->mutex, until);
  if (waiting_->stopped) return Error(Code::kConditionFailed, "the server is stopping");
  if (!*answer) return Error(Code::kDeadlineExceeded, "no answer came");
  const Code code = rpc::FromIdl((*answer)->header.code);
  // A standby names the leader.
  if (code != Code::kOk && code != Code::kNotPrimary) return Error(code, (*answer)->header.message);
  return *std::exchange(*answer, std::nullopt);
}

Result<idl::LocateReply> ReplicaAsker::Locate(const rpc::Endpoint& master, const idl::LocateRequest& request) {
  if (masters_.size() >= kStubsMax) masters_.clear();
  auto& stub = masters_[master];
  if (stub == nullptr) stub = rpc::MakeMasterStub(connector_.Connect(master, executor_), kPatience);
  return Call(*stub, &idl::MasterServiceCobSvIf::locate, request);
}

Result<std::vector<ReplicaAsker::Holder>> ReplicaAsker::Voters(TableId table, TabletId tablet, const KeyRange& range) {
  idl::LocateRequest request;
  request.tableId = static_cast<int64_t>(table.value);
  request.range = rpc::ToIdl(KeyRange{range.start, KeyAfter(range.start)});
  request.limit = 1;
  const auto master = peers_.master();
  if (!master) return Error(Code::kUnavailable, "no master is known yet");
  EBLA_ASSIGN(idl::LocateReply reply, Locate(*master, request));
  if (rpc::FromIdl(reply.header.code) == Code::kNotPrimary) {
    if (!reply.header.__isset.leader) return Error(Code::kUnavailable, "no master leads");
    EBLA_ASSIGN(const rpc::Endpoint leader, rpc::FromIdl(reply.header.leader));
    EBLA_ASSIGN(reply, Locate(leader, request));
  }
  if (rpc::FromIdl(reply.header.code) != Code::kOk) return Error(Code::kUnavailable, reply.header.message);
  std::vector<Holder> voters;
  for (const idl::TabletLocation& place : reply.tablets) {
    if (place.tabletId != static_cast<int64_t>(tablet.value)) continue;
    for (const idl::Replica& replica : place.replicas) {
      const auto endpoint = rpc::FromIdl(replica.endpoint);
      if (replica.voter) voters.push_back({replica.server, endpoint.value_or(rpc::Endpoint())});
    }
  }
  return voters;
}

Result<RecordPage> ReplicaAsker::Ask(const Holder& holder, TableId table, TabletId tablet, const std::string& from) {
  if (holder.endpoint.port == 0)
    return Error(Code::kUnavailable, "the address of server " + holder.server + " is unknown");
  if (servers_.size() >= kStubsMax) servers_.clear();
  auto& stub = servers_[holder.endpoint];
  if (stub == nullptr) stub = rpc::MakeTabletStub(connector_.Connect(holder.endpoint, executor_), kPatience);
  idl::ChecksumRequest request;
  request.header.tableId = static_cast<int64_t>(table.value);
  request.header.tabletId = static_cast<int64_t>(tablet.value);
  request.fromKey = from;
  EBLA_ASSIGN(const idl::ChecksumReply reply, Call(*stub, &idl::TabletServiceCobSvIf::checksum, request));
  if (rpc::FromIdl(reply.header.code) != Code::kOk) return Error(Code::kUnavailable, reply.header.message);
  return RecordPage{.range = rpc::FromIdl(reply.range),
                    .epoch = Epoch{static_cast<uint64_t>(reply.header.epoch)},
                    .applied = Lsn{static_cast<uint64_t>(reply.appliedLsn)},
                    .records = reply.records,
                    .bytes = reply.bytes,
                    .checksum = static_cast<uint32_t>(reply.checksum),
                    .next = reply.nextKey,
                    .done = reply.done};
}

}  // namespace ebla::tabletserver
