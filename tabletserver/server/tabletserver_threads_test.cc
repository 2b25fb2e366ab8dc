// The same server over WiredTiger and real threads, under concurrent load: increments that count exactly, scans that
// see whole batches, tablets that come and go beside them. Meant for ThreadSanitizer as much as for its own checks.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>

#include "common/base/mutex.h"
#include "common/coordination/embedded_coordinator.h"
#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "common/rpc/event_loop.h"
#include "common/rpc/pipelined_channel.h"
#include "common/testing/temporary_directory.h"
#include "tabletserver/server/tabletserver_host.h"
#include "tabletserver/storage/in_memory/in_memory_store.h"
#include "tabletserver/storage/wiredtiger/wt_store.h"

namespace ebla::tabletserver {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kTable = 3;

class ThreadsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (rpc::EventLoop* loop : {&loop_a_, &loop_b_, &reader_, &background_, &control_, &flusher_, &checkpoints_})
      loop->Start();
    auto coordination = coordination::EmbeddedCoordination::Open(path_ + "/coordination");
    ASSERT_TRUE(coordination.has_value()) << coordination.error();
    coordination_ = *std::move(coordination);
    coordinator_ = coordination_->NewClient(control_);
    MakeCluster();
    OpenServer(1);
  }

  void TearDown() override {
    CloseServer();
    for (rpc::EventLoop* loop : AllLoops()) loop->Stop();
    coordinator_.reset();
    coordination_.reset();
  }

  std::vector<rpc::EventLoop*> AllLoops() {
    return {&loop_a_, &loop_b_, &shard_a_, &shard_b_, &reader_, &background_, &control_, &flusher_, &checkpoints_};
  }

  void MakeCluster() {
    idl::ClusterNode cluster;
    cluster.clusterId = "c-1";
    std::promise<bool> made;
    coordinator_->Multi({coordination::Op::Create(coordination::layout::kCluster, coordination::EncodeNode(cluster))},
                        [&](auto result) { made.set_value(result.has_value()); });
    ASSERT_TRUE(made.get_future().get());
  }

  void OpenServer(uint64_t incarnation) {
    WtStoreOptions store;
    store.directory = path_ + "/store";
    store.cache_bytes = 64 << 20;
    store.interval = std::chrono::hours(1);
    store.flusher = &flusher_;
    store.background = &checkpoints_;
    store.watcher = &background_;
    in_memory_ = std::make_unique<InMemoryStore>(64 << 20);
    store.memory_tables = in_memory_.get();
    auto opened = WtStore::Open(store);
    ASSERT_TRUE(opened.has_value()) << opened.error();
    store_ = *std::move(opened);
    TabletServerOptions options;
    options.identity = {.uuid = "u-1", .name = "ts-1", .cluster_id = "", .incarnation = Incarnation{incarnation}};
    options.purge_and_size_tasks.turn = 1ms;
    options.checkpoint.period = 100ms;
    options.checkpoint.look_every = 20ms;
    TabletServerPorts ports{{&loop_a_, &loop_b_},
                            {&shard_a_, &shard_b_},
                            {&reader_},
                            background_,
                            control_,
                            **store_,
                            *coordinator_,
                            connector_};
    ports.shard_turns = {&shard_a_, &shard_b_};
    server_ = std::make_unique<TabletServer>(std::move(ports), options);
    ASSERT_TRUE(server_->Recover().ok());
    for (rpc::EventLoop* loop : {&shard_a_, &shard_b_}) loop->Start();
    server_->Start({"127.0.0.1", 7410}, {"127.0.0.1", 7411});
    incarnation_ = incarnation;
    ASSERT_TRUE(Until([&] { return server_->Registered(); }));
  }

  // The threads get new loops only at the end, so the server's posted tasks run before it is destroyed.
  void CloseServer() {
    std::promise<void> stopped;
    server_->Stop([&] { stopped.set_value(); });
    stopped.get_future().wait();
    for (rpc::EventLoop* loop : {&loop_a_, &loop_b_, &shard_a_, &shard_b_, &reader_, &background_, &control_})
      loop->Stop();
    server_.reset();
    store_.reset();
    in_memory_.reset();
  }

  static bool Until(const std::function<bool()>& done) {
    const auto limit = std::chrono::steady_clock::now() + 60s;
    while (!done()) {
      if (std::chrono::steady_clock::now() > limit) return false;
      std::this_thread::yield();
    }
    return true;
  }

  idl::ConfigureReply Configure(int64_t tablet, std::string start, std::string end, idl::TableOptions options = {}) {
    idl::ConfigureRequest request;
    request.header.clusterId = "c-1";
    request.header.masterTerm = 1;
    request.header.toServer = "ts-1";
    request.header.toIncarnation = static_cast<int64_t>(incarnation_);
    idl::ConfigureTablet& one = request.tablets.emplace_back();
    one.tabletId = tablet;
    one.epoch = 1;
    one.range.startKey = std::move(start);
    one.range.endKey = std::move(end);
    one.primary = "ts-1";
    one.voters = {"ts-1"};
    one.schema.tableId = kTable;
    one.schema.name = "t";
    one.schema.options = std::move(options);
    one.schema.schemaVersion = 1;
    one.born = true;
    std::promise<idl::ConfigureReply> promise;
    server_->control_service()->configure([&](const idl::ConfigureReply& reply) { promise.set_value(reply); }, request);
    return promise.get_future().get();
  }

  idl::Code::type Alter(idl::TableOptions options) {
    idl::AlterRequest request;
    request.header.clusterId = "c-1";
    request.header.masterTerm = 1;
    request.header.toServer = "ts-1";
    request.header.toIncarnation = static_cast<int64_t>(incarnation_);
    request.schema.tableId = kTable;
    request.schema.name = "t";
    request.schema.schemaVersion = 2;
    request.schema.options = std::move(options);
    std::promise<idl::Code::type> promise;
    server_->control_service()->alter([&](const idl::AlterReply& reply) { promise.set_value(reply.status.code); },
                                      request);
    return promise.get_future().get();
  }

  idl::Code::type Drop(int64_t tablet) {
    idl::DropRequest request;
    request.header.clusterId = "c-1";
    request.header.masterTerm = 1;
    request.header.toServer = "ts-1";
    request.header.toIncarnation = static_cast<int64_t>(incarnation_);
    request.tablets.resize(1);
    request.tablets[0].tabletId = tablet;
    request.tablets[0].epoch = 1;
    std::promise<idl::DropReply> promise;
    server_->control_service()->drop([&](const idl::DropReply& reply) { promise.set_value(reply); }, request);
    return promise.get_future().get().results.at(0).status.code;
  }

  bool Gone(int64_t tablet) const {
    for (const auto& handle : server_->directory().snapshot()->All()) {
      if (handle->tablet.value == static_cast<uint64_t>(tablet)) return false;
    }
    return true;
  }

  testing::TemporaryDirectory directory_;
  const std::string path_ = directory_.path();
  rpc::EventLoop shard_a_{"shard-a", rpc::EventLoop::Turns::kLent}, shard_b_{"shard-b", rpc::EventLoop::Turns::kLent};
  rpc::EventLoop loop_a_{"loop-a"}, loop_b_{"loop-b"}, reader_{"reader"}, background_{"background"},
      control_{"control"}, flusher_{"flusher"}, checkpoints_{"checkpoints"};
  rpc::PipelinedConnector connector_{control_};
  std::unique_ptr<coordination::EmbeddedCoordination> coordination_;
  std::unique_ptr<coordination::Coordinator> coordinator_;
  std::unique_ptr<InMemoryStore> in_memory_;
  std::unique_ptr<WtStore> store_;
  std::unique_ptr<TabletServer> server_;
  uint64_t incarnation_ = 0;
};

