// Gives Ebla and a redis-server every command of redis_arguments.txt, with a wrong word at each of its places. Both
// answer with the same error, or both with none. A command that changes keys for WATCH in one changes them in both.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <utility>

#include "common/base/key_range.h"
#include "common/testing/temporary_directory.h"
#include "gateway/redis/testing/memory_client.h"
#include "tests/gateway/redis_server_client.h"

namespace ebla::gateway::redis {
namespace {

struct Form {
  Words words;
  bool kind_alone = false;  // of an error only the first word is compared
  int line = 0;
};

std::vector<Form> FormsOfAll() {
  std::ifstream file(EBLA_REDIS_ARGUMENTS);
  EXPECT_TRUE(file) << EBLA_REDIS_ARGUMENTS;
  std::vector<Form> forms;
  std::string text;
  for (int line = 1; std::getline(file, text); ++line) {
    if (text.empty() || text.front() == '#') continue;
    const bool kind_alone = text.starts_with("/ ");
    const auto words = SplitLine(kind_alone ? text.substr(2) : text);
    EXPECT_TRUE(words && !words->empty()) << "line " << line;
    if (words) forms.push_back({*words, kind_alone, line});
  }
  return forms;
}

std::string Shown(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "\"" : " \"") + EscapeBytes(word) + "\"";
  return text;
}

// docs/guide/redis.md tells of these. A table is a database by its name, a gateway bounds its slow log, and a time that
// overflows is an error.
bool DiffersOnPurpose(const Words& words) {
  if (words[0] == "SELECT" && words.size() == 2) return !ToInteger(words[1]);
  if (words[0] == "RESTORE") return words[2] == "9223372036854775807";
  return words.size() == 4 && words[2] == "slowlog-max-len" && ToInteger(words[3]);
}

const Words kKeys = {"word", "number", "float", "bits", "timed", "none", "other"};

class ArgumentsTest : public ::testing::TestWithParam<int> {
 protected:
  void BeginAnew() {
    const std::vector<Words> commands = {{"RESET"},
                                         {"FLUSHALL"},
                                         {"HELLO", std::to_string(GetParam())},
                                         {"SET", "word", "hello"},
                                         {"SET", "number", "10"},
                                         {"SET", "float", "1.5"},
                                         {"SET", "bits", "\xff\x01\x0f"},
                                         {"SET", "timed", "1", "EX", "1000"}};
    redis_.AnswerAll(commands);
    for (const Words& words : commands) ASSERT_NE(ebla_.Answer(words).front(), '-') << Shown(words);
  }
  void ExpectSameKind(const Words& words, bool kind_alone) {
    if (DiffersOnPurpose(words)) return;
    ASSERT_NO_FATAL_FAILURE(BeginAnew());
    const std::string ebla = ebla_.Answer(words), redis = redis_.Answer(words);
    if (ebla.starts_with("-CROSSSLOT ")) return;  // scripts and MSETNX of several groups
    if (ebla.front() != '-' || redis.front() != '-') {
      EXPECT_EQ(ebla.front(), redis.front())
          << Shown(words) << ": " << EscapeBytes(ebla.substr(0, 99)) << " and " << EscapeBytes(redis.substr(0, 99));
    } else if (kind_alone) {
      EXPECT_EQ(ebla.substr(0, ebla.find(' ')), redis.substr(0, redis.find(' '))) << Shown(words);
    } else {
      EXPECT_EQ(EscapeBytes(ebla), EscapeBytes(redis)) << Shown(words);
    }
  }
  // Whether EXEC finds the key changed once `words` have run on another connection.
  template <class Client>
  static bool Changes(Client& watcher, Client& other, const Words& words, const std::string& key) {
    EXPECT_EQ(watcher.Answer({"RESET"}), "+RESET\r\n");
    EXPECT_EQ(watcher.Answer({"WATCH", key}), "+OK\r\n");
    other.Answer(words);
    EXPECT_EQ(watcher.Answer({"MULTI"}), "+OK\r\n");
    return watcher.Answer({"EXEC"}) == "*-1\r\n";
  }

