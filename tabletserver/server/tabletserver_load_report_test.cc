// A tablet's load in heartbeats: its peaks, and the key at which it would be split.
#include <gtest/gtest.h>

#include <cstdio>

#include "common/base/lineage.h"
#include "tabletserver/testing/fixture_parts.h"
#include "tabletserver/testing/host_fixture.h"

namespace ebla::tabletserver {
namespace {

class LoadReportTest : public TabletServerTest {
 protected:
  // Gets of "key000" to "key099", about 90 a second.
  void ReadEvenly(int seconds) {
    for (int i = 0; i < seconds * 90; ++i) {
      char key[16];
      std::snprintf(key, sizeof key, "key%03d", i * 37 % 100);
      Get(key);
      scheduler_.RunFor(11ms);
    }
  }
  // The tablet's load in the last heartbeat.
  const idl::TabletLoad& Reported(int64_t tablet = 100) const {
    for (const idl::TabletLoad& load : master_->last.tablets) {
      if (load.tabletId == tablet) return load;
    }
    ADD_FAILURE() << "tablet " << tablet << " is not reported";
    return none_;
  }
  void NextHeartbeat() {
    const int64_t before = master_->heartbeats;
    ASSERT_TRUE(Until([&] { return master_->heartbeats > before; }));
  }

 private:
  const idl::TabletLoad none_;
};

TEST_F(LoadReportTest, APrimaryTellsWhereItsLoadWouldBeCutAndItsPeaks) {
  NextHeartbeat();
  EXPECT_FALSE(Reported().__isset.splitFinding) << "nothing is known yet";
  EXPECT_TRUE(Reported().__isset.peaks);
  ReadEvenly(20);
  ASSERT_TRUE(Reported().__isset.splitFinding);
  const idl::SplitFinding found = Reported().splitFinding;
  EXPECT_EQ(found.kind, idl::SplitFindingKind::KEY);
  EXPECT_GE(found.key, "key03");
  EXPECT_LE(found.key, "key067");
  EXPECT_NEAR(Reported().peaks.operationsPerSecond, 90, 10);
  EXPECT_GE(Reported().peaks.coveredMs, 19'000);
  EXPECT_LE(Reported().peaks.coveredMs, 23'000);
  scheduler_.RunFor(60s);
  EXPECT_LT(Reported().readsPerSecond, 1);
  EXPECT_FALSE(Reported().__isset.splitFinding) << "the load is over";
  EXPECT_NEAR(Reported().peaks.operationsPerSecond, 90, 10) << "and not forgotten";
  scheduler_.RunFor(330s);
  EXPECT_LT(Reported().peaks.operationsPerSecond, 1);
  EXPECT_EQ(Reported().peaks.coveredMs, 300'000);
}

TEST_F(LoadReportTest, WritesCountToo) {
  for (int i = 0; i < 1'000; ++i) {
    char key[16];
    std::snprintf(key, sizeof key, "key%06d", i);
    ASSERT_EQ(Put(key, "v").header.code, idl::Code::OK);
    scheduler_.RunFor(10ms);
  }
  const idl::SplitFinding found = Reported().splitFinding;
  EXPECT_EQ(found.kind, idl::SplitFindingKind::ONE_DIRECTION);
  EXPECT_GT(found.key, "key0005");
  EXPECT_LE(found.key, "key000999");
  for (int i = 0; i < 1'000; ++i) {
    Get("key000500");
    scheduler_.RunFor(10ms);
  }
  EXPECT_EQ(Reported().splitFinding.kind, idl::SplitFindingKind::POPULAR_KEY);
  EXPECT_EQ(Reported().splitFinding.popularKey, "key000500");
  EXPECT_GT(Reported().splitFinding.part, 0.8);
}

TEST_F(LoadReportTest, OfASplitNeitherHalfInheritsWhatWasFound) {
  constexpr int64_t kChild = 100 + kLineages;
  ReadEvenly(20);
  ASSERT_EQ(Reported().splitFinding.kind, idl::SplitFindingKind::KEY);
  auto request = OrderOf<idl::SplitRequest>(ControlTo(), 100, 1);
  request.tablets[0].key = Reported().splitFinding.key;
  request.tablets[0].childId = kChild;
  const auto reply =
      Await<idl::SplitReply>([&](auto cob) { server_->control_service()->split(std::move(cob), request); });
  ASSERT_EQ(reply.results.at(0).status.code, idl::Code::OK) << reply.results[0].status.message;
  NextHeartbeat();
  for (const int64_t half : {int64_t{100}, kChild}) {
    EXPECT_FALSE(Reported(half).__isset.splitFinding);
    EXPECT_LT(Reported(half).peaks.coveredMs, 2'000);
    EXPECT_EQ(Reported(half).peaks.operationsPerSecond, 0);
  }
  ReadEvenly(20);
  EXPECT_EQ(Reported(100).splitFinding.kind, idl::SplitFindingKind::KEY);
  EXPECT_LT(Reported(100).splitFinding.key, request.tablets[0].key);
  EXPECT_GT(Reported(kChild).splitFinding.key, request.tablets[0].key);
  EXPECT_LT(Reported(100).peaks.operationsPerSecond, 60);
}

// The last hundred of the thousand records have half of the bytes. Nothing is read, and the middle of the data is
// known.
TEST_F(LoadReportTest, TheKeyThatHalvesTheDataIsToldOfTabletsThatAreWorthIt) {
  for (int i = 0; i < 1'000; i += 100) {
    std::vector<idl::Write> writes;
    for (int j = i; j < i + 100; ++j) {
      char key[16];
      std::snprintf(key, sizeof key, "key%03d", j);
      writes.push_back(PutOf(key, std::string(j < 900 ? 100 : 1'000, 'v')));
    }
    ASSERT_EQ(Write(std::move(writes)).header.code, idl::Code::OK);
  }
  scheduler_.RunFor(60s);
  EXPECT_FALSE(Reported().__isset.splitFinding) << "it is small";
  idl::TableSchema schema = Schema(2);
  schema.options.__set_splitBytes(400'000);
  schema.options.keyGroup.__set_prefixBytes(5);
  schema.options.__isset.keyGroup = true;
  const idl::AlterReply altered = Alter(schema);
  ASSERT_EQ(altered.status.code, idl::Code::OK) << altered.status.message;
  scheduler_.RunFor(12s);
  ASSERT_TRUE(Reported().__isset.splitFinding);
  EXPECT_EQ(Reported().splitFinding.kind, idl::SplitFindingKind::NO_KEY);
  const std::string middle = Reported().splitFinding.middleKey;
  EXPECT_LE(middle.size(), 5u) << "which cuts no group";
  EXPECT_GE(middle, "key8");
  EXPECT_LE(middle, "key92");
}

TEST_F(LoadReportTest, WhoDoesNotLeadTellsNeither) {
  ReadEvenly(20);
  ASSERT_TRUE(Reported().__isset.peaks);
  ASSERT_EQ(Fence(100, 2).results.at(0).status.code, idl::Code::OK);
  NextHeartbeat();
  EXPECT_FALSE(Reported().leading);
  EXPECT_FALSE(Reported().__isset.splitFinding);
  EXPECT_FALSE(Reported().__isset.peaks);
  MakeTablet(100, "", "", 2);
  NextHeartbeat();
  EXPECT_TRUE(Reported().leading);
  EXPECT_FALSE(Reported().__isset.splitFinding) << "it begins anew";
  EXPECT_LT(Reported().peaks.coveredMs, 3'000);
}

}  // namespace
}  // namespace ebla::tabletserver
