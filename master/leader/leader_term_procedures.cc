// What a leader term has under way, as people see it and end it (procedure_list.h).
#include <glog/logging.h>

#include "master/leader/leader_term.h"
#include "master/leader/procedure_list.h"

namespace ebla::master {

void LeaderTerm::ForEachWaiting(const std::function<void(const Subject&, MonotonicTime, const Status&)>& visit) const {
  for (const auto& [id, request] : requests_) {
    if (!request.decided) visit(request.subject, request.began, request.waits_for);
  }
}

std::map<std::string, size_t> LeaderTerm::ProceduresByKind() const {
  std::map<std::string, size_t> kinds = {{"drain", 0},    {"merge", 0},  {"split", image().splits().size()},
                                         {"transfer", 0}, {"create", 0}, {"drop", 0}};
  kinds["move"] = replication_manager_.moves();
  kinds["repair"] = replication_manager_.repairs();
  kinds["lead"] = reconciler_.unsettled();
  for (const auto& [name, server] : servers_.all()) {
    if (server.node && server.node->draining && !image().HeldBy(name).empty()) ++kinds["drain"];
  }
  runner_.ForEach([&kinds](const ProcedureRunner::Standing& standing) {
    if (!standing.subject.kind.empty()) ++kinds[standing.subject.kind];
  });
  return kinds;
}

bool LeaderTerm::CancelWaiting(const Subject& subject) {
  std::vector<uint64_t> cancelled;
  for (const auto& [id, request] : requests_) {
    if (!request.decided && ProcedureId(request.subject) == ProcedureId(subject)) cancelled.push_back(id);
  }
  for (const uint64_t id : cancelled)
    Answer(id, Error(Code::kUnavailable, "cancelled by an operator before it was begun"));
  return !cancelled.empty();
}

void LeaderTerm::CancelProcedure(const std::string& id, Duration patience,
                                 coordination::Callback<Result<std::string>> done) {
  const std::vector<idl::ProcedureSummary> all = ListProcedures(*this);
  // A split that waits for another of the same tablet has its id.
  auto found =
      std::ranges::find_if(all, [&](const idl::ProcedureSummary& one) { return one.id == id && one.cancellable; });
  if (found == all.end()) found = std::ranges::find(all, id, &idl::ProcedureSummary::id);
  if (found == all.end()) {
    return done(Error(Code::kNotFound, "nothing of the id " + id + " is under way; ebla procedure list shows what is"));
  }
  if (!found->cancellable)
    return done(Error(Code::kConditionFailed, id + " cannot be cancelled: " + found->cancelNote));
  const TabletId tablet{static_cast<uint64_t>(found->tabletId)};
  LOG(INFO) << id << " is cancelled by an operator";
  if (CancelWaiting(
          {.kind = found->kind, .tablet = tablet, .table = tablet ? "" : found->table, .server = found->server})) {
    return done("cancelled: nothing of it had been done");
  }
  if (found->kind == "merge") {
    CancelMerge(tablet);
    return done("cancelled: " + found->cancelNote);
  }
  if (found->kind == "drain") return EndDrain(found->server, patience, std::move(done));
  CancelMove(tablet, patience, [note = found->cancelNote, done = std::move(done)](Status status) mutable {
    status.ok() ? done("cancelled: " + note) : done(Error(std::move(status)));
  });
}

// What decides is the procedure's next step.
void LeaderTerm::CancelMerge(TabletId left) {
  cancelled_merges_.insert(left);
  const TabletEntry* tablet = image().Tablet(left);
  if (!tablet) return;
  const Image::StartKeys& starts = image().TabletsOf(tablet->table());
  const auto right = starts.upper_bound(tablet->node.info.range.startKey);
  if (right != starts.end()) runner_.Poke(MergeTabletsName({left, right->second}));
}

// With the moves that it has begun.
void LeaderTerm::EndDrain(const ServerName& server, Duration patience,
                          coordination::Callback<Result<std::string>> done) {
  auto on_ended = [done = std::move(done), server](Status status) mutable {
    if (!status.ok()) return done(Error(std::move(status)));
    done("cancelled: " + server + " takes replicas again; what has moved stays where it is");
  };
  SetServer(server, {.draining = false, .maintenance = std::nullopt},
            [this, server, patience, on_ended = std::move(on_ended)](Status status) mutable {
              if (!status.ok()) return on_ended(std::move(status));
              EndMovesOf(server, patience, std::move(on_ended));
            });
}

void LeaderTerm::EndMovesOf(const ServerName& server, Duration patience, Done done) {
  Request request;
  request.done = std::move(done);
  request.decide = [server](const Image& image) -> Result<Change> {
    std::vector<TabletId> ended;
    for (const TabletId id : image.HeldBy(server)) {
      const TabletEntry& tablet = *image.Tablet(id);
      const idl::MoveIntent& move = tablet.node.move;
      const bool its = tablet.node.__isset.move && move.fromServer == server && move.askedBy == idl::AskedBy::DRAIN;
      if (its && CheckCancel(image, id).ok()) ended.push_back(id);
    }
    return CancelMoves(image, ended);
  };
  request.start = [] {};
  Submit(std::move(request), patience);
}

namespace {

// Answers once the last of those who may fill a part of it is gone.
struct Compactions {
  std::vector<idl::Compaction> servers;
  coordination::Callback<Result<std::vector<idl::Compaction>>> done;
  ~Compactions() { done(std::move(servers)); }
};

}  // namespace

void LeaderTerm::Compact(const Compaction& wanted, coordination::Callback<Result<std::vector<idl::Compaction>>> done) {
  const TableEntry* table = image().Table(wanted.table);
  if (!table || table->node.state == idl::TableState::DROPPING)
    return done(Error(Code::kNoSuchTable, "no table " + wanted.table));
  std::set<ServerName> holders;
  for (const auto& [start, id] : image().TabletsOf(table->id())) {
    for (const ServerName& voter : image().Tablet(id)->node.info.voters) holders.insert(voter);
  }
  if (!wanted.server.empty()) {
    if (!holders.contains(wanted.server)) {
      return done(Error(Code::kNotFound, "server " + wanted.server + " holds no replica of table " + wanted.table));
    }
    holders = {wanted.server};
  }
  auto all = std::make_shared<Compactions>();
  all->done = std::move(done);
  all->servers.resize(holders.size());
  idl::CompactRequest request;
  request.tableId = table->node.schema.tableId;
  request.start = wanted.start;
  request.limitS = wanted.limit_s;
  size_t index = 0;
  for (const ServerName& server : holders) {
    all->servers[index].server = server;
    tablet_server_client_.Compact(server, request, [all, index](const idl::CompactReply& reply) {
      idl::Compaction& one = all->servers[index];
      const idl::Status& status =
          reply.__isset.outcome && reply.status.code == idl::Code::OK ? reply.outcome : reply.status;
      one.code = status.code;
      one.message = status.message;
      one.running = reply.running;
      one.ageMs = reply.ageMs;
      one.bytesBefore = reply.bytesBefore;
      one.bytesAfter = reply.bytesAfter;
    });
    ++index;
  }
}

}  // namespace ebla::master
