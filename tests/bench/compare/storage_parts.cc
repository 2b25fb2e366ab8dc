#include "tests/bench/compare/storage_parts.h"

#include <fcntl.h>
#include <glog/logging.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <functional>
#include <iostream>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/descriptor.h"
#include "common/base/mutex.h"
#include "common/base/read_at.h"
#include "tests/bench/compare/ebla_load.h"
#include "tests/bench/compare/ebla_standalone.h"
#include "tests/bench/compare/installed.h"
#include "tests/bench/compare/keys.h"
#include "tests/bench/compare/rocksdb_peer.h"
#include "tests/bench/compare/wiredtiger_peer.h"
#include "tests/bench/harness/format.h"
#include "tools/ycsb/generators.h"

namespace ebla::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// ---- in memory -----------------------------------------------------------------------------------------------------

class StoragePart : public Part {
 public:
  StoragePart(const std::string& directory, Duration each)
      : each_(each), ebla_(directory + "/ebla"), wiredtiger_(directory + "/wiredtiger") {}

  void Round(Figures& figures) override {
    for (const auto& [durability, name] :
         {std::pair(TableDurability::kInterval, "interval"), std::pair(TableDurability::kSync, "sync")}) {
      figures.Measure(std::string("Ebla load ") + name + ", batches of 64", [&] { return Load(durability, 8, 64); });
      figures.Measure(std::string("WiredTiger load ") + name + ", batches of 64",
                      [&] { return wiredtiger_.LoadInOrder(durability, 64, each_); });
      figures.Measure(std::string("Ebla load ") + name + ", 512 single puts", [&] { return Load(durability, 512, 1); });
    }
    figures.Measure("Ebla scan", [&] { return load_.Scans(full_); });
    figures.Measure("WiredTiger scan", [&] { return wiredtiger_.Scans(each_); });
  }

 private:
  // Each into a table of its own.
  Figure Load(TableDurability durability, int in_flight, int batch) {
    const std::string name = "load" + std::to_string(++loads_);
    const Table table = MakeTable(ebla_.client(), name, {.replicas = 1, .durability = durability});
    const Figure figure = load_.LoadInOrder(table, in_flight, batch);
    CHECK(ebla_.client().DropTable(name).ok());
    return figure;
  }

  const Duration each_;
  EblaStandalone ebla_;
  const EblaLoad load_{ebla_.servers(), each_};
  const Table full_ = MakeFullTable(ebla_.client(), "full", {.replicas = 1});
  WiredTigerPeer wiredtiger_;
  int loads_ = 0;
};

// ---- far beyond memory ---------------------------------------------------------------------------------------------

constexpr int kInFlight = 128, kScansInFlight = 32, kScanRows = 100;
constexpr int kThreads = 2;  // of db_bench, which has no operations in flight
constexpr char kEblaLoad[] = "Ebla load beyond memory, 128", kRocksDbLoad[] = "RocksDB load beyond memory, 1 thread";
constexpr char kEblaUniform[] = "Ebla get uniform beyond memory, 128";
constexpr char kRocksDbUniform[] = "RocksDB get uniform beyond memory, 2 threads";
constexpr char kEblaZipfian[] = "Ebla get zipfian 0.99 beyond memory, 128";
constexpr char kRocksDbZipfian[] = "RocksDB get zipfian 1 beyond memory, 2 threads";
constexpr char kEblaScan[] = "Ebla scan of 100 beyond memory, 32";
constexpr char kRocksDbScan[] = "RocksDB scan of 100 beyond memory, 2 threads";
constexpr char kEblaInMemory[] = "Ebla get in memory, 128", kEblaMemory[] = "Ebla beyond memory";

// Ranks by Zipf's law, scattered over all records as db_bench scatters its own.
// Threads: any.
class ZipfianRecords {
 public:
  explicit ZipfianRecords(int64_t records)
      : records_(static_cast<uint64_t>(records)), ranks_(0, records_ - 1), random_(std::random_device{}()) {}
  int64_t Next() {
    constexpr uint64_t kPrime = 0x5bd1e995;
    MutexLock lock(mutex_);
    return static_cast<int64_t>(ranks_.Next(random_) * kPrime % records_);
  }

