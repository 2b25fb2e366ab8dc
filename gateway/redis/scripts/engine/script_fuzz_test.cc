// Random scripts: pieces of redis_scripts.txt and of harmful scripts, cut and joined. Each run ends within its limits,
// with the bytes of one reply. And random patterns, matched as Lua itself does. EBLA_SEED=n repeats a run;
// EBLA_FUZZ_SECONDS=n makes it last so long.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <lua.hpp>
#include <random>

#include "common/base/key_range.h"
#include "gateway/redis/scripts/engine/script_engine.h"
#include "gateway/redis/testing/memory_client.h"
#include "gateway/redis/wire/request_reader.h"

namespace ebla::gateway::redis {
namespace {

using namespace std::chrono_literals;

uint64_t Seed() {
  const char* const given = std::getenv("EBLA_SEED");
  const uint64_t seed = given == nullptr ? std::random_device()() : std::strtoull(given, nullptr, 10);
  std::cout << "EBLA_SEED=" << seed << " makes the same again" << std::endl;
  return seed;
}

std::chrono::seconds HowLong() {
  const char* const given = std::getenv("EBLA_FUZZ_SECONDS");
  return std::chrono::seconds(given == nullptr ? 2 : std::atoi(given));
}

// Echoes its arguments; returns the argument of RAW unchanged.
class EchoHost final : public ScriptHost {
 public:
  std::string Call(const Words& words, int protocol) override {
    if (words.size() > 1 && words.front() == "RAW") return words[1];
    Reply reply(protocol);
    reply.Array(words.size());
    for (const std::string& word : words) reply.Bulk(word);
    return reply.Take();
  }
  void Log(int, std::string_view) override {}
};

std::vector<std::string> Bodies() {
  std::vector<std::string> bodies;
  std::ifstream file(EBLA_REDIS_SCRIPTS);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("EVAL ")) continue;
    if (const auto words = SplitLine(line)) bodies.push_back((*words)[1]);
  }
  return bodies;
}

class RandomScripts {
 public:
  explicit RandomScripts(uint64_t seed) : random_(seed), bodies_(Bodies()) {}

  std::string Next() {
    std::string body = Body();
    for (uint64_t changes = random_() % 4; changes > 0; --changes) Change(body);
    return body;
  }

 private:
  std::string Body() { return bodies_[random_() % bodies_.size()]; }
  size_t Place(const std::string& body) { return body.empty() ? 0 : random_() % body.size(); }

  void Change(std::string& body) {
    static const std::vector<std::string> kPieces = {" ",
                                                     "(",
                                                     ")",
                                                     "{",
                                                     "}",
                                                     "[",
                                                     "]",
                                                     "end ",
                                                     "function() ",
                                                     "return ",
                                                     "local x=",
                                                     "pcall(",
                                                     "error(",
                                                     "nil",
                                                     "true",
                                                     "2147483647",
                                                     "-2147483648",
                                                     "1e308",
                                                     "0/0",
                                                     "\"\\0\"",
                                                     "...",
                                                     "#",
                                                     "..",
                                                     "string.rep(\"x\",1e5)",
                                                     "redis.call(",
                                                     "redis.call(\"RAW\",\"*1\\r\\n\")",
                                                     "redis.pcall(",
                                                     "cjson.encode(",
                                                     "cjson.decode(",
                                                     "unpack(",
                                                     "select(",
                                                     "_G",
                                                     "getmetatable(\"\")",
                                                     "setmetatable(",
                                                     "coroutine.wrap(",
                                                     "coroutine.yield(",
                                                     "string.format(\"%s%q\",",
                                                     ":gsub(",
                                                     "while true do ",
                                                     "for i=1,1e6 do ",
                                                     "table.sort(",
                                                     "table.concat(",
                                                     "table.insert(",
                                                     "loadstring(",
                                                     "load(",
                                                     "string.dump(",
                                                     "bit.lshift(",
                                                     "redis.setresp(3) ",
                                                     "collectgarbage(",
                                                     "rawset(",
                                                     "xpcall(",
                                                     "{map={}}",
                                                     "%b()"};
    switch (random_() % 6) {
      case 0: body.insert(Place(body), kPieces[random_() % kPieces.size()]); break;
      case 1: body.erase(Place(body), random_() % 8); break;
      case 2: body.insert(Place(body), Body()); break;
      case 3: body = Body() + " " + body; break;
      case 4: body += " " + kPieces[random_() % kPieces.size()]; break;
      default:
        if (!body.empty()) body[Place(body)] = static_cast<char>(random_());
    }
  }

