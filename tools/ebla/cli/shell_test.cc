// The shell in this process against a pretended cluster on real sockets, and the program itself at a pseudo-terminal.
#include "tools/ebla/cli/shell.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "client/testing/fake_servers.h"
#include "test_paths.h"
#include "tools/ebla/cli/shell_fixture.h"

namespace ebla::shell {
namespace {

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
            "OK  1 tablet of 3 replicas, to be 7 once as many tablet servers live");
  EXPECT_THAT(Run("table list"), HasSubstr("3 of 7"));
  EXPECT_EQ(Run("table drop deep --yes"), "OK");
  EXPECT_THAT(Run("tablet list carts"), HasSubstr("[\"f\", \"m\")"));
  EXPECT_THAT(Run("--json tablet list carts"),
              HasSubstr(R"("range":{"start":"f","start_base64":"Zg==","end":"m","end_base64":"bQ=="})"));
  EXPECT_THAT(Run("locate carts user42"), HasSubstr("[\"t\", \"\")  epoch 1  ts-1 at 127.0.0.1:"));
  EXPECT_THAT(Run("server list"), HasSubstr("ts-3    live   (none)  127.0.0.1:"));
  EXPECT_THAT(Run("cluster info"), HasSubstr(", leader"));
  EXPECT_EQ(Run("cluster adopt"), "OK  the catalog knows all that servers have");
  EXPECT_EQ(Run("server remove ts-2"), "CONDITION_FAILED: server ts-2 lives [1]");
  EXPECT_EQ(Run("tablet recover 17"),
            "REPLICA  ROLE   LOG ENDS  APPLIED  STATE\n"
            "ts-1     voter  (none)    (none)   lost, nothing is known of it\n"
            "ts-2     voter  3.44      38       lost\n"
            "ts-3     voter  3.40      38       live\n"
            "it would go to ts-3 alone; four entries\n"
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
  EXPECT_THAT(Run("--json locate carts a"), HasSubstr(R"({"server":"ts-2","role":"voter","rack":"r2")"));
  EXPECT_THAT(Run("server list"), HasSubstr("ts-2    live   r2      127.0.0.1:"));
}

TEST_F(ShellTest, LevelsReachTheServersAndUnknownOnesAreRefusedWithTheList) {
  servers_.cluster().tables()->Add("carts", {}, 3);
  using Ack = std::pair<const char*, idl::WriteLevel::type>;
  for (const auto& [text, level] : {Ack{"majority", idl::WriteLevel::MAJORITY}, Ack{"all", idl::WriteLevel::ALL},
                                    Ack{"primary", idl::WriteLevel::PRIMARY}, Ack{"any", idl::WriteLevel::ANY}}) {
    EXPECT_THAT(Run(std::string("put carts k v --ack ") + text), HasSubstr("OK"));
    EXPECT_EQ(servers_.cluster().write_log().back().level, level);
    if (level != idl::WriteLevel::ANY) continue;
    EXPECT_EQ(Run("put carts k v --ack any"), "OK") << "it has no version yet";
  }
  using Fresh = std::pair<const char*, idl::ReadLevel::type>;
  for (const auto& [text, level] :
       {Fresh{"strong", idl::ReadLevel::STRONG}, Fresh{"session", idl::ReadLevel::SESSION},
        Fresh{"bounded=2s", idl::ReadLevel::BOUNDED}, Fresh{"eventual", idl::ReadLevel::EVENTUAL}}) {
    for (const char* verb : {"get carts k", "mget carts k", "scan carts"}) {
      EXPECT_THAT(Run(std::string(verb) + " --read " + text), HasSubstr("v")) << verb;
      EXPECT_EQ(servers_.cluster().last_read().level, level);
    }
  }
  EXPECT_THAT(Run("put carts k v --ack most"), HasSubstr("majority, all, primary, any or default"));
  EXPECT_THAT(Run("get carts k --read fresh"), HasSubstr("strong, session, eventual, default, or bounded="));
}

TEST_F(ShellTest, ALevelThatIsNotMetNamesWhatWasMissing) {
  servers_.cluster().tables()->Add("carts", {}, 3);
  servers_.cluster().faults()->AnswerNext("ts-1", idl::Code::UNKNOWN_OUTCOME, 1000, 50,
                                          "still being committed; not yet at ts-3");
  const std::string shown = Run("--deadline 300ms put carts k v --ack all");
  EXPECT_THAT(shown, HasSubstr("UNKNOWN_OUTCOME"));
  EXPECT_THAT(shown, HasSubstr("not yet at ts-3"));
  EXPECT_THAT(shown, ::testing::EndsWith("[4]"));
}

TEST_F(ShellTest, SplitsByPatternAndSample) {
  EXPECT_EQ(Run("table create p --splits 4 --pattern 'user%08d' --count 1000"), "OK  4 tablets of 1 replica");
  EXPECT_EQ(servers_.cluster().tables()->Tablets("p")[1].range.start, "user0000025");
  EXPECT_EQ(Run("table create s --splits 2 --sample " + File("keys", "a\nb\nc\nd\n")), "OK  2 tablets of 1 replica");
  EXPECT_EQ(servers_.cluster().tables()->Tablets("s")[1].range.start, "c");
  for (const char* wrong :
       {"--splits 4", "--pattern u%d", "--splits 4 --pattern u --count 5", "--splits 4 --sample /none",
        "--splits 2 --split-points f", "--split-points a\\q", "--replicas 0", "--compression lz4",
        "--durability sometimes", "--key-group ab", "--default-ttl soon", "--split-size big"}) {
    EXPECT_THAT(Run(std::string("table create w ") + wrong), ::testing::EndsWith("[2]")) << wrong;
  }
}

class ConflictTest : public ShellTest {
 protected:
  ConflictTest() {
    servers_.cluster().tables()->Add("carts", {});
    EXPECT_THAT(Run("put carts old v"), HasSubstr("OK"));
  }
  static idl::KeptWrite Unresolved(int64_t tablet, int64_t epoch, int64_t lsn, const std::string& key,
                                   const std::string& value) {
    idl::KeptWrite write;
    write.tabletId = tablet;
    write.version.epoch = epoch;
    write.version.lsn = lsn;
    write.tabletTimeMs = 1'790'000'000'000;
    idl::KeptEffect& effect = write.effects.emplace_back();
    effect.key = key;
    effect.__set_value(value);
    return write;
  }
};

TEST_F(ConflictTest, AreListedExportedAndForgotten) {
  EXPECT_EQ(Run("conflict list carts"), "table carts has no conflict records");
  servers_.cluster().tables()->Named("carts").unresolved["ts-2"].push_back(Unresolved(7, 9, 1, "a", "1"));
  servers_.cluster().tables()->Named("carts").unresolved["ts-2"].push_back(
      Unresolved(7, 9, 2, std::string("\xff", 1), std::string("\0\xfe", 2)));
  idl::KeptWrite waiting = Unresolved(0, 3, 4, "w", "1");
  waiting.waiting = true;
  servers_.cluster().tables()->Named("carts").unresolved["ts-1"].push_back(waiting);
  const std::string listed = Run("conflict list carts");
  EXPECT_THAT(listed, HasSubstr("ts-1         0      3.4  waiting"));
  EXPECT_THAT(listed, HasSubstr("ts-2         7      9.1  conflict"));
  EXPECT_THAT(listed, HasSubstr("a=1"));
  const std::string path = directory_ + "/kept.jsonl";
  EXPECT_EQ(Run("conflict export carts " + path), "OK  3 records in " + path);
  EXPECT_THAT(
      Content(path),
      HasSubstr(R"({"key":"\\xff","key_base64":"/w==","delete":false,"value":"\\x00\\xfe","value_base64":"AP4=")"));
  std::string lines = Content(path);
  std::ranges::replace(lines, '\n', ',');
  lines.pop_back();
  EXPECT_EQ(Run("--json conflict list carts"), "[" + lines + "]") << "a list is an array, a file has lines";
  EXPECT_THAT(Run("conflict forget carts"), HasSubstr("together, or --all"));
  EXPECT_THAT(Run("conflict forget carts --all --server ts-1"), HasSubstr("[2]"));
  EXPECT_THAT(Run("conflict forget carts --all"), HasSubstr("forgets 2 acknowledged writes for good"));
  EXPECT_THAT(Run("conflict forget carts --server ts-1 --tablet 0 --version 3.4 --yes"), HasSubstr("needs nothing"));
  EXPECT_THAT(Run("conflict forget carts --server ts-2 --tablet 7 --version 9.9 --yes"), HasSubstr("NOT_FOUND"));
  EXPECT_EQ(Run("conflict forget carts --server ts-2 --tablet 7 --version 9.1 --yes"), "OK  1 forgotten");
  EXPECT_EQ(Run("conflict forget carts --all --yes"), "OK  1 forgotten");
  EXPECT_THAT(Run("conflict list carts"), ::testing::Not(HasSubstr("ts-2")));
  EXPECT_THAT(Run("conflict list nowhere"), HasSubstr("NO_SUCH_TABLE"));
}

TEST_F(ConflictTest, AreAppliedWhereNothingHasChanged) {
  servers_.cluster().tables()->Named("carts").unresolved["ts-2"].push_back(Unresolved(7, 9, 1, "old", "one"));
  servers_.cluster().tables()->Named("carts").unresolved["ts-2"].push_back(Unresolved(7, 9, 2, "old", "two"));
  servers_.cluster().tables()->Named("carts").unresolved["ts-2"].push_back(Unresolved(7, 9, 3, "new", "three"));
  EXPECT_EQ(Run("conflict apply carts --all"), "OK  3 applied, 0 not applied");
  EXPECT_EQ(Run("get carts old"), "two") << "one after the other, though each changes the record";
  EXPECT_EQ(Run("get carts new"), "three");
  EXPECT_EQ(Run("conflict list carts"), "table carts has no conflict records");
}

TEST_F(ConflictTest, AreKeptWhereTheRecordHasChangedUnlessToldOtherwise) {
  idl::KeptWrite repeated = Unresolved(7, 9, 9, "again", "1");
  repeated.repeated = true;
  servers_.cluster().tables()->Named("carts").unresolved["ts-2"].push_back(
      Unresolved(7, 0, 1, "old", "undone"));  // before the present version
  servers_.cluster().tables()->Named("carts").unresolved["ts-2"].push_back(repeated);
  const std::string shown = Run("conflict apply carts --all");
  EXPECT_THAT(shown, HasSubstr("\"old\" has changed since"));
  EXPECT_THAT(shown, HasSubstr("a retry of it may have done the same"));
  EXPECT_THAT(shown, HasSubstr("CONDITION_FAILED: 0 applied, 2 not applied [1]"));
  EXPECT_EQ(Run("get carts old"), "v");
  EXPECT_EQ(Run("conflict apply carts --all --overwrite"), "OK  2 applied, 0 not applied");
  EXPECT_EQ(Run("get carts old"), "undone");
}

TEST_F(ShellTest, RecordsOneByOne) {
  MakeTable();
  EXPECT_THAT(Run(R"(put carts user42 '{"items": 3}' --ack majority --ttl 30m)"), HasSubstr("OK  version 1."));
  EXPECT_EQ(Run("get carts user42 --read bounded=2s"), R"({"items": 3})");
  EXPECT_THAT(Run("get carts user42 -v"), HasSubstr("expires 20"));
  EXPECT_EQ(Run("get carts nobody"), "NOT_FOUND: no record under \"nobody\" [1]");
  EXPECT_EQ(Run("put carts user42 x --if-absent"), "CONDITION_FAILED: the condition does not hold [1]");
  EXPECT_THAT(Run("put carts n1 x --if-version 9.9"), HasSubstr("CONDITION_FAILED"));
  EXPECT_THAT(Run("incr carts visits"), HasSubstr("OK  1  version 1."));
  EXPECT_THAT(Run("incr carts visits -5"), HasSubstr("OK  -4  version"));
  EXPECT_THAT(Run("incr carts user42"), HasSubstr("not a decimal number [2]"));
  EXPECT_EQ(Run("delete carts visits"), "OK");
  EXPECT_THAT(Run("delete carts visits --if-exists"), HasSubstr("[1]"));
  EXPECT_EQ(Run("mget carts user42 nobody"), "user42\t{\"items\": 3}\nNOT_FOUND: no record under \"nobody\" [1]");
  EXPECT_THAT(Run("get nothere k"), HasSubstr("NO_SUCH_TABLE: no table \"nothere\" [1]"));
}

TEST_F(ShellTest, BytesInKeysAndValues) {
  MakeTable();
  EXPECT_THAT(Run(R"(put carts a\x00\xff "\x01\\end" --escapes)"), HasSubstr("OK"));
  EXPECT_EQ(servers_.cluster().tables()->Data("carts").at(std::string("a\0\xff", 3)), "\x01\\end");
  EXPECT_EQ(Run(R"(get carts a\x00\xff)"), R"(\x01\\end)");
  EXPECT_EQ(Run(R"(get carts a\x00\xff --raw)"), "\x01\\end");
  EXPECT_EQ(Run("scan carts"), "a\\x00\\xff\t\\x01\\\\end");
  EXPECT_THAT(Run("--json get carts a\\x00\\xff"), HasSubstr(R"("key_base64":"YQD/")"));
  EXPECT_THAT(Run("put carts b --file " + File("v", "from a file")), HasSubstr("OK"));
  EXPECT_EQ(Run("get carts b"), "from a file");
  EXPECT_THAT(Run("put carts b x --file y"), HasSubstr("not both [2]"));
  EXPECT_THAT(Run("put carts b"), HasSubstr("VALUE is missing"));
  EXPECT_THAT(Run("put carts b --file /none"), HasSubstr("cannot read the file /none [2]"));
  EXPECT_THAT(Run("put carts b --file /tmp"), HasSubstr("cannot read the file /tmp [2]")) << "a directory";
  EXPECT_THAT(Run(R"(get carts a\q)"), HasSubstr("bad escape"));
}

TEST_F(ShellTest, Scans) {
  MakeTable();
  for (const char* key : {"a1", "a2", "n1", "n2"}) servers_.cluster().tables()->Put("carts", key, "v");
  EXPECT_EQ(Run("scan carts --keys-only"), "a1\na2\nn1\nn2");
  EXPECT_EQ(Run("scan carts --keys-only --reverse --limit 3"), "n2\nn1\na2");
  EXPECT_EQ(Run("scan carts --prefix a"), "a1\tv\na2\tv");
  EXPECT_EQ(Run("scan carts --start a2 --end n2 --keys-only"), "a2\nn1");
  servers_.cluster().tables()->Put("carts", "b", "{\"items\": 3}");
  EXPECT_EQ(Run("scan carts --prefix b"), "b\t{\"items\": 3}");
  EXPECT_EQ(Run("scan carts --prefix a --start b"), "");
  EXPECT_THAT(Run("scan carts --start z --end a"), HasSubstr("[2]"));
  EXPECT_THAT(Run("scan carts --json --limit 1"),
              HasSubstr(R"({"key":"a1","key_base64":"YTE=","value":"v","value_base64":"dg==","version":"1.)"));
}

TEST_F(ShellTest, SessionsGoOnFromTheirToken) {
  MakeTable();
  EXPECT_THAT(Run("get carts a --read session"), HasSubstr("NOT_FOUND"));
  EXPECT_THAT(Run("put carts a 1"), HasSubstr("OK"));
  EXPECT_EQ(Run("get carts a --read session"), "1");
  const std::string token = Run("token");
  EXPECT_EQ(Run("get carts a --read session --token " + token), "1");
  EXPECT_THAT(Run("get carts a --token junk!"), HasSubstr("[2]"));
}

TEST_F(ShellTest, LoadsAndDumps) {
  MakeTable();
  std::string lines;
  for (int i = 0; i < 3000; ++i)
    lines += "{\"key\": \"k" + std::to_string(i) + "\", \"value\": \"" + std::to_string(i) + "\"}\n";
  EXPECT_THAT(Run("load carts " + File("in.jsonl", lines)), HasSubstr("OK  3000 records"));
  EXPECT_EQ(servers_.cluster().tables()->Data("carts").size(), 3000u);
  const std::string file = directory_ + "/out.tsv";
  EXPECT_EQ(Run("dump carts " + file + " --prefix k12"), "OK  111 records in " + file);
  EXPECT_TRUE(Content(file).starts_with("k12\t12\nk120\t120\n"));
  EXPECT_FALSE(std::filesystem::exists(file + ".unfinished"));
  servers_.cluster().tables()->Add("copy", {});
  EXPECT_THAT(Run("load copy " + file), HasSubstr("OK  111 records"));
  EXPECT_EQ(Run("get copy k129"), "129");
  EXPECT_THAT(
      Run("load copy " + File("bad.tsv", "a\t1\nno tab\nb\t2\n\t3\n")),
      ::testing::AllOf(HasSubstr("line 2: there is no tab"), HasSubstr("2 lines failed, 2 records written [2]")));
  EXPECT_THAT(Run("load copy /none"), HasSubstr("[2]"));
  EXPECT_THAT(Run("dump copy /none/x"), HasSubstr("[2]"));
  EXPECT_THAT(Run("load copy " + file + " --format xml"), HasSubstr("[2]"));
}

TEST_F(ShellTest, DumpsOfEveryFormatKeepAllBytesAndExpiries) {
  MakeTable();
  const std::vector<std::pair<std::string, std::string>> records = {
      {"plain", "a value"},
      {"quoted", "say \"so\", or not"},
      {"lines", "one\r\ntwo\n"},
      {"like an escape", "\\x00"},
      {std::string("bytes\xff\0", 7), std::string("\0\xfe,\"\n", 5)},
      {"empty", ""},
  };
  for (const auto& [key, value] : records) servers_.cluster().tables()->Put("carts", key, value);
  EXPECT_THAT(Run("put carts mortal v --ttl 1h"), HasSubstr("OK"));
  // In the year 3021, and in 1970.
  const std::string moments = "far\tv\t33177117420000\npast\tv\t1\n";
  EXPECT_THAT(Run("load carts " + File("moments.tsv", moments)), HasSubstr("OK  1 record,"));
  const std::string expires = Run("get carts mortal -v");
  for (const std::string format : {"json", "csv", "tsv"}) {
    const std::string file = directory_ + "/all." + format, copy = "copy-" + format;
    EXPECT_EQ(Run("dump carts " + file), "OK  8 records in " + file);
    servers_.cluster().tables()->Add(copy, {});
    EXPECT_THAT(Run("load " + copy + " " + file), HasSubstr("OK  8 records")) << format;
    EXPECT_THAT(Run("get " + copy + " far -v"), HasSubstr("expires 3021-")) << format;
    for (const auto& [key, value] : records)
      EXPECT_EQ(servers_.cluster().tables()->Data(copy).at(key), value) << format << key;
    EXPECT_THAT(Run("get " + copy + " mortal -v"), HasSubstr("expires 20")) << format;
  }
  EXPECT_THAT(expires, HasSubstr("expires 20"));
  const std::string csv = Content(directory_ + "/all.csv");
  EXPECT_TRUE(csv.starts_with("key,key_base64,value,value_base64,expires_at_ms\r\n")) << csv;
  EXPECT_THAT(csv, HasSubstr("quoted,,\"say \"\"so\"\", or not\",,\r\n"));
  EXPECT_THAT(csv, HasSubstr("lines,,\"one\r\ntwo\n\",,\r\n"));
}

TEST_F(ShellTest, LoadsCsvOfOthersByItsHead) {
  MakeTable();
  const std::string theirs = "\xef\xbb\xbfvalue,note,key\r\n\"a,b\",ignored,k1\r\nplain,\"x\ny\",k2\r\n";
  EXPECT_THAT(Run("load carts " + File("theirs.csv", theirs)), HasSubstr("OK  2 records"));
  EXPECT_EQ(Run("get carts k1"), "a,b");
  EXPECT_EQ(Run("get carts k2"), "plain");
  EXPECT_THAT(Run("load carts " + File("headless.csv", "k,v\n")),
              ::testing::AllOf(HasSubstr("these name no key or no value"), HasSubstr("[2]")));
  EXPECT_THAT(Run("load carts " + File("short.csv", "key,value\na,1\nb\n\"c,2\n")),
              ::testing::AllOf(HasSubstr("line 3: it has 1 field"), HasSubstr("line 4: a quote is not closed"),
                               HasSubstr("2 lines failed, 1 record written")));
}

TEST_F(ShellTest, NumbersThatDoNotFitAreRefused) {
  MakeTable();
  EXPECT_THAT(
      Run("incr carts n 99999999999999999999"),
      ::testing::AllOf(HasSubstr("DELTA: \"99999999999999999999\" is not a whole number from"), HasSubstr("[2]")));
  EXPECT_THAT(Run("get carts n"), HasSubstr("NOT_FOUND")) << "nothing was added";
  EXPECT_THAT(Run("incr carts n 9223372036854775807"), HasSubstr("OK  9223372036854775807"));
  EXPECT_THAT(Run("scan carts --limit 1e400"),
              HasSubstr("--limit: \"1e400\" is not a whole number of 0 or more (try: help scan)"));
}

TEST_F(ShellTest, TextAndBytesNeverLookAlike) {
  MakeTable();
  servers_.cluster().tables()->Put("carts", "ключ", "значение");
  servers_.cluster().tables()->Put("carts", "byte", std::string(1, '\0'));
  servers_.cluster().tables()->Put("carts", "text", "\\x00");
  EXPECT_EQ(Run("get carts ключ"), "значение");
  EXPECT_EQ(Run("scan carts --prefix к"), "ключ\tзначение");
  EXPECT_EQ(Run("get carts byte"), R"(\x00)");
  EXPECT_EQ(Run("get carts text"), R"(\\x00)");
  EXPECT_EQ(Run("get carts text --raw"), R"(\x00)");
  EXPECT_EQ(Run(R"(get carts a\q)"),
            R"(INVALID_ARGUMENT: KEY: bad escape at byte 1 of a\q: write \xNN, \\ or \" (try: help get) [2])")
      << "as it was typed";
}

TEST_F(ShellTest, JsonHasOneShape) {
  MakeTable();
  servers_.cluster().tables()->Put("carts", "a", "v");
  servers_.cluster().tables()->Put("carts", "\xff", std::string(1, '\0'));
  EXPECT_THAT(Run("--json table list"),
              ::testing::AllOf(HasSubstr(R"([{"name":"carts")"), HasSubstr(R"("size_bytes":null)"),
                               HasSubstr(R"("reads_per_second":0.0)"), HasSubstr(R"("default_ttl_ms":null)"),
                               HasSubstr(R"("key_group_delimiter":null,"key_group_delimiter_base64":null)")));
  EXPECT_THAT(Run("--json get carts \\xff"), ::testing::AllOf(HasSubstr(R"({"key":"\\xff","key_base64":"/w==")"),
                                                              HasSubstr(R"("value":"\u0000","value_base64":"AA==")"),
                                                              HasSubstr(R"("expires_at_ms":null})")));
  const std::string several = Run("--json mget carts a none");
  EXPECT_THAT(several, ::testing::StartsWith(R"([{"key":"a","key_base64":"YQ==","value":"v")"));
  EXPECT_THAT(several, HasSubstr(R"({"key":"none","key_base64":"bm9uZQ==","value":null,"value_base64":null,)"
                                 R"("version":null,"expires_at_ms":null,"error":"NOT_FOUND","message":)"));
  EXPECT_THAT(several, ::testing::EndsWith("] [1]"));
  EXPECT_THAT(Run("--json server list"), HasSubstr(R"("rack":null)"));
}

TEST_F(ShellTest, ATableInUseNeedNotBeNamed) {
  MakeTable();
  EXPECT_THAT(Run("use cartz"), HasSubstr("no table \"cartz\", did you mean \"carts\"? [1]"));
  EXPECT_THAT(Run("use carts"), HasSubstr("OK"));
  EXPECT_THAT(Run("put k v"), HasSubstr("OK  version"));
  EXPECT_EQ(Run("get k"), "v");
  EXPECT_EQ(Run("scan --prefix k"), "k\tv");
  EXPECT_THAT(Run("get carts k"), HasSubstr("\"k\" is one argument too many; table carts is in use"));
  EXPECT_THAT(Run("table describe carts"), HasSubstr("schema version")) << "verbs on tables name theirs";
  EXPECT_EQ(Run("use"), "OK  no table is in use");
  EXPECT_EQ(Run("get carts k"), "v");
}

TEST_F(ShellTest, APersonIsAskedBeforeDanger) {
  MakeTable();
  std::string asked;
  bool answer = false;
  shell_.AskWith([&](const std::string& question) {
    asked = question;
    return answer;
  });
  EXPECT_EQ(Run("table drop carts"), "CONDITION_FAILED: the answer was not yes; nothing was changed [1]");
  EXPECT_EQ(asked, "This drops table carts with all its records for good. Type yes to do it: ");
  EXPECT_THAT(Run("tablet recover 17"), HasSubstr("nothing was changed [1]"));
  EXPECT_THAT(asked, HasSubstr("gives tablet 17 to ts-3 alone (four entries)"));
  EXPECT_THAT(Run("table list"), HasSubstr("carts"));
  answer = true;
  EXPECT_EQ(Run("table drop carts"), "OK");
  EXPECT_EQ(Run("table list"), "there are no tables");
}

TEST_F(ShellTest, WhoAsksDeadMastersLearnsItSoon) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(Run("--masters 127.0.0.1:1,127.0.0.1:2 table list"),
              ::testing::AllOf(HasSubstr("UNAVAILABLE: no master answers: 127.0.0.1:1: "), HasSubstr("; 127.0.0.1:2: "),
                               HasSubstr("(--masters or EBLA_MASTERS says where they are) [3]")));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4)) << "of the five of the deadline";
}

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
            "full disk: move tablet 8 from ts-2 to ts-1\n"
            "  ts-2 is at its disk's reserve\n"
            "\n"
            "NOT DONE  BECAUSE  TIMES\n"
            "split     not yet      1\n"
            "balance   not yet      1\n"
            "\n"
            "split, tablet 7: not yet\n"
            "  3,000 operations/s, over 2,500 operations/s for 0 s; 30 s must pass\n"
            "balance, ts-1: not yet\n"
            "  ts-1 has 3,000 operations/s, the mean is 1,500 operations/s (operations) for 0 s; 30 s must pass");
  EXPECT_THAT(
      Run("--json balance explain --view " + view),
      HasSubstr(
          R"({"actions":[{"action":"move","rule":"full disk","tablet":8,"neighbour":null,"key":null,"key_base64":null,"from":"ts-2","to":"ts-1","reason":)"));
  const std::string calm = File("calm.json", R"({"view": 1, "now_ms": 360000000}
{"table": 1, "name": "carts", "replicas": 1}
{"server": "ts-1"}
{"tablet": 7, "table": 1, "voters": ["ts-1"], "led": {"reads": 3000}, "finding": "key", "split_key": "f"}
)");
  EXPECT_THAT(Run("balance explain --view " + calm), HasSubstr("nothing is to be done"));
  EXPECT_EQ(Run("balance explain --steady 10m --view " + calm),
            "1 server, 1 table, 1 tablet; after 30 s of the same; the view names no options, so the defaults hold\n"
            "split: split tablet 7 at \"f\"\n"
            "  3,000 operations/s, over 2,500 operations/s for 30 s");
  const std::string told = File("told.json", R"({"view": 1, "now_ms": 360000000}
{"options": {"splits": false}}
{"table": 1, "name": "carts", "replicas": 1}
{"server": "ts-1"}
{"tablet": 7, "table": 1, "voters": ["ts-1"], "led": {"reads": 3000}, "finding": "key", "split_key": "f"}
)");
  EXPECT_THAT(Run("balance explain --steady 10m --view " + told), HasSubstr("of the same\nnothing is to be done"))
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
  EXPECT_THAT(Run("--json balance off"), HasSubstr(R"({"ok":true,"enabled":false})"));
  EXPECT_THAT(Run("balance explain"),
              ::testing::AllOf(HasSubstr("the planner is off: what it plans is not done"), HasSubstr("WOULD BE DONE")));
  EXPECT_THAT(Run("balance now"),
              ::testing::AllOf(HasSubstr("made 0 s ago"), HasSubstr("WOULD BE DONE\nsplit: split tablet 7")));
  EXPECT_THAT(Run("balance on"), HasSubstr("OK  the planner is on"));
  EXPECT_THAT(Run("--json balance explain"),
              ::testing::AllOf(
                  HasSubstr(R"({"enabled":true,"since_pass_ms":3000,"waits_for":null,"planned":[{"rule":"split",)"),
                  HasSubstr(R"("outcome":"done"}])"), HasSubstr(R"("cause":"not yet","tablet":null,"server":"ts-1")")));
  const std::string saved = File("saved.json", "");
  Run("balance explain --save-view " + saved);
  EXPECT_EQ(Run("balance explain --view " + saved),
            "1 server, 0 tables, 0 tablets; the view names no options, so the defaults hold\nnothing is to be done");
  EXPECT_THAT(Run("balance explain --save-view /nowhere/x"), HasSubstr("cannot write the file /nowhere/x [2]"));
  EXPECT_THAT(Run("balance explain --steady 5m"), HasSubstr("save one with --save-view FILE"));
  EXPECT_THAT(Run("balance explain --view a --save-view b"), HasSubstr("one of the two [2]"));
}