// A client that keeps one operation in flight on its loop: increments, reads of what it wrote, and scans.
class Worker {
 public:
  Worker(TabletServer& server, rpc::EventLoop& loop, int64_t id, int rounds, std::function<void()> finished)
      : service_(server.tablet_service()), loop_(loop), id_(id), rounds_(rounds), finished_(std::move(finished)) {}

  void Start() {
    loop_.Post([this] { WriteNext(); });
  }
  std::string Key(int round) const { return std::string(1, static_cast<char>('a' + (id_ + round) % 26)) + "-counter"; }
  std::string Own(int side) const { return "w" + std::to_string(id_) + (side == 0 ? "-left" : "-right"); }

  int increments = 0;
  int failures = 0;

 private:
  void WriteNext() {
    if (++round_ > rounds_) return finished_();
    idl::WriteRequest request;
    request.header.tableId = kTable;
    request.header.__set_tabletTimeMs(learnt_ms_);
    request.clientId = 1000 + id_;
    request.sequence = request.firstIncomplete = ++sequence_;
    const bool batch = round_ % 3 == 0;
    for (int side = 0; side < (batch ? 2 : 1); ++side) {
      idl::Write& write = request.writes.emplace_back();
      write.kind = batch ? idl::WriteKind::PUT : idl::WriteKind::INCREMENT;
      write.key = batch ? Own(side) : Key(round_);
      if (batch) write.__set_value(std::to_string(round_));
      if (!batch) write.__set_delta(1);
    }
    service_->write(
        [this, batch](const idl::WriteReply& reply) { loop_.Post([this, batch, reply] { Written(batch, reply); }); },
        request);
  }

