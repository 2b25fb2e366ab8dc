// The log as a follower reads it: every frame once it is on the disk, from any place on.
#include "tabletserver/storage/log/log_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tabletserver/storage/testing/hooked_log_disk.h"
#include "tabletserver/storage/testing/simulated_log_disk.h"

namespace ebla::tabletserver {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Depth = SharedLog::Depth;
using Fate = LogFollower::Fate;

constexpr TabletId kLogged{3};
constexpr int64_t kMuch = 1 << 30;

class LogFollowerTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }
  void Open() {
    log_.reset();
    auto opened = SharedLog::Open(hooks_, {.segment_bytes = 16 << 10, .tail_bytes = 0, .kept_segments = 1});
    ASSERT_TRUE(opened) << opened.error();
    log_ = *std::move(opened);
  }
  void Append(const std::string& entry) {
    const SharedLog::Batch batch{kLogged, Lsn{++last_}, {entry}};
    ASSERT_TRUE(log_->Append({&batch, 1}).ok());
  }
  void AppendSynced(const std::string& entry) {
    Append(entry);
    ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
  }
  // The place of the text in the first segment.
  int64_t Find(const std::string& text) {
    return static_cast<int64_t>((*disk_.Open(1))->Read(0, 16 << 10)->find(text));
  }
  LogPosition Beginning() const {
    LogPosition position = LogFollower(*log_).Recent();
    position.segment = 1;
    position.offset = kLogBlock;
    position.sequence = 1;
    return position;
  }
  // The entries that come from the place on.
  std::vector<std::string> Follow() {
    std::vector<std::string> entries;
    const auto step = LogFollower(*log_).Read(place_, kMuch, [&](const LogFrame& frame) -> Result<bool> {
      for (const LogRecord& record : frame.records) {
        if (record.kind != LogRecordKind::kEntries) continue;
        EBLA_ASSIGN(const EntriesBody body, DecodeEntries(record.body));
        for (const std::string_view entry : body.entries) entries.emplace_back(entry);
      }
      return true;
    });
    EXPECT_TRUE(step.has_value()) << step.error();
    place_ = step->next;
    lost_ = step->lost;
    EXPECT_TRUE(step->at_end);
    return entries;
  }

  SimulatedLogDisk disk_{1};
  HookedLogDisk hooks_{disk_};
  std::unique_ptr<SharedLog> log_;
  LogPosition place_;
  uint64_t last_ = 0;
  bool lost_ = false;
};

TEST_F(LogFollowerTest, EachFrameOnceItIsOnTheDisk) {
  place_ = Beginning();
  Append("a");
  ASSERT_TRUE(log_->Flush(Depth::kSystem).ok());
  EXPECT_THAT(Follow(), IsEmpty()) << "a crash of the machine may take it";
  ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
  EXPECT_THAT(Follow(), ElementsAre("a"));
  Append("b");
  Append("c");
  ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
  EXPECT_THAT(Follow(), ElementsAre("b", "c"));
  EXPECT_THAT(Follow(), IsEmpty());
  Open();
  Append("d");
  ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
  EXPECT_THAT(Follow(), ElementsAre("d")) << "the place outlives a start";
  EXPECT_FALSE(lost_);
}

