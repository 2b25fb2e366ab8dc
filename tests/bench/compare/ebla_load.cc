#include "tests/bench/compare/ebla_load.h"

#include <glog/logging.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <random>
#include <utility>

#include "common/base/mutex.h"
#include "tests/bench/compare/keys.h"
#include "tools/load/task_loop.h"

namespace ebla::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Done = std::move_only_function<void(Status)>;

// Its next page, and so on until no row is left to read, where a tablet or a page ends before the last.
void ReadRows(const Table& table, ScanOptions options, Done done) {
  const ScanOptions page_options = options;
  table.AsyncScanPage(page_options,
                      [&table, options = std::move(options), done = std::move(done)](Result<ScanPage> page) mutable {
                        if (!page) return done(page.error());
                        options.limit -= page->rows.size();
                        if (options.limit == 0) return done({});
                        CHECK(!page->done) << options.limit << " rows are missing";
                        options.range = page->remaining;
                        ReadRows(table, std::move(options), std::move(done));
                      });
}

// The records of a load in random order, which its lanes share.
struct ShuffledLoad {
  explicit ShuffledLoad(int64_t records) : order(static_cast<size_t>(records)) {
    std::iota(order.begin(), order.end(), uint32_t{0});
    std::ranges::shuffle(order, std::minstd_rand(1));
  }
  double Seconds() const { return std::chrono::duration<double>(Clock::now() - begun).count(); }

  std::vector<uint32_t> order;
  size_t next = 0;
  int64_t answered = 0;
  std::vector<double> millions;  // when each was answered
  Clock::time_point begun;
};

load::Task<> PutShuffled(load::TaskLoop& loop, const Table& table, const std::string& value, ShuffledLoad& shuffled) {
  // A server that holds back writes still answers them.
  const PutOptions options{.ack = Ack::kMajority, .deadline = std::chrono::minutes(2)};
  while (shuffled.next < shuffled.order.size()) {
    const std::string key = RecordKey(shuffled.order[shuffled.next++]);
    const Result<Version> put =
        co_await loop.Call<Result<Version>>([&](auto done) { table.AsyncPut(key, value, options, std::move(done)); });
    CHECK(put.has_value()) << put.error();
    if (++shuffled.answered % kMillion == 0) shuffled.millions.push_back(shuffled.Seconds());
  }
}

}  // namespace

Table MakeTable(Client& client, const std::string& name, const TableOptions& options) {
  const auto made = client.CreateTable(name, {.table = options});
  CHECK(made.has_value()) << made.error();
  const auto table = client.OpenTable(name);
  CHECK(table.has_value()) << table.error();
  return *table;
}

Table MakeFullTable(Client& client, const std::string& name, const TableOptions& options) {
  const Table table = MakeTable(client, name, options);
  const std::string value(kValueBytes, 'v');
  for (int n = 0; n < kRecords; n += 500) {
    Batch batch;
    for (int i = n; i < n + 500; ++i) batch.Put(RecordKey(i), value);
    const auto written = table.Write(std::move(batch));
    CHECK(written.has_value()) << written.error();
  }
  return table;
}

Figure EblaLoad::Puts(const Table& table, int in_flight, Ack ack) const {
  return MeasureWithCost(servers_, [&] { return CountedPuts(table, in_flight, ack); });
}

Counted EblaLoad::CountedPuts(const Table& table, int in_flight, Ack ack) const {
  return Count(in_flight, 1, [&](int64_t, Done done) {
    table.AsyncPut(RandomRecordKey(), value_, {.ack = ack}, Answer<Version>(std::move(done)));
  });
}

Figure EblaLoad::Gets(const Table& table, int in_flight, const GetOptions& options) const {
  return Measure(in_flight, 1, [&](int64_t, Done done) {
    table.AsyncGet(RandomRecordKey(), options, Answer<Record>(std::move(done)));
  });
}

Figure EblaLoad::Puts(const Table& table, int in_flight, const NextRecord& record) const {
  return Measure(in_flight, 1, [&](int64_t, Done done) {
    table.AsyncPut(RecordKey(record()), value_, {.ack = Ack::kMajority}, Answer<Version>(std::move(done)));
  });
}

Figure EblaLoad::Gets(const Table& table, int in_flight, const NextRecord& record) const {
  return Measure(in_flight, 1, [&](int64_t, Done done) {
    table.AsyncGet(RecordKey(record()), {.read = Read::Strong()}, Answer<Record>(std::move(done)));
  });
}

