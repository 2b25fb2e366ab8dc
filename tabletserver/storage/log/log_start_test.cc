// A start compares the log that it finds with the extent that the log had. Each way in which a disk loses the end of a
// log, loses a segment, or gives an older one back.
#include "tabletserver/storage/log/log_start.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "common/testing/temporary_directory.h"
#include "common/testing/test_files.h"
#include "tabletserver/storage/log/posix_log_disk.h"
#include "tabletserver/storage/log/shared_log.h"

namespace ebla::tabletserver {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Depth = SharedLog::Depth;
namespace fs = std::filesystem;

constexpr TabletId kStarted{3};
constexpr int64_t kStartSegmentBytes = 64 << 10;  // 15 entries

// A log in files, and what it was known to have when it was left.
class LogStartTest : public ::testing::Test {
 protected:
  // Lives of so many entries each, every one synced.
  void Write(const std::vector<int>& lives) {
    uint64_t lsn = 0;
    for (const int entries : lives) {
      const auto disk = *PosixLogDisk::Open(log_);
      const auto log = *SharedLog::Open(*disk, {.segment_bytes = kStartSegmentBytes});
      for (int i = 0; i < entries; ++i) {
        const std::string entry = std::to_string(++lsn) + std::string(1'500, 'x');
        const SharedLog::Batch batch{kStarted, Lsn{lsn}, {entry}};
        ASSERT_TRUE(log->Append({&batch, 1}).ok());
        ASSERT_TRUE(log->Flush(Depth::kDisk).ok());
        ends_.push_back(log->extent());
      }
      ASSERT_TRUE(log->MarkEnd());
      had_ = log->extent();
    }
  }

  // The error, or "", and then entries_ and loss_ tell.
  std::string Start(bool joins_short = false) { return Start(had_, joins_short); }
  std::string Start(const std::optional<LogExtent>& had, bool joins_short) {
    const auto disk = *PosixLogDisk::Open(log_);
    const auto log =
        SharedLog::Open(*disk, {.segment_bytes = kStartSegmentBytes, .expected = had, .joins_short = joins_short});
    if (!log) {
      EXPECT_EQ(log.error().code(), Code::kInternal);
      return log.error().message();
    }
    entries_ = (**log).Bounds(kStarted).last.value;
    loss_ = (**log).loss();
    return "";
  }
  // The same with the files as they are, which stay so.
  std::string StartOfCopy(bool joins_short = false) {
    const std::string kept = directory_ / "kept";
    fs::copy(log_, kept);
    std::string wrong = Start(joins_short);
    fs::remove_all(log_);
    fs::rename(kept, log_);
    return wrong;
  }

  std::vector<fs::path> Segments() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(log_)) {
      if (entry.path().extension() == ".log") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
  }

