// Records from the shell: one by one, in scans and in files; levels and sessions; bytes, numbers and JSON.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <utility>

#include "tools/ebla/cli/shell_fixture.h"

namespace ebla::shell {
namespace {

using ::testing::HasSubstr;

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

// ---- levels and sessions -------------------------------------------------------------------------------------------

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

TEST_F(ShellTest, SessionsGoOnFromTheirToken) {
  MakeTable();
  EXPECT_THAT(Run("get carts a --read session"), HasSubstr("NOT_FOUND"));
  EXPECT_THAT(Run("put carts a 1"), HasSubstr("OK"));
  EXPECT_EQ(Run("get carts a --read session"), "1");
  const std::string token = Run("token");
  EXPECT_EQ(Run("get carts a --read session --token " + token), "1");
  EXPECT_THAT(Run("get carts a --token junk!"), HasSubstr("[2]"));
}

// ---- files ---------------------------------------------------------------------------------------------------------

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

}  // namespace
}  // namespace ebla::shell