Figure EblaLoad::ScansFrom(const Table& table, int in_flight, uint64_t rows, const NextRecord& record) const {
  return Measure(in_flight, 1, [&](int64_t, Done done) {
    ReadRows(table, {.range = {.start = RecordKey(record())}, .limit = rows, .read = Read::Strong()}, std::move(done));
  });
}

Figure EblaLoad::Puts(const std::vector<Table>& tables) const {
  return MeasureEach(tables, [this](const Table& table, Done done) {
    table.AsyncPut(RandomRecordKey(), value_, {}, Answer<Version>(std::move(done)));
  });
}

Figure EblaLoad::Gets(const std::vector<Table>& tables, const GetOptions& options) const {
  return MeasureEach(tables, [&options](const Table& table, Done done) {
    table.AsyncGet(RandomRecordKey(), options, Answer<Record>(std::move(done)));
  });
}

Figure EblaLoad::MultiGets(const Table& table, int in_flight, int keys) const {
  return Measure(in_flight, 1, [&table, keys](int64_t, Done done) {
    std::vector<std::string> asked;
    for (int i = 0; i < keys; ++i) asked.push_back(RandomRecordKey());
    table.AsyncMultiGet(std::move(asked), {.read = Read::Strong()},
                        [done = std::move(done)](const std::vector<Result<Record>>& records) mutable {
                          for (const auto& record : records) CHECK(record.has_value()) << record.error();
                          done({});
                        });
  });
}

Figure EblaLoad::LoadInOrder(const Table& table, int in_flight, int batch) const {
  return Measure(in_flight, batch, [&, batch](int64_t number, Done done) {
    Batch records;
    for (int i = 0; i < batch; ++i) records.Put(RecordKey(number * batch + i), value_);
    table.AsyncWrite(std::move(records), {.ack = Ack::kMajority}, Answer<BatchResult>(std::move(done)));
  });
}

Pace EblaLoad::LoadShuffled(const Table& table, int in_flight, int64_t records) const {
  ShuffledLoad shuffled(records);
  load::TaskLoop loop{std::stop_token()};
  std::vector<load::Task<>> lanes;
  shuffled.begun = Clock::now();
  for (int lane = 0; lane < in_flight; ++lane) lanes.push_back(PutShuffled(loop, table, value_, shuffled));
  loop.Run(std::move(lanes));
  return {.seconds = shuffled.Seconds(), .slowdown = Slowdown(shuffled.millions)};
}

Figure EblaLoad::Scans(const Table& table) const {
  return MeasureWithCost(servers_, [&] {
    const auto begun = Clock::now();
    double rows = 0;
    while (Clock::now() - begun < each_) {
      auto scan = table.Scan({.read = Read::Strong()});
      while (scan.Next()) ++rows;
      CHECK(scan.status().ok()) << scan.status();
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    return Counted{.timings = {.per_second = rows / seconds}, .operations = rows};
  });
}

Figure EblaLoad::Measure(int in_flight, int weight, const load::StartOperation& start) const {
  return MeasureWithCost(servers_, [&] { return Count(in_flight, weight, start); });
}

Figure EblaLoad::MeasureEach(const std::vector<Table>& tables, const StartOn& start) const {
  Mutex mutex;
  std::vector<const Table*> idle;
  for (const Table& table : tables) idle.push_back(&table);
  return Measure(static_cast<int>(tables.size()), 1, [&](int64_t, Done done) {
    const Table* table = nullptr;
    {
      MutexLock lock(mutex);
      table = idle.back();
      idle.pop_back();
    }
    start(*table, [&, table, done = std::move(done)](Status status) mutable {
      {
        MutexLock lock(mutex);
        idle.push_back(table);
      }
      done(std::move(status));
    });
  });
}

Counted EblaLoad::Count(int in_flight, int weight, const load::StartOperation& start) const {
  std::atomic<int64_t> operations = 0;
  load::Timings timings = load::MeasureOperations(in_flight, each_, [&](int64_t number, Done done) {
    operations.fetch_add(1, std::memory_order_relaxed);
    start(number, std::move(done));
  });
  timings.per_second *= weight;
  return {.timings = timings, .operations = static_cast<double>(operations * weight)};
}

}  // namespace ebla::bench
