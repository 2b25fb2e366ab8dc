#include "tools/backup/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/testing/temporary_directory.h"
#include "tools/backup/directory_store.h"
#include "tools/backup/record_stream.h"

namespace ebla::backup {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using Kind = ScheduledStep::Kind;

constexpr int64_t kDay = 86'400'000;
constexpr int64_t kBegin = 20'000 * kDay;  // 2024-10-04

// Days of a schedule. Its backups take no time and have one table with one record; its clock advances as it waits.
class ScheduleTest : public ::testing::Test {
 protected:
  Result<Manifest> Make(const CreateOptions& create) {
    if (!fails_.empty()) {
      const Status failed(Code::kUnavailable, fails_);
      if (--failures_ == 0) fails_.clear();
      return Error(failed);
    }
    Manifest manifest{.name = create.name, .since = create.since, .began_ms = now_ms_, .ended_ms = now_ms_};
    TablePart& table = manifest.tables.emplace_back();
    table.name = "carts";
    table.whole = create.since.empty();
    EBLA_ASSIGN(PartWriter writer, PartWriter::Create(store_, create.name, {.file = "00001.part", .range = {}}, {}));
    EBLA_TRY(writer.Add({"key", {"value", {Epoch{1}, Lsn{1}}, {}}}));
    EBLA_ASSIGN(Part part, writer.Finish(1, 1, ""));
    table.parts.push_back(std::move(part));
    EBLA_TRY(WriteManifest(store_, unfinished_ ? kProgressFile : kManifestFile, manifest, {}));
    if (unfinished_) return Error(Code::kUnavailable, "interrupted");
    EBLA_TRY(store_.Delete(create.name + "/" + kProgressFile));
    if (damaged_) Damage(create.name);
    return manifest;
  }
  void Damage(const std::string& name) {
    std::ofstream(store_.LocationOf(name + "/00001.part"), std::ios::in | std::ios::out) << "x";
  }
  // So many days, at each of which it is asked to wait.
  Status Run(int days) {
    const int64_t end = now_ms_ + days * kDay;
    const ScheduleHost host{.now_ms = [this] { return now_ms_; },
                            .wait =
                                [&](std::chrono::milliseconds time) {
                                  now_ms_ += time.count();
                                  return now_ms_ < end;
                                },
                            .create = [this](const CreateOptions& create) { return Make(create); },
                            .say = [this](const std::string& line) { said_.push_back(line); }};
    return RunSchedule(host, store_, options_);
  }
  // "day3" is whole, "day4+" follows another; "?" is unfinished.
  std::vector<std::string> There() {
    std::vector<std::string> days;
    const std::vector<Listed> all = *ListAll(store_, {});
    for (const Listed& one : all)
      days.push_back("day" + std::to_string((one.manifest.began_ms - kBegin) / kDay) +
                     (one.manifest.since.empty() ? "" : "+") + (one.finished ? "" : "?"));
    return days;
  }

