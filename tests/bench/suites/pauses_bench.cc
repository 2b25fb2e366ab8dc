// How long clients wait while tablets are split, transferred and moved: five servers, three replicas, half reads and
// half writes. The rate without a limit is measured first; then operations arrive at three tenths of that. Each window
// from before the order to its answer is followed by an equally long one without changes.
#include <gflags/gflags.h>
#include <glog/logging.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <optional>

#include "tests/bench/harness/report.h"
#include "tests/integration/test_cluster.h"
#include "tools/load/async_load.h"

DEFINE_int32(pause_actions, 100, "pauses: how many splits of each size, and how many transfers.");
DEFINE_int32(pause_large_mb, 0,
             "pauses: size in MB of a further tablet to split, 0: none; 4096 takes minutes to load.");
DEFINE_int32(pause_settle_seconds, 70,
             "pauses: how long to wait once that tablet is loaded, as a checkpoint follows within a minute.");
DEFINE_int32(pause_moves, 5,
             "pauses: how often a replica is moved there and back, at least once; the median is judged.");
DEFINE_double(pause_rate, 0,
              "pauses: operations/s of the open loop, to compare runs; 0: three tenths of the closed loop's rate.");
DEFINE_int32(pause_copy_mb, 4, "pauses: MB/s at which servers send copies; a move copies eight times as much.");

namespace ebla::bench {
namespace {

using namespace std::chrono_literals;
using load::AsyncLoad;
using load::MeasureOperations;
using load::StartOperation;
using load::Timings;
using load::Waits;
using load::Window;
using std::chrono::microseconds;
using LoopClock = std::chrono::steady_clock;

constexpr char kSuite[] = "pauses";
constexpr size_t kValueBytes = 1024;
constexpr int kHotRecords = 400;  // around the place of the next split
constexpr int kSplitsPerTable = 4;
constexpr int kManyClients = 64;
constexpr int kLoaders = 16;
constexpr int kRecordsPerBatch = 500;
constexpr double kRatePart = 0.3;
constexpr auto kWarmUp = 1s;    // of a load that is turned to another table
constexpr auto kQuiet = 400ms;  // before each action
constexpr auto kBeforeMove = 10s;
constexpr auto kApart = 20ms;  // between a control window and what follows

std::string Key(int64_t n) {
  char text[40];
  std::snprintf(text, sizeof text, "user%012lld", static_cast<long long>(n));
  return text;
}

double PercentileMs(std::vector<microseconds> values, double part) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const auto at = static_cast<size_t>(std::lround(part * static_cast<double>(values.size() - 1)));
  return static_cast<double>(values[at].count()) / 1000;
}

// Time of all processors, since the machine started, in ticks. A busy host lets a virtual machine wait, for many
// milliseconds at a time, sometimes with all its processors at once, and no process in it can answer then.
struct ProcessorTime {
  uint64_t all = 0, stolen = 0;

  static ProcessorTime Now() {
    std::ifstream stat("/proc/stat");  // "cpu user nice system idle iowait irq softirq steal ..."; see proc(5)
    std::string name;
    stat >> name;
    ProcessorTime time;
    for (int column = 0; column < 8; ++column) {
      uint64_t ticks = 0;
      stat >> ticks;
      time.all += ticks;
      if (column == 7) time.stolen = ticks;
    }
    return time;
  }
};

class Bench {
 public:
  Bench(const BenchOptions& options, Report& report) : options_(options), report_(report) {
    const std::string copies = "--copy_bytes_per_second=" + std::to_string(FLAGS_pause_copy_mb << 20);
    auto cluster = testing::TestCluster::Start({.masters = 1, .servers = 5, .server_flags = {copies}});
    CHECK(cluster.has_value()) << cluster.error();
    cluster_ = *std::move(cluster);
    auto client = cluster_->Connect(60s);
    CHECK(client.has_value()) << client.error();
    client_.emplace(*std::move(client));
    const auto planner = client_->Planner({.enabled = false});
    CHECK(planner.has_value()) << planner.error();
  }

  void Run() {
    MakeTable("first", 1024);
    const Timings closed = MeasureOperations(kManyClients, options_.each, start_);
    report_.Add(kSuite, "closed loop, 64 clients", closed.per_second, "ops/s");
    rate_ = FLAGS_pause_rate > 0 ? FLAGS_pause_rate : closed.per_second * kRatePart;
    report_.Add(kSuite, "open loop", rate_, "ops/s");
    SplitSmall();
    if (FLAGS_pause_large_mb > 0) SplitLarge();
    Transfers();
    Moves();
  }