  void Written(bool batch, const idl::WriteReply& reply) {
    if (reply.header.__isset.tabletTimeMs) learnt_ms_ = reply.header.tabletTimeMs;
    if (reply.header.code == idl::Code::COME_AGAIN) {  // the first: it learns the tablet's time
      --round_;
      return WriteNext();
    }
    if (reply.header.code != idl::Code::OK) ++failures;
    if (!batch && reply.header.code == idl::Code::OK) ++increments;
    if (batch) return ScanOwn();
    idl::GetRequest request;
    request.header.tableId = kTable;
    request.key = Key(round_);
    service_->get(
        [this, least = reply.counters.empty() ? 0 : reply.counters[0]](const idl::GetReply& got) {
          if (got.header.code != idl::Code::OK || std::stoll(got.record.value) < least) ++failures;
          loop_.Post([this] { WriteNext(); });
        },
        request);
  }

  void ScanOwn() {
    idl::ScanRequest request;
    request.header.tableId = kTable;
    request.range.startKey = "w" + std::to_string(id_) + "-";
    request.range.endKey = "w" + std::to_string(id_) + ".";
    request.limit = round_ % 2 == 0 ? 0 : 10;  // without a limit a reader's thread serves it
    service_->scan(
        [this](const idl::ScanReply& reply) {
          const bool whole =
              reply.records.size() == 2 && reply.records[0].record.value == reply.records[1].record.value;
          if (reply.header.code != idl::Code::OK || !whole) ++failures;
          loop_.Post([this] { WriteNext(); });
        },
        request);
  }

  std::shared_ptr<TabletService> service_;
  rpc::EventLoop& loop_;
  const int64_t id_;
  const int rounds_;
  const std::function<void()> finished_;
  int round_ = 0;
  int64_t sequence_ = 0;
  int64_t learnt_ms_ = 0;
};

// The table holds exactly the clients' effects.
class ManyClientsTest : public ThreadsTest {
 protected:
  void CountWhileTabletsComeAndGo(const idl::TableOptions& options);
};

