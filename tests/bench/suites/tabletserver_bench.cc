// A tablet server over its sockets: gets of 1 KB from cache against an echo of 1 KB through the same server; durable
// puts against bare WiredTiger's commit with fsync, and against a table with interval durability.
#include <glog/logging.h>
#include <stdlib.h>
#include <wiredtiger.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <thread>

#include "common/coordination/embedded_coordinator.h"
#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "common/process/process.h"
#include "common/rpc/message_codec.h"
#include "common/rpc/stubs.h"
#include "tabletserver/server/server_process.h"
#include "tests/bench/harness/report.h"
#include "tests/bench/harness/socket_load.h"

namespace ebla::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr char kSuite[] = "tabletserver";
constexpr int64_t kSyncTable = 1;
constexpr int64_t kIntervalTable = 2;
constexpr size_t kValueBytes = 1024;
constexpr int kRecords = 10'000;
struct Shape {
  size_t connections, in_flight;
};
constexpr Shape kShapes[] = {{1, 1}, {1, 16}, {4, 16}};

std::string Name(const char* what, const Shape& shape) {
  return std::string(what) + ", " + std::to_string(shape.connections) + " x " + std::to_string(shape.in_flight);
}

std::string Key(int n) { return "user" + std::to_string(1'000'000 + n * 7919 % kRecords); }

// One writer's median microseconds of a commit that has reached the disk.
double RawCommitMicros(const std::string& directory, Duration duration) {
  std::filesystem::create_directory(directory);
  WT_CONNECTION* connection = nullptr;
  CHECK_EQ(wiredtiger_open(directory.c_str(), nullptr, "create,log=(enabled)", &connection), 0);
  WT_SESSION* session = nullptr;
  WT_CURSOR* cursor = nullptr;
  CHECK_EQ(connection->open_session(connection, nullptr, nullptr, &session), 0);
  CHECK_EQ(session->create(session, "table:log", "key_format=Q,value_format=u"), 0);
  CHECK_EQ(session->open_cursor(session, "table:log", nullptr, nullptr, &cursor), 0);
  const std::string row(kValueBytes, 'v');
  std::vector<double> micros;
  uint64_t lsn = 0;
  for (const auto end = Clock::now() + duration; Clock::now() < end;) {
    const auto begun = Clock::now();
    CHECK_EQ(session->begin_transaction(session, nullptr), 0);
    WT_ITEM value{};
    value.data = row.data();
    value.size = row.size();
    cursor->set_key(cursor, ++lsn);
    cursor->set_value(cursor, &value);
    CHECK_EQ(cursor->insert(cursor), 0);
    CHECK_EQ(session->commit_transaction(session, "sync=on"), 0);
    micros.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begun).count());
  }
  connection->close(connection, nullptr);
  return Median(std::move(micros));
}

// A server of its own cluster, with two tables of one tablet each.
class Server {
 public:
  explicit Server(const std::string& directory) {
    control_.Start();
    auto coordination = coordination::EmbeddedCoordination::Open(directory + "/coordination");
    CHECK(coordination.has_value()) << coordination.error();
    coordination_ = *std::move(coordination);
    MakeCluster();
    tabletserver::ServerProcessOptions options;
    options.data_dir = directory + "/data";
    options.name = "ts-1";
    options.event_loops = 1;  // so that echo and get are compared on equal terms
    options.coordinator = [this](Executor& executor) -> Result<std::unique_ptr<coordination::Coordinator>> {
      return coordination_->NewClient(executor);
    };
    auto process = tabletserver::ServerProcess::Start(std::move(options));
    CHECK(process.has_value()) << process.error();
    process_ = *std::move(process);
    while (!process_->server().Registered()) std::this_thread::yield();
    MakeTablet(10, kSyncTable, idl::Durability::SYNC);
    MakeTablet(20, kIntervalTable, idl::Durability::INTERVAL);
  }
  ~Server() {
    process_.reset();
    control_.Stop();
  }
  const rpc::Endpoint& address() const { return process_->endpoint(); }

 private:
  void MakeCluster() {
    auto client = coordination_->NewClient(control_);
    idl::ClusterNode node;
    node.clusterId = "bench";
    std::promise<void> made;
    client->Multi({coordination::Op::Create(coordination::layout::kCluster, coordination::EncodeNode(node))},
                  [&](auto) { made.set_value(); });
    made.get_future().wait();
    std::promise<void> gone;
    control_.Post([&] {
      client.reset();
      gone.set_value();
    });
    gone.get_future().wait();
  }

  void MakeTablet(int64_t tablet_id, int64_t table, idl::Durability::type durability) {
    rpc::PipelinedConnector connector(control_);
    auto control = rpc::MakeControlStub(connector.Connect(address(), control_), 10s);
    idl::ConfigureRequest request;
    request.header.clusterId = "bench";
    request.header.masterTerm = 1;
    request.header.toServer = "ts-1";
    request.header.toIncarnation = 1;
    idl::ConfigureTablet& tablet = request.tablets.emplace_back();
    tablet.tabletId = tablet_id;
    tablet.epoch = 1;
    tablet.born = true;
    tablet.primary = "ts-1";
    tablet.voters = {"ts-1"};
    tablet.schema.tableId = table;
    tablet.schema.schemaVersion = 1;
    tablet.schema.options.__set_durability(durability);
    std::promise<idl::Code::type> code;
    control->configure([&](const idl::ConfigureReply& reply) { code.set_value(reply.results.at(0).status.code); },
                       request);
    CHECK_EQ(code.get_future().get(), idl::Code::OK);
  }

