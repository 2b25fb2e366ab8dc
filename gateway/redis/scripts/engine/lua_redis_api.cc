// The table redis: what a script may ask of the store and say of itself.
// The stack of each function: its arguments from 1 on.
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <utility>

#include "gateway/redis/scripts/engine/lua_replies.h"
#include "gateway/redis/scripts/engine/lua_run.h"
#include "gateway/redis/scripts/engine/lua_sandbox.h"

namespace ebla::gateway::redis {
namespace {

enum Replication { kAof = 1, kReplica = 2 };

void PushErrorText(lua_State* lua, const char* text) { PushError(lua, text, std::strlen(text)); }

int RaiseText(lua_State* lua, const char* text) {
  PushErrorText(lua, text);
  return lua_error(lua);
}

// ---- commands -------------------------------------------------------------------------------------------------------

void AddWord(LuaRun& run, const char* bytes, size_t size) noexcept { run.words.emplace_back(bytes, size); }

// The argument as a word of a command; false: it cannot be one.
bool TakeWord(lua_State* lua, LuaRun& run, int index, size_t& bytes) {
  char text[40];
  const char* word = text;
  size_t size = 0;
  switch (lua_type(lua, index)) {
    case LUA_TNUMBER: {
      const double number = lua_tonumber(lua, index);
      size = static_cast<size_t>(std::snprintf(text, sizeof text, "%.17g", number));
      break;
    }
    case LUA_TSTRING: word = lua_tolstring(lua, index, &size); break;
    default: return false;
  }
  bytes += size + sizeof(std::string);
  run.Need(lua, bytes);
  run.Step(lua);
  AddWord(run, word, size);
  return true;
}

void Forget(LuaRun& run) noexcept {
  run.words = Words();
  run.reply = std::string();
}

// The arguments as the words of a command, off the stack. False: an error is pushed instead. Lua left room for
// LUA_MINSTACK values behind the arguments, however many those are.
bool TakeWords(lua_State* lua, LuaRun& run) {
  const int count = lua_gettop(lua);
  if (count == 0) {
    PushErrorText(lua, "Please specify at least one argument for this redis lib call");
    return false;
  }
  Forget(run);
  size_t bytes = 0;
  for (int i = 1; i <= count; ++i) {
    if (!TakeWord(lua, run, i, bytes)) {
      PushErrorText(lua, "Lua redis lib command arguments must be strings or integers");
      return false;
    }
  }
  run.Check(lua);
  lua_settop(lua, 0);  // the result of unpack() may leave no room for a reply
  return true;
}

// Pushes the reply; true: it is an error.
bool PushResult(lua_State* lua) {
  LuaRun& run = LuaRun::Of(lua);
  if (!TakeWords(lua, run)) return true;
  run.CallHost();
  const bool failed = PushReply(lua);
  Forget(run);
  run.Check(lua);
  return failed;
}

int Call(lua_State* lua) { return PushResult(lua) ? lua_error(lua) : 1; }

int CallProtected(lua_State* lua) {
  PushResult(lua);
  return 1;
}

void AskAboutCommand(LuaRun& run) noexcept {
  run.words = {"COMMAND", "INFO", std::move(run.words.front())};
  run.CallHost();
}

// Grants are of tables, and are checked when a command runs. So every command that exists passes, as in a Redis that
// restricts no user.
int CheckAcl(lua_State* lua) {
  LuaRun& run = LuaRun::Of(lua);
  if (!TakeWords(lua, run)) return lua_error(lua);
  AskAboutCommand(run);
  const bool known = run.reply.starts_with("*1\r\n*") && !run.reply.starts_with("*1\r\n*-");
  Forget(run);
  run.Check(lua);
  if (!known) return RaiseText(lua, "Invalid command passed to redis.acl_check_cmd()");
  lua_pushboolean(lua, 1);
  return 1;
}

// ---- replies --------------------------------------------------------------------------------------------------------

int ErrorReply(lua_State* lua) {
  if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING) {
    PushErrorText(lua, "wrong number or type of arguments");
    return 1;
  }
  const char* const text = lua_tostring(lua, 1);
  if (*text == '-') {
    PushErrorText(lua, text);
  } else {
    lua_pushfstring(lua, "-%s", text);
    PushErrorText(lua, lua_tostring(lua, -1));
  }
  return 1;
}

int StatusReply(lua_State* lua) {
  if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING) {
    PushErrorText(lua, "wrong number or type of arguments");
    return 1;
  }
  lua_createtable(lua, 0, 1);
  lua_pushvalue(lua, 1);
  lua_setfield(lua, -2, "ok");
  return 1;
}

