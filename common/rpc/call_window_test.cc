#include "common/rpc/call_window.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace ebla::rpc {
namespace {

constexpr size_t kAda = 1, kBob = 2, kEve = 3;

class CallWindowTest : public ::testing::Test {
 protected:
  CallWindowTest() {
    window_.Join(kAda);
    window_.Join(kBob);
  }

  // Until the process has used so much of its processors for so many rounds, in each of which Bob asks for something.
  void Rounds(int rounds, double used) {
    for (int round = 0; round < rounds; ++round) {
      now_ += CallWindow::kRound;
      used_ += Duration(static_cast<int64_t>(static_cast<double>(CallWindow::kRound.count()) * used * kProcessors));
      window_.End(&bob_, window_.Begin(kBob, bob_, now_));
    }
  }
  // How many Ada may begin, and leaves under way.
  size_t Begun(size_t most = 2000) {
    size_t begun = 0;
    for (; begun < most && window_.HasRoom(kAda, ada_, now_); ++begun) last_ = window_.Begin(kAda, ada_, now_);
    return begun;
  }

  static constexpr size_t kProcessors = 2;
  Duration used_{};
  CallWindow window_{CallWindow::kLeast, [this] { return used_; }, kProcessors};
  CallWindow::Time now_ = CallWindow::Time(CallWindow::kRound * 1000);
  CallWindow::Caller ada_, bob_;
  CallWindow::Begun last_;
};

TEST_F(CallWindowTest, BesideAUserWhoAsksForLittleItIsShutWhileProcessorsAreShort) {
  Rounds(100, 0.5);
  EXPECT_EQ(Begun(500), 500u) << "there are processors for both";
  Rounds(20, 0.75);
  EXPECT_EQ(Begun(), CallWindow::kLeast);
  window_.End(&ada_, last_);
  EXPECT_EQ(Begun(), 1u) << "when one has ended";
  EXPECT_TRUE(window_.HasRoom(kBob, bob_, now_)) << "nobody holds back the other";
}

TEST_F(CallWindowTest, ManyProcessorsMayBeBusierThanFew) {
  for (const auto& [processors, shut] : {std::pair{size_t{1}, true}, {size_t{2}, false}}) {
    Duration used{};
    CallWindow window(CallWindow::kLeast, [&] { return used; }, processors);
    window.Join(kAda);
    window.Join(kBob);
    CallWindow::Caller bob;
    for (int round = 0; round < 20; ++round) {
      used += CallWindow::kRound * processors * 65 / 100;
      now_ += CallWindow::kRound;
      window.End(&bob, window.Begin(kBob, bob, now_));
    }
    EXPECT_EQ(window.Limits(kAda, now_), shut) << processors;
  }
}

TEST_F(CallWindowTest, ItOpensAgainStepByStep) {
  Rounds(20, 0.9);
  ASSERT_EQ(Begun(), CallWindow::kLeast);
  size_t before = CallWindow::kLeast;
  for (int i = 0; i < 10; ++i) {
    Rounds(1, 0.5);
    const size_t begun = Begun();
    EXPECT_GT(begun, before);
    EXPECT_LE(begun, before + before / 8 + 1);
    before = begun;
  }
  Rounds(1, 0.9);
  EXPECT_EQ(Begun(), before / 2);
}

TEST_F(CallWindowTest, NobodyIsHeldBackForWhoAsksForMuch) {
  Rounds(20, 0.9);
  ASSERT_EQ(Begun(), CallWindow::kLeast);
  for (int round = 0; round < 3; ++round) {
    now_ += CallWindow::kRound;
    used_ += CallWindow::kRound * kProcessors;
    for (size_t i = 0; i < CallWindow::kLeast; ++i) window_.Begin(kBob, bob_, now_);
  }
  EXPECT_EQ(Begun(500), 500u);
}

TEST_F(CallWindowTest, NobodyIsHeldBackForWhoHasGone) {
  Rounds(20, 0.9);
  ASSERT_EQ(Begun(), CallWindow::kLeast);
  window_.Leave(kBob);
  EXPECT_EQ(Begun(500), 500u) << "alone";
  window_.Join(kBob);
  now_ += 3 * CallWindow::kRound;
  EXPECT_EQ(Begun(500), 500u) << "he has asked for nothing";
}

TEST_F(CallWindowTest, WhoeverAsksForLittleIsProtectedFromEachOther) {
  window_.Join(kEve);
  CallWindow::Caller eve;
  Rounds(20, 0.9);
  window_.Begin(kEve, eve, now_);
  Rounds(1, 0.9);
  ASSERT_EQ(Begun(), CallWindow::kLeast);
  // On another loop Ada has had few calls under way, and was the last light user.
  CallWindow::Caller elsewhere;
  window_.Begin(kAda, elsewhere, now_);
  EXPECT_EQ(Begun(), 0u);
}

TEST_F(CallWindowTest, ACallThatWaitsLongHoldsBackNothing) {
  Rounds(20, 0.9);
  ASSERT_EQ(Begun(), CallWindow::kLeast);
  const CallWindow::Begun before = last_;
  Rounds(1, 0.9);
  EXPECT_EQ(Begun(), CallWindow::kLeast) << "those of the last round do not count";
  window_.End(&ada_, before);
  EXPECT_EQ(Begun(), 0u) << "nor does their end";
}

TEST_F(CallWindowTest, OthersGiveWayToACallOfWhoAsksForLittle) {
  Rounds(20, 0.9);
  window_.NoteWaiting(ada_, 100);
  Begun();
  EXPECT_FALSE(window_.Yields(kAda, ada_, now_)) << "Bob has no call under way";
  const CallWindow::Begun call = window_.Begin(kBob, bob_, now_);
  EXPECT_TRUE(window_.Yields(kAda, ada_, now_));
  EXPECT_FALSE(window_.Yields(kBob, bob_, now_)) << "not to himself";
  EXPECT_FALSE(window_.Yields(kAda, ada_, now_ + CallWindow::kYieldMax)) << "it may wait for something else";
  window_.End(nullptr, call);
  EXPECT_FALSE(window_.Yields(kAda, ada_, now_)) << "it has ended, if on a connection that has gone";
}

TEST_F(CallWindowTest, NobodyGivesWayWhereProcessorsAreLeft) {
  Rounds(20, 0.9);
  Rounds(100, 0.5);
  window_.Begin(kBob, bob_, now_);
  EXPECT_FALSE(window_.Yields(kAda, ada_, now_));
}

TEST_F(CallWindowTest, WhoeverTurnsOutToAskForMuchIsNotGivenWay) {
  window_.Join(kEve);
  CallWindow::Caller eve;
  Rounds(20, 0.9);
  window_.NoteWaiting(ada_, 100);
  for (size_t i = 1; i < CallWindow::kLeast; ++i) window_.End(&eve, window_.Begin(kEve, eve, now_));
  std::vector<CallWindow::Begun> calls;
  while (calls.size() < 2 * CallWindow::kLeast) calls.push_back(window_.Begin(kEve, eve, now_));
  EXPECT_TRUE(window_.Yields(kAda, ada_, now_));
  for (size_t i = 0; i < CallWindow::kLeast; ++i) window_.End(&eve, calls[i]);
  EXPECT_FALSE(window_.Yields(kAda, ada_, now_)) << "but for those that seemed to be her only ones";
}

TEST_F(CallWindowTest, NobodyGivesWayToWhoeverHasCallsThatWait) {
  Rounds(20, 0.9);
  window_.NoteWaiting(bob_, CallWindow::kLeast);
  Rounds(1, 0.9);
  window_.Begin(kBob, bob_, now_);
  EXPECT_FALSE(window_.Yields(kAda, ada_, now_));
}

}  // namespace
}  // namespace ebla::rpc