TEST_F(LogFollowerTest, SegmentsStayFromWhereItReadsOnAsFarAsTheBytesGo) {
  const auto fill = [&](int segments) {
    for (int i = 0; i < 16 * segments; ++i) {
      Append(std::string(1'000, 'x'));
      ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
    }
    ASSERT_TRUE(log_->CutStart(kLogged, Lsn{last_}).ok());
    ASSERT_TRUE(log_->Clean().ok());
  };
  place_ = Beginning();
  LogFollower(*log_).Keep(place_, kMuch);
  fill(4);
  EXPECT_TRUE(disk_.Has(1));
  EXPECT_EQ(Follow().size(), 64u);
  EXPECT_FALSE(lost_);
  LogFollower(*log_).Keep(place_, kMuch);
  ASSERT_TRUE(log_->Clean().ok());
  EXPECT_FALSE(disk_.Has(1)) << "it has been read";
  const LogPosition old = place_;
  LogFollower(*log_).Keep(place_, 4 * (16 << 10));
  fill(8);
  EXPECT_FALSE(disk_.Has(old.segment)) << "more than was allowed";
  EXPECT_FALSE(Follow().empty());
  EXPECT_TRUE(lost_);
  LogFollower(*log_).Keep(place_, kMuch);
  fill(2);
  const uint64_t kept = place_.segment;
  EXPECT_TRUE(disk_.Has(kept));
  LogFollower(*log_).Release();
  ASSERT_TRUE(log_->Clean().ok());
  EXPECT_FALSE(disk_.Has(kept));
}

TEST_F(LogFollowerTest, APlaceThatThisLogCannotHaveGivenBeginsWithTheOldest) {
  AppendSynced("entry a");
  const LogPosition good = Beginning();
  std::vector<LogPosition> bad(6, good);
  bad[0].log += 1;
  bad[1].segment = 3;
  bad[2].segment = UINT64_MAX;
  bad[3].offset = INT64_MAX - 10;
  bad[4].offset = -1;
  bad[5].sequence = 3;
  for (const LogPosition& position : bad) {
    place_ = position;
    EXPECT_THAT(Follow(), ElementsAre("entry a"));
    EXPECT_TRUE(lost_);
  }
  place_ = good;
  place_.segment = 2;
  place_.sequence = 2;
  EXPECT_THAT(Follow(), IsEmpty());
  EXPECT_FALSE(lost_) << "it may come there";
}

TEST_F(LogFollowerTest, WhatStandsBehindADamagedFrameIsShown) {
  for (const char* entry : {"entry a", "entry b", "entry c"}) AppendSynced(entry);
  place_ = Beginning();
  disk_.Damage(1, Find("entry b"));
  EXPECT_THAT(Follow(), ElementsAre("entry a", "entry c"));
  EXPECT_TRUE(lost_);
  AppendSynced("entry d");
  EXPECT_THAT(Follow(), ElementsAre("entry d"));
  EXPECT_FALSE(lost_) << "once is enough";
}

TEST_F(LogFollowerTest, WhatStandsBehindAFrameThatCannotBeReadIsShown) {
  for (const char* entry : {"entry a", "entry b", "entry c"}) AppendSynced(entry);
  place_ = Beginning();
  hooks_.unreadable_segment = 1;
  hooks_.unreadable_at = Find("entry b");
  EXPECT_THAT(Follow(), ElementsAre("entry a", "entry c"));
  EXPECT_TRUE(lost_);
}

TEST_F(LogFollowerTest, DamageOfTheLastFrameIsNotTheEnd) {
  AppendSynced("entry a");
  AppendSynced("entry b");
  place_ = Beginning();
  disk_.Damage(1, Find("entry b"));
  EXPECT_THAT(Follow(), ElementsAre("entry a"));
  EXPECT_TRUE(lost_);
  EXPECT_THAT(Follow(), IsEmpty());
  EXPECT_FALSE(lost_);
  AppendSynced("entry c");
  EXPECT_THAT(Follow(), ElementsAre("entry c"));
  EXPECT_FALSE(lost_);
}

// The visitor may end at a frame behind damage, and reading continues there.
TEST_F(LogFollowerTest, BehindDamageItGoesOnWhereItEnded) {
  for (const char* entry : {"entry a", "entry b", "entry c"}) AppendSynced(entry);
  disk_.Damage(1, Find("entry b"));
  const auto step = LogFollower(*log_).Read(
      Beginning(), kMuch, [](const LogFrame& frame) -> Result<bool> { return frame.header.sequence == 1; });
  ASSERT_TRUE(step.has_value()) << step.error();
  EXPECT_TRUE(step->lost);
  place_ = step->next;
  EXPECT_THAT(Follow(), ElementsAre("entry c"));
  EXPECT_FALSE(lost_);
}

TEST_F(LogFollowerTest, WhatWasCutOffIsKnownByItsPlace) {
  const auto place_of = [&](const std::string& wanted) {
    LogPlace place;
    LogPosition from = Beginning();
    const auto step = LogFollower(*log_).Read(from, kMuch, [&](const LogFrame& frame) -> Result<bool> {
      for (const LogRecord& record : frame.records) {
        if (record.body.contains(wanted)) place = {frame.header.segment, record.offset, record.bytes};
      }
      return true;
    });
    EXPECT_TRUE(step.has_value());
    return place;
  };
  Append("one");
  Append("two");
  ASSERT_TRUE(log_->CutEnd(kLogged, Lsn{2}).ok());
  last_ = 1;
  Append("other");
  ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
  for (int life = 0; life < 2; ++life) {
    const LogFollower follower(*log_);
    EXPECT_EQ(follower.FateOf(kLogged, Lsn{1}, place_of("one")), Fate::kStands);
    EXPECT_EQ(follower.FateOf(kLogged, Lsn{2}, place_of("two")), Fate::kCut);
    EXPECT_EQ(follower.FateOf(kLogged, Lsn{2}, place_of("other")), Fate::kStands);
    Open();
  }
  ASSERT_TRUE(log_->CutEnd(kLogged, Lsn{0}, /*settled=*/Lsn{2}).ok());
  EXPECT_EQ(LogFollower(*log_).FateOf(kLogged, Lsn{1}, place_of("one")), Fate::kSettled) << "dropped, once committed";
  EXPECT_EQ(LogFollower(*log_).FateOf(kLogged, Lsn{2}, place_of("other")), Fate::kCut);
}

}  // namespace
}  // namespace ebla::tabletserver
