// The planner from the shell: what it does and why, with the cluster's own view and with a saved one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/ebla/cli/shell_fixture.h"

namespace ebla::shell {
namespace {

using ::testing::HasSubstr;

TEST_F(ShellTest, ExplainsWhatThePlannerWouldDoWithASavedView) {
  const std::string view = File("view.json", R"({"view": 1, "now_ms": 360000000}
{"table": 1, "name": "carts", "replicas": 1}
{"server": "ts-1"}
{"server": "ts-2", "writes_refused": true}
{"tablet": 7, "table": 1, "end": "m", "voters": ["ts-1"], "led": {"reads": 3000}, "finding": "key", "split_key": "f"}
{"tablet": 8, "table": 1, "start": "m", "voters": ["ts-2"]}
)");
  EXPECT_EQ(Run("balance explain --view " + view),
            "2 servers, 1 table, 2 tablets; the view names no options, so the defaults hold\n"
            "full disk: move tablet 8 of carts [\"m\",\"\") from ts-2 to ts-1\n"
            "  ts-2 is at its disk's reserve\n"
            "\n"
            "NOT DONE  BECAUSE  TIMES\n"
            "split     not yet      1\n"
            "balance   not yet      1\n"
            "\n"
            "split, tablet 7 of carts [\"\",\"m\"): not yet\n"
            "  3,000 operations/s, over 2,500 operations/s for 0 s; the planner acts after 30 s\n"
            "balance, ts-1: not yet\n"
            "  ts-1 has 3,000 operations/s, the mean is 1,500 operations/s (operations) for 0 s; the planner acts "
            "after 30 s");
  EXPECT_THAT(Run("--json balance explain --view " + view),
              HasSubstr(R"({"actions":[{"action":"move","rule":"full disk","tablet":8,"neighbour":null,)"
                        R"("key":null,"key_base64":null,"from":"ts-2","to":"ts-1","reason":)"));
  const std::string calm = File("calm.json", R"({"view": 1, "now_ms": 360000000}
{"table": 1, "name": "carts", "replicas": 1}
{"server": "ts-1"}
{"tablet": 7, "table": 1, "voters": ["ts-1"], "led": {"reads": 3000}, "finding": "key", "split_key": "f"}
)");
  EXPECT_THAT(Run("balance explain --view " + calm), HasSubstr("nothing needs to be done"));
  EXPECT_EQ(Run("balance explain --steady 10m --view " + calm),
            "1 server, 1 table, 1 tablet; after 30 s of the same; the view names no options, so the defaults hold\n"
            "split: split tablet 7 of carts [\"\",\"\") at \"f\"\n"
            "  3,000 operations/s, over 2,500 operations/s for 30 s");
  const std::string told = File("told.json", R"({"view": 1, "now_ms": 360000000}
{"options": {"splits": false}}
{"table": 1, "name": "carts", "replicas": 1}
{"server": "ts-1"}
{"tablet": 7, "table": 1, "voters": ["ts-1"], "led": {"reads": 3000}, "finding": "key", "split_key": "f"}
)");
  EXPECT_THAT(Run("balance explain --steady 10m --view " + told), HasSubstr("of the same\nnothing needs to be done"))
      << "its master splits nothing";
  EXPECT_THAT(Run("balance explain --view " + File("bad.json", "{}\n")),
              HasSubstr("bad.json: line 1: the first line is not that of a view [2]"));
  EXPECT_THAT(Run("balance explain --view /nowhere"), HasSubstr("cannot read the file /nowhere [2]"));
}

TEST_F(ShellTest, ThePlannerIsSwitchedAndExplainsItself) {
  EXPECT_EQ(Run("balance explain"),
            "the planner is on; its latest plan was made 3 s ago\n"
            "\n"
            "PLANNED by the latest pass\n"
            "split: split tablet 7 at \"m\"\n"
            "  3,000 operations/s, over 2,500 operations/s for 30 s\n"
            "\n"
            "UNDER WAY\n"
            "split: split tablet 7 at \"m\", begun 0 s ago\n"
            "  3,000 operations/s, over 2,500 operations/s for 30 s\n"
            "\n"
            "OVER\n"
            "balance: transfer tablet 8 from ts-1 to ts-2, begun 61 s ago: done\n"
            "  3,000 operations/s, over 2,500 operations/s for 30 s\n"
            "\n"
            "NOT DONE\n"
            "balance, ts-1: not yet\n"
            "  ts-1 has 900 operations/s, the mean is 500 operations/s");
  while (servers_.cluster().tables()->NextId() < 5) continue;
  servers_.cluster().tables()->Add("carts", {});
  ASSERT_EQ(servers_.cluster().tables()->At("carts", "k").id, 7) << "the planner speaks of tablet 7";
  EXPECT_THAT(Run("balance explain"), HasSubstr("split tablet 7 of carts [\"\",\"\") at \"m\""));
  EXPECT_THAT(Run("--json balance explain"),
              HasSubstr(R"("tablet":7,"age_ms":0,"outcome":null,"table":"carts","range":{"start":"",)"));
  EXPECT_THAT(Run("--json balance off"), HasSubstr(R"({"ok":true,"enabled":false})"));
  EXPECT_THAT(Run("balance explain"), ::testing::AllOf(HasSubstr("the planner is off: its plans are not carried out"),
                                                       HasSubstr("WOULD BE DONE")));
  EXPECT_THAT(Run("balance now"),
              ::testing::AllOf(HasSubstr("made 0 s ago"), HasSubstr("WOULD BE DONE\nsplit: split tablet 7")));
  EXPECT_THAT(Run("balance on"), HasSubstr("OK  the planner is on"));
  EXPECT_THAT(Run("--json balance explain"),
              ::testing::AllOf(
                  HasSubstr(R"({"enabled":true,"since_pass_ms":3000,"waits_for":null,"planned":[{"rule":"split",)"),
                  HasSubstr(R"("outcome":"done","table":null,"range":null}])"),
                  HasSubstr(R"("cause":"not yet","tablet":null,"server":"ts-1")")));
  const std::string saved = File("saved.json", "");
  Run("balance explain --save-view " + saved);
  EXPECT_EQ(Run("balance explain --view " + saved),
            "1 server, 0 tables, 0 tablets; the view names no options, so the defaults hold\nnothing needs to be done");
  EXPECT_THAT(Run("balance explain --save-view /nowhere/x"), HasSubstr("cannot write the file /nowhere/x [2]"));
  EXPECT_THAT(Run("balance explain --steady 5m"), HasSubstr("save one with --save-view FILE"));
  EXPECT_THAT(Run("balance explain --view a --save-view b"), HasSubstr("one of the two [2]"));
}

}  // namespace
}  // namespace ebla::shell
