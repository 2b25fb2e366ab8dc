#include "gateway/store/table_flusher.h"

#include <gtest/gtest.h>

#include <map>

#include "gateway/testing/memory_store.h"

namespace ebla::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Timers that the test fires.
class Timers final : public Executor {
 public:
  MonotonicTime Now() const override { return {}; }
  int64_t TimeOfDayMs() const override { return 0; }
  uint64_t Random() override { return 0; }
  void Post(Task) override {}
  TimerId After(Duration, Task task) override {
    tasks_[++last_] = std::move(task);
    return {last_};
  }
  void Cancel(TimerId timer) override {
    if (cancels_) tasks_.erase(timer.value);
  }
  bool InThread() const override { return true; }

  size_t size() const { return tasks_.size(); }
  void FireAll() {
    for (auto& [id, task] : std::exchange(tasks_, {})) task();
  }
  // Timers that are cancelled fire nevertheless, as if they ran already.
  void CancelNothing() { cancels_ = false; }

 private:
  std::map<uint64_t, Task> tasks_;
  uint64_t last_ = 0;
  bool cancels_ = true;
};

class TableFlusherTest : public ::testing::Test {
 protected:
  TableFlusherTest() {
    store_.SetFault([this](const std::string& operation, const std::string&) {
      scans_ += operation == "scan";
      return operation == "scan" ? fault_ : Status();
    });
  }
  void Flush() {
    flusher_.Flush([this](Status status) { outcomes_.push_back(std::move(status)); });
  }

  MemoryStore store_;
  TableFlusher flusher_{store_, milliseconds(1000)};
  Timers timers_;
  int scans_ = 0;
  Status fault_;
  std::vector<Status> outcomes_;
};

TEST_F(TableFlusherTest, ThoseThatComeMeanwhileAreOneMore) {
  store_.Hold();
  for (int i = 0; i < 50; ++i) Flush();
  EXPECT_EQ(store_.held(), 1u);
  EXPECT_FALSE(flusher_.quiet());
  store_.Release(1);
  EXPECT_EQ(outcomes_.size(), 1u);
  store_.Write("k", "written while the second one runs");
  Flush();
  store_.Release(1);
  store_.Release(1);
  EXPECT_EQ(outcomes_.size(), 50u);
  EXPECT_EQ(scans_, 2);
  store_.Release();
  EXPECT_EQ(outcomes_.size(), 51u);
  EXPECT_EQ(scans_, 3);
  EXPECT_FALSE(store_.Read("k").has_value());
  EXPECT_TRUE(flusher_.quiet());
}

TEST_F(TableFlusherTest, AllThatAskedAreToldOfItsFault) {
  store_.Hold();
  for (int i = 0; i < 3; ++i) Flush();
  fault_ = {Code::kUnavailable, "away"};
  store_.Release();
  ASSERT_EQ(outcomes_.size(), 3u);
  for (const Status& outcome : outcomes_) EXPECT_EQ(outcome.code(), Code::kUnavailable);
  fault_ = {};
  Flush();
  EXPECT_TRUE(outcomes_.back().ok());
}

TEST_F(TableFlusherTest, OneAtMostWaitsForItsTime) {
  for (int i = 0; i < 100; ++i) flusher_.FlushAfter(seconds(10), timers_);
  EXPECT_EQ(timers_.size(), 1u);
  EXPECT_TRUE(flusher_.quiet());
  timers_.FireAll();
  EXPECT_EQ(scans_, 1);
  flusher_.FlushAfter(seconds(10), timers_);
  Flush();
  EXPECT_EQ(timers_.size(), 0u) << "one that is asked for now makes it be forgotten";
  EXPECT_EQ(scans_, 2);
}

TEST_F(TableFlusherTest, NoneBeginsAfterTheEnd) {
  flusher_.FlushAfter(seconds(10), timers_);
  timers_.CancelNothing();
  flusher_.Stop();
  flusher_.FlushAfter(seconds(10), timers_);
  EXPECT_EQ(timers_.size(), 1u);
  timers_.FireAll();
  EXPECT_EQ(scans_, 0);
}

}  // namespace
}  // namespace ebla::gateway