  testing::TemporaryDirectory directory_;
  DirectoryStore store_{directory_.path()};
  ScheduleOptions options_{.every = 24h, .full_every = 3, .keep = 2};
  int64_t now_ms_ = kBegin;
  std::string fails_;  // of making a backup: why, and how often
  int failures_ = 0;
  bool unfinished_ = false, damaged_ = false;
  std::vector<std::string> said_;
};

TEST_F(ScheduleTest, WholeOnesAndWhatFollowsThemAndTheOldestGo) {
  ASSERT_TRUE(Run(5).ok());
  EXPECT_THAT(There(), ElementsAre("day0", "day1+", "day2+", "day3", "day4+"));
  EXPECT_EQ((*ListAll(store_, {}))[0].name, "auto-20241004T000000Z");
  now_ms_ = kBegin + 5 * kDay;
  ASSERT_TRUE(Run(1).ok());
  EXPECT_THAT(There(), ElementsAre("day0", "day1+", "day2+", "day3", "day4+", "day5+"));
  now_ms_ = kBegin + 6 * kDay;
  ASSERT_TRUE(Run(1).ok());
  EXPECT_THAT(There(), ElementsAre("day3", "day4+", "day5+", "day6")) << "two chains are left";
}

TEST_F(ScheduleTest, StoppedAndStartedItGoesOnWhereItWas) {
  ASSERT_TRUE(Run(1).ok());
  now_ms_ = kBegin + kDay / 2;
  options_.once = true;
  ASSERT_TRUE(Run(1).ok());
  EXPECT_THAT(There(), ElementsAre("day0")) << "the next is not due";
  now_ms_ = kBegin + 4 * kDay;
  ASSERT_TRUE(Run(1).ok());
  EXPECT_THAT(There(), ElementsAre("day0", "day4+")) << "what was missed is not made up for";
}

TEST_F(ScheduleTest, AnUnfinishedOneIsGoneOnWith) {
  unfinished_ = true;
  options_.once = true;
  EXPECT_EQ(Run(1).message(), "interrupted");
  EXPECT_THAT(There(), ElementsAre("day0?"));
  now_ms_ += kDay / 2;
  unfinished_ = false;
  EXPECT_TRUE(Run(1).ok());
  EXPECT_THAT(There(), ElementsAre("day0"));
}

TEST_F(ScheduleTest, AFailureIsSaidAndTriedAgainSoon) {
  fails_ = "no master answers";
  failures_ = 3;
  ASSERT_TRUE(Run(1).ok());
  ASSERT_EQ(said_.size(), 4u);
  EXPECT_EQ(said_[0], "UNAVAILABLE: no master answers; next attempt in 60 s");
  EXPECT_EQ(said_[2], "UNAVAILABLE: no master answers; next attempt in 240 s");
  EXPECT_THAT(said_[3], StartsWith("made auto-20241004T000700Z: 1 records"));
}

TEST_F(ScheduleTest, NothingFollowsWhatDoesNotVerify) {
  options_.once = true;
  ASSERT_TRUE(Run(1).ok());
  now_ms_ = kBegin + kDay;
  damaged_ = true;
  EXPECT_THAT(Run(1).message(), HasSubstr("does not verify"));
  damaged_ = false;
  EXPECT_THAT(There(), ElementsAre("day0")) << "it is gone";
  ASSERT_TRUE(Run(1).ok());
  EXPECT_THAT(There(), ElementsAre("day0", "day1+"));
}

TEST_F(ScheduleTest, NothingIsDeletedWhileTheNewestChainDoesNotVerify) {
  options_.keep = 1;
  ASSERT_TRUE(Run(3).ok());
  now_ms_ = kBegin + 3 * kDay;
  options_.keep = 2;
  ASSERT_TRUE(Run(1).ok());
  Damage("auto-20241007T000000Z");
  now_ms_ = kBegin + 3 * kDay + kDay / 2;
  options_.keep = 1;
  options_.once = true;
  EXPECT_THAT(Run(1).message(), HasSubstr("no backup is deleted, because auto-20241007T000000Z does not verify"));
  EXPECT_THAT(There(), ElementsAre("day0", "day1+", "day2+", "day3"));
}

TEST_F(ScheduleTest, OthersBackupsStayAndWhatTheyAreOnTopOf) {
  ASSERT_TRUE(Run(3).ok());
  ASSERT_TRUE(Make({.name = "mine", .since = "auto-20241005T000000Z"}).has_value());
  ASSERT_TRUE(Make({.name = "auto-mine"}).has_value());
  now_ms_ = kBegin + 3 * kDay;
  ASSERT_TRUE(Run(9).ok());
  EXPECT_EQ(There().size(), 5u + 6u) << "the first chain, two of others, and two chains";
  EXPECT_THAT(TooOld(*ListAll(store_, {}), options_), IsEmpty());
}

TEST_F(ScheduleTest, AClockThatIsSetBackMakesNothing) {
  ASSERT_TRUE(Run(1).ok());
  const ScheduledStep step = NextStep(*ListAll(store_, {}), options_, kBegin - kDay);
  EXPECT_EQ(step.kind, Kind::kWait);
  EXPECT_EQ(step.due, 48h);
}

}  // namespace
}  // namespace ebla::backup
