// Clients that know nothing of Ebla but its IDL: Thrift's own, in C++ and in Python, framed, binary and compact.
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/protocol/TCompactProtocol.h>
#include <thrift/transport/TBufferTransports.h>
#include <thrift/transport/TSocket.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/rpc/rpc_test_util.h"
#include "test_paths.h"

namespace ebla::rpc {
namespace {

namespace thrift = ::apache::thrift;

template <class ProtocolT>
class StockClientTest : public ::testing::Test {};
using Protocols = ::testing::Types<thrift::protocol::TBinaryProtocol, thrift::protocol::TCompactProtocol>;
TYPED_TEST_SUITE(StockClientTest, Protocols);

template <class ProtocolT>
struct StockClient {
  explicit StockClient(const Endpoint& server)
      : transport(std::make_shared<thrift::transport::TFramedTransport>(
            std::make_shared<thrift::transport::TSocket>(server.host, server.port))),
        client(std::make_shared<ProtocolT>(transport)) {
    transport->open();
  }
  std::shared_ptr<thrift::transport::TTransport> transport;
  idl::TabletServiceClient client;
};

TYPED_TEST(StockClientTest, CallsEveryMethod) {
  TestServer server;
  StockClient<TypeParam> stock(server.address());
  idl::GetRequest get;
  get.__set_key("k");
  idl::GetReply got;
  stock.client.get(got, get);
  EXPECT_EQ(got.record.value, "value of k");

  idl::EchoRequest echo;
  echo.__set_payload(std::string(200'000, 'p'));
  idl::EchoReply echoed;
  stock.client.echo(echoed, echo);
  EXPECT_EQ(echoed.payload, echo.payload);

  idl::MultiGetRequest multi;
  multi.keys = {"a", "b"};
  idl::MultiGetReply found;
  stock.client.multiGet(found, multi);
  EXPECT_EQ(found.results.size(), 2u);

  idl::WriteRequest write;
  write.writes.resize(2);
  write.writes[1].__set_delta(-5);
  idl::WriteReply written;
  stock.client.write(written, write);
  EXPECT_EQ(written.counters, (std::vector<int64_t>{0, -5}));

  idl::ScanRequest scan;
  scan.__set_limit(100);
  idl::ScanReply page;
  stock.client.scan(page, scan);
  EXPECT_EQ(page.records.size(), 100u);
  EXPECT_TRUE(page.done);
}

TYPED_TEST(StockClientTest, ManyClientsAtOnce) {
  TestServer server;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      StockClient<TypeParam> stock(server.address());
      for (int i = 0; i < 200; ++i) {
        idl::GetRequest get;
        get.__set_key(std::to_string(t) + "-" + std::to_string(i));
        idl::GetReply got;
        stock.client.get(got, get);
        ASSERT_EQ(got.record.value, "value of " + get.key);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TYPED_TEST(StockClientTest, SendsAheadAndReceivesInOrder) {
  TestServer server;
  StockClient<TypeParam> stock(server.address());
  for (const char* key : {"hold 1", "2", "3"}) {
    idl::GetRequest get;
    get.__set_key(key);
    stock.client.send_get(get);
  }
  ASSERT_TRUE(WaitFor([&] { return server.tablet->held.size() == 1; }));
  for (auto& answer : server.tablet->held.Take()) answer();
  for (const char* key : {"hold 1", "2", "3"}) {
    idl::GetReply got;
    stock.client.recv_get(got);
    EXPECT_EQ(got.record.value, std::string("value of ") + key);
  }
}

TYPED_TEST(StockClientTest, SeesAnExceptionForAMethodThatIsNotServed) {
  TestServer server;
  auto transport = std::make_shared<thrift::transport::TFramedTransport>(
      std::make_shared<thrift::transport::TSocket>(server.address().host, server.address().port));
  transport->open();
  idl::ControlServiceClient control(std::make_shared<TypeParam>(transport));
  idl::FenceReply reply;
  EXPECT_THROW(control.fence(reply, {}), thrift::TApplicationException);
}

constexpr char kPythonClient[] = R"(
import sys
sys.path.insert(0, sys.argv[1])
from thrift.transport import TSocket, TTransport
from thrift.protocol import TBinaryProtocol, TCompactProtocol
from thrift.Thrift import TApplicationException
from ebla.tablet import TabletService
from ebla.tablet.ttypes import *
from ebla.control import ControlService
from ebla.control.ttypes import FenceRequest

for protocol in (TBinaryProtocol.TBinaryProtocol, TCompactProtocol.TCompactProtocol):
    transport = TTransport.TFramedTransport(TSocket.TSocket('127.0.0.1', int(sys.argv[2])))
    transport.open()
    client = TabletService.Client(protocol(transport))
    for i in range(50):
        key = b'key%d' % i
        assert client.get(GetRequest(RequestHeader(epoch=i), key)).record.value == b'value of ' + key
    assert client.echo(EchoRequest(b'x' * 100000)).payload == b'x' * 100000
    reply = client.write(WriteRequest(RequestHeader(), 1, 2, 3,
                                      writes=[Write(kind=WriteKind.INCREMENT, key=b'n', delta=-7)]))
    assert reply.counters == [-7] and reply.version.lsn == 2, reply
    assert len(client.scan(ScanRequest(RequestHeader(), limit=3)).records) == 3
    assert [r.code for r in client.multiGet(MultiGetRequest(RequestHeader(), [b'a', b''])).results] == [1, 3]
    try:
        ControlService.Client(client._iprot).fence(FenceRequest())
        assert False
    except TApplicationException as e:
        assert e.type == TApplicationException.UNKNOWN_METHOD, e
    transport.close()
print('python is content')
)";

// The system's Python has python3-thrift; another one, first on the path, may not.
std::string PythonWithThrift() {
  for (const char* python : {"python3", "/usr/bin/python3"}) {
    if (std::system((std::string("cd / && ") + python + " -c 'import thrift.Thrift' 2>/dev/null").c_str()) == 0) {
      return python;
    }
  }
  return "";
}

TEST(StockPythonTest, CallsEveryMethodInBothProtocols) {
  namespace fs = std::filesystem;
  char name[] = "/tmp/ebla_rpc_test_XXXXXX";
  const fs::path dir = mkdtemp(name);
  const std::string generate = "thrift -out " + dir.string() + " -r --gen py ";
  for (const char* file : {"tablet", "control"}) {
    ASSERT_EQ(std::system((generate + kSourceDir + "/thrift/" + file + ".thrift").c_str()), 0);
  }
  std::ofstream(dir / "client.py") << kPythonClient;
  TestServer server;
  const std::string python = PythonWithThrift();
  ASSERT_NE(python, "") << "install python3-thrift";
  const std::string run =
      python + " " + (dir / "client.py").string() + " " + dir.string() + " " + std::to_string(server.address().port);
  EXPECT_EQ(std::system(run.c_str()), 0);
  EXPECT_EQ(server.server->Stats().connections_accepted, 2u);
  fs::remove_all(dir);
}

}  // namespace
}  // namespace ebla::rpc
