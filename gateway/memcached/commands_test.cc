// The text protocol's commands over a store in memory. tests/gateway also compares the answers with those of memcached
// itself, byte for byte.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "common/testing/eventually.h"
#include "gateway/testing/memcached_fixture.h"

namespace ebla::gateway::memcached {
namespace {

using namespace std::string_literals;
using std::chrono::milliseconds;
using std::chrono::seconds;

class CommandsTest : public MemcachedTest {};

TEST_P(CommandsTest, StoresAndGets) {
  EXPECT_EQ(Store("set a 5 0 5", "hello"), "STORED\r\n");
  EXPECT_EQ(Store("set b 0 0 2", "hi"), "STORED\r\n");
  EXPECT_EQ(Line("get a b c"), "VALUE a 5 5\r\nhello\r\nVALUE b 0 2\r\nhi\r\nEND\r\n");
  EXPECT_EQ(Raw("b"), "hi") << "as the shell and the SDK see it";
  EXPECT_EQ(Store("add a 0 0 1", "x"), "NOT_STORED\r\n");
  EXPECT_EQ(Store("replace c 0 0 1", "x"), "NOT_STORED\r\n");
  EXPECT_EQ(Store("add c 0 0 1", "x"), "STORED\r\n");
  EXPECT_EQ(Store("replace c 0 0 1", "y"), "STORED\r\n");
  EXPECT_EQ(Value("c"), "y");
  EXPECT_EQ(Line("delete c"), "DELETED\r\n");
  EXPECT_EQ(Line("delete c"), "NOT_FOUND\r\n");
}

TEST_P(CommandsTest, AValueThatLooksFramedComesBackAsItWas) {
  const std::string value = "\0\x01tricky"s;
  Store("set a 0 0 8", value);
  EXPECT_EQ(Value("a"), value);
  EXPECT_NE(Raw("a"), value);
}

class BatchedIncrTest : public CommandsTest {
 protected:
  std::unique_ptr<Command> Take(const std::string& line) { return protocol_.Take(line + "\r\n").command; }
  // The first command takes the rest into its batch. Returns the replies of all, in their order.
  std::string Together(const std::vector<std::string>& lines) {
    std::vector<std::unique_ptr<Command>> commands;
    std::vector<std::string> answers(lines.size());
    const auto note = [&answers](size_t at) { return [&answers, at](Reply reply) { answers[at] += reply.bytes; }; };
    for (const std::string& line : lines) commands.push_back(Take(line));
    for (size_t i = 1; i < lines.size(); ++i) {
      EXPECT_TRUE(commands[0]->MayBatch(*commands[i])) << lines[i];
      Ask(*commands[i], note(i));
      commands[0]->AddToBatch(*commands[i]);
    }
    AskAndRun(*commands[0], note(0));
    std::string all;
    for (const std::string& answer : answers) all += answer;
    return all;
  }
};

TEST_P(BatchedIncrTest, AreOneChangeAndEachAnswersItsOwn) {
  Store("set n 5 0 2", "41");
  int changes = 0;
  store_.SetFault([&changes](const std::string& operation, const std::string&) {
    changes += operation == (GetParam() ? "apply" : "put");
    return Status();
  });
  EXPECT_EQ(Together({"incr n 1", "incr n 10", "incr n 0 noreply", "incr n 100"}), "42\r\n52\r\n152\r\n");
  EXPECT_EQ(changes, 1);
  EXPECT_EQ(Line("get n"), "VALUE n 5 3\r\n152\r\nEND\r\n");
}

TEST_P(BatchedIncrTest, TheNumberBeginsAnewAmongThem) {
  Store("set n 0 0 20", "18446744073709551610");
  EXPECT_EQ(Together({"incr n 3", "incr n 3", "incr n 3"}), "18446744073709551613\r\n0\r\n3\r\n");
  EXPECT_EQ(Value("n"), "3" + std::string(19, ' '));
}

TEST_P(BatchedIncrTest, FailTogether) {
  EXPECT_EQ(Together({"incr none 1", "incr none 1"}), "NOT_FOUND\r\nNOT_FOUND\r\n");
  Store("set s 0 0 1", "x");
  EXPECT_TRUE(Together({"incr s 1", "incr s 1"})
                  .ends_with("value\r\nCLIENT_ERROR cannot increment or decrement "
                             "non-numeric value\r\n"));
  store_.SetFault([](const std::string&, const std::string&) { return Status(Code::kUnavailable, "away"); });
  EXPECT_EQ(Together({"incr n 1", "incr n 1"}), "SERVER_ERROR UNAVAILABLE: away\r\nSERVER_ERROR UNAVAILABLE: away\r\n");
}

TEST_P(BatchedIncrTest, NothingElseGoesAlong) {
  const auto first = Take("incr n 1");
  for (const char* line :
       {"decr n 1", "incr n 4294967296", "incr n 18446744073709551615", "ma n", "touch n 1", "get n"})
    EXPECT_FALSE(first->MayBatch(*Take(line))) << line;
  for (const char* line : {"decr n 1", "incr n 18446744073709551615"})
    EXPECT_FALSE(Take(line)->MayBatch(*first)) << line;
}

INSTANTIATE_TEST_SUITE_P(, BatchedIncrTest, ::testing::Bool(),
                         [](const auto& functions) { return functions.param ? "WithFunctions" : "WithoutFunctions"; });

TEST_P(CommandsTest, NoReplySaysNothing) {
  EXPECT_EQ(Store("set a 0 0 1 noreply", "x"), "");
  EXPECT_EQ(Line("incr a 1 noreply"), "");
  EXPECT_EQ(Line("delete b noreply"), "");
  EXPECT_EQ(Line("flush_all noreply"), "");
  EXPECT_EQ(Line("get a"), "END\r\n");
}

TEST_P(CommandsTest, CasTakesTheNumberOfGets) {
  Store("set a 0 0 1", "x");
  const uint64_t cas = CasNumber("a");
  EXPECT_EQ(Store("cas a 0 0 1 " + std::to_string(cas + 1), "y"), "EXISTS\r\n");
  EXPECT_EQ(Store("cas a 0 0 1 " + std::to_string(cas), "y"), "STORED\r\n");
  EXPECT_EQ(Store("cas a 0 0 1 " + std::to_string(cas), "z"), "EXISTS\r\n");
  EXPECT_EQ(Store("cas b 0 0 1 " + std::to_string(cas), "z"), "NOT_FOUND\r\n");
  EXPECT_EQ(Store("cas a 0 0 1 0", "z"), "EXISTS\r\n");
  EXPECT_EQ(Value("a"), "y");
}

TEST_P(CommandsTest, AppendAndPrependKeepFlagsAndLifetime) {
  EXPECT_EQ(Store("append a 0 0 1", "x"), "NOT_STORED\r\n");
  Store("set a 7 100 2", "mn");
  EXPECT_EQ(Store("append a 1 1 1", "o"), "STORED\r\n");
  EXPECT_EQ(Store("prepend a 1 1 1", "l"), "STORED\r\n");
  EXPECT_EQ(Line("get a"), "VALUE a 7 4\r\nlmno\r\nEND\r\n");
  store_.Advance(seconds(99));
  EXPECT_EQ(Value("a"), "lmno");
  store_.Advance(seconds(2));
  EXPECT_EQ(Value("a"), "-");
}

TEST_P(CommandsTest, AppendToMoreThanFitsChangesNothing) {
  const std::string value(1'047'552, 'x');
  EXPECT_EQ(Store("set a 0 0 1047552", value), "STORED\r\n");
  EXPECT_EQ(Store("append a 0 0 1", "y"), "NOT_STORED\r\n");
  EXPECT_EQ(Value("a"), value);
}

TEST_P(CommandsTest, TooLargeAValueTakesTheOldOneAway) {
  Store("set a 0 0 1", "x");
  EXPECT_EQ(Store("add a 0 0 1047553", std::string(1'047'553, 'y')), "SERVER_ERROR object too large for cache\r\n");
  EXPECT_EQ(Value("a"), "x");
  EXPECT_EQ(Store("set a 0 0 1047553", std::string(1'047'553, 'y')), "SERVER_ERROR object too large for cache\r\n");
  EXPECT_EQ(Value("a"), "-");
  EXPECT_EQ(Line("version"), "VERSION 1.6.18\r\n") << "the value was passed over";
}

TEST_P(CommandsTest, CountsAsMemcachedDoes) {
  EXPECT_EQ(Line("incr n 1"), "NOT_FOUND\r\n");
  Store("set n 0 0 2", "10");
  EXPECT_EQ(Line("incr n 5"), "15\r\n");
  EXPECT_EQ(Line("decr n 6"), "9\r\n");
  EXPECT_EQ(Value("n"), "9 ");
  EXPECT_EQ(Line("incr n 1"), "10\r\n");
  EXPECT_EQ(Line("decr n 100"), "0\r\n");
  Store("set n 3 0 20", "18446744073709551615");
  EXPECT_EQ(Line("incr n 2"), "1\r\n");
  EXPECT_EQ(Line("get n"), "VALUE n 3 20\r\n1                   \r\nEND\r\n");
  Store("set n 0 0 19", "9223372036854775807");
  EXPECT_EQ(Line("incr n 1"), "9223372036854775808\r\n") << "beyond what the servers count to";
  for (const std::string& value : {"x"s, ""s, "-5"s, "1234567890123456789012345"s}) {
    Store("set n 0 0 " + std::to_string(value.size()), value);
    EXPECT_EQ(Line("incr n 1"), "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n") << value;
    EXPECT_EQ(Value("n"), value);
  }
}

// A command that must know the item takes one round trip if servers have the function.
TEST_P(CommandsTest, WhatChangesAnItemIsOneCall) {
  int calls = 0;
  store_.SetFault([&](const std::string&, const std::string&) {
    ++calls;
    return Status();
  });
  for (const char* line : {"incr a 1", "decr a 1", "touch a 100", "gat 100 a", "gats 100 a", "mg a v T100", "ma a c t",
                           "md a I", "incr none 1", "ma made N100"}) {
    Store("set a 0 100 1", "5");
    calls = 0;
    Line(line);
    EXPECT_EQ(calls == 1, GetParam()) << line << ": " << calls;
  }
  for (const char* line : {"append a 0 0 1", "prepend a 0 0 1", "ms a 1 MA C1 c", "append none 0 0 1"}) {
    calls = 0;
    Store(line, "x");
    EXPECT_EQ(calls == 1, GetParam()) << line << ": " << calls;
  }
}

TEST_P(CommandsTest, AValueThatIsTooLargeForAnAnswerIsReadAndPut) {
  const std::string value(100'000, 'x');
  Store("set a 7 0 100000", value);
  EXPECT_EQ(Line("gat 10 a"), "VALUE a 7 100000\r\n" + value + "\r\nEND\r\n");
  EXPECT_EQ(Line("mg a v t T20"), "VA 100000 t10\r\n" + value + "\r\n");
}

TEST_P(CommandsTest, TimesEndItems) {
  Store("set a 0 10 1", "x");
  Store("set b 0 -1 1", "x");
  EXPECT_EQ(Value("b"), "-");
  store_.Advance(milliseconds(9'999));
  EXPECT_EQ(Value("a"), "x");
  EXPECT_EQ(Line("touch a 10"), "TOUCHED\r\n");
  store_.Advance(milliseconds(9'999));
  EXPECT_EQ(Line("gat 10 a"), "VALUE a 0 1\r\nx\r\nEND\r\n");
  store_.Advance(milliseconds(9'999));
  EXPECT_EQ(Value("a"), "x");
  store_.Advance(milliseconds(1));
  EXPECT_EQ(Value("a"), "-");
  EXPECT_EQ(Line("touch a 10"), "NOT_FOUND\r\n");
  Store("set a 0 0 1", "x");
  EXPECT_EQ(Line("gat -1 a"), "VALUE a 0 1\r\nx\r\nEND\r\n");
  EXPECT_EQ(Value("a"), "-");
}

TEST_P(CommandsTest, ATouchChangesTheCasNumber) {
  Store("set a 0 0 1", "x");
  const uint64_t cas = CasNumber("a");
  Line("touch a 100");
  EXPECT_NE(CasNumber("a"), cas);
  const uint64_t touched = CasNumber("a");
  EXPECT_EQ(Line("gats 100 a"), "VALUE a 0 1 " + std::to_string(touched + 1) + "\r\nx\r\nEND\r\n");
}

TEST_P(CommandsTest, StoringWhatIsGoneAtOnceKeepsTheConditions) {
  EXPECT_EQ(Store("replace a 0 -1 1", "x"), "NOT_STORED\r\n");
  EXPECT_EQ(Store("add a 0 -1 1", "x"), "STORED\r\n");
  Store("set a 0 0 1", "x");
  EXPECT_EQ(Store("add a 0 -1 1", "y"), "NOT_STORED\r\n");
  const uint64_t cas = CasNumber("a");
  EXPECT_EQ(Store("cas a 0 -1 1 " + std::to_string(cas + 1), "y"), "EXISTS\r\n");
  EXPECT_EQ(Store("cas a 0 -1 1 " + std::to_string(cas), "y"), "STORED\r\n");
  EXPECT_EQ(Value("a"), "-");
}

TEST_P(CommandsTest, FlushAllNowAndLater) {
  for (const char* key : {"a", "b", "c"}) Store("set "s + key + " 0 0 1", "x");
  EXPECT_EQ(Line("flush_all"), "OK\r\n");
  EXPECT_EQ(Line("get a b c"), "END\r\n");
  Store("set a 0 0 1", "x");
  EXPECT_EQ(Line("flush_all 1"), "OK\r\n");
  EXPECT_EQ(Value("a"), "x");
  EXPECT_TRUE(ebla::testing::Eventually([&] { return Value("a") == "-"; }, seconds(10)));
}

TEST_P(CommandsTest, AFaultIsAnErrorAndNeverAMiss) {
  Store("set a 0 0 1", "x");
  Store("set b 0 0 1", "x");
  store_.SetFault([](const std::string&, const std::string& key) {
    return key == "b" ? Status(Code::kUnavailable, "nobody\r\nthere") : Status();
  });
  const std::string error = "SERVER_ERROR UNAVAILABLE: nobody  there\r\n";
  EXPECT_EQ(Line("get b"), error);
  EXPECT_EQ(Line("get a b c"), "VALUE a 0 1\r\nx\r\n" + error);
  for (const char* line :
       {"incr b 1", "decr b 1", "delete b", "touch b 1", "gat 1 b", "mg b v", "md b", "ma b", "me b"})
    EXPECT_EQ(Line(line), error) << line;
  for (const char* line :
       {"set b 0 0 1", "add b 0 0 1", "replace b 0 0 1", "append b 0 0 1", "cas b 0 0 1 5", "ms b 1"})
    EXPECT_EQ(Store(line, "x"), error) << line;
}

// Also for hundreds of keys.
TEST_P(CommandsTest, OneKeysFaultDoesNotTakeTheOthersValues) {
  std::string keys, values;
  for (int i = 0; i < 200; ++i) {
    const std::string key = "k" + std::to_string(i);
    Store("set " + key + " 0 0 1", "x");
    keys += " " + key;
    if (i != 5) values += "VALUE " + key + " 0 1\r\nx\r\n";
  }
  store_.SetFault([](const std::string&, const std::string& key) {
    return key == "k5" ? Status(Code::kUnavailable, "away") : Status();
  });
  EXPECT_EQ(Line("get" + keys), values + "SERVER_ERROR UNAVAILABLE: away\r\n");
  EXPECT_EQ(Line("gat 0" + keys), values + "SERVER_ERROR UNAVAILABLE: away\r\n");
}

TEST_P(CommandsTest, AKeyThatIsNamedAgainIsTouchedOnce) {
  Store("set a 0 0 1", "x");
  Store("set b 0 0 1", "y");
  const uint64_t cas = CasNumber("a");
  EXPECT_EQ(Line("gat 100 a c b a c a"),
            "VALUE a 0 1\r\nx\r\nVALUE b 0 1\r\ny\r\nVALUE a 0 1\r\nx\r\nVALUE a 0 1\r\nx\r\nEND\r\n");
  EXPECT_EQ(CasNumber("a"), cas + 2) << "b's is between them";
}

TEST_P(CommandsTest, KeysCountAsHeld) {
  EXPECT_GE(protocol_.Take("get " + std::string(200, 'a') + " b\r\n").command->held_bytes(), 201u);
  EXPECT_GE(protocol_.Take("set a 0 0 3\r\nabc\r\n").command->held_bytes(), 4u);
}

// However many keys are named, few are held.
TEST_P(CommandsTest, AFewKeysAtATimeAreTouched) {
  std::string keys;
  for (int i = 0; i < 150; ++i) {
    Store("set k" + std::to_string(i) + " 0 0 1", "x");
    keys += " k" + std::to_string(i);
  }
  const auto taken = protocol_.Take("gat 100" + keys + keys + "\r\n");
  store_.Hold();
  std::string reply;
  AskAndRun(*taken.command, [&](const Reply& said) { reply = said.bytes; });
  size_t most = 0;
  while (reply.empty()) {
    most = std::max(most, store_.held());
    ASSERT_EQ(store_.Release(1), 1u);
  }
  EXPECT_EQ(most, 64u);
  EXPECT_EQ(std::ranges::count(reply, 'V'), 300);
}

TEST_P(CommandsTest, ValuesBeyond64MiBAreLeftAway) {
  Store("set a 0 0 1047552", std::string(1'047'552, 'x'));
  std::string line = "gat 0";
  for (int i = 0; i < 100; ++i) line += " a";
  const std::string reply = Line(line);
  EXPECT_LE(reply.size(), (size_t{64} << 20) + 1000);
  EXPECT_TRUE(
      reply.ends_with("SERVER_ERROR INVALID_ARGUMENT: the values are larger than 64 MiB together: ask for "
                      "fewer keys at a time\r\n"));
}

TEST_P(CommandsTest, ARecordOfAnotherProgramIsThatKeysErrorAlone) {
  store_.Write("b", "\0\x07what"s);
  Store("set a 0 0 1", "x");
  const std::string reply = Line("get a b");
  EXPECT_TRUE(reply.starts_with("VALUE a 0 1\r\nx\r\nSERVER_ERROR INTERNAL: the record is of kind 7")) << reply;
  EXPECT_TRUE(Line("incr b 1").starts_with("SERVER_ERROR"));
  EXPECT_EQ(Store("set b 0 0 1", "y"), "STORED\r\n");
  EXPECT_EQ(Value("b"), "y");
}

// Its time counts from its arrival, also while it waits for others.
TEST_P(CommandsTest, WhatHasWaitedTooLongDoesNotRun) {
  environment_.deadline = milliseconds(1);
  const auto taken = protocol_.Take("set a 0 0 1\r\nx\r\n");
  const auto later = std::chrono::steady_clock::now() + milliseconds(2);
  while (std::chrono::steady_clock::now() < later) {
  }
  std::string reply;
  AskAndRun(*taken.command, [&](const Reply& said) { reply = said.bytes; });
  EXPECT_EQ(reply, "SERVER_ERROR DEADLINE_EXCEEDED: those before it took until its deadline\r\n");
  EXPECT_EQ(Raw("a"), "");
}

TEST_P(CommandsTest, StatsCountAndAreReset) {
  Store("set a 0 0 1", "1");
  Line("get a b");
  Line("incr a 1");
  Line("incr b 1");
  Line("delete b");
  Store("cas a 0 0 1 5", "x");
  const std::string stats = Line("stats");
  for (const char* line : {"STAT cmd_get 2\r\n", "STAT get_hits 1\r\n", "STAT get_misses 1\r\n", "STAT cmd_set 2\r\n",
                           "STAT incr_hits 1\r\n", "STAT incr_misses 1\r\n", "STAT delete_misses 1\r\n",
                           "STAT cas_badval 1\r\n", "STAT version 1.6.18\r\n"})
    EXPECT_TRUE(stats.contains(line)) << line << stats;
  EXPECT_TRUE(stats.ends_with("END\r\n"));
  EXPECT_EQ(Line("stats reset"), "RESET\r\n");
  EXPECT_TRUE(Line("stats").contains("STAT get_hits 0\r\n"));
  EXPECT_TRUE(Line("stats settings").contains("STAT item_size_max 1047552\r\n"));
  EXPECT_EQ(Line("stats nonsense"), "ERROR\r\n");
}

// Whatever is said, each command has one answer, and the next one is understood.
TEST_P(CommandsTest, WhateverComesIsAnswered) {
  constexpr std::string_view kVerbs[] = {"get", "gets", "gat",  "set",    "add",   "replace",   "append",    "prepend",
                                         "cas", "incr", "decr", "delete", "touch", "flush_all", "verbosity", "stats",
                                         "mg",  "ms",   "md",   "ma",     "me",    "mn",        "bogus"};
  constexpr std::string_view kWords[] = {"a",       "b",     "c",       "0",  "1",  "2",  "-1", "18446744073709551615",
                                         "noreply", "v",     "k",       "t",  "q",  "I",  "N5", "T9",
                                         "R9",      "C1",    "MA",      "MD", "J7", "D3", "b",  "YQ==",
                                         "Oo",      "reset", "\x7f\xff"};
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    std::mt19937_64 random(seed);
    std::string line(kVerbs[random() % std::size(kVerbs)]);
    for (uint64_t i = random() % 7; i > 0; --i) line.append(" ").append(kWords[random() % std::size(kWords)]);
    Line(line);
    for (int ends = 0; ends < 4; ++ends) Say("\r\n");  // of a value that it waits for, at most two bytes long
    EXPECT_EQ(Line("mn").substr(0, 4), "MN\r\n") << "seed " << seed << ": " << line;
    ASSERT_FALSE(talk_.ended()) << line;
    const std::string got = Line("get a b c");
    EXPECT_TRUE(got.ends_with("END\r\n")) << "seed " << seed << ": " << line << ": " << got;
  }
}

TEST_P(CommandsTest, QuitEnds) {
  EXPECT_EQ(Say("quit\r\nversion\r\n"), "");
  EXPECT_TRUE(talk_.ended());
}

INSTANTIATE_TEST_SUITE_P(, CommandsTest, ::testing::Bool(),
                         [](const auto& functions) { return functions.param ? "WithFunctions" : "WithoutFunctions"; });

}  // namespace
}  // namespace ebla::gateway::memcached