  testing::TemporaryDirectory directory_;
  ServerClient redis_{directory_.path()};
  ServerClient redis_watcher_{&redis_};
  MemoryClient ebla_;
  MemoryClient ebla_watcher_{&ebla_};
};

TEST_P(ArgumentsTest, EveryCommandHasAForm) {
  std::set<std::string> names;
  for (const Form& form : FormsOfAll()) names.insert(ToLower(form.words[0]));
  for (const CommandInfo& command : AllCommands()) {
    const bool has_one = command.name.starts_with("ebla.") || command.name == "quit";
    EXPECT_TRUE(has_one || names.contains(std::string(command.name))) << command.name;
  }
}

TEST_P(ArgumentsTest, AWrongWordIsAnsweredAsRedisDoes) {
  static const std::string kWrong[] = {"",
                                       "x",
                                       "-1",
                                       "0",
                                       "2",
                                       "1.5",
                                       "+1",
                                       " 1",
                                       "01",
                                       "4294967296",
                                       "9223372036854775807",
                                       "-9223372036854775808",
                                       "99999999999999999999"};
  for (const Form& form : FormsOfAll()) {
    SCOPED_TRACE("line " + std::to_string(form.line));
    ExpectSameKind(form.words, form.kind_alone);
    for (size_t place = 1; place < form.words.size(); ++place) {
      for (const std::string& wrong : kWrong) {
        Words words = form.words;
        words[place] = wrong;
        ExpectSameKind(words, form.kind_alone);
      }
    }
    Words words = form.words;
    words.push_back("x");
    ExpectSameKind(words, form.kind_alone);
    words.resize(form.words.size() - 1);
    if (!words.empty()) ExpectSameKind(words, form.kind_alone);
  }
}

TEST_P(ArgumentsTest, WhatChangesNothingIsNoChange) {
  for (const Form& form : FormsOfAll()) {
    for (const std::string& key : kKeys) {
      if (std::ranges::find(form.words, key) == form.words.end()) continue;
      ASSERT_NO_FATAL_FAILURE(BeginAnew());
      EXPECT_EQ(Changes(ebla_watcher_, ebla_, form.words, key), Changes(redis_watcher_, redis_, form.words, key))
          << "line " << form.line << ": " << Shown(form.words) << " changes " << key;
    }
  }
}

TEST_P(ArgumentsTest, RepliesAreLeftOutAsRedisDoes) {
  const Words kSkip = {"CLIENT", "REPLY", "SKIP"}, kOff = {"CLIENT", "REPLY", "OFF"}, kOn = {"CLIENT", "REPLY", "ON"};
  const Words kPing = {"PING"}, kReset = {"RESET"}, kId = {"CLIENT", "GETNAME"}, kNoCommand = {"nosuch"};
  for (const std::vector<Words>& commands : std::vector<std::vector<Words>>{
           {kSkip, kOn, kPing},
           {kSkip, kSkip, kPing, kPing},
           {kSkip, kPing, kPing},
           {kSkip, kReset, kPing},
           {kOff, kPing, kReset, kPing},
           {kOff, kId, kSkip, kOn, kPing},
           {kSkip, {"CLIENT", "REPLY", "x"}, kPing},
           {kSkip, kNoCommand, kPing},
           {kOff, kNoCommand, kOn, kPing},
           {kSkip, {"SET", "word"}, kPing},
           {kSkip, {"MULTI"}, kPing, {"EXEC"}},
           {kOff, {"MULTI"}, kPing, kOn, {"DISCARD"}, kOn},
           {kSkip, {"GET", "word"}, {"GET", "number"}},
           {kSkip, {"SUBSCRIBE", "channel"}, kReset},
           {{"SUBSCRIBE", "channel"}, kOn, {"GET", "word"}, {"EXEC"}, {"nosuch", "x"}, kReset}}) {
    ASSERT_NO_FATAL_FAILURE(BeginAnew());
    std::string ebla, text;
    for (const Words& words : commands) {
      ebla += ebla_.Answer(words);
      text += Shown(words) + "; ";
    }
    EXPECT_EQ(EscapeBytes(ebla), EscapeBytes(redis_.AnswerAll(commands))) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Versions, ArgumentsTest, ::testing::Values(2, 3));

}  // namespace
}  // namespace ebla::gateway::redis
