// Functions of table whose loops look at the clock, because a table may claim a length of two billion elements, and
// sort may take the square of that.
// Stack: each function has its arguments from 1 on.
#include "gateway/redis/scripts/engine/lua_run.h"
#include "gateway/redis/scripts/engine/lua_sandbox.h"

namespace ebla::gateway::redis {
namespace {

int Length(lua_State* lua, int index) {
  luaL_checktype(lua, index, LUA_TTABLE);
  return static_cast<int>(lua_objlen(lua, index));
}

void MoveElement(lua_State* lua, int from, int to) {
  LuaRun::Of(lua).Step(lua);
  lua_rawgeti(lua, 1, from);
  lua_rawseti(lua, 1, to);
}

int Insert(lua_State* lua) {
  int end = Length(lua, 1) + 1, at = end;
  if (IsReadOnly(lua, 1)) RaiseReadOnly(lua);
  if (lua_gettop(lua) == 3) {
    at = luaL_checkint(lua, 2);
    if (at > end) end = at;
    for (int i = end; i > at; --i) MoveElement(lua, i - 1, i);
  } else if (lua_gettop(lua) != 2) {
    return luaL_error(lua, "wrong number of arguments to 'insert'");
  }
  lua_rawseti(lua, 1, at);
  return 0;
}

int Remove(lua_State* lua) {
  const int end = Length(lua, 1);
  int at = luaL_optint(lua, 2, end);
  if (at < 1 || at > end) return 0;
  if (IsReadOnly(lua, 1)) RaiseReadOnly(lua);
  lua_rawgeti(lua, 1, at);
  for (; at < end; ++at) MoveElement(lua, at + 1, at);
  lua_pushnil(lua);
  lua_rawseti(lua, 1, end);
  return 1;
}

int ForEachIndex(lua_State* lua) {
  const int end = Length(lua, 1);
  luaL_checktype(lua, 2, LUA_TFUNCTION);
  for (int i = 1; i <= end; ++i) {
    LuaRun::Of(lua).Step(lua);
    lua_pushvalue(lua, 2);
    lua_pushinteger(lua, i);
    lua_rawgeti(lua, 1, i);
    lua_call(lua, 2, 1);
    if (!lua_isnil(lua, -1)) return 1;
    lua_pop(lua, 1);
  }
  return 0;
}

int ForEach(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checktype(lua, 2, LUA_TFUNCTION);
  UnwrapReadOnly(lua, 1);
  lua_pushnil(lua);
  while (lua_next(lua, 1)) {
    LuaRun::Of(lua).Step(lua);
    lua_pushvalue(lua, 2);
    lua_pushvalue(lua, -3);
    lua_pushvalue(lua, -3);
    lua_call(lua, 2, 1);
    if (!lua_isnil(lua, -1)) return 1;
    lua_pop(lua, 2);
  }
  return 0;
}

int Concat(lua_State* lua) {
  size_t separator_size = 0;
  const char* const separator = luaL_optlstring(lua, 2, "", &separator_size);
  luaL_checktype(lua, 1, LUA_TTABLE);
  const int from = luaL_optint(lua, 3, 1);
  const int last = luaL_opt(lua, luaL_checkint, 4, static_cast<int>(lua_objlen(lua, 1)));
  LuaRun& run = LuaRun::Of(lua);
  luaL_Buffer made;
  luaL_buffinit(lua, &made);
  for (int64_t i = from; i <= last; ++i) {
    run.Step(lua);
    lua_rawgeti(lua, 1, static_cast<int>(i));
    if (!lua_isstring(lua, -1)) {
      luaL_error(lua, "invalid value (%s) at index %d in table for 'concat'", luaL_typename(lua, -1),
                 static_cast<int>(i));
    }
    luaL_addvalue(&made);
    if (i < last) luaL_addlstring(&made, separator, separator_size);
  }
  luaL_pushresult(&made);
  return 1;
}

// ---- sort -----------------------------------------------------------------------------------------------------------

}  // namespace

// Its upvalue: what compares, if it is a function.
int LessWithClock(lua_State* lua) {
  LuaRun::Of(lua).Step(lua);
  lua_settop(lua, 2);
  if (lua_isnil(lua, lua_upvalueindex(1))) {
    lua_pushboolean(lua, lua_lessthan(lua, 1, 2));
    return 1;
  }
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_insert(lua, 1);
  lua_call(lua, 2, 1);
  return 1;
}

namespace {

// Its upvalue: Lua's own, which takes as many comparisons as it takes. Instructions are counted in a comparison that is
// written in Lua; others count by themselves. It is called within the same frame, so that its errors say the same.
int Sort(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  if (!lua_isnoneornil(lua, 2)) luaL_checktype(lua, 2, LUA_TFUNCTION);
  lua_settop(lua, 2);
  if (IsReadOnly(lua, 1)) return 0;  // none of them has elements
  if (lua_isnil(lua, 2) || lua_iscfunction(lua, 2)) {
    lua_pushcclosure(lua, LessWithClock, 1);
  }
  return lua_tocfunction(lua, lua_upvalueindex(1))(lua);
}

}  // namespace

void AddTableFunctions(lua_State* lua) {
  static const luaL_Reg kFunctions[] = {{"concat", Concat}, {"foreach", ForEach}, {"foreachi", ForEachIndex},
                                        {"insert", Insert}, {"remove", Remove},   {nullptr, nullptr}};
  luaL_register(lua, nullptr, kFunctions);
  lua_getfield(lua, -1, "sort");
  lua_pushcclosure(lua, Sort, 1);
  lua_setfield(lua, -2, "sort");
}

}  // namespace ebla::gateway::redis
