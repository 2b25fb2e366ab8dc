#include "tests/bench/compare/tablets_part.h"

#include <glog/logging.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <random>
#include <utility>
#include <vector>

#include "common/testing/eventually.h"
#include "tests/bench/compare/ebla_load.h"
#include "tests/bench/compare/ebla_standalone.h"
#include "tests/bench/compare/keys.h"

namespace ebla::bench {
namespace {

constexpr int kInFlight = 512, kLonger = 5;
constexpr std::array<int, 2> kTablets{1, 1000};
constexpr char kInserts[] = "insert", kUpdates[] = "update";
constexpr double kWanted = 0.85;

// The record that is written as the n-th one. The hash is a bijection, so each is written once.
constexpr uint64_t kRecordsMax = 1 << 26;
int64_t HashedRecord(uint64_t n) {
  for (const uint64_t odd : {0x9e3779b1, 0x85ebca6b}) n = (n ^ n >> 13) * odd % kRecordsMax;
  return static_cast<int64_t>(n ^ n >> 13);
}

std::string Row(const char* operation, int tablets) {
  return std::string("Ebla ") + operation + " interval, " + (tablets == 1 ? "1 tablet" : "1,000 tablets") + ", " +
         std::to_string(kInFlight);
}

Table SplitTable(Client& client, int tablets) {
  CreateTableOptions options{.table = {.replicas = 1, .durability = TableDurability::kInterval},
                             .deadline = std::chrono::minutes(1)};
  for (uint64_t i = 1; i < static_cast<uint64_t>(tablets); ++i)
    options.split_points.push_back(RecordKey(static_cast<int64_t>(i * kRecordsMax / static_cast<uint64_t>(tablets))));
  const auto made = client.CreateTable("split", options);
  CHECK(made.has_value()) << made.error();
  CHECK(testing::Eventually([&] {
    const auto info = client.DescribeTable("split");
    return info && info->tablets_serving == tablets;
  })) << "not all "
      << tablets << " tablets are served";
  const auto table = client.OpenTable("split");
  CHECK(table.has_value()) << table.error();
  return *table;
}

// Each measurement has a process that starts empty. Two at once would disturb each other, because tablets without load
// cost processor time, too.
class TabletsPart : public Part {
 public:
  TabletsPart(std::string directory, Duration each) : directory_(std::move(directory)), each_(each) {}

  void Round(Figures& figures) override {
    for (const int tablets : kTablets) Measure(figures, tablets);
  }

 private:
  void Measure(Figures& figures, int tablets) const {
    const std::string directory = directory_ + "/" + std::to_string(tablets);
    {
      EblaStandalone ebla(directory);
      const Table table = SplitTable(ebla.client(), tablets);
      const EblaLoad load(ebla.servers(), kLonger * each_);
      std::atomic<uint64_t> inserted = 0;
      figures.Measure(Row(kInserts, tablets),
                      [&] { return load.Puts(table, kInFlight, [&] { return HashedRecord(inserted.fetch_add(1)); }); });
      const uint64_t records = inserted;
      CHECK_LE(records, kRecordsMax) << "there are no more keys: choose fewer --seconds";
      figures.Measure(Row(kUpdates, tablets), [&] {
        return load.Puts(table, kInFlight, [&] {
          thread_local std::mt19937_64 random(std::random_device{}());
          return HashedRecord(random() % records);
        });
      });
    }
    std::filesystem::remove_all(directory);
  }

  const std::string directory_;
  const Duration each_;
};

}  // namespace

std::unique_ptr<Part> MakeTabletsPart(const std::string& directory, const BenchOptions& options) {
  return std::make_unique<TabletsPart>(directory, options.each);
}

void AddTabletsRatios(
    const std::function<void(const std::string& row, const std::string& peer, double wanted, bool at_most)>& ratio) {
  for (const char* operation : {kInserts, kUpdates})
    ratio(Row(operation, kTablets.back()), Row(operation, kTablets.front()), kWanted, false);
}

}  // namespace ebla::bench