 private:
  const uint64_t records_;
  Mutex mutex_;
  ycsb::ZipfianGenerator ranks_ EBLA_GUARDED_BY(mutex_);
  ycsb::Random random_ EBLA_GUARDED_BY(mutex_);
};

int64_t UniformBelow(int64_t end) {
  thread_local std::mt19937_64 random(std::random_device{}());
  return static_cast<int64_t>(random() % static_cast<uint64_t>(end));
}

// Checks each second. False: it does not hold for `seconds` checks in succession before the time is over.
bool Holds(const std::function<bool()>& condition, std::chrono::seconds time_max, int seconds = 1) {
  int held = 0;
  for (const auto limit = Clock::now() + time_max; held < seconds && Clock::now() < limit;) {
    std::this_thread::sleep_for(1s);
    held = condition() ? held + 1 : 0;
  }
  return held >= seconds;
}

// How much of a directory's files the page cache is to have. Files may go meanwhile.
enum class PageCache { kNone, kAll };
void SetPageCache(const std::string& directory, PageCache wanted) {
  std::vector<char> bytes(1 << 20);
  std::error_code gone;
  for (std::filesystem::recursive_directory_iterator at(directory, gone), end; !gone && at != end; at.increment(gone)) {
    const Descriptor file(open(at->path().c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid() || !at->is_regular_file(gone)) continue;
    if (wanted == PageCache::kNone) {
      (void)posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
      continue;
    }
    int64_t offset = 0;
    for (size_t read = bytes.size(); read == bytes.size(); offset += static_cast<int64_t>(read))
      read = ReadAt(file.get(), offset, bytes).bytes;
  }
}

class BeyondPart : public Part {
 public:
  BeyondPart(std::string directory, const BenchOptions& options)
      : directory_(std::move(directory)),
        records_(options.storage_records),
        cache_mb_(options.storage_cache_mb),
        each_(options.each),
        rocksdb_(Installed("RocksDB", RocksDbPeer::Find(rocksdb_directory_, {.records = records_,
                                                                             .key_bytes = RecordKey(0).size(),
                                                                             .cache_mb = cache_mb_,
                                                                             .threads = kThreads}))) {}

  void Round(Figures& figures) override {
    std::cerr << Format("  %lld records of 1 KB, a cache of %lld MiB for each\n", static_cast<long long>(records_),
                        static_cast<long long>(cache_mb_));
    figures.Measure(kEblaLoad, [&] {
      return MeasureLargeLoad(ebla_.servers(), records_, RecordBytes(), [&] {
        const Pace pace = load_.LoadShuffled(table_, kInFlight, records_);
        Rest();
        return pace;
      });
    });
    RocksDb(figures, kRocksDbLoad, [&] { return RocksDbLoad(); });
    GivePageCache(ebla_.servers().directory, rocksdb_directory_);
    figures.Measure(kEblaUniform,
                    [&] { return load_.Gets(table_, kInFlight, [&] { return UniformBelow(records_); }); });
    ZipfianRecords zipfian(records_);
    figures.Measure(kEblaZipfian, [&] { return load_.Gets(table_, kInFlight, [&] { return zipfian.Next(); }); });
    // So that each has all of its rows.
    const auto from = [&] { return UniformBelow(records_ - kScanRows + 1); };
    figures.Measure(kEblaScan, [&] { return load_.ScansFrom(table_, kScansInFlight, kScanRows, from); });
    GivePageCache(rocksdb_directory_, ebla_.servers().directory);
    RocksDb(figures, kRocksDbUniform, [&] { return rocksdb_->Gets(RocksDbPeer::Keys::kUniform, kLonger * each_); });
    RocksDb(figures, kRocksDbZipfian, [&] { return rocksdb_->Gets(RocksDbPeer::Keys::kZipfian, kLonger * each_); });
    RocksDb(figures, kRocksDbScan, [&] { return rocksdb_->Scans(kScanRows, kLonger * each_); });
    figures.Measure(kEblaInMemory, [&] { return InMemory(); });
    figures.Measure(kEblaMemory, [&] {
      const double bytes = PeakResidentBytes(ebla_.servers().pids.front());
      return Figure{.memory_share = bytes / static_cast<double>(cache_mb_ << 20)};
    });
  }

 private:
  static size_t RecordBytes() { return RecordKey(0).size() + kValueBytes; }

  void RocksDb(Figures& figures, const char* row, const std::function<Result<Figure>()>& measure) {
    if (rocksdb_) figures.Measure(row, [&] { return Checked(measure()); });
  }
  // A load of one side takes the pages of the other one's files, where the machine's memory has no room for both.
  static void GivePageCache(const std::string& to, const std::string& from) {
    SetPageCache(from, PageCache::kNone);
    SetPageCache(to, PageCache::kAll);
  }
  Result<Figure> RocksDbLoad() {
    Status status;
    const Figure figure = MeasureLargeLoad(rocksdb_->servers(), records_, RecordBytes(), [&] {
      const auto pace = rocksdb_->Load();
      if (!pace) status = pace.error();
      return pace.value_or(Pace{.seconds = 1});
    });
    EBLA_TRY(status);
    return figure;
  }

  // Until the log holds no record any more, thus a checkpoint began after the load; then merges end, and the files that
  // they replaced have been given back to the disk.
  void Rest() const {
    const bool checkpoint = Holds([&] { return ebla_.Metric("store_log_bytes") < kLogBytesAtRest; }, 130s);
    double before = DiskBytes(ebla_.servers().directory);
    const bool merges = Holds(
        [&] {
          const double last = std::exchange(before, DiskBytes(ebla_.servers().directory));
          return ebla_.Metric("store_merge_bytes_left") == 0 && std::abs(before - last) < kRoomAtRest;
        },
        60s, 5);
    if (!checkpoint || !merges)
      std::cerr << (checkpoint ? "its merges or removals go on ... " : "its checkpoint takes long ... ") << std::flush;
  }

  // In a process of its own, with Ebla's default cache.
  Figure InMemory() const {
    EblaStandalone ebla(directory_ + "/memory");
    const Table table = MakeFullTable(ebla.client(), "memory", {.replicas = 1});
    return EblaLoad(ebla.servers(), kLonger * each_).Gets(table, kInFlight, {.read = Read::Strong()});
  }

  static constexpr int kLonger = 10;
  static constexpr double kLogBytesAtRest = 1 << 20, kRoomAtRest = 1 << 19;  // of the log; of a second's change
  const std::string directory_, rocksdb_directory_ = directory_ + "/rocksdb";
  const int64_t records_, cache_mb_;
  const Duration each_;
  const std::unique_ptr<RocksDbPeer> rocksdb_;
  EblaStandalone ebla_{directory_ + "/beyond", {"--cache_mb=" + std::to_string(cache_mb_), "--sorted_tables=true"}};
  const EblaLoad load_{ebla_.servers(), kLonger* each_};
  const Table table_ = MakeTable(ebla_.client(), "beyond", {.replicas = 1, .durability = TableDurability::kInterval});
};

}  // namespace

