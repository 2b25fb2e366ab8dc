#include "tabletserver/testing/group_fixture.h"

#include <sstream>
#include <utility>

#include "common/rpc/idl_convert.h"
#include "idl/MasterService.h"
#include "tabletserver/testing/fixture_parts.h"
#include "tabletserver/testing/test_functions.h"

namespace ebla::tabletserver {
namespace {

constexpr Duration kDelay = 1ms;  // of the network, one way
const rpc::Endpoint kMaster{"127.0.0.1", 7400};

}  // namespace

// A call that is answered once, by the peer or by its time limit.
class GroupFixture::Channel : public rpc::Channel {
 public:
  Channel(GroupFixture& group, std::string from, rpc::Endpoint to, std::weak_ptr<bool> life, Executor& executor)
      : group_(group), from_(std::move(from)), to_(std::move(to)), life_(std::move(life)), executor_(executor) {}

  void Call(rpc::EncodedCall call, Duration timeout, Done done) override {
    auto pending = std::make_shared<Done>(std::move(done));
    const auto finish = [pending, life = life_, executor = &executor_](Result<std::string> reply) {
      if (*pending == nullptr || life.expired()) return;
      executor->Post(
          [done = std::exchange(*pending, nullptr), reply = std::move(reply)]() mutable { done(std::move(reply)); });
    };
    group_.world_.After(timeout, [finish] { finish(Error(Code::kDeadlineExceeded, "nobody answered in time")); });
    group_.world_.After(kDelay, [&group = group_, from = from_, to = to_, message = std::move(call.message), finish] {
      rpc::Dispatcher* peer = group.Reach(from, to);
      if (peer == nullptr) return;
      peer->Dispatch(message, [&group, from, to, finish](Result<std::string_view> reply) {
        Result<std::string> answer = reply ? Result<std::string>(std::string(*reply)) : Error(reply.error());
        group.world_.After(kDelay, [&group, from, to, finish, answer = std::move(answer)] {
          if (group.Reach(from, to) != nullptr) finish(answer);
        });
      });
    });
  }

 private:
  GroupFixture& group_;
  const std::string from_;
  const rpc::Endpoint to_;
  const std::weak_ptr<bool> life_;
  Executor& executor_;
};

class GroupFixture::Connector : public rpc::Connector {
 public:
  Connector(GroupFixture& group, const Member& member) : group_(group), from_(member.name), life_(member.life) {}
  std::shared_ptr<rpc::Channel> Connect(const rpc::Endpoint& endpoint, Executor& executor) override {
    return std::make_shared<Channel>(group_, from_, endpoint, life_, executor);
  }

 private:
  GroupFixture& group_;
  const std::string from_;
  const std::weak_ptr<bool> life_;
};

class GroupFixture::Master : public idl::MasterServiceCobSvNull {
 public:
  explicit Master(GroupFixture& group) : group_(group) {}
  void heartbeat(std::function<void(const idl::HeartbeatReply&)> cob, const idl::HeartbeatRequest&) override {
    idl::HeartbeatReply reply;
    reply.masterTerm = 1;
    for (const auto& [name, member] : group_.members_) {
      if (!group_.addresses_told_) break;
      idl::ServerAddress& address = reply.servers[name];
      address.endpoint = rpc::ToIdl(member->endpoint);
      address.incarnation = static_cast<int64_t>(member->incarnation);
      address.live = member->server != nullptr;
    }
    cob(reply);
  }
  void locate(std::function<void(const idl::LocateReply&)> cob, const idl::LocateRequest& request) override {
    idl::LocateReply reply;
    if (group_.table_dropped_) reply.header.code = idl::Code::NO_SUCH_TABLE;
    idl::TabletLocation tablet;
    tablet.tabletId = kTablet;
    tablet.primary = group_.catalogued_;
    for (const auto& [name, member] : group_.members_) {
      idl::Replica& replica = tablet.replicas.emplace_back();
      replica.server = name;
      replica.endpoint = rpc::ToIdl(member->endpoint);
      replica.voter = true;
    }
    if (!group_.table_dropped_) reply.tablets.push_back(std::move(tablet));
    cob(reply);
  }

