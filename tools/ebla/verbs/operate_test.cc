// The verbs by which an operator sees and steers what is under way: procedure, table presplit, table compact, tablet
// stats.
#include <gmock/gmock.h>

#include <map>

#include "tools/ebla/cli/shell_fixture.h"

namespace ebla::shell {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class OperateTest : public ShellTest {
 protected:
  static idl::ProcedureSummary Move() {
    idl::ProcedureSummary move;
    move.id = "move-7";
    move.kind = "move";
    move.tabletId = 7;
    move.range.startKey = "a";
    move.range.endKey = "m";
    move.__isset.range = true;
    move.table = "carts";
    move.server = "ts-3";
    move.fromServer = "ts-1";
    move.askedBy = idl::AskedBy::PLANNER;
    move.reason = "ts-1 has 900 operations/s, the mean is 500 operations/s";
    move.ageMs = 61'500;
    move.step = "2 of 4: copies to ts-3";
    move.waitsFor =
        "ts-1, the tablet's primary, has received nothing from ts-3 for 30 s: can these two servers reach each other?";
    move.cancellable = true;
    move.cancelNote = "what was copied to ts-3 is discarded, and the replica on ts-1 stays";
    move.doneUnits = 1 << 20;
    move.allUnits = 4 << 20;
    move.unit = "bytes";
    return move;
  }
  static idl::ProcedureSummary Split() {
    idl::ProcedureSummary split;
    split.id = "split-8";
    split.kind = "split";
    split.tabletId = 8;
    split.askedBy = idl::AskedBy::OPERATOR;
    split.ageMs = 2'000;
    split.ageOfTerm = true;
    split.step = "at \"m\": ordered of ts-2 in epoch 3";
    split.cancelNote = "its primary may have split it already";
    return split;
  }
  void Fill(const std::string& table, int records) {
    for (int i = 0; i < records; ++i) servers_.cluster().tables()->Put(table, "k" + std::to_string(100 + i), "value");
  }
};

TEST_F(OperateTest, ProceduresAreListedShownAndCancelled) {
  EXPECT_EQ(Run("procedure list"), "no procedure is under way");
  EXPECT_EQ(Run("--json procedure list"), "[]");
  servers_.cluster().masters()->procedures = {Move(), Split()};
  EXPECT_THAT(Run("procedure list"),
              AllOf(StartsWith("ID"), HasSubstr("move-7   tablet 7 of carts ts-1 -> ts-3  [\"a\",\"m\")  planner"),
                    HasSubstr("split-8  tablet 8                        -          operator"), HasSubstr("1m1s"),
                    HasSubstr("2 of 4: copies to ts-3, 1.0 MiB of 4.0 MiB"),
                    HasSubstr("can these two servers reach each other?"), HasSubstr("BEGUN"), HasSubstr("1m1s ago "),
                    HasSubstr("2s ago, or before this master")));
  EXPECT_THAT(Run("procedure list --kind split"), AllOf(HasSubstr("split-8"), Not(HasSubstr("move-7"))));
  EXPECT_EQ(Run("procedure list --kind drain"), "no drain is under way");
  EXPECT_THAT(Run("procedure show move-7"),
              AllOf(HasSubstr("range      [\"a\",\"m\")"), HasSubstr("planner: ts-1 has 900 operations/s"),
                    HasSubstr("can be: what was copied to ts-3 is discarded")));
  EXPECT_THAT(Run("procedure show split-8"), HasSubstr("cannot be: its primary may have split it already"));
  EXPECT_THAT(Run("procedure show move-9"), AllOf(HasSubstr("no procedure move-9 is under way"), EndsWith("[1]")));
  EXPECT_THAT(
      Run("--json procedure show move-7"),
      AllOf(HasSubstr(R"({"id":"move-7","kind":"move","tablet":7,"range":{"start":"a","start_base64":"YQ==","end":"m",)"
                      R"("end_base64":"bQ=="},"table":"carts","server":"ts-3","from_server":"ts-1",)"
                      R"("asked_by":"planner")"),
            HasSubstr(R"("progress":{"done":1048576,"of":4194304,"unit":"bytes"})"),
            HasSubstr(R"("cancellable":true)")));
  EXPECT_THAT(Run("procedure cancel split-8"),
              AllOf(HasSubstr("split-8 cannot be cancelled: its primary may have split it"), EndsWith("[1]")));
  EXPECT_EQ(Run("procedure cancel move-7"),
            "OK  cancelled: what was copied to ts-3 is discarded, and the replica on ts-1 stays");
  EXPECT_THAT(Run("procedure cancel move-7"), EndsWith("[1]"));
  EXPECT_THAT(Run("procedure cancel"), EndsWith("[2]"));
  EXPECT_THAT(Run("procedure"), EndsWith("[2]"));
}

TEST_F(OperateTest, AKindThatIsNoneIsRefusedWithTheKinds) {
  EXPECT_THAT(Run("procedure list --kind foo"),
              AllOf(HasSubstr("--kind: \"foo\" is not one of adopt, clear, create, drain"), EndsWith("[2]")));
  EXPECT_EQ(Run("procedure list --kind merge"), "no merge is under way");
}

TEST_F(OperateTest, WhoCancelsAMoveOfADrainIsToldThatItComesAgain) {
  idl::ProcedureSummary move = Move();
  move.askedBy = idl::AskedBy::DRAIN;
  servers_.cluster().masters()->procedures = {move};
  EXPECT_THAT(
      Run("procedure cancel move-7"),
      HasSubstr(
          "the replica on ts-1 stays; but ts-1 is draining, and its drain will start the move again: to end the drain, "
          "ebla server undrain ts-1"));
  servers_.cluster().masters()->procedures = {move};
  EXPECT_THAT(Run("--json procedure cancel move-7"), HasSubstr(R"("note":"but ts-1 is draining,)"));
}

TEST_F(OperateTest, AServerThatIsNoneIsSaidToBeNone) {
  MakeTable();
  EXPECT_EQ(Run("tablet move carts --key a --from ts-99 --to ts-1"),
            "NOT_FOUND: no server \"ts-99\"; there are ts-1, ts-2, ts-3 [1]");
  EXPECT_THAT(Run("tablet move carts --key a --from ts-1 --to ts-98"), HasSubstr("no server \"ts-98\""));
  EXPECT_THAT(Run("tablet transfer carts --key a --to ts-97"), HasSubstr("no server \"ts-97\""));
  EXPECT_THAT(Run("tablet move carts --key a --from ts-1 --to ts-2"), HasSubstr("replicas stay where they are here"));
}

// Every verb below `tablet` but the list: the same tablet by its table and a key, and by its id.
TEST_F(OperateTest, ATabletIsNamedByATableAndAKeyOrByItsId) {
  const std::map<std::string, std::string> rest = {{"tablet transfer", " --to ts-2"},
                                                   {"tablet move", " --from ts-1 --to ts-2"},
                                                   {"tablet split", ""},
                                                   {"tablet merge", ""},
                                                   {"tablet recover", " --yes"},
                                                   {"tablet stats", ""}};
  servers_.cluster().masters()->obeys = true;
  Verbs verbs;
  AddAllVerbs(verbs);
  for (const std::string& name : verbs.NamesIn("tablet")) {
    const std::string verb = "tablet " + name;
    if (name == "list") continue;
    ASSERT_TRUE(rest.contains(verb)) << verb;
    for (const bool by_id : {false, true}) {
      servers_.cluster().tables()->Add("users", {"k200"});
      Fill("users", 64);
      const std::string id = std::to_string(servers_.cluster().tables()->At("users", "k1").id);
      const std::string typed = verb + (by_id ? " " + id : " users k1");
      EXPECT_THAT(Run(typed + rest.at(verb)), Not(EndsWith("]"))) << typed;
      EXPECT_THAT(Run(verb + " users" + rest.at(verb)), EndsWith("[2]")) << "no key, and no id";
      EXPECT_THAT(Run(verb + " users k1 --key k2" + rest.at(verb)), HasSubstr("the key is given twice"));
      servers_.cluster().tables()->Drop("users");
    }
  }
  EXPECT_EQ(Run("tablet stats 999"), "NOT_FOUND: no tablet 999 [1]");
}

TEST_F(OperateTest, TabletsAreListedInPages) {
  servers_.cluster().tables()->Add("users", {"b", "c", "d"});
  const std::string third = std::to_string(servers_.cluster().tables()->At("users", "c").id);
  const std::string all = Run("tablet list");
  const std::string first = Run("tablet list --limit 3");
  EXPECT_THAT(first, EndsWith("\nand 1 more tablet: continue with --after " + third));
  EXPECT_TRUE(all.starts_with(first.substr(0, first.find("\nand 1 more")))) << all;
  EXPECT_THAT(Run("tablet list --limit 3 --after " + third), AllOf(HasSubstr("[\"d\",\"\")"), Not(HasSubstr("more"))));
  EXPECT_THAT(Run("tablet list --limit 0"), EndsWith("[2]"));
}

// A column is one word of awk's, whatever the keys are.
TEST_F(OperateTest, CellsOfListsHaveNoBlanks) {
  servers_.cluster().tables()->Add("users", {"a b"});
  servers_.cluster().masters()->tablet_bytes = 3 << 20;
  for (const char* list : {"tablet list", "table list", "hot", "tablet stats users x"}) {
    std::istringstream lines(Run(list));
    std::string line;
    size_t columns = 0;
    while (std::getline(lines, line) && !line.empty()) {
      if (line.starts_with("tablet ") || line.starts_with("the cluster is idle")) continue;
      std::istringstream cells(line);
      size_t count = 0;
      for (std::string cell; cells >> cell;) ++count;
      if (columns == 0) columns = count;
      EXPECT_EQ(count, columns) << list << ": " << line;
    }
    EXPECT_GT(columns, 4u) << list;
  }
  EXPECT_THAT(Run("tablet list"), HasSubstr(R"(["a\x20b",""))"));
}

TEST_F(OperateTest, ASplitsJsonNamesBothTablets) {
  MakeTable();
  const std::string parent = std::to_string(servers_.cluster().tables()->At("carts", "a").id);
  const std::string shown = Run("--json tablet split carts --at f");
  const std::string child = std::to_string(servers_.cluster().tables()->At("carts", "f").id);
  EXPECT_THAT(shown,
              AllOf(HasSubstr("\"tablet\":" + parent), HasSubstr("\"child\":" + child),
                    HasSubstr(R"("child_range":{"start":"f","start_base64":"Zg==","end":"m","end_base64":"bQ=="})")));
}

TEST_F(OperateTest, ATabletIsSplitAtItsBestKey) {
  EXPECT_THAT(Run("tablet split users"), AllOf(HasSubstr("needs --at"), EndsWith("[2]")));
  servers_.cluster().tables()->Add("users", {});
  EXPECT_THAT(Run("tablet split users --key k100"),
              AllOf(HasSubstr("has 0 keys, and every split between them"), HasSubstr("--at"), EndsWith("[1]")));
  Fill("users", 64);
  EXPECT_THAT(Run("tablet split users --key k100"), HasSubstr(R"(["k132",""))")) << "of its keys";
  servers_.cluster().masters()->metered = true;
  EXPECT_THAT(Run("tablet split users --key k140"), HasSubstr(R"(["k148",""))")) << "as its server tells";
  EXPECT_EQ(servers_.cluster().tables()->Tablets("users").size(), 3u);
}

TEST_F(OperateTest, ATableIsPresplitAtKeys) {
  MakeTable();
  EXPECT_THAT(Run("table presplit carts --at f,m,t --dry-run"),
              AllOf(HasSubstr("would split tablet"), HasSubstr("at \"f\""), HasSubstr("at \"t\""),
                    HasSubstr("at 1 key a tablet begins already"), HasSubstr("2 tablets, then 4")));
  EXPECT_EQ(servers_.cluster().tables()->Tablets("carts").size(), 2u);
  EXPECT_THAT(Run("table presplit carts --at f,m,t"),
              AllOf(HasSubstr("1 of 2: tablet"), HasSubstr("OK  2 splits, 4 tablets")));
  EXPECT_EQ(servers_.cluster().tables()->Tablets("carts").size(), 4u);
  EXPECT_THAT(Run("--json table presplit carts --at f"), HasSubstr(R"({"ok":true,"tablets":4,"splits":[]})"));
}

TEST_F(OperateTest, AnEmptyTableIsPresplitAsATableIsMade) {
  MakeTable();
  servers_.cluster().masters()->metered = true;
  EXPECT_THAT(Run("table presplit carts --into 4"),
              AllOf(HasSubstr("table carts is empty"), HasSubstr("--pattern"), EndsWith("[2]")));
  servers_.cluster().tables()->Add("users", {});
  EXPECT_THAT(Run("table presplit users --into 4 --pattern 'user%03d' --count 1000"),
              HasSubstr("OK  3 splits, 4 tablets"));
  EXPECT_EQ(servers_.cluster().tables()->At("users", "user600").range.start, "user5");
  EXPECT_THAT(Run("table presplit users --into 2 --sample /nowhere"), HasSubstr("cannot read the file /nowhere [2]"));
}

TEST_F(OperateTest, ATableWithDataIsHalvedByItsMiddleKeys) {
  servers_.cluster().tables()->Add("users", {});
  servers_.cluster().masters()->metered = true;
  Fill("users", 64);
  EXPECT_THAT(Run("table presplit users --into 4 --dry-run"),
              AllOf(HasSubstr("at \"k116\""), HasSubstr("at \"k132\""), HasSubstr("at \"k148\""),
                    HasSubstr("1 tablet, then 4")));
  EXPECT_THAT(Run("table presplit users --into 4"), HasSubstr("OK  3 splits, 4 tablets"));
  std::vector<std::string> starts;
  for (const auto& tablet : servers_.cluster().tables()->Tablets("users")) starts.push_back(tablet.range.start);
  EXPECT_THAT(starts, ::testing::UnorderedElementsAre("", "k116", "k132", "k148"));
  EXPECT_THAT(Run("table presplit users --into 3"), HasSubstr("OK  no split is needed: table users has 4 tablets"));
  servers_.cluster().tables()->Add("one", {});
  Fill("one", 1);
  EXPECT_THAT(
      Run("table presplit one --into 2"),
      AllOf(HasSubstr("the table's 1 key can be cut into 1 tablet at most; nothing was split"), EndsWith("[2]")));
}

TEST_F(OperateTest, ATableTooLargeToLookAtIsHalvedByWhatServersEstimate) {
  servers_.cluster().tables()->Add("users", {});
  servers_.cluster().masters()->metered = true;
  Fill("users", 64);
  EXPECT_THAT(Run("table presplit users --into 4 --look-at 10 --dry-run"),
              AllOf(HasSubstr("at \"k132\""), HasSubstr("1 tablet, then 2"), HasSubstr("and 2 splits more")));
  EXPECT_THAT(Run("table presplit users --into 4 --look-at 10"), HasSubstr("OK  3 splits, 4 tablets"));
  servers_.cluster().tables()->Add("one", {});
  Fill("one", 1);
  EXPECT_THAT(Run("table presplit one --into 2 --look-at 0 --timeout 1ms"),
              AllOf(HasSubstr("no tablet that is large enough to split has a known middle key; nothing was split"),
                    EndsWith("[3]")));
}

TEST_F(OperateTest, PresplitRefusesNonsense) {
  MakeTable();
  for (const char* wrong :
       {"table presplit", "table presplit carts", "table presplit carts --into 3 --at f",
        "table presplit carts --into 0", "table presplit carts --into 20000", "table presplit carts --at f --sample x",
        "table presplit carts --into 3 --pattern user --count 4", "table presplit carts --into 3 --timeout soon"}) {
    EXPECT_THAT(Run(wrong), EndsWith("[2]")) << wrong;
  }
  EXPECT_THAT(Run("table presplit none --into 3"), EndsWith("[1]"));
}

TEST_F(OperateTest, ATableIsCompactedOnEveryServerAndSaysWhatCameOfIt) {
  MakeTable();
  EXPECT_THAT(Run("table compact carts --status"), HasSubstr("none since the server started"));
  EXPECT_THAT(Run("table compact carts --no-wait"), AllOf(HasSubstr("runs"), HasSubstr("48.0 MiB")));
  EXPECT_THAT(Run("table compact carts"), AllOf(HasSubstr("64.0 MiB     16.0 MiB  48.0 MiB"), HasSubstr("done")));
  EXPECT_THAT(Run("--json table compact carts --status --server ts-1"),
              AllOf(HasSubstr(R"([{"server":"ts-1","running":false,"state":"done","age_ms":2500)"),
                    HasSubstr(R"("bytes_freed":50331648)")));
  for (const char* wrong : {"table compact", "table compact carts --limit 0", "table compact carts --limit 2d",
                            "table compact carts --limit x"}) {
    EXPECT_THAT(Run(wrong), EndsWith("[2]")) << wrong;
  }
  EXPECT_THAT(Run("table compact none"), EndsWith("[1]"));
  servers_.cluster().faults()->away.insert("ts-2");
  EXPECT_THAT(Run("table compact carts"), AllOf(HasSubstr("server ts-2 is not live"), EndsWith("[3]")))
      << "what the others did is shown all the same";
}

TEST_F(OperateTest, ATabletsStatsAreAllThatServersReport) {
  servers_.cluster().tables()->Add("users", {}, 2);
  servers_.cluster().masters()->metered = true;
  Fill("users", 10);
  const std::string id = std::to_string(servers_.cluster().tables()->At("users", "k").id);
  EXPECT_THAT(
      Run("tablet stats " + id),
      AllOf(StartsWith("tablet " + id + " of users [\"\",\"\")"), HasSubstr("primary"), HasSubstr("follower"),
            HasSubstr("SEEN BY"), HasSubstr("40ms ago"), HasSubstr("900 operations/s"), HasSubstr("at \"k105\"")));
  EXPECT_EQ(Run("tablet stats --table users --key k1"), Run("tablet stats " + id));
  EXPECT_THAT(Run("--json tablet stats " + id),
              AllOf(HasSubstr(R"("peaks":{"operations_per_second":900.0)"), HasSubstr(R"("middle_key":"k105")"),
                    HasSubstr(R"("silent_ms":40)")));
  EXPECT_THAT(Run("tablet stats 999"), AllOf(HasSubstr("no tablet 999"), EndsWith("[1]")));
  for (const char* wrong : {"tablet stats", "tablet stats x", "tablet stats 0", "tablet stats 7 --table users",
                            "tablet stats --table users"}) {
    EXPECT_THAT(Run(wrong), EndsWith("[2]")) << wrong;
  }
}

TEST_F(OperateTest, ClusterVersionSaysWhatEveryProcessRuns) {
  idl::ProcessVersion master, server;
  master.role = idl::ProcessRole::MASTER;
  master.name = "m-1";
  master.live = master.leader = true;
  master.version = "0.9";
  master.protocol = 1;
  server.role = idl::ProcessRole::TABLET_SERVER;
  server.name = "ts-1";
  server.live = true;
  server.version = "0.8";
  server.protocol = 1;
  server.storeFormat = 2;
  servers_.cluster().masters()->versions.processes = {master, server};
  const std::string shown = Run("cluster version");
  EXPECT_THAT(shown, AllOf(HasSubstr("ROLE"), HasSubstr("master"), HasSubstr("m-1"), HasSubstr("leader"),
                           HasSubstr("tablet server"), HasSubstr("ts-1"), EndsWith("2 versions run side by side")));
  EXPECT_THAT(Run("--json cluster version"),
              HasSubstr(R"({"role":"tablet server","name":"ts-1","address":"","state":"live","version":"0.8",)"
                        R"("feature_level":null,"protocol":1,"store_format":2})"));
  server.live = false;
  server.version = "0.8";
  servers_.cluster().masters()->versions.processes = {master, server};
  EXPECT_THAT(Run("cluster version"), AllOf(HasSubstr("lost"), Not(HasSubstr("side by side"))));
}

TEST_F(OperateTest, ClusterVersionSaysWhoHoldsTheLevelBackAndWhatARaiseSwitchesOn) {
  idl::ProcessVersion master, server;
  master.role = idl::ProcessRole::MASTER;
  master.name = "m-1";
  master.live = master.leader = true;
  master.featureLevel = 3;
  server.role = idl::ProcessRole::TABLET_SERVER;
  server.name = "ts-1";
  server.featureLevel = 1;
  const auto feature = [](const std::string& name, int level) {
    idl::FeatureInfo info;
    info.name = name;
    info.level = level;
    info.what = "does " + name;
    return info;
  };
  idl::ClusterVersionReply& versions = servers_.cluster().masters()->versions;
  versions.processes = {master, server};
  versions.level = 1;
  versions.features = {feature("second", 2), feature("third", 3)};
  EXPECT_THAT(Run("cluster version"),
              AllOf(HasSubstr("the cluster is at feature level 1\n"), HasSubstr("hold it back: ts-1 (lost)"),
                    HasSubstr("level 2 switches on second: does second"), HasSubstr("level 3 switches on third")));
  server.featureLevel = 2;
  servers_.cluster().masters()->versions.processes = {master, server};
  EXPECT_THAT(Run("cluster version"), AllOf(HasSubstr("level rises soon"), HasSubstr("switches on second"),
                                            Not(HasSubstr("third")), Not(HasSubstr("hold it back"))));
  EXPECT_THAT(Run("cluster version --hold"), AllOf(HasSubstr("level 1, held:"), Not(HasSubstr("rises soon"))));
  EXPECT_THAT(Run("--json cluster version"),
              AllOf(HasSubstr(R"({"level":1,"held":true,"processes":[)"),
                    HasSubstr(R"({"name":"second","level":2,"on":false,"what":"does second"})")));
  EXPECT_THAT(Run("cluster version --release"), Not(HasSubstr(", held:")));
  EXPECT_THAT(Run("cluster version --hold --release"), EndsWith("[2]"));
  server.featureLevel = master.featureLevel = 1;
  servers_.cluster().masters()->versions.processes = {master, server};
  EXPECT_THAT(Run("cluster version"), EndsWith("the cluster is at feature level 1"));
}

TEST_F(OperateTest, AScrubIsBegunOrSaysWhyNot) {
  EXPECT_EQ(Run("scrub"), "ts-1: begun\nts-2: begun\nts-3: begun");
  EXPECT_EQ(Run("scrub --server ts-2"), "ts-2: begun");
  servers_.cluster().faults()->scrubbing.insert("ts-2");
  EXPECT_EQ(Run("scrub --server ts-2"), "ts-2: a pass is under way [1]");
  EXPECT_THAT(Run("--json scrub --server ts-2"),
              HasSubstr(R"([{"server":"ts-2","begun":false,"why_not":"a pass is under way"}])"));
  EXPECT_THAT(Run("scrub --server ts-9"), HasSubstr("no server \"ts-9\""));
}

TEST_F(ShellTest, ADoubtedClockIsShownAndAccepted) {
  EXPECT_EQ(Run("server clock ts-1"), "its clock is 0s ahead of the master's");
  servers_.cluster().faults()->clock_doubts_ms["ts-1"] = 365 * int64_t{86'400'000};
  EXPECT_EQ(Run("server clock ts-1"),
            "its clock is 365 days ahead of the master's\n"
            "doubted: it is 365 days ahead of its last sure time; 2 tablets wait");
  EXPECT_EQ(Run("--json server clock ts-1"),
            R"({"ahead_of_master_ms":31536000000,"doubt_ms":31536000000,"tablets_waiting":2})");
  EXPECT_EQ(Run("server clock ts-1 --accept"), "OK  accepted: records on ts-1 expire by its clock from now on");
  EXPECT_EQ(Run("server clock ts-1"), "its clock is 0s ahead of the master's");
  EXPECT_THAT(Run("server clock ts-9"), HasSubstr("there is no server ts-9"));
}

}  // namespace
}  // namespace ebla::shell
