#include "tests/bench/compare/trust_parts.h"

#include <glog/logging.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <optional>
#include <thread>
#include <utility>

#include "common/rpc/pipelined_channel.h"
#include "common/rpc/stubs.h"
#include "common/testing/eventually.h"
#include "tests/bench/compare/ebla_cluster.h"
#include "tests/bench/compare/ebla_load.h"
#include "tests/bench/compare/keys.h"
#include "tests/integration/cluster_certificates.h"

namespace ebla::bench {
namespace {

using namespace std::chrono_literals;
using testing::ClusterCertificates;
using Clock = std::chrono::steady_clock;
using Done = std::move_only_function<void(Status)>;

constexpr int kInFlight = 64;

ClusterCertificates MadeCertificates(const std::string& directory) {
  ClusterCertificates certificates(directory);
  Status made = certificates.Make();
  for (const char* user : {"busy", "other"})
    if (made.ok()) made = certificates.Make(user, {.name = user});
  CHECK(made.ok()) << made;
  return certificates;
}

testing::TestClusterOptions Secure(const ClusterCertificates& certificates) {
  return {.masters = 1,
          .servers = 1,
          .master_flags = certificates.MasterFlags(),
          .server_flags = certificates.ServerFlags(),
          .tls_dir = certificates.Path(certificates.kOperator)};
}

// ---- TLS
// -------------------------------------------------------------------------------------------------------------

constexpr char kClearGet[] = "Ebla get in the clear, 64", kTlsGet[] = "Ebla get TLS, 64";
constexpr char kClearPut[] = "Ebla put in the clear, 64", kTlsPut[] = "Ebla put TLS, 64";
constexpr char kClearConnect[] = "Ebla connect in the clear, 1", kTlsConnect[] = "Ebla connect TLS, 1";

class TlsPart : public Part {
 public:
  TlsPart(const std::string& directory, Duration each)
      : certificates_(MadeCertificates(directory)),
        each_(each),
        clear_({.masters = 1, .servers = 1}),
        tls_(Secure(certificates_)) {}

  void Round(Figures& figures) override {
    figures.Measure(kClearGet, [&] { return clear_load_.Gets(clear_table_, kInFlight, {.read = Read::Strong()}); });
    figures.Measure(kTlsGet, [&] { return tls_load_.Gets(tls_table_, kInFlight, {.read = Read::Strong()}); });
    figures.Measure(kClearPut, [&] { return clear_load_.Puts(clear_table_, kInFlight); });
    figures.Measure(kTlsPut, [&] { return tls_load_.Puts(tls_table_, kInFlight); });
    figures.Measure(kClearConnect, [&] { return Connect(clear_, ""); });
    figures.Measure(kTlsConnect, [&] { return Connect(tls_, certificates_.Path("other")); });
  }

 private:
  // From a connection's begin until a master has answered over it.
  Figure Connect(const EblaCluster& ebla, const std::string& tls_dir) const {
    rpc::EventLoop loop("connects");
    loop.Start();
    rpc::ChannelOptions options;
    if (!tls_dir.empty()) options.tls = *security::TlsCredentials::Load(tls_dir, "client");
    const rpc::Endpoint master = *rpc::Endpoint::Parse(ebla.masters());
    std::vector<double> took;
    for (const auto begun = Clock::now(); Clock::now() - begun < each_;) {
      const auto before = Clock::now();
      rpc::PipelinedConnector connector(loop, options);
      const auto stub = rpc::MakeMasterStub(connector.Connect(master, loop), 10s);
      std::promise<idl::ClusterInfoReply> answer;
      stub->clusterInfo([&](const idl::ClusterInfoReply& reply) { answer.set_value(reply); }, {});
      CHECK(answer.get_future().get().header.code == idl::Code::OK);
      took.push_back(std::chrono::duration<double, std::micro>(Clock::now() - before).count());
    }
    std::ranges::sort(took);
    const auto at = [&](size_t percent) { return took[(took.size() - 1) * percent / 100]; };
    const double seconds = std::chrono::duration<double>(each_).count();
    return {.timings = {.per_second = static_cast<double>(took.size()) / seconds, .p50_us = at(50), .p99_us = at(99)}};
  }

  const ClusterCertificates certificates_;
  const Duration each_;
  EblaCluster clear_, tls_;
  const EblaLoad clear_load_{clear_.servers(), each_}, tls_load_{tls_.servers(), each_};
  const Table clear_table_ = MakeFullTable(clear_.client(), "records", {.replicas = 1});
  const Table tls_table_ = MakeFullTable(tls_.client(), "records", {.replicas = 1});
};

// ---- users beside each other
// -----------------------------------------------------------------------------------------

constexpr char kGetAlone[] = "a user's get, 1, alone", kPutAlone[] = "a user's put, 1, alone";

// The busy user's operations: one in every `put_of` is a put.
struct Mix {
  std::string name;
  int64_t put_of = 0;  // 0: none
};
const std::vector<Mix>& Mixes() {
  static const std::vector<Mix> mixes{{"gets and puts", 2}, {"gets", 0}, {"puts", 1}};
  return mixes;
}
std::string Beside(const char* operation, const Mix& mix) {
  return std::string("a user's ") + operation + ", 1, beside another's " + std::to_string(kInFlight) + " " + mix.name;
}
std::string Meanwhile(const Mix& mix) { return "the other's " + mix.name + ", " + std::to_string(kInFlight); }

// The servers have the first half of the processors, and clients the second. In it the busy user's client takes what
// the light user's leaves, because the measurement is of how the servers divide their half.
class Processors {
 public:
  static int Half() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / 2); }
  Processors() {
    const int all = static_cast<int>(std::thread::hardware_concurrency());
    CHECK_EQ(::sched_getaffinity(0, sizeof before_, &before_), 0);
    cpu_set_t clients;
    CPU_ZERO(&clients);
    for (int cpu = Half(); cpu < std::max(all, Half() + 1); ++cpu) CPU_SET(cpu % all, &clients);
    CHECK_EQ(::sched_setaffinity(0, sizeof clients, &clients), 0);
  }
  ~Processors() { ::sched_setaffinity(0, sizeof before_, &before_); }
  Processors(const Processors&) = delete;
  Processors& operator=(const Processors&) = delete;

