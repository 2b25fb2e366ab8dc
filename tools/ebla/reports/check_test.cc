// The reports of `ebla check` and `ebla hot`: the comparisons alone, and the verbs against a fake cluster.
#include "tools/ebla/reports/check.h"

#include <gmock/gmock.h>

#include "tools/ebla/cli/shell_fixture.h"

namespace ebla::shell {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

ReplicaReport ReportOf(const ServerName& server) {
  ReplicaReport report;
  report.server = server;
  report.reported = report.known = true;
  report.epoch = Epoch{4};
  report.applied = 9'000;
  report.schema_version = 2;
  return report;
}

TabletSummary TabletOf(uint64_t id, KeyRange range) {
  TabletSummary tablet;
  tablet.id = TabletId{id};
  tablet.table = "carts";
  tablet.range = std::move(range);
  tablet.epoch = Epoch{4};
  tablet.primary = "ts-1";
  tablet.voters = {"ts-1", "ts-2"};
  tablet.status = TabletStatus::kServing;
  tablet.load = TabletLoadInfo{};
  tablet.load->leading = tablet.load->barrier_applied = true;
  tablet.replicas = {ReportOf("ts-1"), ReportOf("ts-2")};
  return tablet;
}

CatalogView Sound() {
  CatalogView view;
  TableInfo table;
  table.name = "carts";
  table.schema_version = 2;
  view.tables = {table};
  view.tablets = {TabletOf(8, {"m", ""}), TabletOf(7, {"", "m"})};
  ServerSummary server;
  server.name = "ts-1";
  server.live = true;
  view.servers = {server};
  return view;
}

// "tablet server: what" of each fault.
std::vector<std::string> Faults(const CatalogView& view) {
  std::vector<std::string> all;
  for (const CheckFault& fault : CheckCatalog(view)) {
    all.push_back(std::to_string(fault.tablet.value) + " " + fault.server + ": " + fault.what);
  }
  return all;
}

TEST(CheckTest, ASoundCatalogHasNoFaults) { EXPECT_THAT(Faults(Sound()), IsEmpty()); }

TEST(CheckTest, RangesTileTheTable) {
  CatalogView view = Sound();
  view.tablets[0].range.start = "n";
  EXPECT_THAT(Faults(view), ElementsAre("8 : nothing covers [\"m\",\"n\")"));
  view.tablets[0].range.start = "k";
  EXPECT_THAT(Faults(view), ElementsAre("8 : its range [\"k\",\"\") overlaps [\"\",\"m\") of tablet 7"));
  view = Sound();
  view.tablets[1].range = {"", ""};
  EXPECT_THAT(Faults(view), ElementsAre(HasSubstr("overlaps")));
  view.tablets = {TabletOf(7, {"b", "m"})};
  EXPECT_THAT(Faults(view),
              ElementsAre("7 : nothing covers the keys before \"b\"", "7 : nothing covers the keys from \"m\" on"));
  view.tablets[0].status = TabletStatus::kDropping;
  EXPECT_THAT(Faults(view), ElementsAre("0 : the table has no tablet"));
}

TEST(CheckTest, EveryVoterIsAsTheCatalogSays) {
  const auto with = [](auto change) {
    CatalogView view = Sound();
    change(view.tablets[1].replicas[1]);
    return Faults(view);
  };
  EXPECT_THAT(with([](ReplicaReport& r) { r.reported = false; }), ElementsAre(StartsWith("7 ts-2: lost, or silent")));
  EXPECT_THAT(with([](ReplicaReport& r) { r.known = false; }), ElementsAre(StartsWith("7 ts-2: has no replica")));
  EXPECT_THAT(with([](ReplicaReport& r) { r.epoch = Epoch{3}; }),
              ElementsAre("7 ts-2: is at epoch 3, the catalog at 4"));
  EXPECT_THAT(with([](ReplicaReport& r) { r.incomplete = true; }), ElementsAre("7 ts-2: incomplete"));
  EXPECT_THAT(with([](ReplicaReport& r) { r.failed = true; }), ElementsAre(StartsWith("7 ts-2: has failed")));
  EXPECT_THAT(with([](ReplicaReport& r) { r.may_have_lost_writes = true; }),
              ElementsAre(HasSubstr("may have lost writes")));
  EXPECT_THAT(with([](ReplicaReport& r) { r.schema_version = 1; }),
              ElementsAre("7 ts-2: is at schema version 1, the catalog at 2"));
  EXPECT_THAT(with([](ReplicaReport& r) { r.applied = 7'999; }), ElementsAre("7 ts-2: lacks 1001 log entries"));
  EXPECT_THAT(with([](ReplicaReport& r) { r.applied = 8'000; }), IsEmpty()) << "reports are some time apart";
}

TEST(CheckTest, ALeaderWithoutItsBarrierIsAFault) {
  CatalogView view = Sound();
  view.tablets[1].load->barrier_applied = false;
  EXPECT_THAT(Faults(view), ElementsAre(StartsWith("7 ts-1: is the primary, but has not applied its Barrier")));
}

TEST(CheckTest, OrphansAndTabletsThatNobodyLeads) {
  CatalogView view = Sound();
  view.servers[0].orphans = {TabletId{5}};
  view.tablets[0].load.reset();
  EXPECT_THAT(Faults(view), ElementsAre("8 ts-1: the tablet has no primary",
                                        "5 ts-1: has a replica that the catalog does not assign to it"));
}

ReplicaPage PageOf(const ServerName& server, uint64_t applied, uint32_t checksum) {
  return {
      server,
      ChecksumPage{
          .range = {}, .applied = applied, .records = 3, .bytes = 30, .checksum = checksum, .next = {}, .done = true}};
}

TEST(CheckTest, PagesAreComparedWhereTheSameIsApplied) {
  EXPECT_EQ(Compare({PageOf("a", 5, 1), PageOf("b", 5, 1), PageOf("c", 5, 1)}).comparison, Comparison::kEqual);
  EXPECT_EQ(Compare({PageOf("a", 5, 1)}).comparison, Comparison::kEqual);
  const PageVerdict moving = Compare({PageOf("a", 5, 1), PageOf("b", 6, 2)});
  EXPECT_EQ(moving.comparison, Comparison::kMoving);
  EXPECT_EQ(moving.why, "moving: a has applied 5, b 6");
  const PageVerdict differs = Compare({PageOf("a", 5, 1), PageOf("b", 6, 2), PageOf("c", 5, 3)});
  EXPECT_EQ(differs.comparison, Comparison::kDifferent) << "two that have applied the same are enough";
  EXPECT_EQ(differs.server, "c");
  EXPECT_THAT(differs.why, HasSubstr("at lsn 5 it holds 3 records, checksum 3; a holds 3 records, checksum 1"));
  ReplicaPage silent{"b", std::unexpected(Status(Code::kUnavailable, "no"))};
  EXPECT_EQ(Compare({PageOf("a", 5, 1), silent}).comparison, Comparison::kMoving);
  EXPECT_EQ(Compare({silent, PageOf("a", 5, 1), PageOf("c", 5, 2)}).comparison, Comparison::kDifferent);
}

TEST(CheckTest, OnlyWhatIsOverInAMomentIsMoving) {
  const auto with = [](Code code) {
    return Compare({PageOf("a", 5, 1), {"b", std::unexpected(Status(code, "no"))}, PageOf("c", 6, 1)});
  };
  for (const Code code : {Code::kComeAgain, Code::kOverloaded, Code::kUnavailable, Code::kDeadlineExceeded,
                          Code::kWrongTablet, Code::kNotFound}) {
    EXPECT_EQ(with(code).comparison, Comparison::kMoving) << Status(code, "").ToString();
  }
  for (const Code code : {Code::kInternal, Code::kInvalidArgument, Code::kUnknownOutcome}) {
    const PageVerdict verdict = with(code);
    EXPECT_EQ(verdict.comparison, Comparison::kUnread) << "though a and c are moving";
    EXPECT_EQ(verdict.server, "b");
  }
  EXPECT_EQ(
      Compare({{"b", std::unexpected(Status(Code::kInternal, "no"))}, PageOf("a", 5, 1), PageOf("c", 5, 2)}).comparison,
      Comparison::kDifferent);
}

TEST(CheckTest, FaultsOfOneServerThatAreAlikeAreOneFinding) {
  std::vector<CheckFault> faults;
  for (uint64_t id = 1; id <= 11; ++id)
    faults.push_back({id < 4 ? "carts" : "users", TabletId{id}, "ts-2",
                      "is at epoch " + std::to_string(id) + ", the catalog at 12"});
  faults.push_back({"carts", TabletId{3}, "ts-3", "has failed: its server's log says why"});
  faults.push_back({"carts", TabletId{4}, {}, "nothing covers [\"a\", \"b\")"});
  faults.push_back({"carts", TabletId{5}, {}, "nothing covers [\"c\", \"d\")"});
  std::vector<std::string> lines;
  for (const CheckGroup& group : Grouped(faults)) lines.push_back(ToLine(group));
  EXPECT_THAT(lines, ElementsAre("server ts-2: is at epoch 1, the catalog at 12  (the same for 11 tablets: 1, 2, 3, 4, "
                                 "5 and 6 more; of 2 tables)",
                                 "table carts, tablet 3, server ts-3: has failed: its server's log says why",
                                 "table carts, tablet 4: nothing covers [\"a\", \"b\")",
                                 "table carts, tablet 5: nothing covers [\"c\", \"d\")"));
}

class CheckVerbTest : public ShellTest {
 protected:
  CheckVerbTest() {
    servers_.cluster().tables()->Add("carts", {"m"}, 3);
    for (const char* key : {"a", "b", "n", "z"}) servers_.cluster().tables()->Put("carts", key, "v");
  }
};

TEST_F(CheckVerbTest, ReplicasThatHoldTheSamePass) {
  EXPECT_EQ(Run("check"), "OK  1 table, 2 tablets, 6 replicas; 4 records, 8 B compared");
  EXPECT_EQ(Run("check carts --catalog-only"), "OK  1 table, 2 tablets, 6 replicas");
  EXPECT_THAT(Run("--json check"),
              StartsWith(R"({"ok":true,"tables":1,"tablets":2,"replicas":6,"contents":true,"records_compared":4,)"));
  EXPECT_THAT(Run("check nowhere"), AllOf(HasSubstr("NO_SUCH_TABLE"), EndsWith("[1]")));
  EXPECT_THAT(Run("check --bytes-per-second fast"), EndsWith("[2]"));
  EXPECT_THAT(Run("check --bytes-per-second 1"), EndsWith("[2]"));
}

TEST_F(CheckVerbTest, ARecordThatDiffersIsAFault) {
  servers_.cluster().faults()->damaged.insert({"ts-2", "n"});
  const std::string shown = Run("check carts");
  EXPECT_THAT(shown,
              AllOf(StartsWith("FAULT table carts, tablet "), HasSubstr("contents differ: at lsn"), EndsWith("[1]")));
  EXPECT_THAT(shown, HasSubstr("1 fault  1 table,"));
  EXPECT_THAT(Run("--json check carts"), HasSubstr(R"("what":"contents differ)"));
}

TEST_F(CheckVerbTest, AReplicaThatLagsIsNotCompared) {
  servers_.cluster().faults()->Lag("ts-3");
  servers_.cluster().tables()->Put("carts", "c", "v");
  const std::string shown = Run("check carts --tries 2");
  EXPECT_THAT(shown, AllOf(HasSubstr("not compared: "), HasSubstr("moving: "), HasSubstr("NOT ALL COMPARED  1 table,"),
                           EndsWith("[3]")));
  EXPECT_THAT(Run("--json check carts --tries 1"), StartsWith(R"({"ok":false,)"));
  EXPECT_EQ(Run("check carts --catalog-only"), "OK  1 table, 2 tablets, 6 replicas");
  servers_.cluster().faults()->CatchUp("ts-3");
  EXPECT_THAT(Run("check carts"), StartsWith("OK  1 table,"));
  EXPECT_THAT(Run("help check"), HasSubstr("3  no fault was found, but not everything was compared"));
}

TEST_F(CheckVerbTest, AReplicaThatCannotBeReadIsAFault) {
  servers_.cluster().faults()->AnswerNext("ts-2", idl::Code::INTERNAL, 100, 0, "its disk answers nothing");
  const std::string shown = Run("check carts --tries 2");
  EXPECT_THAT(shown, AllOf(HasSubstr("server ts-2: cannot be read: ts-2: INTERNAL: its disk answers nothing"),
                           HasSubstr("2 faults  1 table,"), EndsWith("[1]")));
}

TEST_F(CheckVerbTest, AReplicaThatIsBusyOnceIsAskedAgain) {
  servers_.cluster().faults()->AnswerNext("ts-2", idl::Code::OVERLOADED, 2);
  EXPECT_THAT(Run("check carts"), StartsWith("OK  1 table,"));
  servers_.cluster().faults()->AnswerNext("ts-2", idl::Code::OVERLOADED, 100);
  EXPECT_THAT(Run("check carts --tries 1"),
              AllOf(HasSubstr("not compared: server ts-2: "), HasSubstr("(the same for 2 tablets: "), EndsWith("[3]")));
}

TEST_F(CheckVerbTest, WhatHasFailedIsAFault) {
  servers_.cluster().faults()->failed.insert("ts-2");
  EXPECT_THAT(Run("check carts --catalog-only --tries 1"),
              AllOf(HasSubstr("server ts-2: has failed"), HasSubstr("2 faults"), EndsWith("[1]")));
}

TEST_F(CheckVerbTest, ADeadServerIsOneFinding) {
  servers_.cluster().tables()->Add("users", {"f", "t"}, 3);
  servers_.cluster().faults()->away.insert("ts-3");
  const std::string shown = Run("check --tries 1");
  EXPECT_THAT(shown, AllOf(HasSubstr("FAULT server ts-3: lost, or silent"), HasSubstr("(the same for 5 tablets: "),
                           HasSubstr("; of 2 tables)"), HasSubstr("5 faults  2 tables, 5 tablets, 15 replicas"),
                           EndsWith("[1]")));
  EXPECT_EQ(std::ranges::count(shown, '\n'), 1) << shown;
  const std::string verbose = Run("check --tries 1 --verbose");
  EXPECT_EQ(std::ranges::count(verbose, '\n'), 10) << "each replica as a fault, and as not compared\n" << verbose;
  EXPECT_THAT(verbose, HasSubstr("FAULT table users, tablet "));
  const std::string json = Run("--json check --tries 1");
  EXPECT_EQ(json.find("\"not_compared\":[]"), std::string::npos);
}

TEST_F(CheckVerbTest, WhatStaysDifferentInTheCatalogIsAFault) {
  servers_.cluster().faults()->orphans["ts-1"].push_back(99);
  EXPECT_THAT(Run("check --tries 0"), EndsWith("[2]"));
  const std::string shown = Run("check carts --tries 2");
  EXPECT_THAT(shown, AllOf(HasSubstr("comparing again"), HasSubstr("FAULT tablet 99, server ts-1: has a replica"),
                           EndsWith("[1]")));
}

TEST_F(CheckVerbTest, TheBusiestTabletsComeFirst) {
  servers_.cluster().tables()->Add("users", {}, 1);
  const std::string shown = Run("hot --tablets 2");
  EXPECT_THAT(shown, HasSubstr("TABLET  TABLE  RANGE"));
  EXPECT_LT(shown.find("users"), shown.find("carts")) << shown;
  EXPECT_THAT(shown, HasSubstr("100%"));
  EXPECT_EQ(std::ranges::count(shown, '\n'), 2) << shown;
  EXPECT_THAT(Run("hot carts"), ::testing::Not(HasSubstr("users")));
  EXPECT_THAT(Run("--json hot carts"), HasSubstr(R"("reads_per_second":)"));
  EXPECT_THAT(Run("hot carts"), AllOf(HasSubstr("TOP_KEY"), HasSubstr(R"(hot\"2")"), HasSubstr("62%")))
      << "as the primary says";
  EXPECT_THAT(Run("--json hot carts"), AllOf(HasSubstr(R"("top_key":)"), HasSubstr(R"("top_key_of_tablet":0.62)")));
  EXPECT_THAT(Run("hot nowhere"), AllOf(HasSubstr("NO_SUCH_TABLE"), EndsWith("[1]")));
  EXPECT_THAT(Run("hot --tablets 0"), EndsWith("[2]"));
  EXPECT_THAT(Run("hot --tablets many"), EndsWith("[2]"));
}

}  // namespace
}  // namespace ebla::shell
