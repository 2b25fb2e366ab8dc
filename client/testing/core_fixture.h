// client/testing/core_fixture.h
// A ClientCore over a FakeCluster in virtual time, and calls that wait: for the tests of core/.
// Threads: one.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "client/core/admin/admin.h"
#include "client/core/calls/collect.h"
#include "client/core/operations/client_core.h"
#include "client/testing/sim_network.h"

namespace ebla::client::testing {

inline const std::vector<ServerName> kServers = {"ts-1", "ts-2", "ts-3"};
inline const rpc::Endpoint kTs1{"ts-1", 1};
inline const rpc::Endpoint kTs2{"ts-2", 1};
inline const rpc::Endpoint kTs3{"ts-3", 1};
inline const rpc::Endpoint kMaster1{"master", 1};
inline const rpc::Endpoint kMaster2{"master", 2};

class CoreFixture : public ::testing::Test {
 protected:
  explicit CoreFixture(ClientLocation location = {})
      : scheduler_(42),
        executor_(scheduler_),
        cluster_([this] { return executor_.TimeOfDayMs(); }, kServers, 2),
        network_(executor_, std::chrono::microseconds(100)),
        core_({IoContext{&executor_, &network_}},
              CoreOptions{{kMaster1, kMaster2}, std::chrono::seconds(10), std::move(location)}),
        admin_(core_.masters(), core_.network(), std::chrono::seconds(10)) {
    network_.Serve(cluster_, kServers, 2);
    cluster_.tables()->Add("t", {"h", "p"});  // ts-1 ["", h), ts-2 [h, p), ts-3 [p, "")
  }
  ~CoreFixture() override {
    core_.Close();
    scheduler_.RunFor(std::chrono::seconds(30));  // a test's operations under way end before the core is destroyed
  }

  template <class T, class Start>
  T Wait(Start start) {
    std::optional<T> answer;
    start([&](T value) { answer.emplace(std::move(value)); });
    EXPECT_TRUE(scheduler_.RunUntil([&] { return answer.has_value(); }, std::chrono::minutes(5)));
    return *std::move(answer);
  }
  Result<TablePtr> TryOpen(const std::string& name) {
    return Wait<Result<TablePtr>>(
        [&](auto done) { core_.OpenTable(name, OnceCallback<Result<TablePtr>>(std::move(done))); });
  }
  TablePtr Open(const std::string& name = "t") {
    auto table = TryOpen(name);
    EXPECT_TRUE(table) << table.error();
    return table.value_or(nullptr);
  }
  Result<Record> Get(const TablePtr& table, const std::string& key, const GetOptions& options = {}) {
    return Wait<Result<Record>>([&](auto done) { core_.Get(table, key, options, std::move(done)); });
  }
  std::string Value(const TablePtr& table, const std::string& key) {
    const auto record = Get(table, key);
    if (!record && record.error().code() == Code::kNotFound) return "NOT_FOUND";  // its message names the key
    return record ? record->value : record.error().ToString();
  }
  Result<BatchResult> Write(const TablePtr& table, Batch batch, const WriteOptions& options = {}) {
    return Wait<Result<BatchResult>>(
        [&](auto done) { core_.Write(table, std::move(batch), options, std::move(done)); });
  }
  Result<BatchResult> Put(const TablePtr& table, const std::string& key, const std::string& value,
                          const WriteOptions& options = {}) {
    return Write(table, std::move(Batch().Put(key, value)), options);
  }
  std::vector<Result<Record>> MultiGet(const TablePtr& table, std::vector<std::string> keys,
                                       const GetOptions& options = {}) {
    using Records = std::vector<Result<Record>>;
    const size_t count = keys.size();
    return Wait<Records>([&](Callback<Records> done) {
      core_.GetEach(table, std::move(keys), options, Collect<Result<Record>>(count, std::move(done)));
    });
  }
  std::vector<Result<PartResult>> MultiWrite(const TablePtr& table, Batch parts, const WriteOptions& options = {}) {
    using Results = std::vector<Result<PartResult>>;
    const size_t count = parts.size();
    return Wait<Results>([&](Callback<Results> done) {
      core_.WriteEach(table, std::move(parts).TakeParts(), options,
                      Collect<Result<PartResult>>(count, std::move(done)));
    });
  }
  // All keys of a scan, over its pages.
  Result<std::string> Scan(const TablePtr& table, ScanOptions options, int* pages = nullptr) {
    std::string keys;
    while (true) {
      auto page = Wait<Result<ScanPage>>([&](auto done) { core_.ScanPage(table, options, std::move(done)); });
      if (!page) return Error(page.error());
      if (pages != nullptr) ++*pages;
      for (const Row& row : page->rows) keys += row.key + " ";
      if (page->done) return keys;
      options.range = page->remaining;
    }
  }
  Duration Since(MonotonicTime start) { return scheduler_.Now() - start; }

  ebla::testing::SimScheduler scheduler_;
  ebla::testing::SimExecutor executor_;
  FakeCluster cluster_;
  SimNetwork network_;
  ClientCore core_;
  Admin admin_;
};

// The suite of all that a ClientCore does for its callers, in several files.
class ClientCoreTest : public CoreFixture {};

}  // namespace ebla::client::testing