 private:
  cpu_set_t before_;
};

class UsersPart : public Part {
 public:
  UsersPart(const std::string& directory, Duration each)
      : certificates_(MadeCertificates(directory)), each_(each), ebla_(Pinned(Secure(certificates_))) {
    MakeFullTable(ebla_.client(), "records", {.replicas = 1});
    const Status granted = ebla_.client().ChangeAccess(
        {{.kind = AccessChange::Kind::kGrant, .name = "everybody", .grant = {Permission::kRead, "records", ""}},
         {.kind = AccessChange::Kind::kGrant, .name = "everybody", .grant = {Permission::kWrite, "records", ""}}});
    CHECK(granted.ok()) << granted;
    other_.emplace(Connect("other", 1));
    // Threads are scheduled as the one that starts them.
    std::thread([this] {
      const sched_param none{};
      CHECK_EQ(::sched_setscheduler(0, SCHED_IDLE, &none), 0);
      busy_.emplace(Connect("busy", kInFlight));
    }).join();
  }

  void Round(Figures& figures) override {
    figures.Measure(kGetAlone, [&] { return Gets(); });
    figures.Measure(kPutAlone, [&] { return Puts(); });
    for (const Mix& mix : Mixes()) Round(figures, mix);
  }

 private:
  void Round(Figures& figures, const Mix& mix) {
    const load::StartOperation start = [&](int64_t number, Done done) {
      const bool put = mix.put_of > 0 && number % mix.put_of == 0;
      put ? Put(*busy_, std::move(done)) : Get(*busy_, std::move(done));
    };
    const auto begun = Clock::now();
    load::AsyncLoad busy({.clients = kInFlight}, start);
    figures.Measure(Beside("get", mix), [&] { return Gets(); });
    figures.Measure(Beside("put", mix), [&] { return Puts(); });
    const auto operations = static_cast<double>(busy.End().operations().size());
    const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    figures.Measure(Meanwhile(mix), [&] { return Figure{.timings = {.per_second = operations / seconds}}; });
  }
  static testing::TestClusterOptions Pinned(testing::TestClusterOptions options) {
    options.launch_context = [](const std::string&) {
      cluster::LaunchContext context;
      context.command_prefix = {"/usr/bin/taskset", "-c", "0-" + std::to_string(Processors::Half() - 1)};
      return context;
    };
    return options;
  }
  Table Connect(const std::string& user, int connections) const {
    const auto client = Client::Connect(
        {.masters = {ebla_.masters()}, .connections_per_server = connections, .tls_dir = certificates_.Path(user)});
    CHECK(client.has_value()) << client.error();
    std::optional<Table> granted;  // every process knows of a grant within a second of its answer
    CHECK(testing::Eventually([&] {
      auto table = client->OpenTable("records");
      if (table) granted.emplace(*std::move(table));
      return granted.has_value();
    }));
    return *granted;
  }
  static void Get(const Table& table, Done done) {
    table.AsyncGet(RandomRecordKey(), {.read = Read::Strong()},
                   [done = std::move(done)](Result<Record> got) mutable { done(got ? Status() : got.error()); });
  }
  void Put(const Table& table, Done done) const {
    table.AsyncPut(RandomRecordKey(), value_, {},
                   [done = std::move(done)](Result<Version> put) mutable { done(put ? Status() : put.error()); });
  }
  Figure Gets() const {
    return {.timings =
                load::MeasureOperations(1, each_, [this](int64_t, Done done) { Get(*other_, std::move(done)); })};
  }
  Figure Puts() const {
    return {.timings =
                load::MeasureOperations(1, each_, [this](int64_t, Done done) { Put(*other_, std::move(done)); })};
  }

  const Processors processors_;
  const ClusterCertificates certificates_;
  const Duration each_;
  const std::string value_ = std::string(kValueBytes, 'v');
  EblaCluster ebla_;
  std::optional<Table> other_, busy_;
};

}  // namespace

std::unique_ptr<Part> MakeTlsPart(const std::string& directory, const BenchOptions& options) {
  return std::make_unique<TlsPart>(directory, options.each);
}

std::unique_ptr<Part> MakeUsersPart(const std::string& directory, const BenchOptions& options) {
  return std::make_unique<UsersPart>(directory, options.each);
}

void AddTrustRatios(
    const std::function<void(const std::string& row, const std::string& peer, double wanted, bool at_most)>& ratio,
    const std::function<void(const char* row, double wanted)>& at_most) {
  ratio(kTlsGet, kClearGet, 0.8, false);
  ratio(kTlsPut, kClearPut, 0.8, false);
  at_most("Ebla connect TLS, 1, p50", 2000);
  for (const Mix& mix : Mixes()) {
    ratio(Beside("get", mix) + ", p99", std::string(kGetAlone) + ", p99", 2, true);
    ratio(Beside("put", mix) + ", p99", std::string(kPutAlone) + ", p99", 2, true);
  }
}

}  // namespace ebla::bench
