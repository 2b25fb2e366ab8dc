// The same echo of 1 KB, from the same client, against Ebla's server and Thrift's stock TNonblockingServer; then Ebla's
// own client in place of the bare one.
#include <glog/logging.h>
#include <thrift/concurrency/ThreadFactory.h>
#include <thrift/concurrency/ThreadManager.h>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/server/TNonblockingServer.h>
#include <thrift/transport/TNonblockingServerSocket.h>

#include <atomic>
#include <future>
#include <thread>

#include "common/rpc/message_codec.h"
#include "common/rpc/pipelined_channel.h"
#include "common/rpc/server.h"
#include "common/rpc/stubs.h"
#include "tests/bench/harness/report.h"
#include "tests/bench/harness/socket_load.h"

namespace ebla::bench {
namespace {

namespace thrift = ::apache::thrift;

constexpr int32_t kReplyBytes = 1024;
constexpr char kSuite[] = "rpc";
struct Shape {
  size_t connections, in_flight;
};
constexpr Shape kShapes[] = {{1, 1}, {1, 16}, {4, 1}, {4, 16}};

void Answer(const idl::EchoRequest& request, idl::EchoReply& reply) {
  reply.payload.assign(static_cast<size_t>(request.replyBytes), 'e');
}

class AsyncEcho : public idl::TabletServiceCobSvNull {
 public:
  void echo(std::function<void(const idl::EchoReply&)> done, const idl::EchoRequest& request) override {
    idl::EchoReply reply;
    Answer(request, reply);
    done(reply);
  }
};

class SyncEcho : public idl::TabletServiceNull {
 public:
  void echo(idl::EchoReply& reply, const idl::EchoRequest& request) override { Answer(request, reply); }
};

idl::EchoRequest Request() {
  idl::EchoRequest request;
  request.__set_replyBytes(kReplyBytes);
  return request;
}

std::string Name(const char* server, const Shape& shape) {
  return std::string(server) + ", " + std::to_string(shape.connections) + " x " + std::to_string(shape.in_flight);
}

void MeasureShapes(const char* server, const rpc::Endpoint& address, const BenchOptions& options, Report& report) {
  const rpc::EncodedCall call{
      .message = std::string(rpc::codec::Write<rpc::codec::Binary>("echo", rpc::MessageType::kCall, 0, 1, Request())),
      .sequence_offset = 12};
  for (const Shape& shape : kShapes) {
    const Load load{.server = address,
                    .conversation = FramedCalls(call),
                    .connections = shape.connections,
                    .in_flight = shape.in_flight};
    report.Add(kSuite, Name(server, shape), MeasureLoad(load, options.each).timings.per_second, "calls/s");
  }
}

// TNonblockingServer with one I/O thread; with `workers`, a pool that runs the handler.
class StockServer {
 public:
  explicit StockServer(int workers) {
    using namespace thrift;
    auto socket = std::make_shared<transport::TNonblockingServerSocket>("127.0.0.1", 0);
    auto processor = std::make_shared<idl::TabletServiceProcessor>(std::make_shared<SyncEcho>());
    auto protocol = std::make_shared<protocol::TBinaryProtocolFactory>();
    std::shared_ptr<concurrency::ThreadManager> pool;
    if (workers > 0) {
      pool = concurrency::ThreadManager::newSimpleThreadManager(static_cast<size_t>(workers));
      pool->threadFactory(std::make_shared<concurrency::ThreadFactory>());
      pool->start();
    }
    server_ = std::make_shared<server::TNonblockingServer>(processor, protocol, socket, pool);
    server_->setNumIOThreads(1);
    server_->setServerEventHandler(std::make_shared<Started>(started_));
    thread_ = std::thread([this] { server_->serve(); });
    started_.get_future().wait();
    address_ = {"127.0.0.1", static_cast<uint16_t>(server_->getListenPort())};
  }
  ~StockServer() {
    server_->stop();
    thread_.join();
  }
  const rpc::Endpoint& address() const { return address_; }

 private:
  struct Started : thrift::server::TServerEventHandler {
    explicit Started(std::promise<void>& promise) : started(promise) {}
    void preServe() override { started.set_value(); }
    std::promise<void>& started;
  };
  std::promise<void> started_;
  std::shared_ptr<thrift::server::TNonblockingServer> server_;
  std::thread thread_;
  rpc::Endpoint address_;
};

// Ebla's stubs and channels, on one loop.
double MeasureStubs(const rpc::Endpoint& server, const Shape& shape, Duration duration) {
  rpc::EventLoop loop("client");
  std::vector<std::unique_ptr<rpc::PipelinedConnector>> connectors;  // one connection each
  std::vector<std::shared_ptr<idl::TabletServiceCobSvIf>> stubs;
  for (size_t i = 0; i < shape.connections; ++i) {
    connectors.push_back(std::make_unique<rpc::PipelinedConnector>(loop));
    stubs.push_back(rpc::MakeTabletStub(connectors.back()->Connect(server, loop), std::chrono::seconds(10)));
  }
  const idl::EchoRequest request = Request();
  std::atomic<uint64_t> replies{0};
  std::atomic<bool> stop{false};
  std::atomic<size_t> open{shape.connections * shape.in_flight};
  std::function<void(idl::TabletServiceCobSvIf*)> next = [&](idl::TabletServiceCobSvIf* stub) {
    stub->echo(
        [&, stub](const idl::EchoReply& reply) {
          CHECK_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
          replies.fetch_add(1, std::memory_order_relaxed);
          if (stop) {
            --open;
          } else {
            next(stub);
          }
        },
        request);
  };
  loop.Post([&] {
    for (const auto& stub : stubs) {
      for (size_t i = 0; i < shape.in_flight; ++i) next(stub.get());
    }
  });
  loop.Start();
  std::this_thread::sleep_for(duration / 10);
  const uint64_t before = replies;
  const auto start = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(duration);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double rate = static_cast<double>(replies - before) / seconds;
  stop = true;
  while (open > 0) std::this_thread::yield();
  return rate;
}

}  // namespace

void RunRpcBench(const BenchOptions& options, Report& report) {
  thrift::GlobalOutput.setOutputFunction([](const char*) {});  // the stock server tells of every closed connection
  rpc::EventLoop loop("server");
  loop.Start();
  rpc::Dispatcher dispatcher;
  dispatcher.Register(std::shared_ptr<idl::TabletServiceCobSvIf>(std::make_shared<AsyncEcho>()));
  rpc::RpcServer server({}, dispatcher, {&loop});
  const Status started = server.Start();
  CHECK(started.ok()) << started;
  MeasureShapes("ebla", server.address(), options, report);
  for (const Shape& shape : kShapes) {
    report.Add(kSuite, Name("ebla through its stubs", shape), MeasureStubs(server.address(), shape, options.each),
               "calls/s");
  }
  {
    StockServer stock(/*workers=*/0);
    MeasureShapes("stock nonblocking", stock.address(), options, report);
  }
  {
    StockServer stock(/*workers=*/4);
    MeasureShapes("stock nonblocking, pool of 4", stock.address(), options, report);
  }
  report.Ratio(kSuite, Name("ebla", {4, 16}), Name("stock nonblocking", {4, 16}), 10);
  report.Ratio(kSuite, Name("ebla", {4, 16}), Name("stock nonblocking, pool of 4", {4, 16}), 10);
}

}  // namespace ebla::bench