 private:
  GroupFixture& group_;
};

rpc::Dispatcher* GroupFixture::Reach(const std::string& from, const rpc::Endpoint& to) {
  if (to == kMaster) return &master_dispatcher_;
  for (const auto& [name, member] : members_) {
    if (member->endpoint != to || member->server == nullptr) continue;
    return cut_.contains({from, name}) || cut_.contains({name, from}) ? nullptr : member->dispatcher.get();
  }
  return nullptr;
}

GroupFixture::GroupFixture() : admin_(coordination_.NewClient(world_)) {
  master_dispatcher_.Register(std::make_shared<Master>(*this));
  bool made = false;
  admin_->Multi(FirstNodes(kCluster, kMaster), [&](auto result) { made = result.has_value(); });
  EXPECT_TRUE(Until([&] { return made; }));
}

GroupFixture::~GroupFixture() {
  for (const auto& [name, member] : members_) {
    if (member->server != nullptr) Crash(name);
  }
}

class GroupFixture::Watch final : public SimulatedStore::Watch {
 public:
  explicit Watch(const GroupFixture& fixture) : fixture_(fixture) {}

  void BeforeTruncateLog(TabletId tablet, Lsn below) override {
    fixture_.before_truncation_();
    SimulatedStore::Watch::BeforeTruncateLog(tablet, below);
  }