void ManyClientsTest::CountWhileTabletsComeAndGo(const idl::TableOptions& options) {
  constexpr int kWorkers = 16;
  constexpr int kRounds = 120;
  ASSERT_EQ(Configure(10, "", "m", options).results.at(0).status.code, idl::Code::OK);
  ASSERT_EQ(Configure(11, "m", "x", options).results.at(0).status.code, idl::Code::OK);
  ASSERT_EQ(Configure(12, "x", "{", options).results.at(0).status.code, idl::Code::OK);
  for (const auto& handle : server_->directory().snapshot()->All()) EXPECT_EQ(handle->in_memory, options.memory);
  Mutex mutex;
  CondVar finished;
  int running = kWorkers;
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < kWorkers; ++i) {
    workers.push_back(std::make_unique<Worker>(*server_, i % 2 == 0 ? loop_a_ : loop_b_, i, kRounds, [&] {
      MutexLock lock(mutex);
      if (--running == 0) finished.NotifyAll();
    }));
  }
  for (auto& worker : workers) worker->Start();
  for (int64_t tablet = 20; tablet < 24; ++tablet) {
    EXPECT_EQ(Configure(tablet, "{", "", options).results.at(0).status.code, idl::Code::OK);
    EXPECT_EQ(Drop(tablet), idl::Code::OK);
    EXPECT_TRUE(Until([&] { return Gone(tablet); }));
  }
  {
    MutexLock lock(mutex);
    const auto until = std::chrono::steady_clock::now() + 100s;
    while (running > 0) ASSERT_TRUE(finished.WaitUntil(mutex, until));
  }
  int64_t acknowledged = 0;
  for (auto& worker : workers) {
    EXPECT_EQ(worker->failures, 0);
    acknowledged += worker->increments;
  }
  int64_t counted = 0;
  ASSERT_TRUE((*store_)
                  ->Scan(TableId{kTable}, {},
                         [&](std::string_view key, const StoredRecord& record) {
                           if (key.ends_with("-counter")) counted += std::stoll(record.value);
                           return true;
                         })
                  .ok());
  EXPECT_EQ(counted, acknowledged);
  EXPECT_EQ(acknowledged, kWorkers * kRounds * 2 / 3);
}

TEST_F(ManyClientsTest, CountExactlyWhileTabletsComeAndGo) {
  CountWhileTabletsComeAndGo({});
  // The checkpoint after a drop may have covered all that was logged: one more tablet logs its Barrier.
  EXPECT_EQ(Configure(30, "{", "").results.at(0).status.code, idl::Code::OK);
  EXPECT_TRUE(Until([&] { return server_->checkpointer().finished() > 0; }));
}

// The loops run the shards' turns.
TEST_F(ManyClientsTest, CountExactlyInMemory) {
  idl::TableOptions options;
  options.__set_memory(true);
  CountWhileTabletsComeAndGo(options);
}