// ---- the rest -------------------------------------------------------------------------------------------------------

void Digest(const char* bytes, size_t size, char* digits) noexcept {
  const std::string sha = ScriptSha(std::string_view(bytes, size));
  sha.copy(digits, sha.size());
}

int Sha1Hex(lua_State* lua) {
  if (lua_gettop(lua) != 1) return RaiseText(lua, "wrong number of arguments");
  LuaRun::Of(lua).Check(lua);
  size_t size = 0;
  const char* const bytes = lua_tolstring(lua, 1, &size);
  char digits[40];
  Digest(bytes == nullptr ? "" : bytes, size, digits);
  lua_pushlstring(lua, digits, sizeof digits);
  return 1;
}

int Log(lua_State* lua) {
  const int count = lua_gettop(lua);
  if (count < 2) return RaiseText(lua, "redis.log() requires two arguments or more.");
  if (!lua_isnumber(lua, 1)) return RaiseText(lua, "First argument must be a number (log level).");
  const lua_Integer level = lua_tointeger(lua, 1);
  if (level < 0 || level > 3) return RaiseText(lua, "Invalid debug level.");
  luaL_checkstack(lua, 4, "too many arguments");
  luaL_Buffer line;
  luaL_buffinit(lua, &line);
  for (int i = 2, texts = 0; i <= count; ++i) {
    if (!lua_isstring(lua, i)) continue;
    if (texts++ > 0) luaL_addchar(&line, ' ');
    lua_pushvalue(lua, i);
    luaL_addvalue(&line);
  }
  luaL_pushresult(&line);
  size_t size = 0;
  const char* const text = lua_tolstring(lua, -1, &size);
  LuaRun::Of(lua).LogToHost(static_cast<int>(level), text, size);
  return 0;
}

int SetProtocol(lua_State* lua) {
  if (lua_gettop(lua) != 1) return RaiseText(lua, "redis.setresp() requires one argument.");
  const lua_Integer version = lua_tointeger(lua, 1);
  if (version != 2 && version != 3) return RaiseText(lua, "RESP version must be 2 or 3.");
  LuaRun::Of(lua).protocol = static_cast<int>(version);
  return 0;
}

// The table alone decides how writes are replicated, so a script's choice has no effect.
int SetReplication(lua_State* lua) {
  if (lua_gettop(lua) != 1) return RaiseText(lua, "redis.set_repl() requires two arguments.");
  if ((lua_tointeger(lua, 1) & ~(kAof | kReplica)) != 0) {
    return RaiseText(lua, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
  }
  return 0;
}

int ReplicateCommands(lua_State* lua) {
  lua_pushboolean(lua, 1);
  return 1;
}

// There is no debugger.
int Breakpoint(lua_State* lua) {
  lua_pushboolean(lua, 0);
  return 1;
}

int Debug(lua_State*) { return 0; }

}  // namespace

void AddRedisApi(lua_State* lua) {
  static const luaL_Reg kFunctions[] = {{"call", Call},
                                        {"pcall", CallProtected},
                                        {"acl_check_cmd", CheckAcl},
                                        {"error_reply", ErrorReply},
                                        {"status_reply", StatusReply},
                                        {"sha1hex", Sha1Hex},
                                        {"log", Log},
                                        {"setresp", SetProtocol},
                                        {"set_repl", SetReplication},
                                        {"replicate_commands", ReplicateCommands},
                                        {"breakpoint", Breakpoint},
                                        {"debug", Debug},
                                        {nullptr, nullptr}};
  static const struct {
    const char* name;
    int value;
  } kNumbers[] = {{"LOG_DEBUG", 0},
                  {"LOG_VERBOSE", 1},
                  {"LOG_NOTICE", 2},
                  {"LOG_WARNING", 3},
                  {"REPL_NONE", 0},
                  {"REPL_AOF", kAof},
                  {"REPL_SLAVE", kReplica},
                  {"REPL_REPLICA", kReplica},
                  {"REPL_ALL", kAof | kReplica},
                  {"REDIS_VERSION_NUM", 0x0007000f}};
  lua_createtable(lua, 0, 24);
  luaL_register(lua, nullptr, kFunctions);
  for (const auto& number : kNumbers) {
    lua_pushinteger(lua, number.value);
    lua_setfield(lua, -2, number.name);
  }
  lua_pushliteral(lua, "7.0.15");
  lua_setfield(lua, -2, "REDIS_VERSION");
}

}  // namespace ebla::gateway::redis