  rpc::EventLoop control_{"control"};
  std::unique_ptr<coordination::EmbeddedCoordination> coordination_;
  std::unique_ptr<tabletserver::ServerProcess> process_;
};

struct Puts {
  double per_second = 0;
  double median_us = 0;
};

// `writers` clients with one put in flight each, on one loop.
class PutLoad {
 public:
  PutLoad(const rpc::Endpoint& server, int64_t table, int writers)
      : stub_(rpc::MakeTabletStub(connector_.Connect(server, loop_), 10s)), table_(table), writers_(writers) {
    loop_.Start();
  }
  ~PutLoad() { loop_.Stop(); }

  // Until `count` puts are done, when it is not 0, else for `duration`.
  Puts Run(Duration duration, int count = 0) {
    micros_.clear();
    end_ = Clock::now() + duration;
    left_ = count == 0 ? INT32_MAX : count;
    open_ = writers_;
    const auto begun = Clock::now();
    loop_.Post([this] {
      for (int i = 0; i < writers_; ++i) Next(i);
    });
    while (open_ > 0) std::this_thread::sleep_for(1ms);
    const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    return {static_cast<double>(micros_.size()) / seconds, Median(micros_)};
  }

 private:
  void Next(int writer) {
    if (--left_ < 0 || Clock::now() >= end_) {
      --open_;
      return;
    }
    idl::WriteRequest request;
    request.header.tableId = table_;
    request.header.__set_tabletTimeMs(learnt_ms_);
    request.clientId = first_client_ + writer;
    request.sequence = request.firstIncomplete = ++sequence_;
    request.writes.resize(1);
    request.writes[0].key = Key(static_cast<int>(sequence_));
    request.writes[0].__set_value(std::string(kValueBytes, 'v'));
    stub_->write(
        [this, writer, begun = Clock::now()](const idl::WriteReply& reply) {
          if (reply.header.__isset.tabletTimeMs) learnt_ms_ = reply.header.tabletTimeMs;
          const bool come_again = reply.header.code == idl::Code::COME_AGAIN;  // the tablet's time was not known
          CHECK(come_again || reply.header.code == idl::Code::OK) << reply.header.message;
          if (!come_again) micros_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begun).count());
          Next(writer);
        },
        request);
  }

  rpc::EventLoop loop_{"writers"};
  rpc::PipelinedConnector connector_{loop_};
  std::shared_ptr<idl::TabletServiceCobSvIf> stub_;
  const int64_t table_;
  const int writers_;
  const int64_t first_client_ = static_cast<int64_t>(process::RandomId() >> 2) + 1;
  // Loop only, but for open_.
  std::vector<double> micros_;
  Clock::time_point end_;
  int left_ = 0;
  int64_t sequence_ = 0;
  int64_t learnt_ms_ = 0;
  std::atomic<int> open_{0};
};

template <class Request>
void MeasureReads(const char* what, const char* method, const Request& request, const rpc::Endpoint& server,
                  const BenchOptions& options, Report& report) {
  const std::string message(rpc::codec::Write<rpc::codec::Binary>(method, rpc::MessageType::kCall, 0, 1, request));
  for (const Shape& shape : kShapes) {
    const Load load{
        .server = server,
        .conversation = FramedCalls({.message = message, .sequence_offset = 8 + std::string_view(method).size()}),
        .connections = shape.connections,
        .in_flight = shape.in_flight};
    report.Add(kSuite, Name(what, shape), MeasureLoad(load, options.each).timings.per_second, "calls/s");
  }
}

}  // namespace

void RunTabletServerBench(const BenchOptions& options, Report& report) {
  std::string directory = std::filesystem::temp_directory_path() / "tabletserver_bench.XXXXXX";
  CHECK(::mkdtemp(directory.data()) != nullptr);
  {
    Server server(directory);
    PutLoad(server.address(), kSyncTable, 64).Run(100s, kRecords);
    idl::EchoRequest echo;
    echo.__set_replyBytes(kValueBytes);
    MeasureReads("echo of 1 KB", "echo", echo, server.address(), options, report);
    idl::GetRequest get;
    get.header.tableId = kSyncTable;
    get.key = Key(1);
    MeasureReads("get of 1 KB", "get", get, server.address(), options, report);

    report.Add(kSuite, "raw commit and fsync, median", RawCommitMicros(directory + "/raw", options.each), "us");
    const Puts one = PutLoad(server.address(), kSyncTable, 1).Run(options.each);
    report.Add(kSuite, "durable put, one writer, median", one.median_us, "us");
    const Puts sync = PutLoad(server.address(), kSyncTable, 64).Run(options.each);
    report.Add(kSuite, "sync puts, 64 writers", sync.per_second, "puts/s");
    const Puts interval = PutLoad(server.address(), kIntervalTable, 64).Run(options.each);
    report.Add(kSuite, "interval puts, 64 writers", interval.per_second, "puts/s");
  }
  std::filesystem::remove_all(directory);
  report.Ratio(kSuite, Name("get of 1 KB", {1, 1}), Name("echo of 1 KB", {1, 1}), 0.8);
  report.Ratio(kSuite, Name("get of 1 KB", {4, 16}), Name("echo of 1 KB", {4, 16}), 0.45);
  report.Ratio(kSuite, "durable put, one writer, median", "raw commit and fsync, median", 2, /*at_most=*/true);
  report.Ratio(kSuite, "sync puts, 64 writers", "interval puts, 64 writers", 0.5);
}

}  // namespace ebla::bench
