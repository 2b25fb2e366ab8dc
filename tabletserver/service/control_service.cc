#include "tabletserver/service/control_service.h"

#include <glog/logging.h>

#include <algorithm>
#include <map>
#include <utility>

#include "common/base/key_range.h"
#include "common/base/number_limits.h"
#include "common/rpc/idl_convert.h"
#include "tabletserver/replication/rules.h"
#include "tabletserver/service/gathered.h"
#include "tabletserver/service/request_check.h"
#include "tabletserver/service/translate.h"
#include "tabletserver/shard/tablet_orders.h"

namespace ebla::tabletserver {
namespace {

using rpc::FromIdl;
using rpc::ToIdl;
using rpc::ToPosition;

constexpr std::chrono::milliseconds kPatienceMax{10'000};  // writes of the tablet wait meanwhile

void FillResult(const ControlReply& reply, idl::ConfigureResult& result) {
  result.status = ToIdl(reply.status);
  result.promisedEpoch = static_cast<int64_t>(reply.promised.value);
}

void FillFence(const ControlReply& reply, idl::FenceResult& result) {
  result.status = ToIdl(reply.status);
  result.lastAppended = ToPosition(reply.last_appended);
  result.promisedEpoch = static_cast<int64_t>(reply.promised.value);
  result.known = reply.known;
  result.incomplete = reply.incomplete;
  result.forgetful = reply.may_have_lost_writes;
  result.lost = reply.lost;
  for (const auto& [server, position] : reply.vouched) result.vouched[server] = ToPosition(position);
  result.tabletTimeMs = static_cast<int64_t>(reply.time.value);
  if (reply.logged_end) result.__set_endKey(*reply.logged_end);
}

Status CheckIds(int64_t tablet, int64_t epoch) {
  if (tablet > 0 && epoch > 0 && tablet <= limits::kIdMax && epoch <= limits::kEpochMax) return Status::Ok();
  return Error(Code::kInvalidArgument, "tablet id and epoch must be positive, and no higher than a cluster can reach");
}

bool IsPosition(const idl::LogPosition& position) {
  return limits::AreEpochs({position.epoch}) && limits::AreLsns({position.lsn});
}

// Checks the numbers that CheckIds does not.
Status CheckNumbers(const idl::ConfigureTablet& tablet, int64_t latest) {
  const idl::Merged& merged = tablet.merged;
  bool right = limits::IsWithin(tablet.schema.tableId, limits::kIdMax) && tablet.schema.tableId > 0 &&
               IsPosition(tablet.presumed) && limits::IsWithin(tablet.tabletTimeMs, latest) &&
               limits::IsWithin(tablet.timeOfDayMs, latest) && IsPosition(merged.position) &&
               limits::IsWithin(merged.tabletTimeMs, latest);
  for (const idl::MergedTablet* part : {&merged.left, &merged.right})
    right = right && limits::IsWithin(part->tabletId, limits::kIdMax) && IsPosition(part->freeze);
  for (const idl::LostSplit& split : tablet.lostSplits)
    right = right && limits::IsWithin(split.childId, limits::kIdMax) && split.childId > tablet.tabletId;
  if (right) return Status::Ok();
  return Error(Code::kInvalidArgument, "a configuration holds an impossible number, or names no table");
}

MergedTablet FromMerged(const idl::MergedTablet& tablet) {
  return {TabletId{static_cast<uint64_t>(tablet.tabletId)}, FromIdl(tablet.range), FromIdl(tablet.freeze)};
}

// Two that meet, older than what is made of them, and a position above both.
Result<Merged> FromMerged(const idl::ConfigureTablet& tablet) {
  Merged merged{FromMerged(tablet.merged.left), FromMerged(tablet.merged.right), FromIdl(tablet.merged.position)};
  const TabletId id{static_cast<uint64_t>(tablet.tabletId)};
  const KeyRange range = FromIdl(tablet.range);
  bool right = merged.left.range.start == range.start && merged.left.range.end == merged.right.range.start &&
               merged.right.range.end == range.end && !merged.left.range.end.empty();
  for (const MergedTablet* part : {&merged.left, &merged.right}) {
    right = right && part->tablet && part->tablet < id && part->freeze && part->freeze.epoch < merged.position.epoch &&
            part->freeze.lsn < merged.position.lsn;
  }
  if (right && merged.left.tablet != merged.right.tablet) return merged;
  return Error(Code::kInvalidArgument, "the order to merge the two tablets contradicts itself");
}

Result<ConfigureTablet> Translate(const idl::ConfigureTablet& tablet, int64_t latest) {
  EBLA_TRY(CheckIds(tablet.tabletId, tablet.epoch));
  EBLA_TRY(CheckNumbers(tablet, latest));
  ConfigureTablet to;
  to.schema = TranslateSchema(tablet.schema).tablet;
  to.replica.epoch = Epoch{static_cast<uint64_t>(tablet.epoch)};
  to.replica.table = to.schema.table;
  to.replica.range = FromIdl(tablet.range);
  to.replica.schema = to.schema.encoded;
  to.replica.primary = tablet.primary;
  to.replica.voters = tablet.voters;
  to.replica.learners = tablet.learners;
  to.replica.fenced = tablet.fenced;
  to.replica.created_empty = tablet.born;
  to.replica.loss_accepted = tablet.lossAccepted;
  to.replica.transfer = tablet.transfer;
  to.replica.anew = tablet.anew && to.schema.in_memory;
  to.replica.sole_log = tablet.soleLog && to.schema.in_memory;
  if (to.schema.in_memory) {
    for (const idl::LostSplit& split : tablet.lostSplits)
      to.replica.lost_splits.push_back({TabletId{static_cast<uint64_t>(split.childId)}, split.key});
  }
  if (tablet.__isset.presumed) {
    to.replica.presumed = FromIdl(tablet.presumed);
  }
  if (tablet.__isset.merged) {
    EBLA_ASSIGN(to.replica.merged, FromMerged(tablet));
  }
  if (tablet.__isset.tabletTimeMs) to.learnt = TabletTime{static_cast<uint64_t>(tablet.tabletTimeMs)};
  if (tablet.__isset.timeOfDayMs) to.time_of_day_ms = tablet.timeOfDayMs;
  if (to.replica.range.Empty()) return Error(Code::kInvalidArgument, "the tablet's range is empty or inverted");
  return to;
}

// Drops conflict records of a dropped table, which no operator can resolve any more.
Status ForgetUnresolved(TabletStore& store, TableId table) {
  constexpr size_t kAtOnce = 1000, kBytesAtOnce = 16 << 20;
  size_t forgotten = 0;
  while (true) {
    EBLA_ASSIGN(const std::vector<UnresolvedLogEntry> kept, store.unresolved().List(table, {}, kAtOnce, kBytesAtOnce));
    if (kept.empty()) break;
    for (const UnresolvedLogEntry& one : kept) EBLA_TRY(store.unresolved().Discard(one.tablet, one.entry.version));
    forgotten += kept.size();
  }
  if (forgotten > 0) LOG(WARNING) << forgotten << " unresolved writes of table " << table << " are dropped with it";
  return Status::Ok();
}

}  // namespace

Status ControlService::CheckHeader(const idl::ControlHeader& header) const {
  EBLA_TRY(CheckProtocolVersion(header.protocolVersion));
  if (const std::string mine = ports_.cluster_id(); !mine.empty() && header.clusterId != mine) {
    return Error(Code::kInvalidArgument,
                 "this server belongs to cluster " + mine + ", not to " + EscapeBytes(header.clusterId));
  }
  if (header.toServer != ports_.name) {
    return Error(Code::kComeAgain,
                 "this is server \"" + ports_.name + "\", not \"" + EscapeBytes(header.toServer) + "\"");
  }
  if (header.toIncarnation != static_cast<int64_t>(ports_.incarnation.value) && rules::EpochIsLedOnce() &&
      rules::UnfencedNeedsItsLeader()) {
    return Error(Code::kComeAgain, "this server is in its start " + std::to_string(ports_.incarnation.value) +
                                       ", the order is for start " + std::to_string(header.toIncarnation));
  }
  if (!ports_.term.IsPlausible(header.masterTerm)) {
    return ports_.refusals.Refuse(
        "a master", Error(Code::kInvalidArgument, "term " + std::to_string(header.masterTerm) +
                                                      " is further beyond the known one, " +
                                                      std::to_string(ports_.term.Get()) + ", than masters come"));
  }
  ports_.term.Raise(header.masterTerm);
  EBLA_TRY(CheckTerm(header.masterTerm));
  // Before a fence is answered: a clock that the master confirms is not doubted in it.
  ports_.compare_clock(header.timeOfDayMs, header.boot);
  return Status::Ok();
}

Status ControlService::CheckTerm(int64_t term) const {
  const int64_t known = ports_.term.Get();
  if (term >= known || !rules::StaleMastersAreRefused()) return Status::Ok();
  return Error(Code::kStaleEpoch,
               "the master's term " + std::to_string(term) + " is over: term " + std::to_string(known) + " is known");
}

void ControlService::configure(Cob<idl::ConfigureReply> cob, const idl::ConfigureRequest& request) {
  auto gathered = std::make_shared<Gathered<idl::ConfigureReply>>(std::move(cob));
  if (Status status = CheckHeader(request.header); !status.ok()) {
    gathered->reply.status = ToIdl(status);
    return;
  }
  // Making a table may take milliseconds: not on an event loop.
  ports_.background.Post([this, gathered, tablets = request.tablets, term = request.header.masterTerm] {
    auto& results = gathered->reply.results;
    results.resize(tablets.size());
    for (const idl::ConfigureTablet& tablet : tablets) {
      for (const auto& [name, endpoint] : tablet.endpoints) {
        if (const auto address = FromIdl(endpoint); address.has_value()) ports_.peers.AddUnconfirmed(name, *address);
      }
    }
    std::map<TableId, Status> made;
    for (size_t i = 0; i < tablets.size(); ++i) {
      results[i].tabletId = tablets[i].tabletId;
      auto input = Translate(tablets[i], limits::LatestTime(ports_.background.TimeOfDayMs()));
      if (!input) {
        results[i].status = ToIdl(ports_.refusals.Refuse("a master", std::move(input.error())));
        continue;
      }
      const TableId table = input->schema.table;
      auto known = made.find(table);
      if (known == made.end()) {
        known = made.emplace(table, PlaceTable(ports_.store, tablets[i].schema)).first;
      }
      if (!known->second.ok()) {
        results[i].status = ToIdl(known->second);
        continue;
      }
      const TabletId tablet{static_cast<uint64_t>(tablets[i].tabletId)};
      // The table's file is deleted only while no replica is in it.
      if (ports_.store.damage().Hits({}, table) && ports_.directory.snapshot()->Find(table, tablet) == nullptr) {
        results[i].status = ToIdl(Status(Code::kComeAgain, "the table's file here is damaged, and yet to be removed"));
        continue;
      }
      input->check_term = [this, term] { return CheckTerm(term); };
      OrdersOf(tablet).Configure(tablet, *std::move(input),
                                 [gathered, i](ControlReply reply) { FillResult(reply, gathered->reply.results[i]); });
    }
  });
}

// Checks the order and gives each tablet's part to `start(orders, tablet, epoch, order, done)`; a shard's answer is
// passed to `fill(answer, result)`.
template <class Reply, class Request, class Start, class Fill>
void ControlService::ForEachTablet(Cob<Reply> cob, const Request& request, Start start, Fill fill) {
  auto gathered = std::make_shared<Gathered<Reply>>(std::move(cob));
  if (Status status = CheckHeader(request.header); !status.ok()) {
    gathered->reply.status = ToIdl(status);
    return;
  }
  auto& results = gathered->reply.results;
  results.resize(request.tablets.size());
  for (size_t i = 0; i < request.tablets.size(); ++i) {
    const auto& one = request.tablets[i];
    results[i].tabletId = one.tabletId;
    if (Status status = CheckIds(one.tabletId, one.epoch); !status.ok()) {
      results[i].status = ToIdl(ports_.refusals.Refuse("a master", std::move(status)));
      continue;
    }
    const TabletId tablet{static_cast<uint64_t>(one.tabletId)};
    start(OrdersOf(tablet), tablet, Epoch{static_cast<uint64_t>(one.epoch)}, one,
          [gathered, i, fill](ControlReply answer) { fill(answer, gathered->reply.results[i]); });
  }
}

void ControlService::fence(Cob<idl::FenceReply> cob, const idl::FenceRequest& request) {
  ForEachTablet(
      std::move(cob), request,
      [](TabletOrders& orders, TabletId tablet, Epoch epoch, const idl::FenceTablet& order, auto done) {
        FenceReplica input{.epoch = epoch};
        if (order.__isset.leapFrom)
          input.leap_from = Epoch{static_cast<uint64_t>(std::max<int64_t>(order.leapFrom, 0))};
        if (IsPosition(order.had)) input.had = FromIdl(order.had);  // an impossible one is none
        orders.Fence(tablet, std::move(input), std::move(done));
      },
      [this](const ControlReply& reply, idl::FenceResult& result) {
        FillFence(reply, result);
        result.timeOfDayMs = ports_.day_clock.DayMs();
      });
}

void ControlService::drop(Cob<idl::DropReply> cob, const idl::DropRequest& request) {
  ForEachTablet(
      std::move(cob), request,
      [](TabletOrders& orders, TabletId tablet, Epoch epoch, const idl::DropTablet& order, auto done) {
        std::vector<TabletId> splits;
        for (const int64_t split : order.splits) splits.push_back(TabletId{static_cast<uint64_t>(split)});
        orders.Drop(tablet, epoch, std::move(splits), std::move(done));
      },
      FillResult);
}

void ControlService::split(Cob<idl::SplitReply> cob, const idl::SplitRequest& request) {
  ForEachTablet(
      std::move(cob), request,
      [](TabletOrders& orders, TabletId tablet, Epoch epoch, const idl::SplitTablet& order, auto done) {
        orders.Split(tablet, epoch, order.key, TabletId{static_cast<uint64_t>(std::max<int64_t>(order.childId, 0))},
                     std::move(done));
      },
      [](const ControlReply& reply, idl::SplitResult& result) {
        result.status = ToIdl(reply.status);
        if (reply.split) result.__set_split(ToIdl(*reply.split));
      });
}

void ControlService::freeze(Cob<idl::FreezeReply> cob, const idl::FreezeRequest& request) {
  ForEachTablet(
      std::move(cob), request,
      [](TabletOrders& orders, TabletId tablet, Epoch epoch, const idl::FreezeTablet& order, auto done) {
        orders.Freeze(tablet, epoch, TabletId{static_cast<uint64_t>(std::max<int64_t>(order.intoId, 0))},
                      std::move(done));
      },
      [](const ControlReply& reply, idl::FreezeResult& result) {
        result.status = ToIdl(reply.status);
        if (reply.freeze) result.__set_freeze(ToPosition(reply.freeze));
        result.tabletTimeMs = static_cast<int64_t>(reply.time.value);
      });
}

void ControlService::transfer(Cob<idl::TransferReply> cob, const idl::TransferRequest& request) {
  ForEachTablet(
      std::move(cob), request,
      [](TabletOrders& orders, TabletId tablet, Epoch epoch, const idl::TransferTablet& order, auto done) {
        if (order.target.empty()) {
          return done(ControlReply{.status = Error(Code::kInvalidArgument, "a transfer needs a target")});
        }
        const std::chrono::milliseconds patience(std::clamp<int64_t>(order.patienceMs, 1, kPatienceMax.count()));
        orders.Transfer(tablet, epoch, order.target, patience, std::move(done));
      },
      FillFence);
}

void ControlService::alter(Cob<idl::AlterReply> cob, const idl::AlterRequest& request) {
  auto gathered = std::make_shared<Gathered<idl::AlterReply>>(std::move(cob));
  Status status = CheckHeader(request.header);
  if (status.ok() && request.schema.tableId <= 0) status = Error(Code::kInvalidArgument, "the schema names no table");
  if (!status.ok()) {
    gathered->reply.status = ToIdl(status);
    return;
  }
  // Each shard has a place of its own, folded into one status at the end.
  struct Folded {
    ~Folded() {
      for (const Status& one : statuses) {
        if (!one.ok()) to->reply.status = ToIdl(one);
      }
    }
    std::vector<Status> statuses;
    std::shared_ptr<Gathered<idl::AlterReply>> to;
  };
  auto folded = std::make_shared<Folded>();
  folded->statuses.resize(ports_.shards.size());
  folded->to = std::move(gathered);
  SetFlushInterval(ports_.store, request.schema);
  const TabletSchema schema = TranslateSchema(request.schema).tablet;
  for (size_t i = 0; i < ports_.shards.size(); ++i) {
    ports_.shards[i]->Alter(schema, [folded, i](Status one) { folded->statuses[i] = std::move(one); });
  }
}

void ControlService::dropTableData(Cob<idl::DropTableReply> cob, const idl::DropTableRequest& request) {
  auto gathered = std::make_shared<Gathered<idl::DropTableReply>>(std::move(cob));
  Status status = CheckHeader(request.header);
  if (status.ok() && request.tableId <= 0) status = Error(Code::kInvalidArgument, "no table is named");
  if (!status.ok()) {
    gathered->reply.status = ToIdl(status);
    return;
  }
  ports_.background.Post([this, gathered, table = TableId{static_cast<uint64_t>(request.tableId)}] {
    const auto snapshot = ports_.directory.snapshot();
    const TabletDirectory::Ranges* ranges = snapshot->Table(table);
    Status status = ranges != nullptr ? Status(Code::kComeAgain, std::to_string(ranges->size()) +
                                                                     " replicas of the table are still on this server")
                                      : ForgetUnresolved(ports_.store, table);
    if (status.ok()) status = ports_.store.DropTable(table);
    gathered->reply.status = ToIdl(status);
  });
}

void ControlService::compactTableData(Cob<idl::CompactReply> cob, const idl::CompactRequest& request) {
  idl::CompactReply reply;
  reply.ageMs = -1;
  Status status = CheckHeader(request.header);
  const TableId table{static_cast<uint64_t>(std::max<int64_t>(0, request.tableId))};
  if (status.ok() && !table) status = Error(Code::kInvalidArgument, "no table is named");
  if (status.ok() && request.start) status = ports_.compactor.Begin(table, std::chrono::seconds(request.limitS));
  if (const auto state = status.ok() ? ports_.compactor.Latest(table) : std::nullopt; state) {
    reply.running = state->running;
    reply.ageMs = state->age.count();
    reply.bytesBefore = state->bytes_before;
    reply.bytesAfter = state->bytes_after;
    if (!state->running) reply.__set_outcome(ToIdl(state->outcome));
  }
  reply.status = ToIdl(status);
  cob(reply);
}

void ControlService::scrub(Cob<idl::ScrubReply> cob, const idl::ScrubRequest& request) {
  idl::ScrubReply reply;
  Status status = CheckHeader(request.header);
  if (status.ok()) status = ports_.scrubber.Begin();
  reply.status = ToIdl(status);
  cob(reply);
}

void ControlService::acceptClock(Cob<idl::AcceptClockReply> cob, const idl::AcceptClockRequest& request) {
  const auto answer = [cob = std::move(cob)](const Status& status) {
    idl::AcceptClockReply reply;
    reply.status = ToIdl(status);
    cob(reply);
  };
  if (Status status = CheckHeader(request.header); !status.ok()) return answer(status);
  ports_.background.Post([this, answer] { answer(ports_.accept_clock()); });
}

}  // namespace ebla::tabletserver