 private:
  const GroupFixture& fixture_;
};

void GroupFixture::Start(const std::string& name) {
  std::unique_ptr<Member>& slot = members_[name];
  if (slot == nullptr) {
    slot = std::make_unique<Member>();
    slot->name = name;
    slot->endpoint = {"127.0.0.1", static_cast<uint16_t>(7410 + members_.size())};
  }
  Member& member = *slot;
  member.life = std::make_shared<bool>(true);
  member.executor = std::make_unique<ebla::testing::SimExecutor>(scheduler_);
  std::vector<Executor*> readers;
  if (readers_) {
    member.reader = std::make_unique<ebla::testing::SimExecutor>(scheduler_);
    readers = {member.reader.get()};
  }
  member.in_memory = std::make_unique<InMemoryStore>(memory_limits_[name]);
  member.stored = std::make_unique<SimulatedStore>(
      member.disk, *member.executor,
      SimulatedStore::Options{.memory = member.in_memory.get(), .watch = std::make_unique<Watch>(*this)});
  member.store = &**member.stored;
  member.coordinator = coordination_.NewClient(*member.executor);
  member.connector = std::make_unique<Connector>(*this, member);
  TabletServerOptions options = options_;
  options.shard.functions = TestFunctions();
  options.identity = {
      .uuid = "u-" + name, .name = name, .cluster_id = kCluster, .incarnation = Incarnation{++member.incarnation}};
  options.copy_bytes_per_second = [this] { return copy_bytes_per_second_; };
  member.server =
      std::make_unique<TabletServer>(TabletServerPorts{{member.executor.get()},
                                                       std::vector<Executor*>(shards_, member.executor.get()),
                                                       std::move(readers),
                                                       *member.executor,
                                                       *member.executor,
                                                       *member.store,
                                                       *member.coordinator,
                                                       *member.connector,
                                                       {}},
                                     std::move(options));
  ASSERT_TRUE(member.server->Recover().ok());
  member.dispatcher = std::make_unique<rpc::Dispatcher>();
  member.dispatcher->Register(member.server->tablet_service());
  member.dispatcher->Register(member.server->control_service());
  member.dispatcher->Register(member.server->replication_service());
  member.server->Start(member.endpoint, {"127.0.0.1", 1});
  ASSERT_TRUE(Until([&] { return member.server->Registered(); }));
}

void GroupFixture::Crash(const std::string& name, SimulatedDisk::CrashKind kind) {
  Member& member = at(name);
  member.dispatcher.reset();
  member.life.reset();
  member.executor->Halt();
  if (member.reader != nullptr) member.reader->Halt();
  member.server.reset();
  member.coordinator.reset();
  member.connector.reset();
  member.reader.reset();
  member.stored.reset();
  member.executor.reset();
  member.in_memory.reset();
  member.disk.Crash(kind);
}

// ---- the master's orders --------------------------------------------------------------------------------------------

idl::ControlHeader GroupFixture::ControlTo(const Member& member) const {
  idl::ControlHeader header;
  header.clusterId = kCluster;
  header.masterTerm = 1;
  header.toServer = member.name;
  header.toIncarnation = static_cast<int64_t>(member.incarnation);
  return header;
}

bool GroupFixture::Configure(int64_t epoch, const Roles& roles, bool fenced) {
  idl::ConfigureTablet configure;
  configure.tabletId = roles.tablet;
  configure.range.startKey = roles.start;
  configure.range.endKey = roles.end;
  configure.epoch = epoch;
  configure.primary = roles.primary;
  configure.voters = roles.voters;
  configure.learners = roles.learners;
  configure.schema.tableId = kTable;
  configure.schema.name = "carts";
  configure.schema.schemaVersion = 1;
  configure.schema.options = table_options_;
  configure.fenced = fenced;
  configure.born = roles.created_empty || (epoch == 1 && roles.tablet == kTablet);
  if (roles.merged) configure.__set_merged(*roles.merged);
  for (const auto& [name, member] : members_) configure.endpoints[name] = rpc::ToIdl(member->endpoint);
  bool obeyed = false;
  std::vector<std::string> all = roles.voters;
  all.insert(all.end(), roles.learners.begin(), roles.learners.end());
  for (const std::string& name : all) {
    Member& member = at(name);
    if (member.server == nullptr) continue;
    idl::ConfigureRequest request;
    request.header = ControlTo(member);
    request.tablets = {configure};
    const auto reply = Await<idl::ConfigureReply>(
        [&](auto cob) { member.server->control_service()->configure(std::move(cob), request); });
    EXPECT_EQ(reply.status.code, idl::Code::OK) << reply.status.message;
    if (name == roles.primary && reply.results.size() == 1) obeyed = reply.results[0].status.code == idl::Code::OK;
  }
  if (obeyed) catalogued_ = roles.primary;
  return obeyed;
}

idl::FenceResult GroupFixture::FenceOne(const std::string& name, int64_t epoch, int64_t tablet) {
  Member& member = at(name);
  const auto request = OrderOf<idl::FenceRequest>(ControlTo(member), tablet, epoch);
  return Await<idl::FenceReply>([&](auto cob) { member.server->control_service()->fence(std::move(cob), request); })
      .results.at(0);
}

bool GroupFixture::Fence(int64_t epoch, const std::vector<std::string>& names, int64_t tablet) {
  return std::ranges::all_of(
      names, [&](const std::string& name) { return FenceOne(name, epoch, tablet).status.code == idl::Code::OK; });
}

std::string GroupFixture::Elect(int64_t epoch, const std::vector<std::string>& names, int64_t tablet,
                                std::optional<Version> unknown) {
  std::string elected;
  Version longest;
  for (const std::string& name : names) {
    const idl::FenceResult answer = FenceOne(name, epoch, tablet);
    EXPECT_EQ(answer.status.code, idl::Code::OK) << name << ": " << answer.status.message;
    if (answer.known ? answer.incomplete : !unknown) continue;
    const Version last = answer.known ? rpc::FromIdl(answer.lastAppended) : *unknown;
    if (!elected.empty() && last <= longest) continue;
    elected = name;
    longest = last;
  }
  return elected;
}

idl::Code::type GroupFixture::TryDrop(const std::string& name, int64_t epoch, int64_t tablet,
                                      std::vector<int64_t> splits) {
  Member& member = at(name);
  auto request = OrderOf<idl::DropRequest>(ControlTo(member), tablet, epoch);
  request.tablets[0].splits = std::move(splits);
  const auto reply =
      Await<idl::DropReply>([&](auto cob) { member.server->control_service()->drop(std::move(cob), request); });
  return reply.results.at(0).status.code;
}

void GroupFixture::AskSplit(const std::string& name, int64_t epoch, const std::string& key, int64_t child,
                            std::function<void(const idl::SplitResult&)> done, int64_t tablet) {
  Member& member = at(name);
  auto request = OrderOf<idl::SplitRequest>(ControlTo(member), tablet, epoch);
  request.tablets[0].key = key;
  request.tablets[0].childId = child;
  member.server->control_service()->split(
      [done = std::move(done)](const idl::SplitReply& reply) { done(reply.results.at(0)); }, request);
}

idl::SplitResult GroupFixture::Split(const std::string& name, int64_t epoch, const std::string& key, int64_t child,
                                     int64_t tablet) {
  return Await<idl::SplitResult>([&](auto done) { AskSplit(name, epoch, key, child, std::move(done), tablet); });
}

void GroupFixture::AskToFreeze(const std::string& name, int64_t epoch, int64_t tablet, int64_t into,
                               std::function<void(const idl::FreezeResult&)> done) {
  Member& member = at(name);
  auto request = OrderOf<idl::FreezeRequest>(ControlTo(member), tablet, epoch);
  request.tablets[0].intoId = into;
  member.server->control_service()->freeze([done](const idl::FreezeReply& reply) { done(reply.results.at(0)); },
                                           request);
}

idl::FreezeResult GroupFixture::Freeze(const std::string& name, int64_t epoch, int64_t tablet, int64_t into) {
  return Await<idl::FreezeResult>([&](auto cob) { AskToFreeze(name, epoch, tablet, into, std::move(cob)); });
}

// ---- clients --------------------------------------------------------------------------------------------------------

idl::WriteRequest GroupFixture::WriteOf(int64_t tablet_time_ms, int64_t client, int64_t sequence,
                                        std::vector<idl::Write> writes, idl::WriteLevel::type level) {
  idl::WriteRequest request;
  request.header.tableId = kTable;
  request.header.__set_tabletTimeMs(tablet_time_ms);
  request.clientId = client;
  request.sequence = request.firstIncomplete = sequence;
  request.level = level;
  request.writes = std::move(writes);
  return request;
}

idl::WriteReply GroupFixture::WriteAs(const std::string& server, int64_t client, int64_t sequence,
                                      std::vector<idl::Write> writes, idl::WriteLevel::type level) {
  if (const auto view = View(server); learnt_ms_ == 0 && view != nullptr) {
    learnt_ms_ = static_cast<int64_t>(view->time.at.value);  // as a routing answer would bring it
  }
  const idl::WriteRequest request = WriteOf(learnt_ms_, client, sequence, std::move(writes), level);
  const auto reply =
      Await<idl::WriteReply>([&](auto cob) { at(server).server->tablet_service()->write(std::move(cob), request); });
  if (reply.header.__isset.tabletTimeMs) learnt_ms_ = reply.header.tabletTimeMs;
  return reply;
}

idl::Write GroupFixture::PutOf(std::string key, std::string value, int64_t ttl_ms) {
  idl::Write write;
  write.kind = idl::WriteKind::PUT;
  write.key = std::move(key);
  write.__set_value(value);
  if (ttl_ms > 0) write.__set_ttlMs(ttl_ms);
  return write;
}

idl::Write GroupFixture::DeleteOf(std::string key) {
  idl::Write write;
  write.kind = idl::WriteKind::DELETE;
  write.key = std::move(key);
  return write;
}

idl::Write GroupFixture::IncrementOf(std::string key) {
  idl::Write write;
  write.kind = idl::WriteKind::INCREMENT;
  write.key = std::move(key);
  write.__set_delta(1);
  return write;
}

idl::GetRequest GroupFixture::GetOf(const std::string& key, idl::ReadLevel::type level) {
  idl::GetRequest request;
  request.header.tableId = kTable;
  request.key = key;
  request.options.level = level;
  if (level == idl::ReadLevel::BOUNDED) request.options.__set_boundedMs(1000);
  request.__isset.options = true;
  return request;
}

idl::GetReply GroupFixture::Get(const std::string& server, const std::string& key, idl::ReadLevel::type level) {
  return Await<idl::GetReply>(
      [&](auto cob) { at(server).server->tablet_service()->get(std::move(cob), GetOf(key, level)); });
}

idl::CopyReply GroupFixture::SendCopy(const std::string& server, const idl::CopyRequest& request) {
  return Await<idl::CopyReply>(
      [&](auto cob) { at(server).server->replication_service()->copy(std::move(cob), request); });
}

// ---- what is there --------------------------------------------------------------------------------------------------

std::shared_ptr<const TabletView> GroupFixture::View(const std::string& server, int64_t tablet) {
  for (const auto& handle : at(server).server->directory().snapshot()->All()) {
    if (handle->tablet == TabletId{static_cast<uint64_t>(tablet)}) return handle->view();
  }
  return nullptr;
}

std::string GroupFixture::RolledBack(const std::string& server) {
  const auto listed = at(server).store->unresolved().List(TableId{kTable}, {}, 1000, SIZE_MAX);
  if (!listed) return listed.error().ToString();
  std::ostringstream out;
  for (const UnresolvedLogEntry& unresolved : *listed) {
    for (const Effect& effect : unresolved.entry.effects) out << effect.key << "@" << unresolved.entry.version << " ";
  }
  return out.str();
}

std::string GroupFixture::Records(const std::string& server) {
  std::ostringstream out;
  const auto show = [&](std::string_view key, const StoredRecord& record) {
    out << key;
    if (record.tombstone) {
      out << "! ";
      return true;
    }
    out << "=" << record.value << "@" << record.version;
    if (record.expires_at) out << "~" << record.expires_at.value;
    out << " ";
    return true;
  };
  const Status status = at(server).store->Scan(TableId{kTable}, {}, show);
  return status.ok() ? out.str() : status.ToString();
}

bool GroupFixture::Level(const std::string& server, const std::string& primary, int64_t tablet) {
  const auto one = View(server, tablet), other = View(primary, tablet);
  return one != nullptr && other != nullptr && !one->incomplete && one->applied == other->applied &&
         other->applied == other->last_appended;
}

}  // namespace ebla::tabletserver
