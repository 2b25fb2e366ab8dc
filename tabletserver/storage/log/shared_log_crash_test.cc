// A log over a disk that crashes at every step, and fails a sync now and then: what a start finds is what the log held
// after one of its changes, none of them lost that a flush covers; and never less than the log was said to have,
// whenever that was noted.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <random>
#include <tuple>

#include "tabletserver/storage/log/shared_log.h"
#include "tabletserver/storage/testing/simulated_log_disk.h"

namespace ebla::tabletserver {
namespace {

using CrashKind = SimulatedLogDisk::CrashKind;

constexpr uint64_t kTablets = 4;
constexpr uint64_t kKeys = 6;

// The contents of a log.
struct LogContents {
  std::map<uint64_t, std::map<uint64_t, std::string>> entries;  // by tablet, lsn
  std::map<std::string, std::string> values;
  friend bool operator==(const LogContents&, const LogContents&) = default;
};

using Change = std::function<void(LogContents&)>;

std::string Describe(const LogContents& contents) {
  std::string text;
  for (const auto& [tablet, entries] : contents.entries) {
    if (entries.empty()) continue;
    text += std::to_string(tablet) + ": " + std::to_string(entries.begin()->first) + "-" +
            std::to_string(entries.rbegin()->first) + "; ";
  }
  for (const auto& [key, value] : contents.values) text += key + "=" + value.substr(0, 8) + "; ";
  return text;
}

// One log over all its lives, and what it may hold.
class CrashRun {
 public:
  explicit CrashRun(uint64_t seed) : random_(seed), disk_(seed + 1) {}

  SimulatedLogDisk& disk() { return disk_; }

  // A life of so many turns, which ends with a crash, sooner where the disk crashes at a step.
  void Live(int turns, CrashKind kind) {
    Open();
    for (int i = 0; i < turns && log_ && !disk_.crashed(); ++i) Turn();
    disk_.CrashNow(kind);
    // The disk has refused what the system had.
    const bool refused = sync_fails_ && !disk_.fails_next();
    floor_ = log_ && kind == CrashKind::kProcess && !refused ? written_ : certain_;
    sync_fails_ = false;
    disk_.FailNext(SimulatedLogDisk::Failure::kNone);
    log_.reset();
    disk_.Restart();
  }

  // Opens what the crash left, and finds it among what may be there.
  void Open() {
    SharedLogOptions options{.segment_bytes = 16 << 10, .tail_bytes = 8 << 10, .kept_segments = 2};
    options.expected = noted_;
    options.before_remove = [this] { return Note(); };
    auto opened = SharedLog::Open(disk_, std::move(options));
    if (!opened) {
      EXPECT_TRUE(disk_.crashed()) << opened.error();
      return;
    }
    log_ = *std::move(opened);
    const LogContents found = Contents();
    size_t kept = 0;
    while (kept < pending_.size() && (kept < floor_ || base_ != found)) pending_[kept++](base_);
    EXPECT_EQ(Describe(base_), Describe(found)) << "of " << pending_.size() << " changes, " << floor_ << " certain";
    EXPECT_TRUE(base_ == found);
    pending_.clear();
    certain_ = written_ = 0;
    std::ignore = Note();
  }

  LogContents Contents() {
    LogContents contents;
    for (uint64_t tablet = 1; tablet <= kTablets; ++tablet) {
      const Status read = log_->Read(TabletId{tablet}, Lsn{0}, [&](Lsn lsn, std::string_view entry) {
        contents.entries[tablet].emplace(lsn.value, entry);
        return true;
      });
      EXPECT_TRUE(read.ok()) << read;
    }
    for (auto key = log_->KeyAfter({}); key; key = log_->KeyAfter(*key)) {
      const auto value = log_->Get(*key);
      EXPECT_TRUE(value) << value.error();
      if (value && *value) contents.values.emplace(*key, **value);
    }
    return contents;
  }

