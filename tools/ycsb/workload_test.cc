#include "tools/ycsb/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tools/ycsb/memory_database.h"

namespace ebla::ycsb {
namespace {

using namespace std::chrono_literals;

// A workload over a database in memory, in one thread.
class Bench {
 public:
  explicit Bench(std::string_view text, bool load = false) : database(store, loop) {
    Properties properties;
    EXPECT_TRUE(
        properties.AddText("recordcount=100\noperationcount=1000\nfieldcount=3\nfieldlength=20\n", "base").ok());
    EXPECT_TRUE(properties.AddText(text, "test").ok());
    auto options = WorkloadOptions::Parse(properties, load);
    EXPECT_TRUE(options.has_value()) << options.error();
    workload = *Workload::Make(*options, load);
    worker = std::make_unique<Worker>(*workload, database, recorder, loop, 42);
  }

  bool Load() { return loop.Run(worker->Load({})); }
  bool Run() { return loop.Run(worker->Run({})); }

  // Inserts the records that a run expects.
  void Fill() {
    Random random(1);
    for (uint64_t i = 0; i < workload->options().record_count; ++i) {
      const std::string key = KeyName(workload->options().keys, i);
      for (const std::string& name : workload->options().field_names)
        store.records[key].push_back({name, VerifiableValue(key, name, workload->options().field_length)});
    }
  }
  const Samples::OfMetric& Of(Metric metric) {
    samples.Add(*recorder.Take());
    return samples.metrics[static_cast<size_t>(metric)];
  }

