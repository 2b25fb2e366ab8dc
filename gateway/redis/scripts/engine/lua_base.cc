// Functions of base, string and math that a script may not have as Lua has them.
#include <atomic>
#include <climits>
#include <cmath>
#include <random>

#include "gateway/redis/scripts/engine/lua_run.h"
#include "gateway/redis/scripts/engine/lua_sandbox.h"

namespace ebla::gateway::redis {
namespace {

// ---- tables that cannot be changed ----------------------------------------------------------------------------------

int Next(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_settop(lua, 2);
  UnwrapReadOnly(lua, 1);
  if (lua_next(lua, 1)) return 2;
  lua_pushnil(lua);
  return 1;
}

// Its upvalue: next.
int Pairs(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_pushvalue(lua, 1);
  lua_pushnil(lua);
  return 3;
}

int RawGet(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checkany(lua, 2);
  lua_settop(lua, 2);
  UnwrapReadOnly(lua, 1);
  lua_rawget(lua, 1);
  return 1;
}

int RawSet(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checkany(lua, 2);
  luaL_checkany(lua, 3);
  lua_settop(lua, 3);
  if (IsReadOnly(lua, 1)) RaiseReadOnly(lua);
  lua_rawset(lua, 1);
  return 1;
}

int GetMetatable(lua_State* lua) {
  luaL_checkany(lua, 1);
  const bool protect = UnwrapReadOnly(lua, 1) || lua_type(lua, 1) == LUA_TSTRING;
  if (!lua_getmetatable(lua, 1)) {
    lua_pushnil(lua);
    return 1;
  }
  luaL_getmetafield(lua, 1, "__metatable");
  if (!protect || !lua_istable(lua, -1)) return 1;
  if (lua_type(lua, 1) == LUA_TSTRING) {
    lua_createtable(lua, 0, 1);
    lua_getglobal(lua, LUA_STRLIBNAME);
    lua_setfield(lua, -2, "__index");
  }
  MakeReadOnly(lua);
  return 1;
}

int SetMetatable(lua_State* lua) {
  const int type = lua_type(lua, 2);
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_argcheck(lua, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table expected");
  if (IsReadOnly(lua, 1)) RaiseReadOnly(lua);
  if (luaL_getmetafield(lua, 1, "__metatable")) return luaL_error(lua, "cannot change a protected metatable");
  // A read-only one as a metatable would give its own secrets to another table.
  UnwrapReadOnly(lua, 2);
  lua_settop(lua, 2);
  lua_setmetatable(lua, 1);
  return 1;
}

int Unpack(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  const lua_Integer first = luaL_optint(lua, 2, 1);
  const lua_Integer last = luaL_opt(lua, luaL_checkint, 3, static_cast<int>(lua_objlen(lua, 1)));
  if (first > last) return 0;
  const lua_Integer count = last - first + 1;
  if (count >= INT_MAX || !lua_checkstack(lua, static_cast<int>(count))) {
    return luaL_error(lua, "too many results to unpack");
  }
  for (lua_Integer i = first; i <= last; ++i) lua_rawgeti(lua, 1, static_cast<int>(i));
  return static_cast<int>(count);
}

// ---- errors and chunks ----------------------------------------------------------------------------------------------

// The error of a command is its text, as in Redis.
int ProtectedCall(lua_State* lua) {
  luaL_checkany(lua, 1);
  lua_pushboolean(lua, 1);
  lua_insert(lua, 1);
  if (lua_pcall(lua, lua_gettop(lua) - 2, LUA_MULTRET, 0) == 0) return lua_gettop(lua);
  if (lua_istable(lua, -1)) {
    lua_getfield(lua, -1, "err");
    if (lua_isstring(lua, -1)) {
      lua_replace(lua, -2);
    } else {
      lua_pop(lua, 1);
    }
  }
  lua_pushboolean(lua, 0);
  lua_insert(lua, -2);
  return 2;
}

// Its upvalue is the script's handler of errors. An error that ends the run skips the handler, because no instructions
// are counted where it is raised, so the handler might not end.
int HandleError(lua_State* lua) {
  if (LuaRun::Of(lua).ended() != LuaRun::Ended::kNot) return 1;
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_insert(lua, 1);
  lua_call(lua, 1, 1);
  return 1;
}

int ProtectedCallWithHandler(lua_State* lua) {
  luaL_checkany(lua, 2);
  lua_settop(lua, 2);
  lua_pushcclosure(lua, HandleError, 1);
  lua_insert(lua, 1);
  const int status = lua_pcall(lua, 0, LUA_MULTRET, 1);
  lua_pushboolean(lua, status == 0);
  lua_replace(lua, 1);
  return lua_gettop(lua);
}

// Returns the loader's result: the function, or nil and the reason.
int Loaded(lua_State* lua, int status) {
  if (status == 0) return 1;
  lua_pushnil(lua);
  lua_insert(lua, -2);
  return 2;
}

// A blank before bytecode makes text of it, which is refused as Redis refuses it. Bytecode could do anything.
bool IsBytecode(const char* chunk, size_t size) { return size > 0 && chunk[0] == LUA_SIGNATURE[0]; }

int LoadString(lua_State* lua) {
  size_t size = 0;
  const char* chunk = luaL_checklstring(lua, 1, &size);
  const char* const name = luaL_optstring(lua, 2, chunk);
  if (IsBytecode(chunk, size)) {
    lua_pushliteral(lua, " ");
    lua_pushvalue(lua, 1);
    lua_concat(lua, 2);
    chunk = lua_tolstring(lua, -1, &size);
  }
  return Loaded(lua, LoadInPieces(lua, chunk, size, name));
}

struct TextRead {
  size_t at = 0;       // how much of the text at 3 has been handed out
  bool begun = false;  // something has been handed out
};

// Hands out the text at 3 piece by piece, and asks the function at 1 for the next one.
const char* ReadPiece(lua_State* lua, void* text_read, size_t* size) {
  TextRead& read = *static_cast<TextRead*>(text_read);
  LuaRun::Of(lua).Check(lua);
  luaL_checkstack(lua, 2, "too many nested functions");
  size_t whole = 0;
  const char* text = lua_tolstring(lua, 3, &whole);
  if (read.at >= whole) {
    lua_pushvalue(lua, 1);
    lua_call(lua, 0, 1);
    if (lua_isnil(lua, -1)) {
      *size = 0;
      return nullptr;
    }
    if (!lua_isstring(lua, -1)) luaL_error(lua, "reader function must return a string");
    lua_replace(lua, 3);
    text = lua_tolstring(lua, 3, &whole);
    read.at = 0;
  }
  // The first piece must not be bytecode, from whichever call of the function it is. A blank before it makes it text.
  if (!read.begun && IsBytecode(text, whole)) {
    lua_pushliteral(lua, " ");
    lua_pushvalue(lua, 3);
    lua_concat(lua, 2);
    lua_replace(lua, 3);
    text = lua_tolstring(lua, 3, &whole);
  }
  read.begun |= whole > 0;
  *size = std::min(kPieceBytes, whole - read.at);
  read.at += *size;
  return text + read.at - *size;
}

int Load(lua_State* lua) {
  const char* const name = luaL_optstring(lua, 2, "=(load)");
  luaL_checktype(lua, 1, LUA_TFUNCTION);
  // Drops the further results of the script's function. Index 3 has the text read so far, which is empty.
  lua_settop(lua, 2);
  lua_pushnil(lua);
  // Lua holds on to the name only once it has read something, and the function that it reads from may collect garbage.
  lua_pushstring(lua, name);
  TextRead read;
  return Loaded(lua, lua_load(lua, ReadPiece, &read, name));
}

// ---- functions that take long, after a look at the clock ------------------------------------------------------------

// Its upvalue: the function of Lua. It is called within the same frame, so that its errors say the same.
int LookAtClockFirst(lua_State* lua) {
  LuaRun::Of(lua).Check(lua);
  return lua_tocfunction(lua, lua_upvalueindex(1))(lua);
}

// The function of that name in the table on top looks at the clock from now on.
void Clocked(lua_State* lua, const char* name) {
  lua_getfield(lua, -1, name);
  lua_pushcclosure(lua, LookAtClockFirst, 1);
  lua_setfield(lua, -2, name);
}

int Repeat(lua_State* lua) {
  size_t size = 0;
  const char* const text = luaL_checklstring(lua, 1, &size);
  const int count = luaL_checkint(lua, 2);
  if (size == 0 || count <= 0) {
    lua_pushliteral(lua, "");
    return 1;
  }
  LuaRun& run = LuaRun::Of(lua);
  run.Check(lua);
  const size_t bytes = size * static_cast<size_t>(count);
  run.MakeRoom(lua, 2 * bytes);
  run.Need(lua, bytes);
  luaL_Buffer made;
  luaL_buffinit(lua, &made);
  for (int i = 0; i < count; ++i) luaL_addlstring(&made, text, size);
  luaL_pushresult(&made);
  return 1;
}

// ---- chance ---------------------------------------------------------------------------------------------------------

// The generator of POSIX's lrand48, as in Redis: a script that seeds it meets the same numbers everywhere.
void Seed(LuaRun& run, int32_t seed) {
  run.random = (static_cast<uint64_t>(static_cast<uint32_t>(seed)) << 16) | 0x330e;
}

// A script that sets no seed gets other numbers in each run.
void SeedByChance(LuaRun& run) noexcept {
  static std::atomic<uint64_t> next = std::random_device()();
  run.random = (next.fetch_add(0x9e3779b97f4a7c15) ^ 0x330e) & ((uint64_t{1} << 48) - 1);
}

int32_t NextRandom(LuaRun& run) {
  run.random = (run.random * 0x5deece66d + 0xb) & ((uint64_t{1} << 48) - 1);
  return static_cast<int32_t>(run.random >> 17);
}

int Random(lua_State* lua) {
  const double share = static_cast<double>(NextRandom(LuaRun::Of(lua)) % INT32_MAX) / INT32_MAX;
  switch (lua_gettop(lua)) {
    case 0: lua_pushnumber(lua, share); return 1;
    case 1: {
      const int most = luaL_checkint(lua, 1);
      luaL_argcheck(lua, 1 <= most, 1, "interval is empty");
      lua_pushnumber(lua, std::floor(share * most) + 1);
      return 1;
    }
    case 2: {
      const int least = luaL_checkint(lua, 1), most = luaL_checkint(lua, 2);
      luaL_argcheck(lua, least <= most, 2, "interval is empty");
      lua_pushnumber(lua, std::floor(share * (static_cast<double>(most) - least + 1)) + least);
      return 1;
    }
    default: return luaL_error(lua, "wrong number of arguments");
  }
}

int RandomSeed(lua_State* lua) {
  Seed(LuaRun::Of(lua), luaL_checkint(lua, 1));
  return 0;
}

}  // namespace

void AddBaseFunctions(lua_State* lua) {
  static const luaL_Reg kFunctions[] = {{"getmetatable", GetMetatable},
                                        {"load", Load},
                                        {"loadstring", LoadString},
                                        {"next", Next},
                                        {"pcall", ProtectedCall},
                                        {"rawget", RawGet},
                                        {"rawset", RawSet},
                                        {"setmetatable", SetMetatable},
                                        {"unpack", Unpack},
                                        {"xpcall", ProtectedCallWithHandler},
                                        {nullptr, nullptr}};
  luaL_register(lua, nullptr, kFunctions);
  lua_getfield(lua, -1, "next");
  lua_pushcclosure(lua, Pairs, 1);
  lua_setfield(lua, -2, "pairs");
  lua_getglobal(lua, "collectgarbage");
  lua_setfield(lua, -2, "collectgarbage");
  Clocked(lua, "collectgarbage");
  lua_getfield(lua, -1, "coroutine");
  // Each has its own count of instructions, so that many short ones would never be counted.
  for (const char* name : {"create", "wrap", "resume"}) Clocked(lua, name);
  MakeReadOnly(lua);
  lua_setfield(lua, -2, "coroutine");
}

void AddStringFunctions(lua_State* lua) {
  lua_pushcfunction(lua, Repeat);
  lua_setfield(lua, -2, "rep");
  for (const char* name : {"format", "lower", "reverse", "upper"}) Clocked(lua, name);
}

void AddRandomFunctions(lua_State* lua) {
  static const luaL_Reg kFunctions[] = {{"random", Random}, {"randomseed", RandomSeed}, {nullptr, nullptr}};
  luaL_register(lua, nullptr, kFunctions);
  SeedByChance(LuaRun::Of(lua));
}

}  // namespace ebla::gateway::redis