 private:
  // One tablet with so many records of 1 KB, which the load is turned to.
  void MakeTable(const std::string& name, int64_t records) {
    TableOptions options;
    options.replicas = 3;
    const auto made = client_->CreateTable(name, {.table = options, .deadline = 30s});
    CHECK(made.has_value()) << made.error();
    auto table = client_->OpenTable(name);
    CHECK(table.has_value()) << table.error();
    std::vector<std::jthread> loaders;
    std::atomic<int64_t> next = 0;
    for (int i = 0; i < kLoaders; ++i) {
      loaders.emplace_back([&] {
        for (int64_t first; (first = next.fetch_add(kRecordsPerBatch)) < records;) {
          Batch batch;
          for (int64_t n = first; n < std::min(records, first + kRecordsPerBatch); ++n) batch.Put(Key(n), value_);
          const auto written = table->Write(std::move(batch), {.deadline = 60s});
          CHECK(written.has_value()) << written.error();
        }
      });
    }
    loaders.clear();
    name_ = name;
    records_ = records;
    table_.emplace(*std::move(table));
    SetHot(records / 2);
  }
  void SetHot(int64_t middle) { hot_ = std::clamp<int64_t>(middle - kHotRecords / 2, 0, records_ - kHotRecords); }

  void StartOne(int64_t number, std::move_only_function<void(Status)> done) {
    const std::string key = Key(hot_ + number * 7919 % kHotRecords);
    if (number % 2 == 0) {
      table_->AsyncGet(key, {.read = Read::Strong()}, [done = std::move(done)](Result<Record> result) mutable {
        done(result ? Status() : result.error());
      });
    } else {
      table_->AsyncPut(key, value_, {.ack = Ack::kMajority}, [done = std::move(done)](Result<Version> result) mutable {
        done(result ? Status() : result.error());
      });
    }
  }

  struct Pauses {
    std::vector<microseconds> during, beside;  // the longest wait of each window
    std::vector<microseconds> lengths;
    ProcessorTime begun = ProcessorTime::Now();

    void Take(const Waits& waits, const std::vector<Window>& windows) {
      for (const Window window : windows) {
        const auto length = window.end - window.begin;
        during.push_back(waits.Longest(window));
        beside.push_back(waits.Longest({window.begin - kApart - length, window.begin - kApart}));
        lengths.push_back(std::chrono::duration_cast<microseconds>(length));
      }
    }
  };

  Window Timed(const std::function<Status()>& action) {
    std::this_thread::sleep_for(kQuiet);
    Window window{LoopClock::now(), {}};
    const Status status = action();
    window.end = LoopClock::now();
    CHECK(status.ok()) << status;
    return window;
  }

  Window SplitHere(int64_t record) {
    SetHot(record);
    return Timed([&] {
      const auto split = client_->SplitTablet(name_, Key(record));
      return split ? Status() : split.error();
    });
  }

  void AddPauses(const std::string& what, const Pauses& pauses) {
    const ProcessorTime now = ProcessorTime::Now();
    const auto ticks = std::max<uint64_t>(now.all - pauses.begun.all, 1);
    const double stolen = 100 * static_cast<double>(now.stolen - pauses.begun.stolen) / static_cast<double>(ticks);
    report_.Add(kSuite, what + ": processor time that the host took", stolen, "%");
    report_.Add(kSuite, what + ": median length", PercentileMs(pauses.lengths, 0.5), "ms");
    for (const auto& [name, part] : {std::pair("median", 0.5), std::pair("p99", 0.99), std::pair("worst", 1.0)}) {
      report_.Add(kSuite, what + ": longest wait, " + name, PercentileMs(pauses.during, part), "ms");
      report_.Add(kSuite, what + ": the same beside it, " + name, PercentileMs(pauses.beside, part), "ms");
    }
  }

  void JudgeSplits(const std::string& what) {
    report_.AtMost(kSuite, what + ": longest wait, median", 3);
    report_.AtMost(kSuite, what + ": longest wait, p99", 10);
  }

  void SplitSmall() {
    Pauses pauses;
    for (int done = 0, tables = 0; done < FLAGS_pause_actions; ++tables) {
      MakeTable("small-" + std::to_string(tables), 1024);
      AsyncLoad load({.per_second = rate_}, start_);
      std::this_thread::sleep_for(kWarmUp);
      std::vector<Window> splits;
      for (int i = kSplitsPerTable; i > 0 && done < FLAGS_pause_actions; --i, ++done) {
        splits.push_back(SplitHere(records_ * i / (kSplitsPerTable + 1)));
      }
      pauses.Take(load.End(), splits);
    }
    AddPauses("split of 1 MB", pauses);
    JudgeSplits("split of 1 MB");
  }

