// The frames of `ebla cluster watch` alone, and the verb against a fake cluster.
#include "tools/ebla/reports/watch.h"

#include <gmock/gmock.h>

#include "tools/ebla/cli/shell_fixture.h"

namespace ebla::shell {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

WatchView ViewOf(size_t tablets) {
  WatchView view;
  view.info.cluster_id = "c-1";
  view.info.masters = {{"m-1", "h:1", true}};
  for (const char* name : {"ts-1", "ts-2", "ts-3"}) {
    ServerSummary server;
    server.name = name;
    server.live = true;
    server.since_heartbeat = std::chrono::milliseconds(400);
    view.servers.push_back(server);
  }
  TableInfo table;
  table.name = "carts";
  view.tables = {table};
  for (size_t i = 0; i < tablets; ++i) {
    TabletSummary tablet;
    tablet.id = TabletId{i + 1};
    tablet.table = "carts";
    tablet.primary = view.servers[i % 3].name;
    tablet.status = TabletStatus::kServing;
    tablet.load = TabletLoadInfo{};
    tablet.load->leading = true;
    view.tablets.push_back(tablet);
  }
  return view;
}

TEST(WatchTest, EachTabletStandsOnItsTablesKeyLineUnderItsLeadersLetter) {
  WatchView view = ViewOf(3);
  EXPECT_THAT(DrawFrame(view, {}, false),
              AllOf(Contains(StartsWith("ebla  c-1  m-1 leads")), Contains(StartsWith("B  ts-2")),
                    Contains("|AAAAAAAAAAAA|BBBBBBBBBBBB|CCCCCCCCCCCC|")));
  view.tablets[1].load.reset();
  view.tablets[2].learners = {"ts-1"};
  EXPECT_THAT(DrawFrame(view, {}, false), AllOf(Contains("|AAAAAAAAAAAA|!!!!!!!!!!!!|cccccccccccc|"),
                                                Contains(EndsWith("a copy is being made at ts-1"))));
  view.tablets[0].incomplete = view.tablets[0].silent = {"ts-2"};  // killed a moment ago
  EXPECT_THAT(DrawFrame(view, {}, false),
              AllOf(Contains(StartsWith("|AAAAAAAAAAAA|")),
                    Contains(HasSubstr(": its primary waits for ts-2, which does not answer")),
                    Not(Contains(HasSubstr("a copy is being made at ts-2")))));
  view.servers[0].live = false;
  EXPECT_THAT(DrawFrame(view, {}, false), Contains(AllOf(StartsWith("A  ts-1"), HasSubstr("lost"))));
}

// kill -9 of ts-2, two and a half seconds ago: the master still counts its session, and the new primary of its tablet
// has not been told by a report that it does not answer.
TEST(WatchTest, AServerThatWasJustKilledIsSilentAndNothingIsCopiedToIt) {
  WatchView view = ViewOf(3);
  view.info.live_servers = view.info.known_servers = 3;
  view.servers[1].since_heartbeat = std::chrono::milliseconds(2'540);
  view.tablets[0].incomplete = {"ts-2"};
  view.tablets[2].learners = {"ts-1"};
  EXPECT_THAT(DrawFrame(view, {}, false),
              AllOf(Contains(AllOf(HasSubstr("2 of 3 servers live, 1 silent"), EndsWith("1 copy"))),
                    Contains(AllOf(StartsWith("B  ts-2    silent(2.5s)"), EndsWith("-"))),
                    Contains("|AAAAAAAAAAAA|!!!!!!!!!!!!|cccccccccccc|"),
                    Contains(EndsWith("its primary waits for ts-2, which has been silent for 2.5s")),
                    Contains(EndsWith("a copy is being made at ts-1")),
                    Not(Contains(HasSubstr("a copy is being made at ts-2")))));
}

TEST(WatchTest, ManyTabletsShareCellsAndOneWithoutALeaderIsStillSeen) {
  WatchView view = ViewOf(1'000);
  view.tablets[501].load.reset();
  const auto frame = DrawFrame(view, {.columns = 60, .rows = 40}, false);
  EXPECT_THAT(frame, Contains(AllOf(StartsWith("|A"), HasSubstr("!"), SizeIs(60))));
  EXPECT_THAT(frame, Each(SizeIs(::testing::Le(60u))));
}

TEST(WatchTest, AFrameFitsAndColoursAreLeftOutWhereTheyAreNotWanted) {
  EXPECT_THAT(DrawFrame(ViewOf(3), {.columns = 100, .rows = 4}, false), AllOf(SizeIs(4), Contains(StartsWith("..."))));
  EXPECT_THAT(DrawFrame(ViewOf(3), {}, false), Each(Not(HasSubstr("\x1b"))));
  EXPECT_THAT(DrawFrame(ViewOf(3), {}, true), Contains(AllOf(HasSubstr("\x1b[36m"), EndsWith("\x1b[0m"))));
  EXPECT_THAT(DrawFrame(WatchView(), {}, false), Contains(HasSubstr("no leader"))) << "nothing is known yet";
}

TEST_F(ShellTest, WatchPrintsOneFrameOrALineOfJson) {
  servers_.cluster().tables()->Add("carts", {"m"}, 3);
  EXPECT_THAT(Run("cluster watch --once"),
              AllOf(HasSubstr("master-1 leads"), HasSubstr("carts  2 tablets"), HasSubstr("|A")));
  EXPECT_THAT(Run("--json cluster watch --once"),
              AllOf(StartsWith(R"({"cluster_id":"fake")"), HasSubstr(R"("has_primary":true)")));
  EXPECT_THAT(Run("cluster watch --once --interval 0"), EndsWith("[2]"));
  servers_.cluster().masters()->leader = -1;
  EXPECT_THAT(Run("cluster watch --once --deadline 1s"), AllOf(HasSubstr("UNAVAILABLE"), EndsWith("[3]")));
}

}  // namespace
}  // namespace ebla::shell
