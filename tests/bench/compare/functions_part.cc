#include "tests/bench/compare/functions_part.h"

#include <glog/logging.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <random>
#include <utility>
#include <vector>

#include "functions/counted/counted.h"
#include "tests/bench/compare/ebla_load.h"
#include "tests/bench/compare/ebla_standalone.h"

namespace ebla::bench {
namespace {

using Done = std::move_only_function<void(Status)>;

constexpr int kInFlight = 64;
constexpr std::array<int64_t, 3> kGroupSizes{1, 100, 1'000'000};
constexpr char kPut[] = "put", kCountedPut[] = "counted.put", kGet[] = "get", kCountedSize[] = "counted.size";

std::string Row(const char* operation, int64_t size) {
  return std::string("Ebla ") + operation + ", groups of " + std::to_string(size) + ", " + std::to_string(kInFlight);
}

// A table whose groups have so many records at first.
class GroupedTable {
 public:
  GroupedTable(Client& client, int64_t size)
      : size_(size),
        table_(MakeTable(
            client, "groups-of-" + std::to_string(size),
            {.replicas = 1, .durability = TableDurability::kInterval, .key_group = TableKeyGroup{.delimiter = ':'}})) {
    constexpr int64_t kAtOnce = 100;
    for (int64_t group = 0; group < groups_; ++group) {
      for (int64_t from = 0; from < size_; from += kAtOnce) {
        Batch batch;
        for (int64_t n = from; n < std::min(size_, from + kAtOnce); ++n)
          batch.Apply(KeyOf(group, n), counted::kPut, counted::PutArguments(CountKeyOf(group), value_));
        const auto written = table_.Write(std::move(batch));
        CHECK(written.has_value()) << written.error();
      }
    }
  }

  const Table& table() const { return table_; }
  const std::string& value() const { return value_; }
  int64_t AnyGroup() const {
    thread_local std::minstd_rand random(std::random_device{}());
    return static_cast<int64_t>(random() % static_cast<uint64_t>(groups_));
  }
  std::string NewKey(int64_t group) { return KeyOf(group, size_ + made_.fetch_add(1)); }
  static std::string CountKeyOf(int64_t group) { return "group" + std::to_string(1'000'000 + group) + ":"; }

 private:
  static std::string KeyOf(int64_t group, int64_t n) { return CountKeyOf(group) + std::to_string(1'000'000'000 + n); }

  const int64_t size_;
  const int64_t groups_ = std::max<int64_t>(100'000 / size_, 1);
  const std::string value_ = std::string(kValueBytes, 'v');
  const Table table_;
  std::atomic<int64_t> made_ = 0;
};

class FunctionsPart : public Part {
 public:
  FunctionsPart(const std::string& directory, Duration each) : ebla_(directory), load_(ebla_.servers(), each) {
    for (const int64_t size : kGroupSizes) tables_.push_back(std::make_unique<GroupedTable>(ebla_.client(), size));
  }

  void Round(Figures& figures) override {
    for (size_t i = 0; i < tables_.size(); ++i) Measure(figures, *tables_[i], kGroupSizes[i]);
  }

 private:
  void Measure(Figures& figures, GroupedTable& grouped, int64_t size) {
    const Table& table = grouped.table();
    const auto measure = [&](const char* operation, const load::StartOperation& start) {
      figures.Measure(Row(operation, size), [&] { return load_.Operations(kInFlight, start); });
    };
    measure(kPut, [&](int64_t, Done done) {
      table.AsyncPut(grouped.NewKey(grouped.AnyGroup()), grouped.value(), {}, Answer<Version>(std::move(done)));
    });
    measure(kCountedPut, [&](int64_t, Done done) {
      const int64_t group = grouped.AnyGroup();
      Batch batch;
      batch.Apply(grouped.NewKey(group), counted::kPut,
                  counted::PutArguments(GroupedTable::CountKeyOf(group), grouped.value()));
      table.AsyncWrite(std::move(batch), {}, Answer<BatchResult>(std::move(done)));
    });
    measure(kGet, [&](int64_t, Done done) {
      table.AsyncGet(GroupedTable::CountKeyOf(grouped.AnyGroup()), {.read = Read::Strong()},
                     Answer<Record>(std::move(done)));
    });
    measure(kCountedSize, [&](int64_t, Done done) {
      table.AsyncCall(GroupedTable::CountKeyOf(grouped.AnyGroup()), counted::kSize, "", {.read = Read::Strong()},
                      Answer<std::string>(std::move(done)));
    });
  }

  EblaStandalone ebla_;
  const EblaLoad load_;
  std::vector<std::unique_ptr<GroupedTable>> tables_;
};

}  // namespace

std::unique_ptr<Part> MakeFunctionsPart(const std::string& directory, const BenchOptions& options) {
  return std::make_unique<FunctionsPart>(directory + "/ebla", options.each);
}

void AddFunctionsRatios(
    const std::function<void(const std::string& row, const std::string& peer, double wanted, bool at_most)>& ratio) {
  for (const int64_t size : kGroupSizes) {
    ratio(Row(kCountedPut, size), Row(kPut, size), 0.7, false);
    ratio(Row(kCountedSize, size), Row(kGet, size), 0.8, false);
  }
}

}  // namespace ebla::bench
