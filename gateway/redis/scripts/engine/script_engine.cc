#include "gateway/redis/scripts/engine/script_engine.h"

#include <openssl/sha.h>

#include <cstdlib>
#include <cstring>

#include "gateway/redis/scripts/engine/lua_replies.h"
#include "gateway/redis/scripts/engine/lua_run.h"
#include "gateway/redis/scripts/engine/lua_sandbox.h"
#include "gateway/redis/wire/names.h"

namespace ebla::gateway::redis {
namespace {

// A run and its outcome. Lives outside of Lua's frames.
struct Execution {
  std::string_view body;  // without the first line of flags
  std::span<const std::string> keys, arguments;
  int client_protocol = 2;
  bool compile_only = false;

  std::string sha;
  std::string reply;
  std::string error;  // without the minus; empty: there is none
  bool cut = false;
};

void PushStrings(lua_State* lua, std::span<const std::string> strings) {
  lua_createtable(lua, static_cast<int>(strings.size()), 0);
  for (size_t i = 0; i < strings.size(); ++i) {
    lua_pushlstring(lua, strings[i].data(), strings[i].size());
    lua_rawseti(lua, -2, static_cast<int>(i + 1));
  }
}

// Like tostring; a value without a text has its address.
void PushText(lua_State* lua, int index) {
  switch (lua_type(lua, index)) {
    case LUA_TSTRING:
    case LUA_TNUMBER: lua_pushstring(lua, lua_tostring(lua, index)); break;
    case LUA_TNIL: lua_pushliteral(lua, "nil"); break;
    case LUA_TBOOLEAN: lua_pushstring(lua, lua_toboolean(lua, index) ? "true" : "false"); break;
    default: lua_pushfstring(lua, "%s: %p", luaL_typename(lua, index), lua_topointer(lua, index));
  }
}

// Makes a table of whatever was raised: its text, and where.
int OnError(lua_State* lua) {
  if (!lua_istable(lua, 1)) {
    lua_createtable(lua, 0, 3);
    lua_pushliteral(lua, "ERR ");
    PushText(lua, 1);
    lua_concat(lua, 2);
    lua_setfield(lua, -2, "err");
    lua_replace(lua, 1);
  }
  // The place of the error, or of the caller.
  lua_Debug at;
  int level = 1;
  bool known = lua_getstack(lua, level, &at) && lua_getinfo(lua, "Slf", &at);
  if (known && lua_tocfunction(lua, -1) == LessWithClock) {
    known = lua_getstack(lua, ++level, &at) && lua_getinfo(lua, "Slf", &at);
  }
  if (known && std::strcmp(at.what, "C") == 0) {
    known = lua_getstack(lua, ++level, &at) && lua_getinfo(lua, "Slf", &at);
  }
  if (known) {
    lua_pushliteral(lua, "source");
    lua_pushstring(lua, at.source);
    lua_rawset(lua, 1);
    lua_pushliteral(lua, "line");
    lua_pushinteger(lua, at.currentline);
    lua_rawset(lua, 1);
  }
  lua_settop(lua, 1);
  return 1;
}

// Takes the text of the error on top of the stack. Raises nothing, because the memory that it needs is there.
void TakeError(lua_State* lua, Execution& execution) noexcept {
  LuaRun::Of(lua).LiftMemoryLimit();
  if (!lua_istable(lua, -1)) {
    execution.error = lua_isstring(lua, -1) ? "ERR " + std::string(lua_tostring(lua, -1)) : "ERR unknown error";
    return;
  }
  const auto field = [&](const char* name) {
    lua_pushstring(lua, name);
    lua_rawget(lua, -2);
    const bool is = lua_isstring(lua, -1);
    std::string text = is ? lua_tostring(lua, -1) : "";
    lua_pop(lua, 1);
    return is ? std::optional(std::move(text)) : std::nullopt;
  };
  execution.error = field("err").value_or("ERR unknown error");
  const auto source = field("source"), line = field("line");
  if (source && line) execution.error += " script: " + execution.sha + ", on " + *source + ":" + *line + ".";
}

void TakeCompileError(lua_State* lua, Execution& execution) noexcept {
  const char* const text = lua_tostring(lua, -1);
  execution.error = "ERR Error compiling script (new function): ";
  execution.error += text == nullptr ? "unknown error" : text;
}

int LoadBody(lua_State* lua, std::string_view body) {
  if (body.empty() || body.front() != LUA_SIGNATURE[0]) {
    return LoadInPieces(lua, body.data(), body.size(), "@user_script");
  }
  // Bytecode could do anything. A blank before it makes text of it, which is none.
  lua_pushliteral(lua, " ");
  lua_pushlstring(lua, body.data(), body.size());
  lua_concat(lua, 2);
  size_t size = 0;
  const char* const text = lua_tolstring(lua, -1, &size);
  const int status = LoadInPieces(lua, text, size, "@user_script");
  lua_remove(lua, -2);
  return status;
}

// Its argument: the execution. An error that leaves it is one for which there was no memory.
int Execute(lua_State* lua) {
  Execution& execution = *static_cast<Execution*>(lua_touserdata(lua, 1));
  lua_settop(lua, 0);
  PushStrings(lua, execution.keys);
  PushStrings(lua, execution.arguments);
  OpenSandbox(lua);
  lua_pushcfunction(lua, OnError);
  if (LoadBody(lua, execution.body) != 0) {
    TakeCompileError(lua, execution);
    return 0;
  }
  if (execution.compile_only) return 0;
  if (lua_pcall(lua, 0, 1, 1) != 0) {
    TakeError(lua, execution);
    return 0;
  }
  WriteReply(lua, execution.client_protocol, execution.reply);
  return 0;
}

// Runs it within the limits; afterwards there is an error or a reply.
void RunWithin(Execution& execution, const ScriptLimits& limits, ScriptHost* host) {
  LuaRun run(limits, host);
  if (run.state() == nullptr) {
    execution.error = "ERR Error running script: not enough memory";
    return;
  }
  if (lua_cpcall(run.state(), Execute, &execution) != 0) TakeError(run.state(), execution);
  // Whatever the script made of the error.
  execution.cut = run.ended() != LuaRun::Ended::kNot;
  if (execution.cut) execution.error = run.EndText();
}

// The body behind a first line of flags.
std::string_view WithoutFlags(std::string_view body) {
  return body.starts_with("#!") ? body.substr(std::min(body.find('\n'), body.size())) : body;
}

}  // namespace

std::expected<ScriptFlags, std::string> CompileScript(std::string_view body, const ScriptLimits& limits) {
  auto flags = ParseScriptFlags(body);
  if (!flags) return flags;
  Execution execution{.body = WithoutFlags(body), .compile_only = true};
  RunWithin(execution, limits, nullptr);
  if (!execution.error.empty()) return std::unexpected(std::move(execution.error));
  return flags;
}

ScriptResult RunScript(std::string_view body, std::span<const std::string> keys, std::span<const std::string> arguments,
                       int client_protocol, const ScriptLimits& limits, ScriptHost& host) {
  if (const auto flags = ParseScriptFlags(body); !flags) return {.reply = Reply().Failure(flags.error()).Take()};
  Execution execution{.body = WithoutFlags(body),
                      .keys = keys,
                      .arguments = arguments,
                      .client_protocol = client_protocol,
                      .sha = ScriptSha(body)};
  RunWithin(execution, limits, &host);
  if (!execution.error.empty()) execution.reply = Reply().Failure(execution.error).Take();
  return {.reply = std::move(execution.reply), .cut = execution.cut};
}

std::string ScriptSha(std::string_view body) {
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(body.data()), body.size(), digest);
  std::string digits;
  for (const unsigned char byte : digest) {
    digits += "0123456789abcdef"[byte >> 4];
    digits += "0123456789abcdef"[byte & 15];
  }
  return digits;
}

}  // namespace ebla::gateway::redis