  const testing::TemporaryDirectory directory_;
  const std::string log_ = directory_ / "log";
  LogExtent had_;
  std::vector<LogExtent> ends_;  // after each entry
  uint64_t entries_ = 0;
  std::optional<LogLoss> loss_;
};

TEST_F(LogStartTest, ALogThatHasWhatItHadOpens) {
  Write({12, 0, 5});
  EXPECT_EQ(had_.needed + 2, had_.end.sequence) << "but for the mark";
  EXPECT_EQ(had_.end.segment, had_.last_segment);
  EXPECT_EQ(StartOfCopy(), "");
  EXPECT_EQ(entries_, 17u);
  EXPECT_FALSE(loss_);
  for (const LogExtent& earlier : ends_) EXPECT_EQ(Start(earlier, false), "") << "an older claim holds, too";
}

// `spoils` gets the last segment's bytes, and where a loss begins.
TEST_F(LogStartTest, AnEndThatIsLostIsToldAtEveryFrame) {
  Write({12, 5});
  const fs::path last = Segments().back();
  const std::string whole = testing::FileBytes(last);
  const int64_t end = had_.end.offset;
  const auto cut = [&](int64_t at) { return whole.substr(0, static_cast<size_t>(at)); };
  const auto zeroed = [&](int64_t at) { return cut(at) + std::string(whole.size() - static_cast<size_t>(at), '\0'); };
  int losses = 0;
  for (const auto& spoilt : {std::function<std::string(int64_t)>(cut), std::function<std::string(int64_t)>(zeroed)}) {
    for (int64_t at = 0; at <= end; at += 512) {
      SCOPED_TRACE(at);
      testing::SetFileBytes(last, spoilt(at));
      const std::string wrong = StartOfCopy();
      // Frames of 1,500 bytes and more are a block apart; the last one is the mark.
      const auto whole_frames = static_cast<uint64_t>(std::max<int64_t>(at - kLogBlock, 0) / kLogBlock);
      const bool cut_within = at % kLogBlock >= 1'600;
      const uint64_t kept = std::min<uint64_t>(whole_frames + (at >= kLogBlock && cut_within ? 1 : 0), 5);
      if (kept == 5) {
        EXPECT_EQ(wrong, "");
        continue;
      }
      ++losses;
      EXPECT_THAT(wrong, AllOf(HasSubstr(last.string() + " ends at byte "),
                               HasSubstr("and the disk had frames up to " + std::to_string(had_.needed)),
                               HasSubstr("the disk has lost what was acknowledged")));
      EXPECT_EQ(StartOfCopy(true), "") << "and joins short, where that is wanted";
      EXPECT_EQ(entries_, 12 + kept);
      ASSERT_TRUE(loss_);
      EXPECT_EQ(loss_->file, last.string());
      EXPECT_EQ(loss_->from, had_.needed - 4 + kept);
      EXPECT_EQ(loss_->through, had_.needed);
    }
  }
  EXPECT_GT(losses, 70);
  testing::SetFileBytes(last, zeroed(kLogBlock));
  EXPECT_EQ(Start(std::nullopt, false), "") << "nothing within the log tells";
  EXPECT_EQ(entries_, 12u);
}

TEST_F(LogStartTest, ALostMarkAloneIsNoLoss) {
  Write({3});
  testing::SetFileBytes(Segments().back(),
                        testing::FileBytes(Segments().back()).substr(0, static_cast<size_t>(ends_.back().end.offset)));
  EXPECT_EQ(Start(), "");
  EXPECT_EQ(entries_, 3u);
}

TEST_F(LogStartTest, AnOlderCopyOfTheLastSegmentIsTold) {
  Write({12});
  std::string older;
  fs::path last;
  {
    const auto disk = *PosixLogDisk::Open(log_);
    const auto log = *SharedLog::Open(*disk, {.segment_bytes = kStartSegmentBytes});
    last = Segments().back();
    for (const uint64_t lsn : {13, 14}) {
      const SharedLog::Batch batch{kStarted, Lsn{lsn}, {"later"}};
      ASSERT_TRUE(log->Append({&batch, 1}).ok());
      ASSERT_TRUE(log->Flush(Depth::kDisk).ok());
      if (lsn == 13) older = testing::FileBytes(last);
    }
    had_ = log->extent();
  }
  testing::SetFileBytes(last, older);
  EXPECT_THAT(Start(), HasSubstr(last.string() + " ends at byte "));
  EXPECT_EQ(Start(true), "");
  EXPECT_EQ(entries_, 13u);
}

TEST_F(LogStartTest, ALostSegmentIsNamedWhicheverItIs) {
  Write({20, 20, 3});
  const std::vector<fs::path> segments = Segments();
  ASSERT_GE(segments.size(), 4u);
  for (const fs::path& segment : segments) {
    const fs::path kept = directory_ / "elsewhere";
    fs::rename(segment, kept);
    for (const bool joins_short : {false, true})
      EXPECT_EQ(StartOfCopy(joins_short), segment.string() + " is missing, and the log needs it: put it back");
    fs::rename(kept, segment);
  }
  EXPECT_EQ(StartOfCopy(), "");
  for (const fs::path& segment : segments) fs::remove(segment);
  EXPECT_THAT(StartOfCopy(), HasSubstr(segments.front().string() + " is missing"));
}

TEST_F(LogStartTest, TheOnlySegmentEmptiedIsNoNewLog) {
  Write({3});
  ASSERT_EQ(Segments().size(), 1u);
  const fs::path only = Segments().front();
  for (const std::string& left : {std::string(), std::string(kStartSegmentBytes, '\0')}) {
    testing::SetFileBytes(only, left);
    EXPECT_THAT(Start(true), HasSubstr(only.string() + " is damaged at byte 0: its header is not whole"));
    EXPECT_EQ(testing::FileBytes(only), left) << "nothing is changed";
  }
}

TEST_F(LogStartTest, ARefusedStartChangesNothing) {
  Write({12, 3});
  const fs::path last = Segments().back();
  testing::SetFileBytes(last, "");
  EXPECT_NE(Start(), "");
  EXPECT_EQ(testing::FileBytes(last), "");
  EXPECT_EQ(Segments().back(), last);
}

TEST_F(LogStartTest, AnotherLogIsTold) {
  Write({3});
  LogExtent had = had_;
  ++had.log;
  EXPECT_THAT(Start(had, true), HasSubstr(Segments().front().string() + " is of another log"));
}

}  // namespace
}  // namespace ebla::tabletserver
