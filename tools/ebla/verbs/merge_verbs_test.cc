// tablet merge and table merge-small, against a pretended cluster.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "tools/ebla/cli/shell_fixture.h"

namespace ebla::shell {
namespace {

using ::testing::HasSubstr;
using MergeVerbsTest = ShellTest;

TEST_F(MergeVerbsTest, TwoTabletsBecomeOne) {
  MakeTable();
  EXPECT_THAT(Run("tablet merge carts --at m"), ::testing::MatchesRegex("OK  tablet [0-9]+ of carts \\[\"\",\"\"\\)"));
  EXPECT_EQ(servers_.cluster().tables()->Tablets("carts").size(), 1u);
  EXPECT_THAT(
      Run("tablet merge carts --at m"),
      ::testing::AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("but the first begins there"), HasSubstr("[2]")));
  EXPECT_THAT(Run("tablet merge nowhere --at m"), HasSubstr("NO_SUCH_TABLE"));
  EXPECT_THAT(Run("tablet merge carts"), ::testing::AllOf(HasSubstr("--at"), HasSubstr("[2]")));
}

TEST_F(MergeVerbsTest, AsJson) {
  MakeTable();
  EXPECT_THAT(Run("--json tablet merge carts --at m"),
              ::testing::AllOf(HasSubstr(R"("ok":true)"),
                               HasSubstr(R"("range":{"start":"","start_base64":"","end":"","end_base64":""})")));
}

TEST_F(MergeVerbsTest, KeysMayBeBytes) {
  servers_.cluster().tables()->Add("carts", {std::string("\x00\xff", 2)});
  EXPECT_THAT(Run(R"(tablet merge carts --at '\x00\xff')"), HasSubstr("OK"));
}

TEST_F(MergeVerbsTest, WhatIsUnderWayIsSaid) {
  MakeTable();
  servers_.cluster().masters()->merges_under_way = 1;
  EXPECT_THAT(Run("tablet merge carts --at m"),
              ::testing::AllOf(HasSubstr("UNKNOWN_OUTCOME"), HasSubstr("goes on"), HasSubstr("[4]")));
}

class MergeSmallTest : public ShellTest {
 protected:
  void SetUp() override {
    servers_.cluster().tables()->Add("carts", {"d", "h", "m", "t"});
    servers_.cluster().masters()->tablet_bytes = 100 << 20;
  }
  std::vector<std::string> Starts() {
    std::vector<std::string> starts;
    for (const auto& tablet : servers_.cluster().tables()->Tablets("carts")) starts.push_back(tablet.range.start);
    return starts;
  }
};

TEST_F(MergeSmallTest, AsManyAsFit) {
  EXPECT_THAT(Run("table merge-small carts --below 300MiB"),
              ::testing::AllOf(HasSubstr("2 of 2 merges"), HasSubstr("5 tablets are 3 now")));
  EXPECT_EQ(Starts(), (std::vector<std::string>{"", "h", "t"}));
  EXPECT_THAT(Run("table merge-small carts --below 150MiB"), HasSubstr("no neighbours are below 150.0 MiB together"));
}

TEST_F(MergeSmallTest, OnePairAfterAnotherUntilAllAreOne) {
  servers_.cluster().masters()->merges_under_way = 2;
  const std::string said = Run("table merge-small carts --below 1GiB");
  EXPECT_THAT(said, ::testing::AllOf(HasSubstr("the merge is under way"), HasSubstr("4 of 4 merges: \"t\""),
                                     HasSubstr("5 tablets are 1 now")));
  EXPECT_EQ(Starts(), (std::vector<std::string>{""}));
  EXPECT_THAT(Run("table merge-small carts"), HasSubstr("no neighbours are below 4.0 GiB together"));
}

TEST_F(MergeSmallTest, CtrlCEndsTheWait) {
  servers_.cluster().masters()->merges_under_way = 1'000'000;
  std::atomic<bool> done = false;
  std::thread key([&] {
    while (!done) shell_.Interrupt();
  });
  EXPECT_THAT(Run("table merge-small carts --below 1GiB"), ::testing::EndsWith("]")) << "it would go on for days";
  done = true;
  key.join();
  EXPECT_EQ(Starts().size(), 5u);
}

TEST_F(MergeSmallTest, ADryRunChangesNothing) {
  const std::string said = Run("table merge-small carts --dry-run --below 350MiB");
  EXPECT_THAT(said,
              ::testing::AllOf(HasSubstr("[\"\",\"m\"): 3 tablets, 300.0 MiB"), HasSubstr("[\"m\",\"\"): 2 tablets"),
                               HasSubstr("5 tablets would be 2; nothing has been changed")));
  EXPECT_EQ(Starts().size(), 5u);
  EXPECT_THAT(Run("--json table merge-small carts --dry-run --below 1GiB"),
              ::testing::AllOf(HasSubstr(R"("tablets":5)"), HasSubstr(R"("merges":4)"), HasSubstr(R"("dry_run":true)"),
                               HasSubstr(R"("merged":[{"range":)")));
}

TEST_F(MergeSmallTest, WhatIsNotUnderstoodIsRefused) {
  EXPECT_THAT(Run("table merge-small carts --below much"),
              ::testing::AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("[2]")));
  EXPECT_THAT(Run("table merge-small nowhere"), HasSubstr("NO_SUCH_TABLE"));
}

}  // namespace
}  // namespace ebla::shell
