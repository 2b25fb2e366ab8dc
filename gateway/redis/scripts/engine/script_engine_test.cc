// Cases that redis_scripts_test cannot compare with a redis-server: limits, isolation, and malicious scripts. Some of
// these end a redis-server 7.0.15, or keep it busy for ever.
#include "gateway/redis/scripts/engine/script_engine.h"

#include <gtest/gtest.h>

#include <chrono>
#include <ctime>
#include <map>
#include <vector>

#include "gateway/redis/wire/names.h"

namespace ebla::gateway::redis {
namespace {

using namespace std::chrono_literals;

// Has a few commands and a map.
class MapHost final : public ScriptHost {
 public:
  std::string Call(const Words& words, int protocol) override {
    calls.push_back(words);
    protocols.push_back(protocol);
    Reply reply(protocol);
    const std::string name = ToUpper(words.front());
    if (name == "RAW") return words.at(1);  // what a host should not say
    if (name == "GET") {
      const auto found = values.find(words.at(1));
      found == values.end() ? reply.Null() : reply.Bulk(found->second);
    } else if (name == "SET") {
      values[words.at(1)] = words.at(2);
      reply.Ok();
    } else if (name == "INCR") {
      const auto number = ToInteger(values.emplace(words.at(1), "0").first->second);
      if (!number) return reply.Failure(kNotAnInteger).Take();
      values[words.at(1)] = std::to_string(*number + 1);
      reply.Number(*number + 1);
    } else if (name == "DEL") {
      reply.Number(static_cast<int64_t>(values.erase(words.at(1))));
    } else {
      reply.Failure(kNoSuchScriptCommand);
    }
    return reply.Take();
  }
  void Log(int level, std::string_view text) override {
    logged.push_back(std::to_string(level) + " " + std::string(text));
  }
  bool Stopped() const override { return stopped; }

  std::map<std::string, std::string> values;
  std::vector<Words> calls;
  std::vector<int> protocols;
  std::vector<std::string> logged;
  bool stopped = false;
};

class ScriptEngineTest : public ::testing::Test {
 protected:
  std::string Run(std::string_view body, std::vector<std::string> keys = {}, std::vector<std::string> arguments = {}) {
    return RunScript(body, keys, arguments, protocol_, limits_, host_).reply;
  }
  // A limit ends the script soon. Counts processor time, because a busy machine delays the test as well.
  std::string RunHarmful(std::string_view body) {
    const std::clock_t begin = std::clock();
    std::string reply = Run(body);
    EXPECT_LT((std::clock() - begin) / CLOCKS_PER_SEC, 5) << body;
    return reply;
  }
  void ExpectOutOfTime(std::string_view body) {
    limits_.time = 100ms;
    EXPECT_EQ(RunHarmful(body), "-ERR Error running script: it took longer than 100 ms\r\n") << body;
  }
  void ExpectOutOfMemory(std::string_view body) {
    EXPECT_EQ(RunHarmful(body), "-ERR Error running script: not enough memory\r\n") << body;
  }
  void ExpectError(std::string_view body, std::string_view text) {
    const std::string reply = RunHarmful(body);
    EXPECT_TRUE(reply.starts_with("-") && reply.find(text) != reply.npos) << body << "\n" << reply;
  }

