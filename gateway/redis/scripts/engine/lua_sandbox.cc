#include "gateway/redis/scripts/engine/lua_sandbox.h"

#include <cstdlib>

extern "C" {
#include <lua-bitop.h>
}

#include "gateway/redis/scripts/engine/lua_patterns.h"
#include "gateway/redis/scripts/engine/lua_run.h"

namespace ebla::gateway::redis {
namespace {

constexpr char kReadOnlyText[] = "Attempt to modify a readonly table";

// In the metatable of a read-only table, where the real one is. No script can name the key.
const char kReal = 0;

void PushReal(lua_State* lua) { lua_pushlightuserdata(lua, const_cast<char*>(&kReal)); }

int RefuseChange(lua_State* lua) { return luaL_error(lua, kReadOnlyText); }

int RefuseUnknownGlobal(lua_State* lua) {
  const char* const name = lua_tostring(lua, 2);
  return luaL_error(lua, "Script attempted to access nonexistent global variable '%s'",
                    name == nullptr ? "(null)" : name);
}

// The library that `open` registers, on top of the stack.
void Open(lua_State* lua, lua_CFunction open, const char* name) {
  lua_pushcfunction(lua, open);
  lua_pushstring(lua, name);
  lua_call(lua, 1, 0);
  lua_getglobal(lua, name);
}

// Takes the value on top of the stack as a field of the table below it.
void Keep(lua_State* lua, const char* name) {
  MakeReadOnly(lua);
  lua_setfield(lua, -2, name);
}

// Keeps a function of base as it is, from the state's own globals.
void KeepGlobal(lua_State* lua, const char* name) {
  lua_getglobal(lua, name);
  lua_setfield(lua, -2, name);
}

// bit.tohex, guarded against the least number of 32 bits as its count of digits, with which the library would write far
// beyond its buffer. Its upvalues are the library's own function, and bit.tobit, which computes the count.
int ToHex(lua_State* lua) {
  if (lua_gettop(lua) >= 2 && lua_isnumber(lua, 2)) {
    lua_settop(lua, 2);
    lua_pushvalue(lua, lua_upvalueindex(2));
    lua_pushvalue(lua, 2);
    lua_call(lua, 1, 1);
    if (lua_tonumber(lua, -1) == -2147483648.0) {
      lua_pushinteger(lua, -8);
      lua_replace(lua, 2);
    }
    lua_settop(lua, 2);
  }
  return lua_tocfunction(lua, lua_upvalueindex(1))(lua);
}

// Guards the library on top of the stack.
void GuardToHex(lua_State* lua) {
  lua_getfield(lua, -1, "tohex");
  lua_getfield(lua, -2, "tobit");
  lua_pushcclosure(lua, ToHex, 2);
  lua_setfield(lua, -2, "tohex");
}

void AddLibraries(lua_State* lua) {
  Open(lua, luaopen_string, LUA_STRLIBNAME);
  AddStringFunctions(lua);
  AddPatternFunctions(lua);
  Keep(lua, LUA_STRLIBNAME);
  Open(lua, luaopen_table, LUA_TABLIBNAME);
  AddTableFunctions(lua);
  Keep(lua, LUA_TABLIBNAME);
  Open(lua, luaopen_math, LUA_MATHLIBNAME);
  AddRandomFunctions(lua);
  Keep(lua, LUA_MATHLIBNAME);
  Open(lua, luaopen_bit, "bit");
  GuardToHex(lua);
  Keep(lua, "bit");
  AddJson(lua);
  Keep(lua, "cjson");
  AddMessagePack(lua);
  Keep(lua, "cmsgpack");
  AddStruct(lua);
  Keep(lua, "struct");
  AddRedisApi(lua);
  Keep(lua, "redis");
}

}  // namespace

void RaiseReadOnly(lua_State* lua) {
  lua_pushstring(lua, kReadOnlyText);
  lua_error(lua);
  std::abort();  // not reached
}

void MakeReadOnly(lua_State* lua) {
  lua_newtable(lua);
  lua_createtable(lua, 0, 4);
  lua_pushvalue(lua, -3);
  lua_setfield(lua, -2, "__index");
  lua_pushcfunction(lua, RefuseChange);
  lua_setfield(lua, -2, "__newindex");
  PushReal(lua);
  lua_pushvalue(lua, -4);
  lua_rawset(lua, -3);
  lua_setmetatable(lua, -2);
  lua_replace(lua, -2);
}

bool UnwrapReadOnly(lua_State* lua, int index) {
  if (!lua_istable(lua, index) || !lua_getmetatable(lua, index)) return false;
  PushReal(lua);
  lua_rawget(lua, -2);
  lua_remove(lua, -2);
  const bool read_only = lua_istable(lua, -1);
  if (read_only) {
    lua_replace(lua, index);
  } else {
    lua_pop(lua, 1);
  }
  return read_only;
}

bool IsReadOnly(lua_State* lua, int index) {
  if (!lua_istable(lua, index) || !lua_getmetatable(lua, index)) return false;
  PushReal(lua);
  lua_rawget(lua, -2);
  const bool read_only = lua_istable(lua, -1);
  lua_pop(lua, 2);
  return read_only;
}

void OpenSandbox(lua_State* lua) {
  lua_pushcfunction(lua, luaopen_base);
  lua_pushliteral(lua, "");
  lua_call(lua, 1, 0);
  lua_createtable(lua, 0, 48);
  for (const char* name : {"_VERSION", "assert", "coroutine", "error", "gcinfo", "ipairs", "rawequal", "select",
                           "tonumber", "tostring", "type"}) {
    KeepGlobal(lua, name);
  }
  AddBaseFunctions(lua);
  AddLibraries(lua);
  lua_insert(lua, -3);
  lua_setfield(lua, -3, "ARGV");
  lua_setfield(lua, -2, "KEYS");
  // Reading a missing global is an error.
  lua_createtable(lua, 0, 1);
  lua_pushcfunction(lua, RefuseUnknownGlobal);
  lua_setfield(lua, -2, "__index");
  lua_setmetatable(lua, -2);
  lua_pushvalue(lua, -1);
  MakeReadOnly(lua);
  lua_pushvalue(lua, -1);
  lua_setfield(lua, -3, "_G");
  lua_replace(lua, LUA_GLOBALSINDEX);
  lua_pop(lua, 1);
}

}  // namespace ebla::gateway::redis