  // Each takes a hundredth off the end: what is left is as large as before, nearly.
  void SplitLarge() {
    const std::string what = "split of " + std::to_string(FLAGS_pause_large_mb) + " MB";
    const auto begun = LoopClock::now();
    MakeTable("large", int64_t{FLAGS_pause_large_mb} * 1024);
    report_.Add(kSuite, what + ": loading", std::chrono::duration<double>(LoopClock::now() - begun).count(), "s");
    std::this_thread::sleep_for(std::chrono::seconds(FLAGS_pause_settle_seconds));
    Pauses pauses;
    AsyncLoad load({.per_second = rate_}, start_);
    std::this_thread::sleep_for(kWarmUp);
    const int64_t step = std::max<int64_t>(kHotRecords, records_ / 100);
    std::vector<Window> splits;
    for (int i = 1; i <= FLAGS_pause_actions; ++i) splits.push_back(SplitHere(records_ - i * step));
    pauses.Take(load.End(), splits);
    AddPauses(what, pauses);
    JudgeSplits(what);
  }

  TabletPlace PlaceOf(int64_t record) {
    const auto place = client_->Locate(name_, Key(record));
    CHECK(place.has_value()) << place.error();
    return *place;
  }

  void Transfers() {
    MakeTable("transfers", 1024);
    Pauses pauses;
    AsyncLoad load({.per_second = rate_}, start_);
    std::this_thread::sleep_for(kWarmUp);
    std::vector<Window> transfers;
    for (int i = 0; i < FLAGS_pause_actions; ++i) {
      const TabletPlace place = PlaceOf(0);
      const auto next =
          std::ranges::find_if(place.replicas, [&](const auto& one) { return one.server != place.primary; });
      transfers.push_back(Timed([&] { return client_->TransferTablet(name_, Key(0), next->server); }));
    }
    pauses.Take(load.End(), transfers);
    AddPauses("transfer", pauses);
    report_.AtMost(kSuite, "transfer: longest wait, worst", 50);
  }

  // The load continues while one replica of its tablet is copied to a server that has none, for about eight seconds,
  // and back.
  void Moves() {
    MakeTable("moved", int64_t{FLAGS_pause_copy_mb} * 8 * 1024);
    const TabletPlace place = PlaceOf(0);
    const auto servers = client_->ListServers();
    CHECK(servers.has_value()) << servers.error();
    const auto has = [&](const ServerName& name) {
      return std::ranges::any_of(place.replicas, [&](const auto& one) { return one.server == name; });
    };
    ServerName to = std::ranges::find_if(*servers, [&](const auto& one) { return !has(one.name); })->name;
    ServerName from =
        std::ranges::find_if(place.replicas, [&](const auto& one) { return one.server != place.primary; })->server;
    AsyncLoad load({.per_second = rate_}, start_);
    std::this_thread::sleep_for(kWarmUp);
    std::vector<Window> moves;
    for (int i = 0; i < std::max(FLAGS_pause_moves, 1); ++i) {
      std::this_thread::sleep_for(kBeforeMove);
      moves.push_back(Timed([&] { return client_->MoveTablet(name_, Key(0), {.from = from, .to = to}); }));
      std::swap(from, to);
    }
    const Waits waits = load.End();
    std::vector<microseconds> lengths;
    for (const Window& move : moves) lengths.push_back(std::chrono::duration_cast<microseconds>(move.end - move.begin));
    report_.Add(kSuite, "move: median length", PercentileMs(lengths, 0.5) / 1000, "s");
    for (const auto& [name, part] : {std::pair("p50", 0.5), std::pair("p99", 0.99)}) {
      std::vector<double> during, before;  // of each move; a stall of the disk beside one of them is not to decide
      for (const Window& move : moves) {
        const auto ended = move.begin - kApart;
        during.push_back(PercentileMs(waits.In(move), part));
        before.push_back(
            PercentileMs(waits.In({std::max(ended - (move.end - move.begin), move.begin - kBeforeMove), ended}), part));
      }
      report_.Add(kSuite, std::string("foreground ") + name + " during a move, median", Median(during), "ms");
      report_.Add(kSuite, std::string("foreground ") + name + " before it, median", Median(before), "ms");
    }
    report_.Ratio(kSuite, "foreground p99 during a move, median", "foreground p99 before it, median", 1.5,
                  /*at_most=*/true);
  }

  const BenchOptions& options_;
  Report& report_;
  const std::string value_ = std::string(kValueBytes, 'v');
  std::unique_ptr<testing::TestCluster> cluster_;
  std::optional<Client> client_;
  // The target of the load; changed while none runs, except the hot range.
  std::string name_;
  int64_t records_ = 0;
  std::optional<Table> table_;
  std::atomic<int64_t> hot_ = 0;
  const StartOperation start_ = [this](int64_t number, auto done) { StartOne(number, std::move(done)); };
  double rate_ = 0;
};

}  // namespace

void RunPausesBench(const BenchOptions& options, Report& report) { Bench(options, report).Run(); }

}  // namespace ebla::bench
