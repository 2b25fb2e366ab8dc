// gateway/redis/scripts/engine/script_engine.h
// Runs Lua scripts as Redis 7.0 does: EVAL, EVALSHA and SCRIPT without the commands around them. Knows no store and no
// connection, because a ScriptHost runs the script's commands.
// Isolation: each run has a Lua state of its own, which ends with it. A script sees base (without files and bytecode),
//            string, table, math, coroutine, cjson, bit and redis. Its changes to these do not outlive it.
// Bounds:    those of ScriptLimits, also for a script that catches their errors. Every loop in C looks at the clock,
//            also in patterns. One operation of Lua itself, such as joining strings, is not interrupted, so a run may
//            end late by what some hundred of them take on `memory_bytes`.
// Errors:    a reply, in Redis's words. A script that ends with an error keeps its effects until then.
// Source:    Redis's documentation of its Lua API, and a redis-server 7.0.15 to compare with.
// Threads:   any; a run takes the thread that calls it, and up to 4 MiB of its stack.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "gateway/redis/wire/request_reader.h"

namespace ebla::gateway::redis {

struct ScriptLimits {
  std::chrono::milliseconds time{5'000};  // of the whole run, what the host takes among it
  size_t memory_bytes = 64 << 20;         // of Lua, and of what is handed to the host
  size_t reply_bytes = 64 << 20;
  int reply_depth = 128;  // of tables in tables
};

// Runs the commands that a script calls. No exception may leave it.
// Threads: the run's.
class ScriptHost {
 public:
  virtual ~ScriptHost() = default;
  // The reply of one command: bytes as reply.h writes them, in the version that the script asked for. A command that no
  // script may call is an error in one of the texts below. May block.
  virtual std::string Call(const Words& words, int protocol) = 0;
  // Levels are Redis's: 0 debug, 1 verbose, 2 notice, 3 warning.
  virtual void Log(int level, std::string_view text) = 0;
  // The run is to end, as after SCRIPT KILL: asked every few microseconds, so it must cost little.
  virtual bool Stopped() const { return false; }
};

inline constexpr std::string_view kNoSuchScriptCommand = "ERR Unknown Redis command called from script";
inline constexpr std::string_view kScriptArity = "ERR Wrong number of args calling Redis command from script";
inline constexpr std::string_view kNotFromScripts = "ERR This Redis command is not allowed from script";
inline constexpr std::string_view kScriptIsReadOnly = "ERR Write commands are not allowed from read-only scripts.";

// The flags in a script's first line, such as "#!lua flags=no-writes,allow-stale".
struct ScriptFlags {
  bool shebang = false;  // there is such a line; without one a script may do everything that it did before Redis 7
  bool no_writes = false;
  bool allow_oom = false;
  bool allow_stale = false;
  bool no_cluster = false;
  bool allow_cross_slot_keys = false;
};

// Refuses the scripts that RunScript would refuse before it runs anything. The error is the reply's text, without the
// minus.
std::expected<ScriptFlags, std::string> CompileScript(std::string_view body, const ScriptLimits& limits = {});

// The first line alone.
std::expected<ScriptFlags, std::string> ParseScriptFlags(std::string_view body);

struct ScriptResult {
  std::string reply;  // in the version that the client speaks
  bool cut = false;   // a limit or the host has ended it, so the reply is an error: it may be anywhere in what it does
};

// One run.
ScriptResult RunScript(std::string_view body, std::span<const std::string> keys, std::span<const std::string> arguments,
                       int client_protocol, const ScriptLimits& limits, ScriptHost& host);

// Its name for EVALSHA: the SHA-1, in 40 lower-case digits.
std::string ScriptSha(std::string_view body);

}  // namespace ebla::gateway::redis