TEST_F(ThreadsTest, AnIntervalTableIsFsyncedAsOftenAsItAsks) {
  idl::TableOptions options;
  options.__set_durability(idl::Durability::INTERVAL);
  options.__set_intervalMs(60'000);
  ASSERT_EQ(Configure(10, "", "", options).results.at(0).status.code, idl::Code::OK);
  std::promise<void> written;
  Worker worker(*server_, loop_a_, 0, 1, [&] { written.set_value(); });
  worker.Start();
  written.get_future().wait();
  EXPECT_EQ(worker.increments, 1);
  const int64_t before = (*store_)->health().flushes;  // the Barrier's among them, not the write's
  options.__set_intervalMs(10);
  ASSERT_EQ(Alter(options), idl::Code::OK);
  EXPECT_TRUE(Until([&] { return (*store_)->health().flushes > before; }));
}

// ---- merges ---------------------------------------------------------------------------------------------------------

// One operation in flight on its loop, until it is stopped: an increment that is retried until it is answered, then a
// STRONG read of it, then an EVENTUAL read and a scan of keys that stay the same.
class MergedClient {
 public:
  MergedClient(TabletServer& server, rpc::EventLoop& loop, int64_t id, std::atomic<bool>& over,
               std::function<void()> finished)
      : service_(server.tablet_service()), loop_(loop), id_(id), over_(over), finished_(std::move(finished)) {}

  void Start() {
    loop_.Post([this] { Increment(); });
  }
  std::string Key() const {
    return std::string(1, static_cast<char>('a' + id_ * 3 % 26)) + "-counter-" + std::to_string(id_);
  }

  std::atomic<int64_t> acknowledged{0};
  std::string failure;

 private:
  static bool Again(idl::Code::type code) {
    // The last: split off or merged away between the look-up and its turn. The next attempt finds what holds it now.
    return code == idl::Code::COME_AGAIN || code == idl::Code::UNKNOWN_OUTCOME || code == idl::Code::WRONG_TABLET;
  }
  bool Fails(const std::string& what, idl::Code::type code, bool right) {
    if (code == idl::Code::OK && right) return false;
    failure = what + ": code " + std::to_string(code);  // OK: of another value
    finished_();
    return true;
  }

  void Increment() {
    if (!retrying_ && over_) return finished_();
    idl::WriteRequest request;
    request.header.tableId = kTable;
    request.header.__set_tabletTimeMs(learnt_ms_);
    request.clientId = 1000 + id_;
    if (!retrying_) ++sequence_;
    request.sequence = request.firstIncomplete = sequence_;
    idl::Write& write = request.writes.emplace_back();
    write.kind = idl::WriteKind::INCREMENT;
    write.key = Key();
    write.__set_delta(1);
    service_->write([this](const idl::WriteReply& reply) { loop_.Post([this, reply] { Incremented(reply); }); },
                    request);
  }

  void Incremented(const idl::WriteReply& reply) {
    // Not of a retry: it is to carry what was learnt before the first attempt.
    if (reply.header.__isset.tabletTimeMs && (!retrying_ || learnt_ms_ == 0)) learnt_ms_ = reply.header.tabletTimeMs;
    retrying_ = Again(reply.header.code);
    if (retrying_) return Increment();
    if (Fails("increment " + reply.header.message, reply.header.code,
              reply.counters == std::vector<int64_t>{acknowledged + 1}))
      return;
    ++acknowledged;
    Read(Key(), idl::ReadLevel::STRONG, std::to_string(acknowledged),
         [this] { Read(id_ % 2 == 0 ? "b" : "y", idl::ReadLevel::EVENTUAL, "fixed", [this] { Scan(); }); });
  }

  void Read(std::string key, idl::ReadLevel::type level, std::string value, std::function<void()> then) {
    idl::GetRequest request;
    request.header.tableId = kTable;
    request.key = key;
    request.options.level = level;
    request.__isset.options = true;
    service_->get(
        [=, this](const idl::GetReply& got) {
          loop_.Post([=, this] {
            if (Again(got.header.code)) return Read(key, level, value, then);
            if (!Fails("read " + got.header.message, got.header.code, got.record.value == value)) then();
          });
        },
        request);
  }

  void Scan() {
    idl::ScanRequest request;
    request.header.tableId = kTable;
    request.range.startKey = "fixed-";
    request.range.endKey = "fixed.";
    request.options.level = idl::ReadLevel::EVENTUAL;
    request.__isset.options = true;
    request.limit = sequence_ % 2 == 0 ? 0 : 10;  // without a limit a reader's thread serves it
    service_->scan(
        [this](const idl::ScanReply& reply) {
          loop_.Post([this, reply] {
            if (Again(reply.header.code)) return Scan();
            if (!Fails("scan " + reply.header.message, reply.header.code, reply.records.size() == 3)) Increment();
          });
        },
        request);
  }

  std::shared_ptr<TabletService> service_;
  rpc::EventLoop& loop_;
  const int64_t id_;
  std::atomic<bool>& over_;
  const std::function<void()> finished_;
  bool retrying_ = false;
  int64_t sequence_ = 0;
  int64_t learnt_ms_ = 0;
};

class MergeThreadsTest : public ThreadsTest {
 protected:
  template <class Request, class Reply, class Method>
  Reply Call(Request request, Method method) {
    request.header.clusterId = "c-1";
    request.header.masterTerm = 1;
    request.header.toServer = "ts-1";
    request.header.toIncarnation = static_cast<int64_t>(incarnation_);
    std::promise<Reply> promise;
    (server_->control_service().get()->*method)([&](const Reply& reply) { promise.set_value(reply); }, request);
    return promise.get_future().get();
  }
  idl::MergedTablet Freeze(int64_t tablet, int64_t into, std::string start, std::string end) {
    idl::FreezeRequest request;
    request.tablets.resize(1);
    request.tablets[0].tabletId = tablet;
    request.tablets[0].epoch = epoch_;
    request.tablets[0].intoId = into;
    idl::MergedTablet part;
    part.tabletId = tablet;
    part.range.startKey = std::move(start);
    part.range.endKey = std::move(end);
    EXPECT_TRUE(Until([&] {
      const auto reply = Call<idl::FreezeRequest, idl::FreezeReply>(request, &ControlService::freeze);
      part.freeze = reply.results.at(0).freeze;
      return reply.results.at(0).status.code == idl::Code::OK;
    }));
    return part;
  }
  void Merge(int64_t left, int64_t right, int64_t into) {
    idl::ConfigureRequest request;
    idl::ConfigureTablet& one = request.tablets.emplace_back();
    one.merged.left = Freeze(left, into, "", "m");
    one.merged.right = Freeze(right, into, "m", "");
    one.merged.position.epoch = ++epoch_;
    one.merged.position.lsn = std::max(one.merged.left.freeze.lsn, one.merged.right.freeze.lsn) + 1;
    one.__isset.merged = true;
    one.tabletId = into;
    one.epoch = epoch_;
    one.primary = "ts-1";
    one.voters = {"ts-1"};
    one.schema.tableId = kTable;
    one.schema.name = "t";
    one.schema.schemaVersion = 1;
    ASSERT_TRUE(Until([&] {
      return Call<idl::ConfigureRequest, idl::ConfigureReply>(request, &ControlService::configure)
                 .results.at(0)
                 .status.code == idl::Code::OK;
    }));
  }
  void Split(int64_t tablet, int64_t child) {
    idl::SplitRequest request;
    request.tablets.resize(1);
    request.tablets[0].tabletId = tablet;
    request.tablets[0].epoch = epoch_;
    request.tablets[0].key = "m";
    request.tablets[0].childId = child;
    EXPECT_TRUE(Until([&] {
      return Call<idl::SplitRequest, idl::SplitReply>(request, &ControlService::split).results.at(0).status.code ==
             idl::Code::OK;
    }));
  }
  void Fill() {
    idl::WriteRequest request;
    request.header.tableId = kTable;
    for (const char* key : {"b", "fixed-1", "fixed-2", "fixed-3", "y"}) {
      request.writes.resize(1);
      request.writes[0].kind = idl::WriteKind::PUT;
      request.writes[0].key = key;
      request.writes[0].__set_value("fixed");
      request.clientId = 1;
      request.firstIncomplete = ++request.sequence;
      ASSERT_TRUE(Until([&] {
        std::promise<idl::WriteReply> promise;
        loop_a_.Post([&] {
          server_->tablet_service()->write([&](const idl::WriteReply& reply) { promise.set_value(reply); }, request);
        });
        const idl::WriteReply reply = promise.get_future().get();
        request.header.__set_tabletTimeMs(reply.header.tabletTimeMs);
        return reply.header.code == idl::Code::OK;
      })) << key;
    }
  }

  int64_t epoch_ = 1;
};

// The two tablets are on different shards, and so are often their successors. Every client finds every key, and counts
// once.
TEST_F(MergeThreadsTest, ClientsGoOnWhileTabletsAreMergedAndSplit) {
  ASSERT_EQ(Configure(1, "", "m").results.at(0).status.code, idl::Code::OK);
  ASSERT_EQ(Configure(2, "m", "").results.at(0).status.code, idl::Code::OK);
  Fill();
  constexpr int kClients = 8;
  std::atomic<bool> over{false};
  std::atomic<int> running{kClients};
  std::vector<std::unique_ptr<MergedClient>> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(
        std::make_unique<MergedClient>(*server_, i % 2 == 0 ? loop_a_ : loop_b_, i, over, [&] { --running; }));
    clients.back()->Start();
  }
  int64_t left = 1, right = 2, into = 3;
  for (int round = 0; round < 12; ++round) {
    Merge(left, right, into);
    if (HasFatalFailure()) break;  // the clients end before they are destroyed
    left = into;
    right = into + 64;
    into = right + 1;
    Split(left, right);
  }
  // Twelve rounds may pass before a client's thread had its first turn.
  const auto began = [](const auto& client) { return client->acknowledged > 0; };
  ASSERT_TRUE(Until([&] { return running < kClients || std::ranges::all_of(clients, began); }));
  over = true;
  ASSERT_TRUE(Until([&] { return running == 0; }));
  for (const auto& client : clients) {
    EXPECT_EQ(client->failure, "");
    EXPECT_GT(client->acknowledged, 0);
    const auto record = (*store_)->Get(TableId{kTable}, client->Key());
    ASSERT_TRUE(record && *record);
    EXPECT_EQ((*record)->value, std::to_string(client->acknowledged));
  }
}

}  // namespace
}  // namespace ebla::tabletserver