  MapHost host_;
  ScriptLimits limits_{.time = 20s, .memory_bytes = 16 << 20, .reply_bytes = 1 << 20};
  int protocol_ = 2;
};

// ---- what a script and its host say to each other -------------------------------------------------------------------

TEST_F(ScriptEngineTest, ALockIsReleasedByItsOwnerAlone) {
  constexpr std::string_view kRelease =
      "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";
  host_.values["lock"] = "me";
  EXPECT_EQ(Run(kRelease, {"lock"}, {"you"}), ":0\r\n");
  EXPECT_EQ(Run(kRelease, {"lock"}, {"me"}), ":1\r\n");
  EXPECT_EQ(Run(kRelease, {"lock"}, {"me"}), ":0\r\n");
}

TEST_F(ScriptEngineTest, WordsReachTheHostAsTheyAre) {
  EXPECT_EQ(Run("return redis.call('SET', 'a\\0b', 1.5)"), "+OK\r\n");
  EXPECT_EQ(host_.calls.front(), (Words{"SET", std::string("a\0b", 3), "1.5"}));
}

TEST_F(ScriptEngineTest, TheVersionThatAScriptAskedForIsTheHosts) {
  EXPECT_EQ(Run("redis.call('GET', 'x') redis.setresp(3) return redis.call('GET', 'x') == nil"), ":1\r\n");
  EXPECT_EQ(host_.protocols, (std::vector{2, 3}));
}

TEST_F(ScriptEngineTest, ErrorsPassThroughWithTheirCode) {
  host_.values["text"] = "x";
  EXPECT_EQ(Run("return redis.call('INCR', 'text')"),
            "-ERR value is not an integer or out of range script: " + ScriptSha("return redis.call('INCR', 'text')") +
                ", on @user_script:1.\r\n");
  EXPECT_EQ(Run("return redis.pcall('INCR', 'text')"), "-ERR value is not an integer or out of range\r\n");
}

TEST_F(ScriptEngineTest, WhatWasDoneBeforeAnErrorStays) {
  ExpectError("redis.call('SET', 'a', 1) error('late')", "late");
  EXPECT_EQ(host_.values["a"], "1");
}

TEST_F(ScriptEngineTest, LogReachesTheHost) {
  EXPECT_EQ(Run("redis.log(redis.LOG_WARNING, 'disk', 3, {}, 'full')"), "$-1\r\n");
  EXPECT_EQ(host_.logged, (std::vector<std::string>{"3 disk 3 full"}));
}

TEST_F(ScriptEngineTest, RepliesThatAreNoneAreErrors) {
  for (const char* reply : {"", "x", ":", ":x\r\n", "$5\r\nab\r\n", "*2\r\n:1\r\n", "*99999999999\r\n", "%1\r\n+a\r\n",
                            "%1\r\n_\r\n+a\r\n", "=2\r\nab\r\n", "?\r\n", "$99999999999999999999\r\n\r\n",
                            "$9223372036854775807\r\nab\r\n", "=9223372036854775806\r\nab\r\n"}) {
    EXPECT_TRUE(Run("return redis.call('RAW', ARGV[1])", {}, {reply}).starts_with("-ERR malformed reply")) << reply;
  }
  std::string deep;
  for (int i = 0; i < 1'000; ++i) deep += "*1\r\n";
  EXPECT_TRUE(Run("return redis.call('RAW', ARGV[1])", {}, {deep + ":1\r\n"}).starts_with("-ERR malformed reply"));
}

TEST_F(ScriptEngineTest, ANestedReplyOfEveryKindIsUnderstood) {
  EXPECT_EQ(Run("local r = redis.call('RAW', ARGV[1]) "
                "return {r[1].map.a, r[2].double * 2, r[3].big_number, r[4].verbatim_string.format, r[5], r[6].set.x, "
                "r[7].err}",
                {}, {"*7\r\n%1\r\n+a\r\n:1\r\n,1.5\r\n(12\r\n=7\r\ntxt:abc\r\n#t\r\n~1\r\n$1\r\nx\r\n-E no\r\n"}),
            // The key of the map is a table, as {ok=...} is one.
            "*0\r\n");
}

// ---- isolation ------------------------------------------------------------------------------------------------------

TEST_F(ScriptEngineTest, NothingOfARunIsLeftForTheNext) {
  Run("rawset(getmetatable('').__index, 'x', 1)");
  Run("local mt = getmetatable(_G) mt.__index = 1");
  Run("cjson.encode_max_depth(1) cjson.encode_number_precision(3)");
  Run("redis.setresp(3)");
  Run("coroutine.wrap(function() coroutine.yield() end)()");
  EXPECT_EQ(Run("return {cjson.encode({{{}}}), cjson.encode(1/3), ('').x == nil, true}"),
            "*4\r\n$6\r\n[[{}]]\r\n$16\r\n0.33333333333333\r\n:1\r\n:1\r\n");
}

TEST_F(ScriptEngineTest, BytecodeIsNotRun) {
  ExpectError("\x1bLuaQ", "unexpected symbol");
  EXPECT_EQ(Run("local f = loadstring(string.dump(function() return 1 end)) return f == nil"), ":1\r\n");
  EXPECT_EQ(
      Run("local n = 0 local f = load(function() n = n + 1 return ({'', string.dump(function() return 1 end)})[n] end) "
          "return f == nil"),
      ":1\r\n");
}

// A value behind load's name is not read, because Lua keeps the function's results there.
TEST_F(ScriptEngineTest, LoadReadsFromItsFunctionAlone) {
  for (const char* more : {"string.dump(function() return 7 end)", "string.dump(function() return 7 end), true",
                           "'return 7'", "7", "ARGV[1]", "ARGV[1], true"}) {
    EXPECT_EQ(Run(std::string("return {load(function() end, 'x', ") + more + ")()}", {}, {"return 7"}), "*0\r\n")
        << more;
  }
  EXPECT_EQ(Run("local n = 0 local f, why = load(function() n = n + 1 return n == 1 and ARGV[1] or nil end, 'x', "
                "ARGV[1], true) return {f == nil, why}",
                {}, {std::string("\x1bLuaQ\0", 6)}),
            "*2\r\n:1\r\n$49\r\n[string \"x\"]:1: unexpected symbol near 'char(27)'\r\n");
}

TEST_F(ScriptEngineTest, ReadOnlyTablesCannotBeUnlocked) {
  // The metatable that makes one is never seen, so no other table can be given it either.
  EXPECT_EQ(Run("return getmetatable(redis) == nil and getmetatable(string) == nil"), ":1\r\n");
  ExpectError("getmetatable(_G).__newindex = nil", "readonly");
  ExpectError("setmetatable(redis, nil)", "readonly");
  ExpectError("rawset(redis, 'call', 1)", "readonly");
  EXPECT_EQ(Run("local t = setmetatable({}, redis) t.call = 1 return t.call"), ":1\r\n");
}

TEST_F(ScriptEngineTest, ChanceDiffersBetweenRunsThatDoNotSeedIt) {
  constexpr std::string_view kDraw = "return math.random(1000000000)";
  EXPECT_NE(Run(kDraw), Run(kDraw));
  constexpr std::string_view kSeeded = "math.randomseed(7) return math.random(1000000000)";
  EXPECT_EQ(Run(kSeeded), Run(kSeeded));
}

// ---- limits ---------------------------------------------------------------------------------------------------------

TEST_F(ScriptEngineTest, EveryLoopEndsInTime) {
  limits_.time = 100ms;
  for (const char* body : {
           "while true do end",
           "repeat until false",
           "for i = 1, 1e300 do end",
           "local function f() return f() end f()",
           "while true do pcall(function() while true do end end) end",
           "while true do xpcall(function() while true do end end, function() while true do end end) end",
           "local function f() while true do pcall(f) end end f()",
           "while true do coroutine.wrap(function() while true do end end)() end",
           "while true do coroutine.resume(coroutine.create(function() local x = 1 end)) end",
           "while true do pcall(coroutine.wrap(function() pcall(function() while true do end end) end)) end",
           "setmetatable({}, {__index = function() while true do end end}).x = nil "
           "return setmetatable({}, {__index = function() while true do end end}).x",
           "return tostring(setmetatable({}, {__tostring = function() while true do end end}))",
           "return string.rep('', 2147483647) .. (('x'):rep(40)):find(('x*'):rep(20) .. 'y')",
           "return (('a'):rep(1000)):find(('a-'):rep(30) .. 'b')",
           "return (('a'):rep(30000)):gsub(('a*'):rep(6) .. 'b', '')",
           "for w in (('a'):rep(30000)):gmatch(('a?'):rep(200) .. ('a*'):rep(6) .. 'b') do end",
           "while true do (('a'):rep(300)):match('.-.-.-.-b') end",
           "return (('('):rep(1e6)):find('%b()')",
           "local t = {1} for i = 1, 30 do t[2 ^ i] = 1 end while true do table.remove(t, 1) end",
           "local t = {} for i = 1, 1e6 do t[i] = 1 end table.sort(t, function() return true end)",
           "local t = {} while true do table.foreachi({1, 2, 3}, type) table.insert(t, -2147483648, 1) end",
           "local t = {} for i = 0, 30 do t[2 ^ i] = 1 end while true do table.foreachi(t, getmetatable) end",
           "while true do redis.call('GET', 'x') end",
           "while true do redis.pcall('NOSUCH') end",
           "while true do pcall(redis.call, 'NOSUCH') end",
           "while true do cjson.decode(cjson.encode({1, 2, 3})) end",
           "while true do loadstring('return 1') end",
           "while true do collectgarbage() end",
           "collectgarbage('stop') while true do local t = {} end",
           "while true do redis.sha1hex(('x'):rep(1000000)) end",
           "load(function() return 'x=1 ' end)",
           "load(function() return ' ' end)",
           "load(function() while true do end end)",
       }) {
    const std::string reply = RunHarmful(body);
    EXPECT_TRUE(reply.starts_with("-ERR Error running script: ")) << body << "\n" << reply;
  }
}

TEST_F(ScriptEngineTest, AScriptThatCatchesTheEndEndsAllTheSame) {
  ExpectOutOfTime("while true do pcall(function() while true do end end) end");
  ExpectOutOfTime("local ok, e = pcall(function() while true do end end) return 1");
  ExpectOutOfTime("return redis.pcall('GET', pcall(function() while true do end end) and 'a' or 'b')");
}

TEST_F(ScriptEngineTest, SortingThatTakesTheSquareEndsInTime) {
  // Always the smallest element as the pivot: by a comparison that answers as it likes.
  limits_.memory_bytes = 64 << 20;
  ExpectOutOfTime(
      "local t = {} for i = 1, 300000 do t[i] = i end "
      "local n = 0 while true do table.sort(t) table.sort(t, rawequal) end");
}

TEST_F(ScriptEngineTest, MemoryIsBounded) {
  for (const char* body : {
           "local t = {} while true do t[#t + 1] = ('x'):rep(1e5) .. #t end",
           "local t = {} while true do pcall(function() t[#t + 1] = ('x'):rep(1e5) .. #t end) end",
           "return ('x'):rep(2147483647)",
           "local s = 'x' while true do s = s .. s end",
           "return ('x'):rep(1e6):gsub('.', ('y'):rep(1000))",
           "local t = {} for i = 1, 1e6 do t[i] = {} end",
           "local s = ('x'):rep(1e6) local t = {} for i = 1, 100 do t[i] = s end return table.concat(t)",
           "local s = ('x'):rep(5e6) return redis.call('SET', s, s, s, s, s, s)",
           "local t = {} for i = 1, 40 do t = {t, t} end return cjson.encode(t)",
           "local s = ('\\0'):rep(4e6) return cjson.encode(s)",
           "local function f() coroutine.wrap(f)() end pcall(f) local t = {} while true do t[#t + 1] = "
           "coroutine.create(f) "
           "end",
           "return loadstring(('local a = {} '):rep(1e6))",
       }) {
    ExpectOutOfMemory(body);
  }
  limits_.memory_bytes = 8 << 20;  // as it grows by a byte at a time
  ExpectOutOfMemory("load(function() return 1 end)");
}

TEST_F(ScriptEngineTest, GarbageIsNoReasonToEnd) {
  EXPECT_EQ(Run("for i = 1, 200 do local s = ('x'):rep(2000000 + i) end return 1"), ":1\r\n");
  EXPECT_EQ(Run("for i = 1, 300000 do local t = {i} end return 1"), ":1\r\n");
  EXPECT_EQ(Run("local s = '' for i = 1, 2000 do s = s .. ('x'):rep(100) end return #s"), ":200000\r\n");
}

TEST_F(ScriptEngineTest, DepthIsBounded) {
  ExpectError("return " + std::string(100'000, '(') + "1", "chunk has too many syntax levels");
  ExpectError("return " + std::string(100'000, '{'), "chunk has too many syntax levels");
  ExpectError("local function f() return 1 + f() end return f()", "stack overflow");
  ExpectError("local function f() return (('x'):gsub('x', f)) end return f()", "C stack overflow");
  ExpectError("local function f(x) return coroutine.wrap(f)(x) end return f(1)", "C stack overflow");
  ExpectError("return ('x'):rep(5000):find(('x?'):rep(100000))", "pattern too complex");
  ExpectError("local t = {} t[1] = t return t", "reached lua stack limit");
  ExpectError("local t = {} t[1] = t return {map = {a = t}}", "reached lua stack limit");
  ExpectError("local t = {} t[1] = t cjson.encode_max_depth(2000000000) return cjson.encode(t)", "excessive nesting");
  ExpectError("cjson.decode_max_depth(2000000000) return cjson.decode(('['):rep(1e6))",
              "too many nested data structures");
}

TEST_F(ScriptEngineTest, RepliesAreBounded) {
  ExpectError("local t = {1} for i = 1, 60 do t = {t, t} end return t", "reply has more than 1048576 bytes");
  ExpectError("return ('x'):rep(2000000)", "reply has more than 1048576 bytes");
  EXPECT_EQ(Run("return ('x'):rep(1000000)").size(), 1'000'000u + 12);
}

TEST_F(ScriptEngineTest, WhatEndsARedisServerIsAnError) {
  ExpectError("error({})", "ERR unknown error");
  ExpectError("error({err = {}})", "ERR unknown error");
  ExpectError("error({ok = 'x'})", "ERR unknown error");
  ExpectOutOfMemory("return ('x'):rep(2147483647) .. ('x'):rep(2147483647)");
  ExpectError("cjson.encode_sparse_array('x')", "boolean expected, got string");
}

TEST_F(ScriptEngineTest, NumbersAtTheirEndsAreRefused) {
  ExpectError("return unpack({}, -2147483648, 2147483647)", "too many results to unpack");
  ExpectError("return unpack({}, 0, 2147483647)", "too many results to unpack");
  ExpectError("return string.byte(('x'):rep(1e6), 1, -1)", "string slice too long");
  EXPECT_EQ(Run("return table.concat({[2147483647] = 'x'}, '', 2147483647, 2147483647)"), "$1\r\nx\r\n");
}

TEST_F(ScriptEngineTest, AStoppedRunEnds) {
  host_.stopped = true;
  limits_.time = 1h;
  EXPECT_EQ(Run("while true do end"), "-ERR Error running script: Script killed by user with SCRIPT KILL...\r\n");
}

TEST_F(ScriptEngineTest, WithoutRoomThereIsAnErrorAtOnce) {
  for (size_t bytes = 0; bytes < 100'000; bytes += 500) {
    limits_.memory_bytes = bytes;
    const std::string reply = Run("return cjson.encode({redis.call('GET', 'x'), ('x'):rep(10)})");
    EXPECT_TRUE(reply == "-ERR Error running script: not enough memory\r\n" || reply.starts_with("$"))
        << bytes << reply;
  }
  EXPECT_TRUE(Run("return 'x'").starts_with("$"));
}

TEST_F(ScriptEngineTest, AnErrorIsToldAlsoWhereThereIsNoRoomForIt) {
  for (size_t bytes = 20'000; bytes < 80'000; bytes += 50) {
    limits_.memory_bytes = bytes;
    for (const char* body :
         {"error({err = 'E x'})", "error(1)", "local t = {} t[1] = t return t", "return redis.call()"}) {
      EXPECT_TRUE(Run(body).starts_with("-")) << bytes << body;
    }
  }
}

TEST_F(ScriptEngineTest, TheLeastNumberOfDigitsIsWrittenWithinTheBuffer) {
  for (const char* digits : {"-2147483648", "2147483648", "-2147483648 + 2^32 * 3"})
    EXPECT_EQ(Run(std::string("return bit.tohex(10, ") + digits + ")"), "$8\r\n0000000A\r\n") << digits;
  EXPECT_EQ(Run("return bit.tohex(255, -4) .. bit.tohex(255, 2) .. bit.tohex(1)"), "$14\r\n00FFff00000001\r\n");
}

TEST_F(ScriptEngineTest, ANameStaysWhileSomethingIsLoadedUnderIt) {
  EXPECT_EQ(Run(R"(
    local n = 0
    local loaded, why = load(function()
      n = n + 1
      collectgarbage()
      for i = 1, 1000 do local s = 'fill' .. i end
      return ({'', 'return ', '(', '1)'})[n]
    end)
    return {type(loaded), why or ''})"),
            "*2\r\n$8\r\nfunction\r\n$0\r\n\r\n");
  EXPECT_EQ(Run(R"(
    local n = 0
    local loaded, why = load(function() n = n + 1 collectgarbage() return ({'', 'return ('})[n] end, '=name' .. n)
    return why)"),
            "$39\r\nname0:1: unexpected symbol near '<eof>'\r\n");
}

TEST_F(ScriptEngineTest, CompilingEndsInTime) {
  limits_.time = 200ms;
  const std::string slow = "while 1 do " + [] {
    std::string breaks;
    for (int i = 0; i < 150'000; ++i) breaks += "do break end ";
    return breaks;
  }() + "end";
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(Run(slow).starts_with("-"));
  EXPECT_TRUE(Run("return loadstring('while 1 do ' .. ('do break end '):rep(150000) .. ' end')").starts_with("-"));
  EXPECT_TRUE(Run("local n = 0 return load(function() n = n + 1 "
                  "return ({'while 1 do ', ('do break end '):rep(150000), 'end'})[n] end)")
                  .starts_with("-"));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 20s);
}

// ---- before a run ---------------------------------------------------------------------------------------------------

TEST_F(ScriptEngineTest, CompilingTellsFlagsAndErrors) {
  const auto plain = CompileScript("return 1");
  ASSERT_TRUE(plain.has_value());
  EXPECT_FALSE(plain->shebang || plain->no_writes);
  const auto flagged = CompileScript("#!lua flags=no-writes,allow-cross-slot-keys\nreturn 1");
  ASSERT_TRUE(flagged.has_value());
  EXPECT_TRUE(flagged->shebang && flagged->no_writes && flagged->allow_cross_slot_keys);
  EXPECT_FALSE(flagged->allow_oom || flagged->allow_stale || flagged->no_cluster);
  EXPECT_EQ(CompileScript("return (").error(),
            "ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'");
  EXPECT_EQ(CompileScript("#!lua flags=bad\nreturn 1").error(), "ERR Unexpected flag in script shebang: bad");
}

TEST_F(ScriptEngineTest, CompilingRunsNothing) { EXPECT_TRUE(CompileScript("error('ran')").has_value()); }

TEST_F(ScriptEngineTest, AScriptsNameIsItsSha1) {
  EXPECT_EQ(ScriptSha("return 1"), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
}

}  // namespace
}  // namespace ebla::gateway::redis
