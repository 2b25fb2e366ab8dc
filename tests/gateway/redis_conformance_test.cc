// Each command of redis_conformance.txt, and thousands that chance makes, given to Ebla and to a redis-server: the
// replies are the same bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>

#include "common/base/key_range.h"
#include "common/testing/temporary_directory.h"
#include "gateway/redis/testing/memory_client.h"
#include "tests/gateway/redis_server_client.h"

namespace ebla::gateway::redis {
namespace {

class ConformanceTest : public ::testing::TestWithParam<int> {
 protected:
  void BeginAnew() {
    const auto begin = [](auto& client) {
      ASSERT_EQ(client.Answer({"FLUSHALL"}), "+OK\r\n");
      ASSERT_EQ(client.Answer({"RESET"}), "+RESET\r\n");
      ASSERT_NE(client.Answer({"HELLO", std::to_string(GetParam())}).front(), '-');
    };
    ASSERT_NO_FATAL_FAILURE(begin(ebla_));
    ASSERT_NO_FATAL_FAILURE(begin(redis_));
  }

  testing::TemporaryDirectory directory_;
  ServerClient redis_{directory_.path()};
  MemoryClient ebla_;
};

std::optional<int64_t> NumberIn(const std::string& reply) {
  int64_t number = 0;
  if (reply.empty() || reply.front() != ':') return std::nullopt;
  const auto [end, error] = std::from_chars(reply.data() + 1, reply.data() + reply.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

// The elements of an array, in their order by bytes.
std::vector<std::string> Elements(const std::string& reply) {
  std::vector<std::string> elements;
  for (std::string_view left = std::string_view(reply).substr(reply.find('\n') + 1); !left.empty();) {
    const size_t length = ReplyLength(left).value_or(left.size());
    elements.emplace_back(left.substr(0, length));
    left.remove_prefix(length);
  }
  std::ranges::sort(elements);
  return elements;
}

void ExpectSame(char how, const std::string& ebla, const std::string& redis) {
  if (how == '~') {
    const auto one = NumberIn(ebla), other = NumberIn(redis);
    ASSERT_TRUE(one && other) << EscapeBytes(ebla) << " and " << EscapeBytes(redis);
    EXPECT_NEAR(static_cast<double>(*one), static_cast<double>(*other), 1'500);
  } else if (how == '?') {
    EXPECT_EQ(Elements(ebla), Elements(redis));
  } else if (how == '/') {
    EXPECT_EQ(ebla.front(), redis.front()) << EscapeBytes(ebla) << " and " << EscapeBytes(redis);
  } else {
    EXPECT_EQ(EscapeBytes(ebla), EscapeBytes(redis));
  }
}

TEST_P(ConformanceTest, EveryCommandOfTheScriptIsAnsweredAsRedisDoes) {
  std::ifstream script(EBLA_REDIS_SCRIPT);
  ASSERT_TRUE(script) << EBLA_REDIS_SCRIPT;
  std::string line, section;
  int number = 0, commands = 0;
  while (std::getline(script, line)) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("== ")) {
      section = line.substr(3);
      ASSERT_NO_FATAL_FAILURE(BeginAnew());
      continue;
    }
    const bool marked = line.size() > 1 && line[1] == ' ' && std::string("~?/").find(line[0]) != std::string::npos;
    const auto words = SplitLine(marked ? std::string_view(line).substr(2) : line);
    ASSERT_TRUE(words && !words->empty()) << "line " << number;
    SCOPED_TRACE("line " + std::to_string(number) + ", " + section + ": " + line);
    ExpectSame(marked ? line[0] : '=', ebla_.Answer(*words), redis_.Answer(*words));
    ++commands;
  }
  EXPECT_GT(commands, 500);
}

// ---- by chance ------------------------------------------------------------------------------------------------------

// A command that changes or shows strings, with words that it may take or not.
class RandomCommands {
 public:
  explicit RandomCommands(uint64_t seed) : random_(seed) {}

  Words Next() {
    static const std::vector<Words> kForms = {
        {"SET", "k", "v"},
        {"SET", "k", "v", "NX"},
        {"SET", "k", "v", "XX"},
        {"SET", "k", "v", "GET"},
        {"SET", "k", "v", "XX", "GET"},
        {"SET", "k", "v", "NX", "GET"},
        {"SET", "k", "v", "KEEPTTL"},
        {"SETNX", "k", "v"},
        {"GETSET", "k", "v"},
        {"GETDEL", "k"},
        {"GET", "k"},
        {"STRLEN", "k"},
        {"GETEX", "k"},
        {"GETEX", "k", "PERSIST"},
        {"MGET", "k", "k", "k"},
        {"MSET", "k", "v", "k", "v"},
        {"APPEND", "k", "v"},
        {"INCR", "k"},
        {"DECR", "k"},
        {"INCRBY", "k", "n"},
        {"DECRBY", "k", "n"},
        {"GETRANGE", "k", "n", "n"},
        {"SETRANGE", "k", "s", "v"},
        {"SETBIT", "k", "s", "b"},
        {"GETBIT", "k", "s"},
        {"BITCOUNT", "k"},
        {"BITCOUNT", "k", "n", "n"},
        {"BITCOUNT", "k", "n", "n", "BIT"},
        {"BITPOS", "k", "b"},
        {"BITPOS", "k", "b", "n"},
        {"BITPOS", "k", "b", "n", "n"},
        {"BITPOS", "k", "b", "n", "n", "BIT"},
        {"BITOP", "AND", "k", "k", "k"},
        {"BITOP", "OR", "k", "k", "k"},
        {"BITOP", "XOR", "k", "k"},
        {"BITOP", "NOT", "k", "k"},
        {"BITFIELD", "k", "GET", "t", "s"},
        {"BITFIELD", "k", "SET", "t", "s", "n"},
        {"BITFIELD", "k", "INCRBY", "t", "s", "n"},
        {"BITFIELD", "k", "OVERFLOW", "SAT", "INCRBY", "t", "s", "n"},
        {"BITFIELD", "k", "OVERFLOW", "FAIL", "INCRBY", "t", "s", "n", "SET", "t", "s", "n"},
        {"LCS", "k", "k"},
        {"LCS", "k", "k", "LEN"},
        {"LCS", "k", "k", "IDX", "WITHMATCHLEN"},
        {"DEL", "k", "k"},
        {"EXISTS", "k", "k"},
        {"RENAME", "k", "k"},
        {"RENAMENX", "k", "k"},
        {"COPY", "k", "k"},
        {"COPY", "k", "k", "REPLACE"},
        {"EXPIREAT", "k", "1999999999"},
        {"EXPIRETIME", "k"},
        {"PERSIST", "k"},
        {"EXPIRE", "k", "-1"},
        {"TYPE", "k"},
        {"DUMP", "k"},
        {"DBSIZE"},
        {"SUBSTR", "k", "n", "n"}};
    Words words = kForms[random_() % kForms.size()];
    for (std::string& word : words) {
      if (word.size() == 1) word = Filled(word.front());
    }
    return words;
  }

 private:
  std::string Filled(char kind) {
    switch (kind) {
      case 'k': return "key" + std::to_string(random_() % 5);
      case 'n': return std::to_string(static_cast<int64_t>(random_() % 41) - 20);
      case 's': return std::to_string(random_() % 60);
      case 'b': return std::to_string(random_() % 2);
      case 't': return (random_() % 2 == 0 ? "u" : "i") + std::to_string(1 + random_() % 63);
      case 'v': break;
      default: return std::string(1, kind);
    }
    if (random_() % 3 == 0) return std::to_string(static_cast<int64_t>(random_() % 2001) - 1000);
    std::string value(random_() % 24, '\0');
    for (char& c : value) c = static_cast<char>(random_() % 4 == 0 ? random_() : 'a' + random_() % 4);
    return value;
  }

  std::mt19937_64 random_;
};

// A deliberate difference (docs/guide/redis.md): INCR and its kin count from a number with leading zeros.
bool CountsFromZeros(const Words& words, const std::string& before) {
  if (words[0] != "INCR" && words[0] != "DECR" && words[0] != "INCRBY" && words[0] != "DECRBY") return false;
  const size_t digits = before.find("\\x0a") + 4;
  const std::string_view text = std::string_view(before).substr(std::min(digits, before.size()));
  return text.starts_with("0") || text.starts_with("-0");
}

TEST_P(ConformanceTest, WhatChanceAsksIsAnsweredAsRedisDoes) {
  const char* const given = std::getenv("EBLA_SEED");
  const uint64_t seed = given == nullptr ? std::random_device()() : std::strtoull(given, nullptr, 10);
  std::cout << "EBLA_SEED=" << seed << " asks the same again" << std::endl;
  ASSERT_NO_FATAL_FAILURE(BeginAnew());
  RandomCommands commands(seed);
  for (int i = 0; i < 20'000; ++i) {
    const Words words = commands.Next();
    std::string line;
    for (const std::string& word : words) line += EscapeBytes(word) + " ";
    const std::string before = words.size() > 1 ? EscapeBytes(redis_.Answer({"GET", words[1]})) : "";
    if (CountsFromZeros(words, before)) continue;
    ASSERT_EQ(EscapeBytes(ebla_.Answer(words)), EscapeBytes(redis_.Answer(words)))
        << "command " << i << ": " << line << " of " << before;
  }
}

INSTANTIATE_TEST_SUITE_P(Versions, ConformanceTest, ::testing::Values(2, 3));

}  // namespace
}  // namespace ebla::gateway::redis
