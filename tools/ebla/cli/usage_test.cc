// Words alone: what help shows, how nonsense is answered, and what completion offers.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>

#include "tools/ebla/cli/shell_fixture.h"

namespace ebla::shell {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using UsageTest = ShellTest;
using Words = std::vector<std::string>;

Words Lines(const std::string& text) {
  std::istringstream input(text);
  Words lines;
  for (std::string line; std::getline(input, line);) lines.push_back(line);
  return lines;
}

// The verbs that `help all` lists, up to the aliases.
Words VerbsOf(const std::string& help) {
  Words verbs;
  for (const std::string& line : Lines(help)) {
    if (line.starts_with("Other words")) break;
    if (line.starts_with("  ") && !line.starts_with("  --") && line[2] != ' ')
      verbs.push_back(line.substr(2, line.find("  ", 2) - 2));
  }
  return verbs;
}

TEST_F(UsageTest, NonsenseIsAnsweredWithUsage) {
  MakeTable();
  for (const char* wrong :
       {"frobnicate", "get", "get carts", "get carts a b c", "table", "table frob", "put carts k v --ack most",
        "get carts k --read soonish", "get carts k --unknown", "scan carts --limit -3", "put carts '' v",
        "put carts k v --if-version abc", "put carts k v --if-absent --if-exists", "put carts 'open",
        "--deadline never get carts k", "--masters , get carts k", "incr carts k many"}) {
    EXPECT_THAT(Run(wrong), EndsWith("[2]")) << wrong;
  }
  EXPECT_EQ(Run(""), "");
  EXPECT_EQ(Run("# a comment"), "");
  EXPECT_THAT(Run("--json frobnicate"), HasSubstr(R"({"error":"INVALID_ARGUMENT")"));
  EXPECT_THAT(Run("--json get carts none"), HasSubstr(R"({"error":"NOT_FOUND","message":"no record under \"none\""})"));
  EXPECT_THAT(Run("--masters 127.0.0.1:1 --deadline 200ms get carts k"), HasSubstr("UNAVAILABLE"));
  EXPECT_THAT(Run("--user ada get carts k"), HasSubstr("a user is named without a password"));
  EXPECT_THAT(Run("get carts k"), HasSubstr("NOT_FOUND")) << "the line's --masters held for it alone";
}

TEST_F(UsageTest, HelpHasAnExampleForEveryVerb) {
  const Words verbs = VerbsOf(Run("help all"));
  EXPECT_GT(verbs.size(), 40u);
  for (const std::string& verb : verbs) {
    EXPECT_THAT(Run("help " + verb), HasSubstr("Example:\n  " + verb)) << verb;
  }
  EXPECT_THAT(Run("put --help"), HasSubstr("Example:"));
}

TEST_F(UsageTest, AWordThatIsNoVerbIsNamedWithWhatMayStandThere) {
  EXPECT_EQ(Run("frobnicate carts"), "INVALID_ARGUMENT: there is no verb \"frobnicate\" (try: help) [2]");
  EXPECT_THAT(Run("--json --deadline 3s table frob"),
              HasSubstr(R"(there is no verb \"table frob\": table has alter, compact, create)"));
  EXPECT_THAT(Run("table"), AllOf(HasSubstr("\"table\" alone is not a verb: table has alter"), EndsWith("[2]")));
  EXPECT_THAT(Run("help frob"), AllOf(HasSubstr("there is no verb \"frob\""), EndsWith("[2]")));
  EXPECT_THAT(Run("help table frob"), AllOf(HasSubstr("there is no verb \"table frob\""), EndsWith("[2]")));
  EXPECT_THAT(Run("get carts"), AllOf(HasSubstr("KEY is missing (try: help get)"), EndsWith("[2]")));
  EXPECT_THAT(Run("table create t --replicas 99 --json"), HasSubstr("(try: help table create)"));
}

TEST_F(UsageTest, WhatIsNoNumberIsSaidInOneShortLine) {
  EXPECT_THAT(Run("table presplit t --into six"),
              AllOf(HasSubstr("--into: \"six\" is not a whole number of 1 or more"), EndsWith("[2]")));
  for (const char* wrong :
       {"table presplit t --into 0", "table presplit t --into 1.5", "table presplit t --into 99999999999999999999",
        "table presplit t --into x", "table create t --splits 0 --sample f", "table alter t --split-ops many"}) {
    EXPECT_THAT(Run(wrong), AllOf(HasSubstr("is not a whole number of 1 or more"), EndsWith("[2]"))) << wrong;
  }
}

TEST_F(UsageTest, HelpIsGroupedSortedAndWhole) {
  const std::string help = Run("help all");
  EXPECT_THAT(help, AllOf(HasSubstr("\nTables:\n  table alter"), HasSubstr("\nServers:\n  server clock"),
                          HasSubstr("Exit codes"), Not(HasSubstr("Others:"))));
  EXPECT_LT(help.find("  table alter "), help.find("  table create "));
  EXPECT_LT(help.find("  table drop "), help.find("  table list "));
  for (const char* verb : {"get", "scan", "locate", "health", "hot", "check", "cluster watch", "table merge-small",
                           "server maintenance", "conflict apply"}) {
    EXPECT_THAT(help, HasSubstr("\n  " + std::string(verb) + " ")) << verb;
  }
}

TEST_F(UsageTest, TheOverviewFitsAScreen) {
  const std::string help = Run("help");
  EXPECT_LE(std::ranges::count(help, '\n') + 1, 24) << help;
  EXPECT_THAT(help, AllOf(HasSubstr("delete, dump, get"), HasSubstr("table alter, compact, create"),
                          HasSubstr("help all"), HasSubstr("help options"), HasSubstr("Exit codes")));
  EXPECT_EQ(Run("--help"), help);
  EXPECT_EQ(Run("--json help"), help);
  EXPECT_THAT(Run("help records"), AllOf(StartsWith("Records, and writes"), HasSubstr("\n  delete "),
                                         HasSubstr("\n  scan "), Not(HasSubstr("table create"))));
  EXPECT_THAT(Run("help cluster"), AllOf(HasSubstr("\n  cluster info "), HasSubstr("\n  health ")));
}

TEST_F(UsageTest, HelpKeepsToTheWidthOfANarrowScreen) {
  Words asked = VerbsOf(Run("help all"));
  for (const char* subject : {"", "all", "options", "records", "tables", "planner", "security", "user", "tablet"})
    asked.emplace_back(subject);
  for (const std::string& one : asked) {
    for (const std::string& shown : Lines(Run("help " + one))) EXPECT_LE(shown.size(), 80u) << one << ": " << shown;
  }
}

TEST_F(UsageTest, ALongExampleCanBePastedAsItIsShown) {
  const std::string help = Run("help backup restore");
  EXPECT_THAT(help, HasSubstr("--dir /backups --table carts \\\n      --as carts-then"));
}

TEST_F(UsageTest, TheExitCodesOfHelpAreThoseOfTheShell) {
  const std::map<int, std::vector<Code>> codes = {
      {0, {Code::kOk}},
      {1, {Code::kNotFound, Code::kConditionFailed, Code::kNoSuchTable, Code::kTableExists}},
      {2, {Code::kInvalidArgument}},
      {3, {Code::kUnavailable, Code::kOverloaded, Code::kDeadlineExceeded}},
      {4, {Code::kUnknownOutcome}},
      {5, {Code::kPermissionDenied, Code::kInternal, Code::kLostWrite}}};
  for (const auto& [exit, of] : codes) {
    for (const Code code : of) EXPECT_EQ(ExitCode(Status(code, "")), exit) << CodeName(code);
    EXPECT_THAT(Run("help"), HasSubstr(" " + std::to_string(exit) + " "));
  }
}

// Its own options and those of every verb go together.
TEST_F(UsageTest, EveryVerbCanBeTyped) {
  for (const std::string& verb : VerbsOf(Run("help all")))
    EXPECT_THAT(Run(verb + " --no-such-option"), AllOf(HasSubstr("--no-such-option"), EndsWith("[2]"))) << verb;
}

TEST_F(UsageTest, WhatIsNearlyRightIsSuggested) {
  MakeTable();
  const auto says = [&](const char* typed, const char* meant) {
    EXPECT_THAT(Run(typed), AllOf(HasSubstr(std::string("did you mean \"") + meant + "\"?"), EndsWith("]"))) << typed;
  };
  says("gte carts k", "get");
  says("tabel list", "table");
  says("table crate t", "create");
  says("create t", "table create");
  says("scan carts --limt 5", "--limit");
  says("get carts k --deadlin 1s", "--deadline");
  says("--jsn table list", "--json");
  says("scan cart", "carts");
  says("table describe Carts", "carts");
  EXPECT_THAT(Run("scan nothing-like-it"), HasSubstr("no table \"nothing-like-it\" [1]"));
  EXPECT_THAT(Run("put carts k -x"),
              HasSubstr("there is no option -x; write -- before an argument that begins with a dash"));
  EXPECT_THAT(Run("put carts k -- -x"), HasSubstr("OK"));
}

TEST_F(UsageTest, WordsOfOtherStoresHaveAnAnswerOfOneLine) {
  MakeTable();
  EXPECT_EQ(Run("?"), Run("help"));
  EXPECT_EQ(Run("PUT carts k v --if-absent").substr(0, 2), "OK");
  EXPECT_EQ(Run("Get carts k"), "v");
  EXPECT_EQ(Run("TABLE LIST"), Run("table list"));
  EXPECT_THAT(Run("help GET"), HasSubstr("Usage: ebla get "));
  EXPECT_EQ(Run("select carts"), Run("use carts"));
  Run("use");
  EXPECT_EQ(
      Run("EXISTS carts k"),
      "INVALID_ARGUMENT: there is no verb \"EXISTS\": get TABLE KEY answers NOT_FOUND and exits with 1 if there is "
      "no record (try: help) [2]");
  for (const char* word : {"keys", "ttl", "flushall", "expire", "mset", "ping", "history", "exit now", "show"})
    EXPECT_THAT(Run(word), AllOf(HasSubstr("\": "), Not(HasSubstr("\n")), EndsWith("[2]"))) << word;
  const std::string all = Run("help all");
  EXPECT_THAT(all, AllOf(HasSubstr("\n  del     delete\n"), HasSubstr("\n  ls      table list\n")));
  EXPECT_THAT(Run("help delete"), HasSubstr("Also typed: del, rm"));
}

TEST_F(UsageTest, WhatHandsTypeFirstIsUnderstood) {
  MakeTable();
  EXPECT_THAT(Run("set carts k v"), HasSubstr("OK  version"));
  EXPECT_EQ(Run("del carts k"), "OK");
  EXPECT_EQ(Run("ls"), Run("table list"));
  EXPECT_EQ(Run("info"), Run("cluster info"));
  EXPECT_THAT(Run("status"), HasSubstr("1 table"));
  EXPECT_THAT(Run("version"), StartsWith("ebla "));
  EXPECT_THAT(Run("help set"), HasSubstr("Usage: ebla put "));
}

TEST_F(UsageTest, WrongValuesNameTheirOption) {
  MakeTable();
  EXPECT_THAT(Run("put carts k v --ttl 30"), HasSubstr("INVALID_ARGUMENT: --ttl: \"30\" is not a duration: write"));
  EXPECT_THAT(Run("--deadline 0 get carts k"), HasSubstr("--deadline: \"0\" is too short"));
  EXPECT_THAT(Run("table alter carts --split-size big"), HasSubstr("--split-size: \"big\" is not a size: write"));
  EXPECT_THAT(Run("get carts k --read"), HasSubstr("--read takes one value (try: help get)"));
  EXPECT_THAT(Run("scan carts --limit 1 --limit 2"), HasSubstr("--limit takes one value"));
}

TEST_F(UsageTest, UsageBeginsWithTheWholeVerb) {
  EXPECT_THAT(Run("help table create"),
              AllOf(HasSubstr("Usage: ebla table create [OPTIONS] NAME\n"), HasSubstr("Example:\n  table create")));
  EXPECT_THAT(Run("get --help"), HasSubstr("Usage: ebla get [OPTIONS] TABLE KEY\n"));
  EXPECT_THAT(Run("help server"), AllOf(StartsWith("Usage: ebla server VERB ..."), HasSubstr("  server drain "),
                                        Not(HasSubstr("tablet list"))));
  EXPECT_EQ(Run("server --help"), Run("help server"));
  EXPECT_THAT(Run("help health"), HasSubstr("Exit codes:\n  0  healthy"));
}

TEST_F(UsageTest, BashCompletesByAskingTheProgram) {
  EXPECT_THAT(Run("completion bash"),
              AllOf(HasSubstr("complete -o default -F _ebla ebla"), HasSubstr("completion words")));
  EXPECT_THAT(Run("completion zsh"), AllOf(HasSubstr("SHELL: \"zsh\" is not one of bash"), EndsWith("[2]")));
}

TEST_F(UsageTest, Completes) {
  MakeTable();
  EXPECT_EQ(shell_.Complete({}, "de"), (Words{"delete"}));
  EXPECT_EQ(shell_.Complete({}, "ta"), (Words{"table", "tablet"}));
  EXPECT_EQ(shell_.Complete({"table"}, ""),
            (Words{"alter", "compact", "create", "describe", "drop", "list", "merge-small", "presplit"}));
  EXPECT_EQ(shell_.Complete({"get"}, "c"), (Words{"carts"}));
  EXPECT_EQ(shell_.Complete({"scan", "carts"}, "--re"), (Words{"--read", "--reverse"}));
  EXPECT_EQ(shell_.Complete({"help", "table"}, "cr"), (Words{"create"}));
  EXPECT_EQ(shell_.Complete({"help"}, "op"), (Words{"options"}));
  EXPECT_TRUE(shell_.Complete({"get", "carts"}, "k").empty());
}

TEST_F(UsageTest, CompletesServersAndProceduresWhereTheyBelong) {
  MakeTable();
  idl::ProcedureSummary move;
  move.id = "move-7";
  servers_.cluster().masters()->procedures = {move};
  const Words servers = {"ts-1", "ts-2", "ts-3"};
  for (const char* verb : {"clock", "drain", "undrain", "maintenance", "resume", "remove"})
    EXPECT_EQ(shell_.Complete({"server", verb}, ""), servers) << verb;
  EXPECT_EQ(shell_.Complete({"tablet", "move", "carts", "--key", "a", "--from"}, ""), servers);
  EXPECT_EQ(shell_.Complete({"--json", "tablet", "transfer", "carts", "--to"}, "ts-2"), (Words{"ts-2"}));
  EXPECT_EQ(shell_.Complete({"tablet", "list", "--server"}, ""), servers);
  EXPECT_EQ(shell_.Complete({"tablet", "list", "--server", "ts-1"}, ""), (Words{"carts"}))
      << "the option has its value";
  for (const char* verb : {"show", "cancel"})
    EXPECT_EQ(shell_.Complete({"procedure", verb}, ""), (Words{"move-7"})) << verb;
  EXPECT_EQ(shell_.Complete({"procedure", "list", "--kind"}, "tr"), (Words{"transfer"}));
  EXPECT_EQ(shell_.Complete({"tablet", "stats", "--table"}, ""), (Words{"carts"}));
  EXPECT_EQ(shell_.Complete({"table", "drop"}, ""), (Words{"carts"}));
  EXPECT_TRUE(shell_.Complete({"table", "create"}, "").empty()) << "its name is new";
  EXPECT_TRUE(shell_.Complete({"tablet", "transfer", "carts", "--key"}, "").empty());
  EXPECT_TRUE(shell_.Complete({"server", "drain", "ts-1"}, "").empty());
  EXPECT_EQ(shell_.Complete({"get", "carts"}, "--js"), (Words{"--json"}));
}

}  // namespace
}  // namespace ebla::shell