std::unique_ptr<Part> MakeStoragePart(const std::string& directory, const BenchOptions& options) {
  return std::make_unique<StoragePart>(directory, options.each);
}

std::unique_ptr<Part> MakeBeyondPart(const std::string& directory, const BenchOptions& options) {
  return std::make_unique<BeyondPart>(directory, options);
}

void AddStorageRatios(
    const std::function<void(const std::string& row, const std::string& peer, double wanted, bool at_most)>& ratio,
    const std::function<void(const char* row, double wanted)>& at_most) {
  for (const std::string name : {"interval", "sync"})
    ratio("Ebla load " + name + ", batches of 64", "WiredTiger load " + name + ", batches of 64", 0.6, false);
  ratio("Ebla scan", "WiredTiger scan", 0.4, false);
  ratio(kEblaLoad, kRocksDbLoad, 0.67, false);
  ratio(kEblaUniform, kRocksDbUniform, 0.8, false);
  ratio(kEblaZipfian, kRocksDbZipfian, 0.8, false);
  ratio(kEblaScan, kRocksDbScan, 0.5, false);
  const std::string load = kEblaLoad;
  at_most((load + ", last million").c_str(), 1.4);
  at_most((load + ", written per byte").c_str(), 5);
  at_most((load + ", on the disk").c_str(), 1.5);
  at_most((load + ", on the disk at most").c_str(), 2);
}

}  // namespace ebla::bench