  MemoryStore store;
  std::stop_source stop;
  load::TaskLoop loop{stop.get_token()};
  MemoryDatabase database;
  Recorder recorder{MeasurementOptions{}};
  Samples samples;
  std::unique_ptr<Workload> workload;
  std::unique_ptr<Worker> worker;
};

TEST(Workload, LoadInsertsEveryRecordOnceWithItsFields) {
  Bench bench("insertstart=10\ninsertcount=50\n", true);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(bench.Load());
  ASSERT_EQ(bench.store.records.size(), 50u);
  for (uint64_t i = 10; i < 60; ++i) {
    const auto it = bench.store.records.find(KeyName({}, i));
    ASSERT_NE(it, bench.store.records.end()) << i;
    ASSERT_EQ(it->second.size(), 3u);
    EXPECT_EQ(it->second[2].name, "field2");
    EXPECT_EQ(it->second[2].value.size(), 20u);
  }
  EXPECT_EQ(bench.Of(Metric::kInsert).codes, (std::map<std::string, uint64_t>{{"OK", 50}}));
}

TEST(Workload, AFailedInsertIsRetriedAsOftenAsAllowed) {
  Bench bench("core_workload_insertion_retry_limit=2\ncore_workload_insertion_retry_interval=0.02\n", true);
  int failures = 2;
  bench.store.fault = [&failures] { return failures-- > 0 ? Status(Code::kUnavailable, "down") : Status::Ok(); };
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_TRUE(bench.Load());
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 2 * 16ms);
  failures = 3;
  EXPECT_FALSE(bench.Load());
  EXPECT_EQ(bench.Of(Metric::kInsert).codes, (std::map<std::string, uint64_t>{{"OK", 1}, {"UNAVAILABLE", 5}}));
  EXPECT_EQ(bench.Of(Metric::kInsert).failed.Count(), 5u);
  EXPECT_EQ(bench.worker->last_failure().message(), "down");
}

TEST(Workload, AStopEndsTheWaitForAnotherTry) {
  Bench bench("core_workload_insertion_retry_limit=2\ncore_workload_insertion_retry_interval=3600\n", true);
  bench.store.fault = [&bench] {
    bench.stop.request_stop();
    return Status(Code::kUnavailable, "down");
  };
  EXPECT_FALSE(bench.Load());
  EXPECT_EQ(bench.store.calls, 1u);
}

TEST(Workload, TheMixIsAsAskedFor) {
  Bench bench(
      "readproportion=4\nupdateproportion=3\ninsertproportion=1\nscanproportion=1\nreadmodifywriteproportion=1\n"
      "maxscanlength=7\nminscanlength=3\nrequestdistribution=zipfian\n");
  bench.Fill();
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(bench.Run()) << bench.worker->last_failure();
  const auto share = [&](Metric metric) { return static_cast<double>(bench.Of(metric).succeeded.Count()) / 10'000; };
  EXPECT_NEAR(share(Metric::kRead), 0.4 + 0.1, 0.02) << "its own and those of read-modify-writes";
  EXPECT_NEAR(share(Metric::kUpdate), 0.3 + 0.1, 0.02);
  EXPECT_NEAR(share(Metric::kInsert), 0.1, 0.02);
  EXPECT_NEAR(share(Metric::kScan), 0.1, 0.02);
  EXPECT_NEAR(share(Metric::kReadModifyWrite), 0.1, 0.02);
  EXPECT_TRUE(bench.Of(Metric::kReadModifyWrite).codes.empty());
  EXPECT_EQ(bench.store.records.size(), 100 + bench.Of(Metric::kInsert).succeeded.Count());
  const std::set<uint64_t> lengths(bench.store.scanned.begin(), bench.store.scanned.end());
  EXPECT_EQ(lengths, (std::set<uint64_t>{3, 4, 5, 6, 7}));
}

TEST(Workload, EveryDistributionStaysAmongTheRecordsThatAreThere) {
  for (const char* distribution : {"uniform", "zipfian", "latest", "hotspot", "sequential", "exponential"}) {
    Bench bench(std::string("readproportion=0.5\nupdateproportion=0\ninsertproportion=0.5\nrequestdistribution=") +
                distribution);
    bench.Fill();
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(bench.Run()) << distribution << bench.worker->last_failure();
    EXPECT_EQ(bench.Of(Metric::kRead).failed.Count(), 0u);
  }
}

TEST(Workload, WhatIsHotJumps) {
  const std::string hot = "readproportion=0\nupdateproportion=1\nhotspotdatafraction=0.01\nhotspotopnfraction=1\n";
  const auto touched = [](const Bench& bench, const auto& before) {
    size_t changed = 0;
    for (const auto& [key, fields] : bench.store.records) changed += fields != before.at(key) ? 1 : 0;
    return changed;
  };
  Bench still(hot + "requestdistribution=hotspot\n");
  still.Fill();
  const auto loaded = still.store.records;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(still.Run());
  EXPECT_EQ(touched(still, loaded), 1u);
  Bench jumping(hot + "requestdistribution=hotspot\nebla.hotspot.jump_s=0.0001\n");
  jumping.Fill();
  while (touched(jumping, loaded) < 5) ASSERT_TRUE(jumping.Run());
  Properties properties;
  ASSERT_TRUE(properties.AddText("recordcount=1\noperationcount=1\nebla.hotspot.jump_s=1\n", "test").ok());
  EXPECT_EQ(WorkloadOptions::Parse(properties, false).error().code(), Code::kInvalidArgument)
      << "uniform has no hot part";
  properties.Set("requestdistribution", "zipfian");
  EXPECT_EQ(WorkloadOptions::Parse(properties, false)->jump_seconds, 1);
}

TEST(Workload, AnUpdateWritesOneFieldUnlessToldToWriteAll) {
  Bench one("readproportion=0\nupdateproportion=1\n");
  one.Fill();
  const auto before = one.store.records;
  ASSERT_TRUE(one.Run());
  int changed = 0;
  for (const auto& [key, fields] : one.store.records)
    for (size_t i = 0; i < fields.size(); ++i) changed += fields[i] != before.at(key)[i];
  EXPECT_EQ(changed, 1);
  EXPECT_EQ(one.store.wholes, 0u);
  Bench all("readproportion=0\nupdateproportion=1\nwriteallfields=true\n");
  all.Fill();
  ASSERT_TRUE(all.Run());
  EXPECT_EQ(all.store.wholes, 1u);
}

TEST(Workload, AReadAsksForOneFieldWhenNotForAll) {
  Bench bench("readproportion=1\nupdateproportion=0\nreadallfields=false\n");
  bench.Fill();
  ASSERT_TRUE(bench.Run());
  EXPECT_EQ(bench.store.names_read, std::vector<size_t>{1});
}

TEST(Workload, FailuresAreCountedApartAndMakeTheOperationFail) {
  Bench bench("readproportion=0\nupdateproportion=0\nreadmodifywriteproportion=1\n");
  EXPECT_FALSE(bench.Run()) << "nothing was loaded";
  EXPECT_EQ(bench.Of(Metric::kRead).codes, (std::map<std::string, uint64_t>{{"NOT_FOUND", 1}}));
  EXPECT_EQ(bench.Of(Metric::kReadModifyWrite).failed.Count(), 1u);
  EXPECT_EQ(bench.samples.Failures(), 3u);
}

TEST(Workload, DataIntegrityFindsWhatNobodyWrote) {
  Bench bench("readproportion=0.5\nupdateproportion=0.5\ndataintegrity=true\n");
  bench.Fill();
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(bench.Run());
  EXPECT_EQ(bench.Of(Metric::kVerify).codes.size(), 1u);
  EXPECT_EQ(bench.Of(Metric::kVerify).codes.at("OK"), bench.Of(Metric::kRead).succeeded.Count());
  for (auto& [key, fields] : bench.store.records) fields[1].value[3] ^= 1;
  bool failed = false;
  for (int i = 0; i < 20; ++i) failed |= !bench.Run();
  EXPECT_TRUE(failed);
  EXPECT_GT(bench.Of(Metric::kVerify).codes.at("UNEXPECTED_STATE"), 0u);
}

TEST(Workload, ValuesAreYcsbsWhenVerifiableAndPrintableAlways) {
  const std::string value = VerifiableValue("user1", "field0", 60);
  EXPECT_EQ(value.size(), 60u);
  const std::string first = "user1:field0:";
  const std::string second = first + std::to_string(JavaHash(first)) + ":";
  const std::string third = second + std::to_string(JavaHash(second)) + ":";
  EXPECT_EQ(value.substr(0, third.size()), third);
  EXPECT_EQ(VerifiableValue("user1", "field0", 4), "user");
  Random random(3);
  std::set<char> seen;
  for (int i = 0; i < 100; ++i)
    for (const char c : RandomValue(101, random)) seen.insert(c);
  EXPECT_EQ(seen.size(), 95u);
  EXPECT_EQ(*seen.begin(), ' ');
  EXPECT_EQ(*seen.rbegin(), '~');
}

TEST(Workload, FieldLengthsFollowTheirDistribution) {
  for (const char* distribution : {"uniform", "zipfian"}) {
    Bench bench(std::string("minfieldlength=5\nfieldlength=9\nfieldlengthdistribution=") + distribution, true);
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(bench.Load());
    std::set<size_t> lengths;
    for (const auto& [key, fields] : bench.store.records)
      for (const Field& field : fields) lengths.insert(field.value.size());
    EXPECT_EQ(lengths, (std::set<size_t>{5, 6, 7, 8, 9})) << distribution;
  }
}

}  // namespace
}  // namespace ebla::ycsb