  std::mt19937_64 random_;
  const std::vector<std::string> bodies_;
};

TEST(ScriptFuzzTest, WhateverIsRunEndsWithOneReply) {
  RandomScripts scripts(Seed());
  EchoHost host;
  const ScriptLimits limits{.time = 50ms, .memory_bytes = 4 << 20, .reply_bytes = 1 << 20};
  const std::vector<std::string> keys = {"key"}, arguments = {"*1\r\n%1\r\n+a\r\n,1.5\r\n", "7"};
  const auto end = std::chrono::steady_clock::now() + HowLong();
  for (int i = 0; i == 0 || std::chrono::steady_clock::now() < end; ++i) {
    const std::string body = scripts.Next();
    const auto begin = std::chrono::steady_clock::now();
    const std::string reply = RunScript(body, keys, arguments, 2 + i % 2, limits, host).reply;
    const auto length = ReplyLength(reply);
    ASSERT_TRUE(length && *length == reply.size()) << EscapeBytes(body) << "\n" << EscapeBytes(reply);
    ASSERT_LT(std::chrono::steady_clock::now() - begin, 10s) << EscapeBytes(body);
  }
}

// ---- patterns -------------------------------------------------------------------------------------------------------

// Lua's own result of a script; its answer is text.
std::string ByLua(const std::string& body) {
  lua_State* const lua = luaL_newstate();
  luaL_openlibs(lua);
  std::ignore = luaL_loadbuffer(lua, body.data(), body.size(), "@user_script") || lua_pcall(lua, 0, 1, 0);
  size_t size = 0;
  const char* const text = lua_tolstring(lua, -1, &size);
  std::string answer = text == nullptr ? "none" : std::string(text, size);
  lua_close(lua);
  return answer;
}

std::string RandomText(std::mt19937_64& random, const std::vector<std::string>& pieces, size_t most) {
  std::string text;
  for (size_t left = random() % (most + 1); left > 0; --left) text += pieces[random() % pieces.size()];
  return text;
}

TEST(ScriptFuzzTest, PatternsMatchAsInLua) {
  std::mt19937_64 random(Seed());
  EchoHost host;
  const std::vector<std::string> subject_pieces = {"a", "b", "a", "1", " ", "(", ")", "-", "]", "%", "\\0", "."};
  const std::vector<std::string> pattern_pieces = {"a",    "b",    ".",     "%a", "%d",   "%s",     "%w", "%D", "%p",
                                                   "[ab]", "[^a]", "[%d-]", "[]", "*",    "+",      "-",  "?",  "(",
                                                   ")",    "()",   "%1",    "%2", "%b()", "%f[%a]", "^",  "$",  "%%",
                                                   "%z",   "[",    "]",     "%",  "[a-",  "%b",     "%f", "\\0"};
  const std::vector<std::string> replacement_pieces = {"x", "%0", "%1", "%2", "%%", "%", "y"};
  const auto end = std::chrono::steady_clock::now() + HowLong();
  for (int i = 0; i < 500 || std::chrono::steady_clock::now() < end; ++i) {
    const std::string s = "\"" + RandomText(random, subject_pieces, 12) + "\"",
                      p = "\"" + RandomText(random, pattern_pieces, 6) + "\"",
                      r = "\"" + RandomText(random, replacement_pieces, 3) + "\"";
    const std::string body =
        "local r={} local function add(...) for i=1,select('#',...) do r[#r+1]=tostring((select(i,...))) end end "
        "add(pcall(string.find," +
        s + "," + p + "," + std::to_string(static_cast<int>(random() % 20) - 8) +
        ")) "
        "add(pcall(string.match," +
        s + "," + p + ")) add(pcall(string.gsub," + s + "," + p + "," + r +
        ")) "
        "add(pcall(string.gsub," +
        s + "," + p +
        ",{a='A',b=false,['1']=1})) "
        "add(pcall(function() local n=0 for x,y in string.gmatch(" +
        s + "," + p +
        ") do add(x,y) n=n+1 "
        "if n>50 then break end end end)) return table.concat(r,'|')";
    const std::string lua = ByLua(body);
    ASSERT_EQ(EscapeBytes(RunScript(body, {}, {}, 2, {}, host).reply),
              EscapeBytes("$" + std::to_string(lua.size()) + "\r\n" + lua + "\r\n"))
        << body;
  }
}

}  // namespace
}  // namespace ebla::gateway::redis
