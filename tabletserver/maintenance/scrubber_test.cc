// When passes of the search for damage begin, and what ends them, in virtual time.
#include "tabletserver/maintenance/scrubber.h"

#include <gtest/gtest.h>

#include "common/testing/sim_executor.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/storage/testing/simulated_store.h"

namespace ebla::tabletserver {
namespace {

using namespace std::chrono_literals;

class ScrubberTest : public ::testing::Test {
 protected:
  void Make(Duration period) {
    Scrubber::Options options{.period = period};
    options.compare = [this](const TabletStore::ScrubPace&) {
      ++compared_;
      during_();
      return compares_;
    };
    options.beside_store = [this](const TabletStore::ScrubPace&) {
      ++beside_;
      return beside_store_;
    };
    scrubber_ = std::make_unique<Scrubber>(&executor_, store_, std::move(options));
    scrubber_->Start();
  }
  void Run(Duration duration) { scheduler_.RunFor(duration); }
  uint64_t passes() const { return scrubber_->state().passes; }

  ebla::testing::SimScheduler scheduler_{42};
  ebla::testing::SimExecutor executor_{scheduler_};
  SimulatedDisk disk_{7};
  SimulatedStore simulated_{disk_, executor_};
  TabletStore& store_ = *simulated_;
  std::unique_ptr<Scrubber> scrubber_;
  int compared_ = 0, beside_ = 0;
  Status beside_store_;
  std::function<void()> during_ = [] {};
  Status compares_;
};

TEST_F(ScrubberTest, PassesComeByThemselvesAndCompareReplicas) {
  Make(1h);
  Run(2min);
  EXPECT_EQ(passes(), 1u) << "soon after the start";
  Run(3h);
  EXPECT_EQ(passes(), 4u);
  EXPECT_EQ(compared_, 4);
}

TEST_F(ScrubberTest, OneIsBegunWhenAskedForAndTheNextComesAPeriodLater) {
  Make(1h);
  Run(2min);
  Run(30min);
  EXPECT_TRUE(scrubber_->Begin().ok());
  EXPECT_EQ(scrubber_->Begin().code(), Code::kConditionFailed) << "it is about to begin";
  Run(1min);
  EXPECT_EQ(passes(), 2u);
  EXPECT_FALSE(scrubber_->state().running);
  Run(50min);
  EXPECT_EQ(passes(), 2u) << "the one that was due does not come";
  Run(20min);
  EXPECT_EQ(passes(), 3u);
}

TEST_F(ScrubberTest, WithoutAPeriodNoneComesButThoseAskedFor) {
  Make({});
  Run(48h);
  EXPECT_EQ(passes(), 0u);
  Status during;
  during_ = [&] { during = scrubber_->Begin(); };
  EXPECT_TRUE(scrubber_->Begin().ok());
  Run(48h);
  EXPECT_EQ(passes(), 1u);
  EXPECT_EQ(during.code(), Code::kConditionFailed) << "one is under way";
  EXPECT_TRUE(scrubber_->Begin().ok());
}

TEST_F(ScrubberTest, APassThatFailedIsNotFinished) {
  compares_ = Status(Code::kInternal, "no");
  Make(1h);
  Run(2min);
  EXPECT_EQ(passes(), 0u);
  compares_ = {};
  Run(1h);
  EXPECT_EQ(passes(), 1u);
}

TEST_F(ScrubberTest, WhatLiesBesideTheStoreIsPartOfAPassAndKeepsNoOtherPartFromRunning) {
  beside_store_ = Status(Code::kInternal, "no");
  Make(1h);
  Run(2min);
  EXPECT_EQ(beside_, 1);
  EXPECT_EQ(compared_, 1);
  EXPECT_EQ(passes(), 0u);
  beside_store_ = {};
  Run(1h);
  EXPECT_EQ(beside_, 2);
  EXPECT_EQ(passes(), 1u);
}

TEST_F(ScrubberTest, NoneBeginsWhereNothingIsScrubbedOrTheServerStops) {
  EXPECT_EQ(Scrubber(nullptr, store_, {}).Begin().code(), Code::kConditionFailed);
  Make(1h);
  scrubber_->Stop();
  EXPECT_EQ(scrubber_->Begin().code(), Code::kConditionFailed);
  Run(3h);
  EXPECT_EQ(passes(), 0u);
}

}  // namespace
}  // namespace ebla::tabletserver
