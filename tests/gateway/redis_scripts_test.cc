// Runs each script of redis_scripts.txt by Ebla's engine, by Ebla's commands over a store in memory, and by a
// redis-server. The replies are the same bytes. The engine's scripts call commands of that same server, so both find
// the same data.
#include <gtest/gtest.h>

#include <charconv>
#include <fstream>

#include "common/base/key_range.h"
#include "common/testing/temporary_directory.h"
#include "gateway/redis/commands/command_table.h"
#include "gateway/redis/scripts/engine/script_engine.h"
#include "gateway/redis/testing/memory_client.h"
#include "gateway/redis/wire/request_reader.h"
#include "tests/gateway/redis_server_client.h"

namespace ebla::gateway::redis {
namespace {

// Answers a script's commands by the server, and refuses what it would refuse.
class ServerHost final : public ScriptHost {
 public:
  ServerHost(ServerClient& server, ScriptFlags flags) : server_(server), flags_(flags) {}

  std::string Call(const Words& words, int protocol) override {
    Speak(2);
    const std::string info = server_.Answer({"COMMAND", "INFO", words.front()});
    if (info.find("*10\r\n") == info.npos) return Refusal(kNoSuchScriptCommand);
    const size_t at = info.find("\r\n:") + 3;
    int arity = 0;
    std::from_chars(info.data() + at, info.data() + info.size(), arity);
    const auto count = static_cast<int>(words.size());
    if (arity > 0 ? count != arity : count < -arity) return Refusal(kScriptArity);
    if (info.find("+noscript\r\n") != info.npos) return Refusal(kNotFromScripts);
    if (flags_.no_writes && info.find("+write\r\n") != info.npos) return Refusal(kScriptIsReadOnly);
    Speak(protocol);
    return server_.Answer(words);
  }
  void Log(int, std::string_view) override {}

 private:
  static std::string Refusal(std::string_view text) { return "-" + std::string(text) + "\r\n"; }
  void Speak(int protocol) { std::ignore = server_.Answer({"HELLO", std::to_string(protocol)}); }

  ServerClient& server_;
  const ScriptFlags flags_;
};

class ScriptsTest : public ::testing::TestWithParam<int> {
 protected:
  // The data that both find.
  void Prepare() {
    ASSERT_EQ(redis_.Answer({"FLUSHALL"}), "+OK\r\n");
    ASSERT_NE(redis_.Answer({"HELLO", std::to_string(GetParam())}).front(), '-');
    for (const Words& words : preparation_) ASSERT_NE(redis_.Answer(words).front(), '-') << words.front();
  }
  std::string ByCommands(const Words& words) {
    EXPECT_EQ(ebla_.Answer({"FLUSHALL"}), "+OK\r\n");
    EXPECT_NE(ebla_.Answer({"HELLO", std::to_string(GetParam())}).front(), '-');
    for (const Words& before : preparation_) EXPECT_NE(ebla_.Answer(before).front(), '-') << before.front();
    return ebla_.Answer(words);
  }

  std::string ByEngine(const Words& words) {
    const size_t keys = static_cast<size_t>(std::stoi(words[2]));
    const std::span<const std::string> all(words);
    ServerHost host(redis_, ParseScriptFlags(words[1]).value_or(ScriptFlags()));
    return RunScript(words[1], all.subspan(3, keys), all.subspan(3 + keys), GetParam(), {}, host).reply;
  }

  testing::TemporaryDirectory directory_;
  ServerClient redis_{directory_.path()};
  MemoryClient ebla_;
  std::vector<Words> preparation_;
};

void ExpectSame(bool kind_only, const std::string& ebla, const std::string& redis) {
  if (kind_only) {
    EXPECT_EQ(ebla.front(), redis.front()) << EscapeBytes(ebla) << " and " << EscapeBytes(redis);
  } else {
    EXPECT_EQ(EscapeBytes(ebla), EscapeBytes(redis));
  }
}

TEST_P(ScriptsTest, EveryScriptIsAnsweredAsRedisDoes) {
  std::ifstream file(EBLA_REDIS_SCRIPTS);
  ASSERT_TRUE(file) << EBLA_REDIS_SCRIPTS;
  std::string line, section;
  int number = 0, scripts = 0, by_commands = 0;
  while (std::getline(file, line)) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("== ")) {
      section = line.substr(3);
      preparation_.clear();
      continue;
    }
    const bool kind_only = line.starts_with("/ "), engine_only = line.starts_with("- ");
    const auto words = SplitLine(kind_only || engine_only ? std::string_view(line).substr(2) : line);
    ASSERT_TRUE(words && !words->empty()) << "line " << number;
    if (words->front() != "EVAL") {
      preparation_.push_back(*words);
      continue;
    }
    ASSERT_GE(words->size(), 3u) << "line " << number;
    SCOPED_TRACE("line " + std::to_string(number) + ", " + section + ": " + line);
    ASSERT_NO_FATAL_FAILURE(Prepare());
    const std::string redis = redis_.Answer(*words);
    ASSERT_NO_FATAL_FAILURE(Prepare());
    ExpectSame(kind_only, ByEngine(*words), redis);
    ++scripts;
    if (engine_only) continue;
    ExpectSame(kind_only, ByCommands(*words), redis);
    ++by_commands;
  }
  EXPECT_GT(scripts, 700);
  EXPECT_GT(by_commands, 690);
}

INSTANTIATE_TEST_SUITE_P(Versions, ScriptsTest, ::testing::Values(2, 3));

}  // namespace
}  // namespace ebla::gateway::redis
