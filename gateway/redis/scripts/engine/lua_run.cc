#include "gateway/redis/scripts/engine/lua_run.h"

#include <algorithm>
#include <cstdlib>

namespace ebla::gateway::redis {
namespace {

// Instructions between two looks at the clock. With a small heap a thousand take some microseconds; with a large one
// each of them may copy it.
constexpr int kInstructions = 1000, kInstructionsOfLarge = 100;
constexpr size_t kLargeHeapBytes = 1 << 20;

// Lua collects too little at a time for strings as large as ours: a cycle would have to wait for many of them.
constexpr int kCollectorSpeedPercent = 4000;

}  // namespace

namespace {

struct TextLeft {
  const char* text;
  size_t size;
};

const char* NextPiece(lua_State* lua, void* text_left, size_t* size) {
  LuaRun::Of(lua).Check(lua);
  TextLeft& left = *static_cast<TextLeft*>(text_left);
  *size = std::min(kPieceBytes, left.size);
  const char* const piece = left.text;
  left.text += *size;
  left.size -= *size;
  return piece;
}

}  // namespace

int LoadInPieces(lua_State* lua, const char* text, size_t size, const char* name) {
  TextLeft left{text, size};
  lua_pushstring(lua, name);  // so that Lua does not let go of it while it reads
  const int status = lua_load(lua, NextPiece, &left, name);
  lua_remove(lua, -2);
  return status;
}

LuaRun::LuaRun(const ScriptLimits& limits, ScriptHost* host)
    : limits(limits),
      host_(host),
      deadline_(std::chrono::steady_clock::now() + limits.time),
      collect_at_bytes_(limits.memory_bytes / 2),
      state_(lua_newstate(&LuaRun::Allocate, this)) {
  if (state_ == nullptr) return;
  lua_sethook(state_.get(), &LuaRun::OnCount, LUA_MASKCOUNT, kInstructions);
  lua_gc(state_.get(), LUA_GCSETSTEPMUL, kCollectorSpeedPercent);
}

void* LuaRun::Allocate(void* run_pointer, void* block, size_t old_size, size_t new_size) noexcept {
  LuaRun& run = *static_cast<LuaRun*>(run_pointer);
  if (new_size == 0) {
    std::free(block);
    run.used_bytes_ -= old_size;
    return nullptr;
  }
  // Lua counts on it that a block can be made smaller.
  if (run.memory_limited_ && new_size > old_size &&
      new_size - old_size > run.limits.memory_bytes - std::min(run.used_bytes_, run.limits.memory_bytes)) {
    if (run.ended_ == Ended::kNot) run.ended_ = Ended::kMemory;
    return nullptr;
  }
  void* const moved = std::realloc(block, new_size);
  if (moved == nullptr) {
    if (new_size <= old_size) return block;
    if (run.ended_ == Ended::kNot) run.ended_ = Ended::kMemory;
    return nullptr;
  }
  run.used_bytes_ += new_size - old_size;
  return moved;
}

bool LuaRun::IsOver() {
  if (ended_ != Ended::kNot) return true;
  if (std::chrono::steady_clock::now() >= deadline_) {
    ended_ = Ended::kTime;
  } else if (host_ != nullptr && host_->Stopped()) {
    ended_ = Ended::kStopped;
  }
  return ended_ != Ended::kNot;
}

void LuaRun::OnCount(lua_State* lua, lua_Debug*) {
  LuaRun& run = Of(lua);
  run.Check(lua);
  if (run.used_bytes_ > run.collect_at_bytes_) run.MakeRoom(lua, 0);
  const int count = run.used_bytes_ > kLargeHeapBytes ? kInstructionsOfLarge : kInstructions;
  if (lua_gethookcount(lua) != count) lua_sethook(lua, &LuaRun::OnCount, LUA_MASKCOUNT, count);
}

void LuaRun::Check(lua_State* lua) {
  if (IsOver()) Raise(lua);
}

void LuaRun::Raise(lua_State* lua) {
  // A script that catches the error gets it again with its next instruction.
  lua_sethook(lua, &LuaRun::OnCount, LUA_MASKCOUNT, 1);
  lua_pushliteral(lua, "the script may not go on");
  lua_error(lua);
}

void LuaRun::OutOfMemory(lua_State* lua) {
  ended_ = ended_ == Ended::kNot ? Ended::kMemory : ended_;
  Raise(lua);
  std::abort();  // not reached
}

void LuaRun::Need(lua_State* lua, size_t bytes) {
  if (bytes > limits.memory_bytes - std::min(used_bytes_, limits.memory_bytes)) OutOfMemory(lua);
}

void LuaRun::MakeRoom(lua_State* lua, size_t bytes) {
  if (used_bytes_ + bytes <= collect_at_bytes_) return;
  lua_gc(lua, LUA_GCCOLLECT, 0);
  // Collects again once half of the rest is used, or a sixteenth of the limit if that is more.
  const size_t left = limits.memory_bytes - std::min(used_bytes_, limits.memory_bytes);
  collect_at_bytes_ = used_bytes_ + std::max(left / 2, limits.memory_bytes / 16);
}

std::string LuaRun::EndText() const {
  switch (ended_) {
    case Ended::kMemory: return "ERR Error running script: not enough memory";
    case Ended::kStopped: return "ERR Error running script: Script killed by user with SCRIPT KILL...";
    default: return "ERR Error running script: it took longer than " + std::to_string(limits.time.count()) + " ms";
  }
}

void LuaRun::CallHost() noexcept {
  reply = host_ == nullptr ? "-ERR no commands here\r\n" : host_->Call(words, protocol);
}

void LuaRun::LogToHost(int level, const char* text, size_t size) noexcept {
  if (host_ != nullptr) host_->Log(level, std::string_view(text, size));
}

}  // namespace ebla::gateway::redis
