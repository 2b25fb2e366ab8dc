#include "tabletserver/tablet/session_token.h"

#include <gtest/gtest.h>

namespace ebla::tabletserver {
namespace {

using Kind = TokenVerdict::Kind;

Version At(uint64_t epoch, uint64_t lsn) { return {Epoch{epoch}, Lsn{lsn}}; }

// Epoch 1 began at 1, epoch 3 at 10, epoch 4 at 20; applied up to 4.25.
TabletView View() {
  TabletView view;
  view.applied = At(4, 25);
  view.epoch_starts = {{Epoch{1}, Lsn{1}}, {Epoch{3}, Lsn{10}}, {Epoch{4}, Lsn{20}}};
  return view;
}

Kind Judge(Version applied, std::vector<Version> pending = {}, const KeyRange& range = {"b", "c"}) {
  const std::vector<TokenRange> token = {{{"a", "m"}, applied, std::move(pending)}};
  return JudgeToken(token, range, View()).kind;
}

TEST(SessionToken, ServesWhatIsInHistory) {
  EXPECT_EQ(Judge({}), Kind::kServe);
  EXPECT_EQ(Judge(At(1, 9)), Kind::kServe);
  EXPECT_EQ(Judge(At(3, 19)), Kind::kServe);
  EXPECT_EQ(Judge(At(4, 25)), Kind::kServe);
}

TEST(SessionToken, WaitsForWhatIsNotApplied) {
  EXPECT_EQ(Judge(At(4, 26)), Kind::kWait);
  EXPECT_EQ(Judge(At(5, 30)), Kind::kWait);
  EXPECT_EQ(Judge(At(4, 20), {At(4, 31), At(4, 28)}), Kind::kWait);
  const std::vector<TokenRange> token = {{{"a", "m"}, At(4, 20), {At(4, 31), At(4, 28)}}};
  EXPECT_EQ(JudgeToken(token, {"b", "c"}, View()).version, At(4, 31)) << "for the last of them";
}

TEST(SessionToken, SaysWhatAFailoverRolledBack) {
  EXPECT_EQ(Judge(At(1, 10)), Kind::kLost) << "epoch 3 began there";
  EXPECT_EQ(Judge(At(2, 5)), Kind::kLost) << "epoch 2 is not in the history";
  EXPECT_EQ(Judge(At(3, 26)), Kind::kLost) << "a later epoch has been applied";
  EXPECT_EQ(Judge(At(4, 25), {At(3, 20)}), Kind::kLost);
}

// Merged in epoch 6 at 40 of [a, m), whose epoch 5 began at 30, and [m, z), where it began at 10.
TEST(SessionToken, WhatIsOlderThanAMergeIsJudgedByItsFormerRange) {
  TabletView view;
  view.applied = At(6, 40);
  view.epoch_starts = {{Epoch{6}, Lsn{40}}};
  view.former =
      std::make_shared<const FormerRanges>(FormerRanges{{{"a", "m"}, {{Epoch{4}, Lsn{1}}, {Epoch{5}, Lsn{30}}}},
                                                        {{"m", "z"}, {{Epoch{4}, Lsn{1}}, {Epoch{5}, Lsn{10}}}}});
  const auto judge = [&](Version version, const KeyRange& seen, const KeyRange& read) {
    const std::vector<TokenRange> token = {{seen, version, {}}};
    return JudgeToken(token, read, view).kind;
  };
  const KeyRange left{"a", "m"}, right{"m", "z"}, all{"a", "z"};
  EXPECT_EQ(judge(At(4, 20), left, {"b", "c"}), Kind::kServe);
  EXPECT_EQ(judge(At(4, 20), right, {"n", "o"}), Kind::kLost) << "epoch 5 began before it there";
  EXPECT_EQ(judge(At(5, 20), right, {"n", "o"}), Kind::kServe);
  EXPECT_EQ(judge(At(5, 20), left, {"b", "c"}), Kind::kLost);
  EXPECT_EQ(judge(At(4, 20), left, all), Kind::kServe) << "said of the left part alone";
  EXPECT_EQ(judge(At(4, 20), all, all), Kind::kLost) << "said of both";
  EXPECT_EQ(judge(At(4, 5), all, all), Kind::kServe);
  EXPECT_EQ(judge(At(6, 40), all, all), Kind::kServe) << "where it was merged";
  EXPECT_EQ(judge(At(6, 41), all, all), Kind::kWait);
  view.applied = At(7, 50);
  view.epoch_starts.push_back({Epoch{7}, Lsn{45}});
  EXPECT_EQ(judge(At(6, 46), all, {"b", "c"}), Kind::kLost) << "since the merge, as ever";
  EXPECT_EQ(judge(At(6, 44), all, {"b", "c"}), Kind::kServe);
}

// Once judged the session takes its writes for pending nowhere in the tablet: those of the rest of it are judged along.
TEST(SessionToken, PendingWritesAreJudgedOfTheWholeTablet) {
  TabletView view;
  view.applied = At(6, 40);
  view.epoch_starts = {{Epoch{6}, Lsn{40}}};
  view.former = std::make_shared<const FormerRanges>(
      FormerRanges{{{"a", "m"}, {{Epoch{5}, Lsn{1}}}}, {{"m", "z"}, {{Epoch{4}, Lsn{1}}, {Epoch{5}, Lsn{30}}}}});
  view.range = {"a", "z"};
  const std::vector<TokenRange> token = {{{"a", "z"}, At(5, 11), {At(5, 12)}}};
  const TokenVerdict verdict = JudgeToken(token, {"b", "c"}, view);
  EXPECT_EQ(verdict.kind, Kind::kLost) << "in what was m to z";
  EXPECT_EQ(verdict.lost, std::vector<Version>{At(5, 12)});
}

TEST(SessionToken, OtherRangesDoNotMatter) { EXPECT_EQ(Judge(At(9, 9), {}, {"x", "y"}), Kind::kServe); }

}  // namespace
}  // namespace ebla::tabletserver
