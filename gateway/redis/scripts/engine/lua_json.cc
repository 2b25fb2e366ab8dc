#include "gateway/redis/scripts/engine/lua_json.h"

#include <climits>
#include <new>

namespace ebla::gateway::redis {
namespace {

void TakeArguments(lua_State* lua, int count) {
  luaL_argcheck(lua, lua_gettop(lua) <= count, count + 1, "found too many arguments");
  lua_settop(lua, count);
}

int IntegerOption(lua_State* lua, int index, int& option, int least, int most) {
  if (!lua_isnil(lua, index)) {
    const lua_Integer value = luaL_checkinteger(lua, index);
    if (value < least || value > most) {
      lua_pushfstring(lua, "expected integer between %d and %d", least, most);
      luaL_argerror(lua, 1, lua_tostring(lua, -1));
    }
    option = static_cast<int>(value);
  }
  lua_pushinteger(lua, option);
  return 1;
}

// `names`: of more than false and true; null: there are no more.
int ChoiceOption(lua_State* lua, int index, int& option, const char* const* names) {
  if (!lua_isnil(lua, index)) {
    if (lua_isboolean(lua, index) || names == nullptr) {
      luaL_checktype(lua, index, LUA_TBOOLEAN);
      option = lua_toboolean(lua, index);
    } else {
      option = luaL_checkoption(lua, index, nullptr, names);
    }
  }
  if (option <= 1) {
    lua_pushboolean(lua, option);
  } else {
    lua_pushstring(lua, names[option]);
  }
  return 1;
}

int SparseArray(lua_State* lua) {
  JsonOptions& options = JsonOptionsOf(lua);
  TakeArguments(lua, 3);
  ChoiceOption(lua, 1, options.sparse_convert, nullptr);
  IntegerOption(lua, 2, options.sparse_ratio, 0, INT_MAX);
  IntegerOption(lua, 3, options.sparse_safe, 0, INT_MAX);
  return 3;
}

int EncodeDepth(lua_State* lua) {
  TakeArguments(lua, 1);
  return IntegerOption(lua, 1, JsonOptionsOf(lua).encode_depth, 1, INT_MAX);
}

int DecodeDepth(lua_State* lua) {
  TakeArguments(lua, 1);
  return IntegerOption(lua, 1, JsonOptionsOf(lua).decode_depth, 1, INT_MAX);
}

int Precision(lua_State* lua) {
  TakeArguments(lua, 1);
  return IntegerOption(lua, 1, JsonOptionsOf(lua).precision, 1, 14);
}

int KeepBuffer(lua_State* lua) {
  TakeArguments(lua, 1);
  return ChoiceOption(lua, 1, JsonOptionsOf(lua).keep_buffer, nullptr);
}

int EncodeInvalid(lua_State* lua) {
  static const char* const kNames[] = {"off", "on", "null", nullptr};
  TakeArguments(lua, 1);
  return ChoiceOption(lua, 1, JsonOptionsOf(lua).encode_invalid, kNames);
}

int DecodeInvalid(lua_State* lua) {
  static const char* const kNames[] = {"off", "on", nullptr};
  TakeArguments(lua, 1);
  return ChoiceOption(lua, 1, JsonOptionsOf(lua).decode_invalid, kNames);
}

int New(lua_State* lua) {
  AddJson(lua);
  return 1;
}

}  // namespace

void AddJson(lua_State* lua) {
  static const luaL_Reg kFunctions[] = {{"encode", JsonEncode},
                                        {"decode", JsonDecode},
                                        {"encode_sparse_array", SparseArray},
                                        {"encode_max_depth", EncodeDepth},
                                        {"decode_max_depth", DecodeDepth},
                                        {"encode_number_precision", Precision},
                                        {"encode_keep_buffer", KeepBuffer},
                                        {"encode_invalid_numbers", EncodeInvalid},
                                        {"decode_invalid_numbers", DecodeInvalid},
                                        {"new", New}};
  lua_createtable(lua, 0, 16);
  new (lua_newuserdata(lua, sizeof(JsonOptions))) JsonOptions();
  for (const luaL_Reg& function : kFunctions) {
    lua_pushvalue(lua, -1);
    lua_pushcclosure(lua, function.func, 1);
    lua_setfield(lua, -3, function.name);
  }
  lua_pop(lua, 1);
  lua_pushlightuserdata(lua, nullptr);
  lua_setfield(lua, -2, "null");
  lua_pushliteral(lua, "cjson");
  lua_setfield(lua, -2, "_NAME");
  lua_pushliteral(lua, "2.1.0");
  lua_setfield(lua, -2, "_VERSION");
}

}  // namespace ebla::gateway::redis
