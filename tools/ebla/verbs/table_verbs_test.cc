// Tables, their tablets and the servers these are on, from creation to drop; the first tablets, by pattern and sample.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/ebla/cli/shell_fixture.h"

namespace ebla::shell {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

TEST_F(ShellTest, TablesFromCreateToDrop) {
  EXPECT_EQ(Run("table create carts --replicas 1 --split-points f,m,t --default-ttl 30m"),
            "OK  4 tablets of 1 replica");
  EXPECT_THAT(Run("table create carts"), HasSubstr("TABLE_EXISTS"));
  EXPECT_THAT(Run("table create carts"), HasSubstr("[1]"));
  EXPECT_EQ(Run("table list"),
            "TABLE  TABLETS  REPLICAS  RECORDS  SIZE  READS/S  WRITES/S\ncarts      4/4         1        -     -       "
            " 0         0");
  EXPECT_THAT(Run("table describe carts"), HasSubstr("default ttl      30m"));
  EXPECT_EQ(Run("table alter carts --default-ttl 7d"), "OK  schema version 1");
  Run("table create sized --split-size 8GiB");
  EXPECT_THAT(Run("table describe sized"), HasSubstr("split size       8.0 GiB"));
  EXPECT_EQ(Run("table drop sized --yes"), "OK");
  EXPECT_EQ(Run("table create deep --replicas 7"),
            "OK  1 tablet of 3 replicas, to be 7 once that many tablet servers are live");
  EXPECT_THAT(Run("table list"), HasSubstr("3/7"));
  EXPECT_EQ(Run("table drop deep --yes"), "OK");
  EXPECT_THAT(Run("tablet list carts"), HasSubstr("[\"f\",\"m\")"));
  EXPECT_THAT(Run("--json tablet list carts"),
              HasSubstr(R"("range":{"start":"f","start_base64":"Zg==","end":"m","end_base64":"bQ=="})"));
  EXPECT_THAT(Run("locate carts user42"), HasSubstr("[\"t\",\"\")  epoch 1  ts-1 at 127.0.0.1:"));
  EXPECT_THAT(Run("server list"), HasSubstr("ts-3    live   (none)  127.0.0.1:"));
  EXPECT_THAT(Run("cluster info"), HasSubstr(", leader"));
  EXPECT_EQ(Run("cluster adopt"), "OK  the catalog already lists everything that the servers hold");
  EXPECT_EQ(Run("server remove ts-2"), "CONDITION_FAILED: server ts-2 lives [1]");
  EXPECT_EQ(Run("tablet recover 17"),
            "REPLICA  ROLE   LOG_ENDS  APPLIED  STATE\n"
            "ts-1     voter  (none)    (none)   lost, nothing is known of it\n"
            "ts-2     voter  3.44      38       lost\n"
            "ts-3     voter  3.40      38       live\n"
            "it would be given to ts-3 alone; four entries\n"
            "nothing has been changed: add --yes to do it");
  EXPECT_THAT(Run("tablet recover 17 --server ts-1"),
              HasSubstr("it cannot be recovered this way: server ts-1 is not live [1]"));
  EXPECT_THAT(Run("tablet recover 17 --server ts-1 --accept-data-loss"), HasSubstr("CONDITION_FAILED"));
  EXPECT_THAT(Run("tablet recover 17 --server ts-3 --yes"), HasSubstr("OK  the primary is ts-3; four entries"));
  EXPECT_EQ(Run("tablet list --lost"), "no tablet has lost its majority");
  EXPECT_EQ(Run("tablet transfer carts --key g --to ts-1"), "OK  the primary is ts-1");
  EXPECT_EQ(Run("table drop carts"),
            "INVALID_ARGUMENT: this drops table carts with all its records for good; add --yes to do it [2]");
  EXPECT_EQ(Run("table drop carts --yes"), "OK");
  EXPECT_EQ(Run("table drop carts --yes"), "NO_SUCH_TABLE: no table \"carts\" [1]");
}

TEST_F(ShellTest, ReplicasAndTheirRacks) {
  auto& cluster = servers_.cluster();
  cluster.masters()->racks["ts-1"] = "r1";
  cluster.masters()->racks["ts-2"] = "r2";
  cluster.tables()->Add("carts", {"m"}, 2);
  cluster.tables()->At("carts", "a").learners.push_back("ts-3");
  const std::string listed = Run("tablet list carts");
  EXPECT_THAT(listed, HasSubstr("ts-1     ts-1/r1,ts-2/r2  ts-3      serving"));
  EXPECT_THAT(listed, HasSubstr("ts-2     ts-2/r2,ts-3     (none)    serving"));
  EXPECT_THAT(Run("--json tablet list carts --server ts-3"), HasSubstr(R"("learners":["ts-3"])"));
  const std::string located = Run("locate carts a");
  EXPECT_THAT(located, HasSubstr("ts-1     primary  r1      127.0.0.1:"));
  EXPECT_THAT(located, HasSubstr("ts-2     voter    r2      127.0.0.1:"));
  EXPECT_THAT(located, HasSubstr("ts-3     learner  (none)  127.0.0.1:"));
  const std::string id = std::to_string(cluster.tables()->At("carts", "a").id);
  EXPECT_EQ(Run("locate " + id), located);
  EXPECT_THAT(Run("locate 99999"), EndsWith("[1]"));
  EXPECT_THAT(Run("locate carts"), AllOf(HasSubstr("which tablet of table \"carts\"?"), EndsWith("[2]")));
  EXPECT_THAT(Run("--json locate carts a"), HasSubstr(R"({"server":"ts-2","role":"voter","rack":"r2")"));
  EXPECT_THAT(Run("server list"), HasSubstr("ts-2    live   r2      127.0.0.1:"));
}

TEST_F(ShellTest, TabletsThatWaitForALostLogAreRecoveredTogether) {
  auto& cluster = servers_.cluster();
  cluster.tables()->Add("carts", {"m"}, 1);
  EXPECT_EQ(Run("tablet recover --lost"), "no tablet waits for a replica that lost part of its log");
  cluster.faults()->lost_logs = {"ts-1"};
  const std::string id = std::to_string(cluster.tables()->At("carts", "a").id);
  EXPECT_EQ(Run("tablet recover --lost"), "tablet " + id + " would be given to ts-3 alone; four entries\n" +
                                              "nothing has been changed: add --yes to do it");
  EXPECT_THAT(Run("--json tablet recover --lost"), HasSubstr(R"("tablet":)" + id));
  cluster.faults()->away = {"ts-2"};
  EXPECT_EQ(Run("tablet recover --lost --yes"),
            "tablet " + id +
                " is passed over: it waits for ts-2, which may have all of it. If that server is gone for " +
                "good: ebla tablet recover " + id);
  cluster.faults()->away.clear();
  EXPECT_THAT(Run("tablet recover --lost --yes"), HasSubstr("OK  1 tablet recovered"));
  EXPECT_THAT(Run("tablet stats carts a"), HasSubstr("lost part of its log"));
  cluster.faults()->lost_logs = {"ts-1", "ts-2", "ts-3"};
  EXPECT_THAT(Run("tablet recover --lost --yes"), HasSubstr("OK  2 tablets recovered"));
}

TEST_F(ShellTest, ATableThatIsOneGroupSaysThatItNeverSplits) {
  EXPECT_EQ(Run("table create space --key-group all"), "OK  1 tablet of 1 replica");
  EXPECT_THAT(Run("table list"), HasSubstr("1/1 (one group)"));
  EXPECT_THAT(Run("table describe space"), HasSubstr("all of the table, so it is one tablet and never splits"));
  EXPECT_THAT(Run("--json table list"), HasSubstr(R"("key_group_all":true)"));
  for (const char* split : {"tablet split space a", "table presplit space --into 4"})
    EXPECT_THAT(Run(split), AllOf(HasSubstr("is one key group"), EndsWith("[1]"))) << split;
}

TEST_F(ShellTest, SplitsByPatternAndSample) {
  EXPECT_EQ(Run("table create p --splits 4 --pattern 'user%08d' --count 1000"), "OK  4 tablets of 1 replica");
  EXPECT_EQ(servers_.cluster().tables()->Tablets("p")[1].range.start, "user0000025");
  EXPECT_EQ(Run("table create s --splits 2 --sample " + File("keys", "a\nb\nc\nd\n")), "OK  2 tablets of 1 replica");
  EXPECT_EQ(servers_.cluster().tables()->Tablets("s")[1].range.start, "c");
  for (const char* wrong :
       {"--splits 4", "--pattern u%d", "--splits 4 --pattern u --count 5", "--splits 4 --sample /none",
        "--splits 2 --split-points f", "--split-points a\\q", "--replicas 0", "--compression lz4",
        "--durability sometimes", "--durability interval=4294968296ms", "--durability interval=1000h",
        "--durability interval=9ms", "--key-group ab", "--default-ttl soon", "--split-size big"}) {
    EXPECT_THAT(Run(std::string("table create w ") + wrong), ::testing::EndsWith("[2]")) << wrong;
  }
}

}  // namespace
}  // namespace ebla::shell
