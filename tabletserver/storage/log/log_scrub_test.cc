// Damage of a log that is in use: what is lost, and what is not.
#include "tabletserver/storage/log/log_scrub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tabletserver/storage/testing/hooked_log_disk.h"
#include "tabletserver/storage/testing/simulated_log_disk.h"

namespace ebla::tabletserver {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Depth = SharedLog::Depth;

constexpr TabletId kQuiet{3}, kBusy{4};
const LogScrub::Pace kUnpaced = [](int64_t) { return true; };

class LogScrubTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }
  // Nothing that is written stays in memory.
  void Open(int64_t segment_bytes = int64_t{4} << 20) {
    log_.reset();
    auto opened = SharedLog::Open(
        hooks_, {.segment_bytes = segment_bytes, .tail_bytes = 0, .moved_below = 2, .kept_segments = 0});
    ASSERT_TRUE(opened) << opened.error();
    log_ = *std::move(opened);
  }
  void Append(TabletId tablet, Lsn first, std::string_view entry) {
    const SharedLog::Batch batch{tablet, first, {entry}};
    ASSERT_TRUE(log_->Append({&batch, 1}).ok());
  }
  int64_t PlaceOf(uint64_t segment, std::string_view text) {
    auto file = disk_.Open(segment);
    const std::string whole = *(*file)->Read(0, *(*file)->Size());
    const size_t at = whole.find(text);
    EXPECT_NE(at, whole.npos) << text;
    return static_cast<int64_t>(at);
  }
  void Damage(std::string_view text) { disk_.Damage(1, PlaceOf(1, text)); }
  std::string ValueOf(std::string_view key) {
    const auto value = log_->Get(key);
    EXPECT_TRUE(value) << value.error();
    return value ? value->value_or("none") : "unreadable";
  }
  // A MiB, which makes a piece, and a value behind it.
  void FillTwoPieces() {
    Append(kBusy, Lsn{1}, std::string(1 << 20, 'x'));
    ASSERT_TRUE(log_->Put("state", "one").ok());
    ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
    Damage("one");
    ASSERT_FALSE(LogScrub(*log_).IsWhole(1, kUnpaced));
  }

  SimulatedLogDisk disk_{1};
  HookedLogDisk hooks_{disk_};
  std::unique_ptr<SharedLog> log_;
};

// The scrubber's thread finds that the disk has lost a state, and knows which it was; the shard puts the next one, and
// answers a fence by it.
TEST_F(LogScrubTest, AnOlderValueNeverComesAfterANewerOne) {
  ASSERT_TRUE(log_->Put("state", "one").ok());
  ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
  Damage("one");
  LogScrub scrub(*log_);
  EXPECT_FALSE(scrub.IsWhole(1, kUnpaced));
  const auto lost = scrub.MoveOff(1, kUnpaced);
  ASSERT_TRUE(lost) << lost.error();
  ASSERT_EQ(lost->values.size(), 1u);
  const auto& [key, place] = lost->values.front();
  ASSERT_TRUE(log_->Put("state", "two").ok());
  EXPECT_FALSE(*log_->ReplaceAt(key, place, "one"));
  EXPECT_FALSE(*log_->ReplaceAt(key, place, std::nullopt));
  EXPECT_EQ(ValueOf("state"), "two");
  ASSERT_TRUE(log_->Clean().ok());
  Open();
  EXPECT_EQ(ValueOf("state"), "two");
}

TEST_F(LogScrubTest, ALostValueIsPutAgainOrErasedInItsPlace) {
  for (const bool again : {true, false}) {
    const std::string key = again ? "a" : "b";
    ASSERT_TRUE(log_->Put(key, "value of " + key).ok());
    ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
    Damage("value of " + key);
    const auto place = LogScrub(*log_).LostAt(key);
    ASSERT_TRUE(place);
    EXPECT_TRUE(*log_->ReplaceAt(key, *place, again ? std::optional<std::string_view>("anew") : std::nullopt));
    EXPECT_EQ(ValueOf(key), again ? "anew" : "none");
    EXPECT_FALSE(LogScrub(*log_).LostAt(key));
  }
}

