// tablet merge and table merge-small, against a pretended cluster. A tablet there has as many KiB as ten times its id says.
#include <gmock/gmock.h>

#include "tools/ebla/shell_fixture.h"

namespace ebla::shell {
namespace {

using ::testing::HasSubstr;
using MergeVerbsTest = ShellTest;

TEST_F(MergeVerbsTest, TwoTabletsBecomeOne) {
  MakeTable();
  EXPECT_THAT(Run("tablet merge carts --at m"), ::testing::MatchesRegex("OK  tablet [0-9]+ \\[\"\", \"\"\\)"));
  EXPECT_EQ(servers_.cluster().Tablets("carts").size(), 1u);
  EXPECT_THAT(Run("tablet merge carts --at m"), ::testing::AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("but the first begins there"), HasSubstr("[2]")));
  EXPECT_THAT(Run("tablet merge nowhere --at m"), HasSubstr("NO_SUCH_TABLE"));
  EXPECT_THAT(Run("tablet merge carts"), ::testing::AllOf(HasSubstr("--at"), HasSubstr("[2]")));
}

TEST_F(MergeVerbsTest, AsJson) {
  MakeTable();
  EXPECT_THAT(Run("--json tablet merge carts --at m"), ::testing::AllOf(HasSubstr(R"("ok":true)"), HasSubstr(R"("range":{"start":"","end":""})")));
}

TEST_F(MergeVerbsTest, KeysMayBeBytes) {
  servers_.cluster().AddTable("carts", {std::string("\x00\xff", 2)});
  EXPECT_THAT(Run(R"(tablet merge carts --at '\x00\xff')"), HasSubstr("OK"));
}

TEST_F(MergeVerbsTest, WhatIsUnderWayIsSaid) {
  MakeTable();
  servers_.cluster().SetMergesUnderWay(1);
  EXPECT_THAT(Run("tablet merge carts --at m"), ::testing::AllOf(HasSubstr("UNKNOWN_OUTCOME"), HasSubstr("goes on"), HasSubstr("[4]")));
}

class MergeSmallTest : public ShellTest {
 protected:
  void SetUp() override {
    servers_.cluster().AddTable("carts", {"d", "h", "m", "t"});
    for (const auto& tablet : servers_.cluster().Tablets("carts")) bytes_.push_back(tablet.id * 10 * 1024);
  }
  // The sizes of the first so many together, and a little more.
  std::string Above(size_t tablets) {
    int64_t sum = 1;
    for (size_t i = 0; i < tablets; ++i) sum += bytes_[i];
    return std::to_string(sum);
  }
  std::vector<std::string> Starts() {
    std::vector<std::string> starts;
    for (const auto& tablet : servers_.cluster().Tablets("carts")) starts.push_back(tablet.range.start);
    return starts;
  }
  std::vector<int64_t> bytes_;
};

TEST_F(MergeSmallTest, AsManyAsFit) {
  EXPECT_THAT(Run("table merge-small carts --below " + Above(2)), ::testing::AllOf(HasSubstr("1 of 1 merge"), HasSubstr("5 tablets are 4 now")));
  EXPECT_EQ(Starts(), (std::vector<std::string>{"", "h", "m", "t"}));
}

TEST_F(MergeSmallTest, OnePairAfterAnotherUntilAllAreOne) {
  servers_.cluster().SetMergesUnderWay(2);
  const std::string said = Run("table merge-small carts --below 1GiB");
  EXPECT_THAT(said, ::testing::AllOf(HasSubstr("the merge is under way"), HasSubstr("4 of 4 merges: \"t\""), HasSubstr("5 tablets are 1 now")));
  EXPECT_EQ(Starts(), (std::vector<std::string>{""}));
  EXPECT_THAT(Run("table merge-small carts"), HasSubstr("no neighbours are below 4 GiB together"));
}

TEST_F(MergeSmallTest, ADryRunChangesNothing) {
  const std::string said = Run("table merge-small carts --dry-run --below " + Above(3));
  EXPECT_THAT(said, ::testing::AllOf(HasSubstr("[\"\", \"m\"): 3 tablets"), HasSubstr("5 tablets would be 3; nothing has been changed")));
  EXPECT_EQ(Starts().size(), 5u);
  EXPECT_THAT(Run("--json table merge-small carts --dry-run --below 1GiB"),
              ::testing::AllOf(HasSubstr(R"("tablets":5)"), HasSubstr(R"("merges":4)"), HasSubstr(R"("dry_run":true)")));
}

TEST_F(MergeSmallTest, WhatIsNotUnderstoodIsRefused) {
  EXPECT_THAT(Run("table merge-small carts --below much"), ::testing::AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("[2]")));
  EXPECT_THAT(Run("table merge-small nowhere"), HasSubstr("NO_SUCH_TABLE"));
}

}  // namespace
}  // namespace ebla::shell