 private:
  uint64_t Draw(uint64_t below) { return random_() % below; }
  std::string Bytes() {
    return std::string(Draw(10) == 0 ? Draw(6'000) : Draw(300), static_cast<char>('a' + Draw(26)));
  }

  // Does the work of an inventory, at any time.
  Status Note() {
    noted_ = log_->extent();
    return {};
  }

  void Turn() {
    if (Draw(4) == 0) std::ignore = Note();
    if (!sync_fails_ && Draw(40) == 0) {
      sync_fails_ = true;
      disk_.FailNext(SimulatedLogDisk::Failure::kLostSync);
    }
    if (sync_fails_ && !log_->status().ok()) return;
    switch (Draw(12)) {
      case 0: return Do(Cut(true));
      case 1: return Do(Cut(false));
      case 2: return Do(PutValue());
      case 3: return Draw(2) == 0 ? Do(EraseValue()) : Mark();
      case 4: return FlushTo(SharedLog::Depth::kSystem);
      case 5:
      case 6: return FlushTo(SharedLog::Depth::kDisk);
      case 7:
        if (const Status cleaned = log_->Clean(); !cleaned.ok() && !disk_.crashed() && !sync_fails_)
          ADD_FAILURE() << cleaned;
        return;
      default: return Do(Append());
    }
  }

  // A change of the log, and the same of what it may hold; none: it changes nothing.
  std::optional<Change> Append() {
    std::vector<SharedLog::Batch> batches;
    std::deque<std::string> held;
    std::vector<std::pair<uint64_t, uint64_t>> firsts;
    for (uint64_t tablet = 1; tablet <= kTablets; ++tablet) {
      if (Draw(2) == 0) continue;
      const LogBounds bounds = log_->Bounds(TabletId{tablet});
      const Lsn first = bounds.last ? bounds.last.Next() : Lsn{1 + Draw(50)};
      SharedLog::Batch batch{TabletId{tablet}, first, {}};
      for (uint64_t count = 1 + Draw(4); count > 0; --count) batch.entries.push_back(held.emplace_back(Bytes()));
      batches.push_back(std::move(batch));
    }
    std::vector<std::tuple<uint64_t, uint64_t, std::string>> added;
    for (const SharedLog::Batch& batch : batches) {
      for (size_t i = 0; i < batch.entries.size(); ++i)
        added.emplace_back(batch.tablet.value, batch.first.value + i, batch.entries[i]);
    }
    if (!log_->Append(batches).ok()) return std::nullopt;
    return [added = std::move(added)](LogContents& contents) {
      for (const auto& [tablet, lsn, entry] : added) contents.entries[tablet][lsn] = entry;
    };
  }

  std::optional<Change> Cut(bool end) {
    const uint64_t tablet = 1 + Draw(kTablets);
    const LogBounds bounds = log_->Bounds(TabletId{tablet});
    if (!bounds.last) return std::nullopt;
    const uint64_t at = Draw(8) == 0 ? (end ? 0 : bounds.last.value + 1)
                                     : bounds.first.value + Draw(bounds.last.value - bounds.first.value + 2);
    const Status cut = end ? log_->CutEnd(TabletId{tablet}, Lsn{at}) : log_->CutStart(TabletId{tablet}, Lsn{at});
    if (!cut.ok()) return std::nullopt;
    return [=](LogContents& contents) {
      auto& entries = contents.entries[tablet];
      std::erase_if(entries, [&](const auto& entry) { return end ? entry.first >= at : entry.first < at; });
      if (entries.empty()) contents.entries.erase(tablet);
    };
  }

  std::optional<Change> PutValue() {
    const std::string key = "key" + std::to_string(Draw(kKeys)), value = Bytes();
    if (!log_->Put(key, value).ok()) return std::nullopt;
    return [=](LogContents& contents) { contents.values[key] = value; };
  }

  std::optional<Change> EraseValue() {
    const std::string key = "key" + std::to_string(Draw(kKeys));
    if (!log_->Erase(key).ok()) return std::nullopt;
    return [=](LogContents& contents) { contents.values.erase(key); };
  }

  void Do(std::optional<Change> change) {
    if (change) pending_.push_back(*std::move(change));
  }

  void Mark() {
    if (!log_->MarkEnd()) return;
    certain_ = written_ = pending_.size();
  }

  void FlushTo(SharedLog::Depth depth) {
    if (!log_->Flush(depth).ok()) return;
    written_ = pending_.size();
    if (depth == SharedLog::Depth::kDisk) certain_ = written_;
  }

  std::mt19937_64 random_;
  SimulatedLogDisk disk_;
  std::unique_ptr<SharedLog> log_;
  LogContents base_;             // what this life began with
  std::vector<Change> pending_;  // since then
  std::optional<LogExtent> noted_;
  bool sync_fails_ = false;  // of this life
  size_t written_ = 0;       // of those, what a crash of the process leaves for certain
  size_t certain_ = 0;       // and one of the machine
  size_t floor_ = 0;         // what the last crash left for certain
};

// Every step of a first life, then lives of random length on what that left.
TEST(SharedLogCrashTest, AfterEveryCrashThereIsAPrefixWithAllThatWasFlushed) {
  const char* const runs = std::getenv("EBLA_LOG_CRASH_RUNS");
  const uint64_t seeds = runs != nullptr ? std::strtoull(runs, nullptr, 10) : 60;
  int64_t crashes = 0;
  for (uint64_t seed = 1; seed <= seeds && !::testing::Test::HasFailure(); ++seed) {
    for (int64_t step = 1;; ++step) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", step " + std::to_string(step));
      CrashRun run(seed);
      const CrashKind kind = seed % 4 == 0 ? CrashKind::kProcess : CrashKind::kMachine;
      run.disk().CrashAt(step, kind);
      run.Live(60, kind);
      const bool all = run.disk().steps() < step;
      for (uint64_t life = 0; life < 3; ++life) {
        const CrashKind next =
            (seed + static_cast<uint64_t>(step) + life) % 3 == 0 ? CrashKind::kProcess : CrashKind::kMachine;
        run.disk().CrashAt(run.disk().steps() + 1 + static_cast<int64_t>((seed + static_cast<uint64_t>(step)) * 7 % 40),
                           next);
        run.Live(40, next);
        ++crashes;
      }
      run.Open();
      ++crashes;
      if (all || ::testing::Test::HasFailure()) break;
    }
  }
  std::cout << crashes << " crashes\n";
  EXPECT_GT(crashes, static_cast<int64_t>(seeds) * 50);
}

}  // namespace
}  // namespace ebla::tabletserver
