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

TEST(SessionToken, SaysWhatAFailoverUndid) {
  EXPECT_EQ(Judge(At(1, 10)), Kind::kLost) << "epoch 3 began there";
  EXPECT_EQ(Judge(At(2, 5)), Kind::kLost) << "epoch 2 is not in the history";
  EXPECT_EQ(Judge(At(3, 26)), Kind::kLost) << "a later epoch has been applied";
  EXPECT_EQ(Judge(At(4, 25), {At(3, 20)}), Kind::kLost);
}

TEST(SessionToken, OtherRangesDoNotMatter) { EXPECT_EQ(Judge(At(9, 9), {}, {"x", "y"}), Kind::kServe); }

}  // namespace
}  // namespace ebla::tabletserver
