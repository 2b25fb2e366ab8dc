// gateway/redis/scripts/engine/lua_run.h
// One run of a script, as the functions see it that scripts call: its limits, its host, and memory beside Lua's.
// Errors:     Lua's own, which are jumps over C frames. So nothing with a destructor may live in a function from which
//             Lua may raise one: what needs such a thing keeps it here, where it ends with the run. No C++ exception
//             may enter Lua either; functions that can meet one are noexcept or catch it.
// Threads:    one.
#pragma once

#include <chrono>
#include <cstdint>
#include <lua.hpp>
#include <memory>
#include <string>

#include "gateway/redis/scripts/engine/script_engine.h"

namespace ebla::gateway::redis {

// The compiler looks at no clock, and its time may grow with the square of the text. So Lua gets the text in such
// pieces, with a look at the clock before each.
inline constexpr size_t kPieceBytes = 1'024;
// Like luaL_loadbuffer.
int LoadInPieces(lua_State* lua, const char* text, size_t size, const char* name);

class LuaRun {
 public:
  LuaRun(const ScriptLimits& limits, ScriptHost* host);

  static LuaRun& Of(lua_State* lua) {
    void* run = nullptr;
    lua_getallocf(lua, &run);
    return *static_cast<LuaRun*>(run);
  }

  // Null: there was no memory for it.
  lua_State* state() { return state_.get(); }

  // ---- limits -------------------------------------------------------------------------------------------------------
  enum class Ended { kNot, kTime, kMemory, kStopped };
  // Once it is over it remains so, whatever the script catches.
  Ended ended() const { return ended_; }
  // Looks at the clock. Raises an error when the run is over.
  void Check(lua_State* lua);
  // One step of a loop in C.
  void Step(lua_State* lua) {
    if (++steps_ % 1024 == 0) Check(lua);
  }
  // Raises an error, and ends the run, unless there is room for so many bytes beside what Lua has.
  void Need(lua_State* lua, size_t bytes);
  // Raises Lua's error for a lack of memory.
  [[noreturn]] void OutOfMemory(lua_State* lua);
  // Collects garbage before something large is made.
  void MakeRoom(lua_State* lua, size_t bytes);
  // From here on Lua gets what little it asks for: what is left is to tell an error, where none may be raised.
  void LiftMemoryLimit() { memory_limited_ = false; }
  // The reply to a run that is over.
  std::string EndText() const;

  // ---- the host -----------------------------------------------------------------------------------------------------
  // `words` to the host; what it answers is `reply`.
  void CallHost() noexcept;
  void LogToHost(int level, const char* text, size_t size) noexcept;

  // ---- what functions keep between errors ---------------------------------------------------------------------------
  const ScriptLimits limits;
  Words words;          // of the command that is being called
  std::string reply;    // of that command
  std::string scratch;  // text that is being made
  int protocol = 2;     // that the script asked for
  uint64_t random = 0;  // state of math.random

 private:
  struct Close {
    void operator()(lua_State* lua) const { lua_close(lua); }
  };
  static void* Allocate(void* run, void* block, size_t old_size, size_t new_size) noexcept;
  static void OnCount(lua_State* lua, lua_Debug* event);
  void Raise(lua_State* lua);
  bool IsOver();

  ScriptHost* const host_;  // null: nothing may be called
  const std::chrono::steady_clock::time_point deadline_;
  Ended ended_ = Ended::kNot;
  bool memory_limited_ = true;
  size_t used_bytes_ = 0;
  size_t collect_at_bytes_;  // garbage is collected beyond
  uint32_t steps_ = 0;
  std::unique_ptr<lua_State, Close> state_;  // ends first: it frees its memory through this
};

}  // namespace ebla::gateway::redis
