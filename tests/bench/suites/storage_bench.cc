// The cost of storage over WiredTiger itself: commits that reach the disk, and point reads.
// Usage:   ebla-storage-bench [--seconds=2] [--directory=/tmp] [--json]
// Each figure runs for --seconds; all together take about ten times that. Ratios compare figures of the same run.
#include <gflags/gflags.h>
#include <glog/logging.h>
#include <stdlib.h>
#include <wiredtiger.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "common/testing/thread_executor.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/storage/wiredtiger/wt_store.h"

DEFINE_double(seconds, 2, "How many seconds each figure is measured for.");
DEFINE_string(directory, "/tmp", "Directory for the databases, on the disk to be measured.");
DEFINE_bool(json, false, "Print one JSON object instead of a table.");

namespace ebla::tabletserver {
namespace {

using Clock = std::chrono::steady_clock;
using testing::ThreadExecutor;

constexpr size_t kValueBytes = 1000;
constexpr uint64_t kRecords = 100'000;
constexpr TableId kTable{1};

struct Figure {
  std::string name;
  double per_second = 0;
  double median_us = 0;
};

Clock::time_point Deadline() {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(FLAGS_seconds));
}

double Micros(Clock::duration duration) { return std::chrono::duration<double, std::micro>(duration).count(); }

Figure MakeFigure(std::string name, std::vector<double> micros, Clock::duration elapsed) {
  CHECK(!micros.empty()) << name;
  std::nth_element(micros.begin(), micros.begin() + static_cast<ptrdiff_t>(micros.size() / 2), micros.end());
  return {std::move(name), static_cast<double>(micros.size()) / std::chrono::duration<double>(elapsed).count(),
          micros[micros.size() / 2]};
}

// Calls `operation(thread, n)` until time is up; every call is timed.
Figure Measure(std::string name, int threads, const std::function<void(int, uint64_t)>& operation) {
  std::vector<std::vector<double>> micros(static_cast<size_t>(threads));
  std::vector<std::thread> running;
  const auto start = Clock::now(), deadline = Deadline();
  for (int thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      auto& mine = micros[static_cast<size_t>(thread)];
      for (uint64_t n = 1;; ++n) {
        const auto before = Clock::now();
        if (before >= deadline) return;
        operation(thread, n);
        mine.push_back(Micros(Clock::now() - before));
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  std::vector<double> all;
  for (const auto& some : micros) all.insert(all.end(), some.begin(), some.end());
  return MakeFigure(std::move(name), std::move(all), Clock::now() - start);
}

std::string Key(uint64_t n) { return "user" + std::to_string(1'000'000'000 + n * 7919 % kRecords); }

LogEntry MakeEntry(uint64_t lsn) {
  LogEntry entry;
  entry.version = {Epoch{1}, Lsn{lsn}};
  entry.client = {42};
  entry.sequence = {lsn};
  Effect& effect = entry.effects.emplace_back();
  effect.key = Key(lsn);
  effect.value.assign(kValueBytes, 'v');
  return entry;
}

// ---- WiredTiger as it is -------------------------------------------------------------------------------------------

class RawDatabase {
 public:
  explicit RawDatabase(const std::string& directory) {
    std::filesystem::create_directory(directory);
    CHECK_EQ(wiredtiger_open(directory.c_str(), nullptr,
                             "create,cache_size=512MB,session_max=200,log=(enabled),transaction_sync=(enabled=false)",
                             &connection_),
             0);
    WT_SESSION* session = Session();
    CHECK_EQ(session->create(session, "table:log", "key_format=Q,value_format=u"), 0);
    CHECK_EQ(session->create(session, "table:data", "key_format=u,value_format=u,log=(enabled=false)"), 0);
  }
  ~RawDatabase() { connection_->close(connection_, nullptr); }
  WT_SESSION* Session() {
    WT_SESSION* session = nullptr;
    CHECK_EQ(connection_->open_session(connection_, nullptr, nullptr, &session), 0);
    return session;
  }

 private:
  WT_CONNECTION* connection_ = nullptr;
};

WT_CURSOR* OpenCursor(WT_SESSION* session, const char* uri) {
  WT_CURSOR* cursor = nullptr;
  CHECK_EQ(session->open_cursor(session, uri, nullptr, nullptr, &cursor), 0);
  return cursor;
}

WT_ITEM Item(const std::string& bytes) {
  WT_ITEM item{};
  item.data = bytes.data();
  item.size = bytes.size();
  return item;
}

Figure RawCommits(RawDatabase& database, int writers) {
  struct Own {
    WT_SESSION* session;
    WT_CURSOR* cursor;
  };
  std::vector<Own> own;
  for (int i = 0; i < writers; ++i) {
    WT_SESSION* session = database.Session();
    own.push_back({session, OpenCursor(session, "table:log")});
  }
  const std::string row = EncodeLogEntry(MakeEntry(1));
  static std::atomic<uint64_t> next{1};
  return Measure("raw commit and fsync, " + std::to_string(writers) + " writers", writers, [&](int thread, uint64_t) {
    const Own& mine = own[static_cast<size_t>(thread)];
    CHECK_EQ(mine.session->begin_transaction(mine.session, nullptr), 0);
    WT_ITEM value = Item(row);
    mine.cursor->set_key(mine.cursor, next.fetch_add(1));
    mine.cursor->set_value(mine.cursor, &value);
    CHECK_EQ(mine.cursor->insert(mine.cursor), 0);
    CHECK_EQ(mine.session->commit_transaction(mine.session, "sync=on"), 0);
  });
}

Figure RawGets(RawDatabase& database, int threads) {
  std::vector<WT_CURSOR*> cursors;
  for (int i = 0; i < threads; ++i) cursors.push_back(OpenCursor(database.Session(), "table:data"));
  return Measure("raw get, " + std::to_string(threads) + " threads", threads, [&](int thread, uint64_t n) {
    WT_CURSOR* cursor = cursors[static_cast<size_t>(thread)];
    const std::string key = Key(n * 31 + static_cast<uint64_t>(thread));
    WT_ITEM item = Item(key);
    cursor->set_key(cursor, &item);
    CHECK_EQ(cursor->search(cursor), 0);
    CHECK_EQ(cursor->get_value(cursor, &item), 0);
    const std::string value(static_cast<const char*>(item.data), item.size);
    CHECK_EQ(value.size(), kValueBytes);
    cursor->reset(cursor);
  });
}

void LoadRaw(RawDatabase& database) {
  WT_CURSOR* cursor = OpenCursor(database.Session(), "table:data");
  const std::string value(kValueBytes, 'v');
  for (uint64_t n = 0; n < kRecords; ++n) {
    const std::string key = Key(n);
    WT_ITEM key_item = Item(key), value_item = Item(value);
    cursor->set_key(cursor, &key_item);
    cursor->set_value(cursor, &value_item);
    CHECK_EQ(cursor->insert(cursor), 0);
  }
}

// ---- the store -----------------------------------------------------------------------------------------------------

// Writers as a shard has them: each appends its next entry when its last is flushed; one thread for all.
class ShardOfWriters {
 public:
  ShardOfWriters(TabletStore& store, FlushMode mode, bool apply, int writers)
      : store_(store), mode_(mode), apply_(apply), running_(writers), deadline_(Deadline()) {}

  Figure Run(std::string name) {
    const auto start = Clock::now();
    shard_.Post([this, writers = running_] {
      for (int i = 0; i < writers; ++i) Next(TabletId{next_tablet.fetch_add(1)}, 1);
    });
    finished_.get_future().wait();
    return MakeFigure(std::move(name), std::move(micros_), Clock::now() - start);
  }

 private:
  void Next(TabletId tablet, uint64_t lsn) {
    const auto before = Clock::now();
    if (before >= deadline_) {
      if (--running_ == 0) finished_.set_value();
      return;
    }
    auto entry = std::make_shared<LogEntry>(MakeEntry(lsn));
    const AppendBatch batch{tablet, {entry.get()}};
    CHECK(store_.Append({&batch, 1}).ok());
    store_.Flush(mode_, shard_, [this, tablet, lsn, before, entry](const Status& status) {
      CHECK(status.ok()) << status;
      if (apply_) Apply(tablet, *entry);
      micros_.push_back(Micros(Clock::now() - before));
      Next(tablet, lsn + 1);
    });
  }
  void Apply(TabletId tablet, const LogEntry& entry) {
    ApplyBatch batch{.tablet = tablet, .table = kTable, .records = {}, .dedup_window = {}, .state = {}};
    batch.records.push_back({&entry.effects.front(), entry.version});
    batch.dedup_window.put.push_back({.client = entry.client, .sequence = entry.sequence, .version = entry.version});
    batch.dedup_window.erase.emplace_back(entry.client, Sequence{entry.sequence.value - 1});
    batch.state.applied = entry.version;
    CHECK(store_.Apply({&batch, 1}).ok());
  }

  static inline std::atomic<uint64_t> next_tablet{1};
  TabletStore& store_;
  const FlushMode mode_;
  const bool apply_;
  int running_;
  const Clock::time_point deadline_;
  std::vector<double> micros_;
  std::promise<void> finished_;
  ThreadExecutor shard_;
};

Figure StoreGets(TabletStore& store, int threads) {
  return Measure("get, " + std::to_string(threads) + " threads", threads, [&](int thread, uint64_t n) {
    const auto got = store.Get(kTable, Key(n * 31 + static_cast<uint64_t>(thread)));
    CHECK(got && *got);
    CHECK_EQ((*got)->value.size(), kValueBytes);
  });
}

void LoadStore(TabletStore& store) {
  CHECK(store.EnsureTable(kTable, TableCompression::kNone).ok());
  for (uint64_t n = 0; n < kRecords; ++n) {
    const LogEntry entry = MakeEntry(n);
    ApplyBatch batch{.tablet = {UINT64_MAX}, .table = kTable, .records = {}, .dedup_window = {}, .state = {}};
    batch.records.push_back({&entry.effects.front(), entry.version});
    CHECK(store.Apply({&batch, 1}).ok());
  }
}

// ---- all of it -----------------------------------------------------------------------------------------------------

struct Ratio {
  std::string name;
  double value;
  std::string wanted;
};

void Print(const std::vector<Figure>& figures, const std::vector<Ratio>& ratios) {
  if (FLAGS_json) {
    nlohmann::json out;
    for (const Figure& figure : figures) {
      out["figures"][figure.name] = {{"per_second", figure.per_second}, {"median_us", figure.median_us}};
    }
    for (const Ratio& ratio : ratios) out["ratios"][ratio.name] = {{"value", ratio.value}, {"wanted", ratio.wanted}};
    std::printf("%s\n", out.dump(2).c_str());
    return;
  }
  std::printf("%-48s %12s %12s\n", "", "per second", "median us");
  for (const Figure& figure : figures) {
    std::printf("%-48s %12.0f %12.1f\n", figure.name.c_str(), figure.per_second, figure.median_us);
  }
  std::printf("\n%-48s %12s %12s\n", "ratio", "is", "wanted");
  for (const Ratio& ratio : ratios) {
    std::printf("%-48s %12.2f %12s\n", ratio.name.c_str(), ratio.value, ratio.wanted.c_str());
  }
}

int Main() {
  std::string directory = FLAGS_directory + "/ebla-storage-bench-XXXXXX";
  CHECK(mkdtemp(directory.data()) != nullptr) << directory;
  std::vector<Figure> figures;
  {
    RawDatabase raw(directory + "/raw");
    LoadRaw(raw);
    for (const int writers : {1, 64}) figures.push_back(RawCommits(raw, writers));
    for (const int threads : {1, 2}) figures.push_back(RawGets(raw, threads));
  }
  {
    ThreadExecutor flusher, background;
    WtStoreOptions options;
    options.directory = directory + "/store";
    options.cache_bytes = 512 << 20;
    options.flusher = &flusher;
    options.background = &background;
    options.watcher = &background;
    auto store = WtStore::Open(options);
    CHECK(store) << store.error();
    LoadStore(***store);
    const auto writers = [&](std::string name, FlushMode mode, bool apply, int count) {
      figures.push_back(ShardOfWriters(***store, mode, apply, count).Run(std::move(name)));
    };
    writers("append, sync, 1 writer", FlushMode::kSync, false, 1);
    writers("append, sync, 64 writers", FlushMode::kSync, false, 64);
    writers("append and apply, sync, 1 writer", FlushMode::kSync, true, 1);
    writers("append and apply, sync, 64 writers", FlushMode::kSync, true, 64);
    writers("append and apply, interval, 64 writers", FlushMode::kInterval, true, 64);
    for (const int threads : {1, 2}) figures.push_back(StoreGets(***store, threads));
  }
  std::filesystem::remove_all(directory);
  const auto of = [&](std::string_view name) {
    return *std::find_if(figures.begin(), figures.end(), [&](const Figure& figure) { return figure.name == name; });
  };
  Print(figures,
        {{"median of a sync append over raw, 1 writer",
          of("append, sync, 1 writer").median_us / of("raw commit and fsync, 1 writers").median_us, "<= 2"},
         {"median of a sync put over raw, 1 writer",
          of("append and apply, sync, 1 writer").median_us / of("raw commit and fsync, 1 writers").median_us, "<= 2"},
         {"rate of 64 sync writers over interval",
          of("append and apply, sync, 64 writers").per_second / of("append and apply, interval, 64 writers").per_second,
          ">= 0.5"},
         {"rate of 64 sync writers over raw",
          of("append, sync, 64 writers").per_second / of("raw commit and fsync, 64 writers").per_second, ">= 1"},
         {"rate of gets over raw, 1 thread", of("get, 1 threads").per_second / of("raw get, 1 threads").per_second,
          ">= 0.7"}});
  return 0;
}

}  // namespace
}  // namespace ebla::tabletserver

int main(int argc, char** argv) {
  FLAGS_logtostderr = true;
  google::InitGoogleLogging(argv[0]);
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  return ebla::tabletserver::Main();
}