TEST_F(ShellTest, AScriptGoesOnAndReturnsTheFirstFailure) {
  MakeTable();
  std::istringstream script("put carts a 1\nget carts none\nfrob\n# done\nget carts a\n");
  EXPECT_EQ(shell_.RunScript(script), 1);
  EXPECT_TRUE(out_.str().ends_with("1\n"));
}

// The program at a terminal of its own: what it shows is read until it has shown what is expected.
class Terminal {
 public:
  Terminal(const std::string& masters, const std::string& home) {
    pid_ = forkpty(&fd_, nullptr, nullptr, nullptr);
    if (pid_ == 0) {
      setenv("HOME", home.c_str(), 1);
      setenv("TERM", "dumb", 1);
      setenv("EBLA_MASTERS", masters.c_str(), 1);
      const std::string program = std::string(kBinaryDir) + "/bin/ebla";
      execl(program.c_str(), "ebla", nullptr);
      _exit(127);
    }
  }
  ~Terminal() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(fd_);
  }
  void Type(const std::string& text) {
    ASSERT_EQ(write(fd_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // True once `text` has been shown after what was found before.
  bool Shows(const std::string& text) {
    while (true) {
      if (const size_t at = shown_.find(text, seen_); at != std::string::npos) {
        seen_ = at + text.size();
        return true;
      }
      pollfd ready{fd_, POLLIN, 0};
      char buffer[4096];
      if (poll(&ready, 1, 20'000) <= 0) break;
      const ssize_t got = read(fd_, buffer, sizeof buffer);
      if (got <= 0) break;
      shown_.append(buffer, static_cast<size_t>(got));
    }
    ADD_FAILURE() << "never shown: " << text << "\nwhat was: " << shown_;
    return false;
  }
  int ExitCode() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
  int fd_ = -1;
  std::string shown_;
  size_t seen_ = 0;
};

TEST_F(ShellTest, AtATerminal) {
  MakeTable();
  Terminal terminal(servers_.masters()[0] + "," + servers_.masters()[1], directory_);
  ASSERT_TRUE(terminal.Shows("servers live, 1 table. \"help\" lists the verbs")) << "which cluster, and what next";
  ASSERT_TRUE(terminal.Shows("ebla> "));
  terminal.Type("put carts user42 'a b'\n");
  ASSERT_TRUE(terminal.Shows("OK  version 1."));
  ASSERT_TRUE(terminal.Shows("ebla> "));
  terminal.Type("get car\tuser42\n");  // completion of the table's name
  ASSERT_TRUE(terminal.Shows("a b"));
  ASSERT_TRUE(terminal.Shows("ebla> "));
  terminal.Type("put carts half a line");
  ASSERT_TRUE(terminal.Shows("half a line"));
  terminal.Type("\x03");  // Ctrl-C drops it, and the shell lives
  ASSERT_TRUE(terminal.Shows("^C"));
  terminal.Type("get carts half\n");
  ASSERT_TRUE(terminal.Shows("NOT_FOUND"));
  ASSERT_TRUE(terminal.Shows("ebla> "));
  terminal.Type("use carts\n");
  ASSERT_TRUE(terminal.Shows("ebla carts> "));
  terminal.Type("history 2\n");
  ASSERT_TRUE(terminal.Shows("  use carts"));
  terminal.Type("table drop carts\n");
  ASSERT_TRUE(terminal.Shows("Type yes to do it: "));
  terminal.Type("no\n");
  ASSERT_TRUE(terminal.Shows("the answer was not yes"));
  ASSERT_TRUE(terminal.Shows("ebla carts> "));
  terminal.Type("exit\n");
  EXPECT_EQ(terminal.ExitCode(), 1) << "of the last command";
  EXPECT_THAT(Content(directory_ + "/.ebla_history"), HasSubstr("put carts user42 'a b'"));
}

}  // namespace
}  // namespace ebla::shell