TEST_F(LogScrubTest, WhatIsPutAnewMeanwhileIsNotLost) {
  FillTwoPieces();
  const auto lost = LogScrub(*log_).MoveOff(1, [this](int64_t) { return log_->Put("state", "two").ok(); });
  ASSERT_TRUE(lost) << lost.error();
  EXPECT_THAT(lost->values, IsEmpty());
  EXPECT_THAT(lost->tablets, IsEmpty());
}

TEST_F(LogScrubTest, MovingOffHeedsItsPace) {
  FillTwoPieces();
  LogScrub scrub(*log_);
  EXPECT_EQ(scrub.Unmoved(), 1u);
  int pieces = 0;
  const auto stopped = scrub.MoveOff(1, [&](int64_t) {
    ++pieces;
    return false;
  });
  ASSERT_TRUE(stopped) << stopped.error();
  EXPECT_EQ(pieces, 1);
  EXPECT_THAT(stopped->values, IsEmpty()) << "it was not come to";
  EXPECT_EQ(scrub.Unmoved(), 1u);
  EXPECT_EQ(scrub.MoveOff(1, kUnpaced)->values.size(), 1u);
  EXPECT_EQ(scrub.Unmoved(), std::nullopt);
}

TEST_F(LogScrubTest, ASectorThatCannotBeReadIsDamage) {
  Append(kQuiet, Lsn{1}, "of the quiet one");
  ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
  Append(kBusy, Lsn{1}, "of the busy one");
  ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
  hooks_.unreadable_segment = 1;
  hooks_.unreadable_at = PlaceOf(1, "of the quiet one");
  LogScrub scrub(*log_);
  EXPECT_FALSE(scrub.IsWhole(1, kUnpaced));
  EXPECT_THAT(scrub.MoveOff(1, kUnpaced)->tablets, ElementsAre(kQuiet));
  EXPECT_TRUE(log_->Clean().ok()) << "which reads it, too";
  EXPECT_TRUE(log_->status().ok());
  EXPECT_TRUE(disk_.Has(1)) << "what is lost still counts";
  ASSERT_TRUE(log_->CutEnd(kQuiet, Lsn{1}).ok());
  ASSERT_TRUE(log_->Clean().ok());
  EXPECT_FALSE(disk_.Has(1));
}

TEST_F(LogScrubTest, WhatIsScrubbedComesFromTheDiskItself) {
  Append(kBusy, Lsn{1}, "entry");
  ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
  hooks_.bytes_read = 0;
  EXPECT_TRUE(LogScrub(*log_).IsWhole(1, kUnpaced));
  EXPECT_GT(hooks_.bytes_read, 0);
  EXPECT_EQ(hooks_.bytes_dropped, hooks_.bytes_read);
}

// The last frame of a segment that is not the last one is no end.
TEST_F(LogScrubTest, CleaningTellsDamageFromAnEnd) {
  Open(16 << 10);
  const uint64_t segment = 2;
  for (uint64_t lsn = 1; lsn <= 3; ++lsn) Append(kBusy, Lsn{lsn}, std::string(3'000, 'x'));
  Append(kQuiet, Lsn{1}, "of the quiet one");
  for (uint64_t lsn = 4; lsn <= 9; ++lsn) Append(kBusy, Lsn{lsn}, std::string(3'000, 'x'));
  ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
  ASSERT_TRUE(log_->CutStart(kBusy, Lsn{9}).ok());
  disk_.Damage(segment, PlaceOf(segment, "of the quiet one"));
  EXPECT_TRUE(log_->Clean().ok());
  EXPECT_EQ(LogScrub(*log_).Unmoved(), segment);
}

}  // namespace
}  // namespace ebla::tabletserver
