// Redis's cmsgpack: values of Lua to MessagePack, and back.
// Source:  MessagePack's specification, and comparison with a redis-server 7.0.15 (redis_scripts.txt). Like Redis, this
//          refuses binary strings and extensions, turns unsigned numbers beyond 63 bits negative, and values within
//          more than 16 tables into nil.
// Stack:   each function has its arguments from 1 on.
#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "gateway/redis/scripts/engine/lua_run.h"
#include "gateway/redis/scripts/engine/lua_sandbox.h"

namespace ebla::gateway::redis {
namespace {

constexpr int kTablesMax = 16;  // in each other, that are written

// ---- to bytes -------------------------------------------------------------------------------------------------------

class Packer {
 public:
  explicit Packer(lua_State* lua) : lua_(lua), run_(LuaRun::Of(lua)) { run_.scratch.clear(); }

  // The value on top of the stack.
  void Value(int depth);

 private:
  void Bytes(const char* bytes, size_t size) {
    run_.Step(lua_);
    run_.Need(lua_, run_.scratch.size() + size);
    Append(bytes, size);
  }
  void Append(const char* bytes, size_t size) noexcept { run_.scratch.append(bytes, size); }
  // A kind, and so many of a number's low bytes.
  void Tagged(int kind, uint64_t number, int size);
  void Number(double number);
  void Integer(int64_t number);
  void String();
  // The header of an array or map of that size.
  void Header(size_t size, int small_kind, int kind16);
  void Table(int depth);
  // How many entries the table on top has, and whether they are those of 1 to that number.
  size_t Count(bool& is_array);

  lua_State* const lua_;
  LuaRun& run_;
};

void Packer::Tagged(int kind, uint64_t number, int size) {
  char bytes[9] = {static_cast<char>(kind)};
  for (int i = 0; i < size; ++i) bytes[1 + i] = static_cast<char>(number >> (8 * (size - 1 - i)));
  Bytes(bytes, static_cast<size_t>(1 + size));
}

void Packer::Integer(int64_t number) {
  const auto bits = static_cast<uint64_t>(number);
  if (number >= -32 && number <= 127) return Tagged(static_cast<int>(bits & 0xff), 0, 0);
  if (number >= 0) {
    if (number <= 0xff) return Tagged(0xcc, bits, 1);
    if (number <= 0xffff) return Tagged(0xcd, bits, 2);
    return number <= 0xffffffff ? Tagged(0xce, bits, 4) : Tagged(0xcf, bits, 8);
  }
  if (number >= INT8_MIN) return Tagged(0xd0, bits, 1);
  if (number >= INT16_MIN) return Tagged(0xd1, bits, 2);
  number >= INT32_MIN ? Tagged(0xd2, bits, 4) : Tagged(0xd3, bits, 8);
}

void Packer::Number(double number) {
  constexpr double kIntegersEnd = 9223372036854775808.0;  // 2^63
  if (number >= -kIntegersEnd && number < kIntegersEnd && std::floor(number) == number)
    return Integer(static_cast<int64_t>(number));
  const auto single = static_cast<float>(number);
  if (static_cast<double>(single) == number) {
    uint32_t bits = 0;
    std::memcpy(&bits, &single, sizeof bits);
    return Tagged(0xca, bits, 4);
  }
  uint64_t bits = 0;
  std::memcpy(&bits, &number, sizeof bits);
  Tagged(0xcb, bits, 8);
}

void Packer::String() {
  size_t size = 0;
  const char* const bytes = lua_tolstring(lua_, -1, &size);
  if (size < 32) {
    Tagged(static_cast<int>(0xa0 | size), 0, 0);
  } else if (size <= 0xff) {
    Tagged(0xd9, size, 1);
  } else {
    size <= 0xffff ? Tagged(0xda, size, 2) : Tagged(0xdb, size, 4);
  }
  Bytes(bytes, size);
}

void Packer::Header(size_t size, int small_kind, int kind16) {
  if (size < 16) return Tagged(small_kind | static_cast<int>(size), 0, 0);
  size <= 0xffff ? Tagged(kind16, size, 2) : Tagged(kind16 + 1, size, 4);
}

size_t Packer::Count(bool& is_array) {
  double largest = 0;
  size_t count = 0;
  is_array = true;
  lua_pushnil(lua_);
  while (lua_next(lua_, -2)) {
    run_.Step(lua_);
    const double key = lua_type(lua_, -2) == LUA_TNUMBER ? lua_tonumber(lua_, -2) : 0;
    is_array = is_array && key >= 1 && key <= INT_MAX && std::floor(key) == key;
    largest = std::max(largest, key);
    ++count;
    lua_pop(lua_, 1);
  }
  is_array = is_array && largest == static_cast<double>(count);
  return count;
}

void Packer::Table(int depth) {
  luaL_checkstack(lua_, 5, "in function mp_encode_lua_table");
  const int before = lua_gettop(lua_);
  lua_pushvalue(lua_, -1);
  UnwrapReadOnly(lua_, lua_gettop(lua_));
  bool is_array = false;
  const size_t count = Count(is_array);
  is_array ? Header(count, 0x90, 0xdc) : Header(count, 0x80, 0xde);
  if (is_array) {
    for (size_t i = 1; i <= count; ++i) {
      lua_rawgeti(lua_, -1, static_cast<int>(i));
      Value(depth);
      lua_pop(lua_, 1);
    }
  } else {
    lua_pushnil(lua_);
    while (lua_next(lua_, -2)) {
      lua_pushvalue(lua_, -2);
      Value(depth);
      lua_pop(lua_, 1);
      Value(depth);
      lua_pop(lua_, 1);
    }
  }
  lua_settop(lua_, before);
}

void Packer::Value(int depth) {
  switch (lua_type(lua_, -1)) {
    case LUA_TSTRING: return String();
    case LUA_TNUMBER: return Number(lua_tonumber(lua_, -1));
    case LUA_TBOOLEAN: return Tagged(lua_toboolean(lua_, -1) ? 0xc3 : 0xc2, 0, 0);
    case LUA_TTABLE:
      if (depth < kTablesMax) return Table(depth + 1);
      break;
    default: break;
  }
  Tagged(0xc0, 0, 0);
}

int PackValues(lua_State* lua) {
  const int count = lua_gettop(lua);
  if (count == 0) return luaL_argerror(lua, 0, "MessagePack pack needs input.");
  luaL_checkstack(lua, 1, "too many arguments");
  Packer packer(lua);
  for (int i = 1; i <= count; ++i) {
    lua_pushvalue(lua, i);
    packer.Value(0);
    lua_pop(lua, 1);
  }
  const std::string& bytes = LuaRun::Of(lua).scratch;
  lua_pushlstring(lua, bytes.data(), bytes.size());
  return 1;
}

// ---- from bytes -----------------------------------------------------------------------------------------------------

class Unpacker {
 public:
  Unpacker(lua_State* lua, const char* bytes, size_t size)
      : lua_(lua), run_(LuaRun::Of(lua)), at_(reinterpret_cast<const unsigned char*>(bytes)), left_(size) {}

  // Pushes the next value.
  void Value();
  size_t left() const { return left_; }

 private:
  // Past so many bytes, where they are.
  const unsigned char* Take(size_t size) {
    if (size > left_) luaL_error(lua_, "Missing bytes in input.");
    const unsigned char* const taken = at_;
    at_ += size;
    left_ -= size;
    return taken;
  }
  uint64_t Number(size_t size) {
    const unsigned char* const bytes = Take(size);
    uint64_t number = 0;
    for (size_t i = 0; i < size; ++i) number = number << 8 | bytes[i];
    return number;
  }
  // Whose highest bit is the sign.
  double Signed(size_t size) {
    const auto unused = static_cast<int>(8 * (8 - size));
    return static_cast<double>(static_cast<int64_t>(Number(size) << unused) >> unused);
  }
  double Float() {
    const auto bits = static_cast<uint32_t>(Number(4));
    float number = 0;
    std::memcpy(&number, &bits, sizeof number);
    return number;
  }
  double Double() {
    const uint64_t bits = Number(8);
    double number = 0;
    std::memcpy(&number, &bits, sizeof number);
    return number;
  }
  void String(size_t size) {
    const unsigned char* const bytes = Take(size);
    lua_pushlstring(lua_, reinterpret_cast<const char*>(bytes), size);
  }
  void Array(size_t size);
  void Map(size_t size);

  lua_State* const lua_;
  LuaRun& run_;
  const unsigned char* at_;
  size_t left_;
};

void Unpacker::Array(size_t size) {
  lua_newtable(lua_);
  luaL_checkstack(lua_, 1, "in function mp_decode_to_lua_array");
  for (size_t i = 1; i <= size; ++i) {
    lua_pushnumber(lua_, static_cast<double>(i));
    Value();
    lua_rawset(lua_, -3);
  }
}

void Unpacker::Map(size_t size) {
  lua_newtable(lua_);
  for (size_t i = 0; i < size; ++i) {
    Value();
    Value();
    lua_rawset(lua_, -3);
  }
}

void Unpacker::Value() {
  run_.Step(lua_);
  luaL_checkstack(lua_, 1, "too many return values at once; use unpack_one or unpack_limit instead.");
  const unsigned kind = *Take(1);
  if (kind < 0x80) return lua_pushnumber(lua_, kind);
  if (kind >= 0xe0) return lua_pushnumber(lua_, static_cast<int>(kind) - 0x100);
  if (kind < 0x90) return Map(kind & 0xf);
  if (kind < 0xa0) return Array(kind & 0xf);
  if (kind < 0xc0) return String(kind & 0x1f);
  switch (kind) {
    case 0xc0: return lua_pushnil(lua_);
    case 0xc2: return lua_pushboolean(lua_, 0);
    case 0xc3: return lua_pushboolean(lua_, 1);
    case 0xca: return lua_pushnumber(lua_, Float());
    case 0xcb: return lua_pushnumber(lua_, Double());
    case 0xcc: return lua_pushnumber(lua_, static_cast<double>(Number(1)));
    case 0xcd: return lua_pushnumber(lua_, static_cast<double>(Number(2)));
    case 0xce: return lua_pushnumber(lua_, static_cast<double>(Number(4)));
    case 0xcf:
    case 0xd3: return lua_pushnumber(lua_, Signed(8));
    case 0xd0: return lua_pushnumber(lua_, Signed(1));
    case 0xd1: return lua_pushnumber(lua_, Signed(2));
    case 0xd2: return lua_pushnumber(lua_, Signed(4));
    case 0xd9: return String(Number(1));
    case 0xda: return String(Number(2));
    case 0xdb: return String(Number(4));
    case 0xdc: return Array(Number(2));
    case 0xdd: return Array(Number(4));
    case 0xde: return Map(Number(2));
    case 0xdf: return Map(Number(4));
    default: luaL_error(lua_, "Bad data format in input.");
  }
}

// Unpacks at most so many values from the offset on; both 0: all. Else the first result is the offset of the next
// value, or -1 at the end.
int UnpackFrom(lua_State* lua, lua_Integer limit, lua_Integer offset) {
  size_t size = 0;
  const char* const bytes = luaL_checklstring(lua, 1, &size);
  const auto start = static_cast<int>(offset);
  if (offset < 0 || limit < 0) {
    return luaL_error(lua, "Invalid request to unpack with offset of %d and limit of %d.", start,
                      static_cast<int>(size));
  }
  if (static_cast<size_t>(offset) > size) {
    return luaL_error(lua, "Start offset %d greater than input length %d.", start, static_cast<int>(size));
  }
  const bool all = limit == 0 && offset == 0;
  lua_settop(lua, 1);
  if (!all) lua_pushnil(lua);
  Unpacker unpacker(lua, bytes + offset, size - static_cast<size_t>(offset));
  for (lua_Integer count = 0; unpacker.left() > 0 && (all || count < limit); ++count) unpacker.Value();
  if (!all) {
    lua_pushinteger(lua, unpacker.left() == 0 ? -1 : static_cast<lua_Integer>(size - unpacker.left()));
    lua_replace(lua, 2);
  }
  return lua_gettop(lua) - 1;
}

int UnpackValues(lua_State* lua) { return UnpackFrom(lua, 0, 0); }
int UnpackOne(lua_State* lua) { return UnpackFrom(lua, 1, luaL_optinteger(lua, 2, 0)); }
int UnpackLimit(lua_State* lua) {
  const lua_Integer limit = luaL_checkinteger(lua, 2);
  return UnpackFrom(lua, limit, luaL_optinteger(lua, 3, 0));
}

}  // namespace

void AddMessagePack(lua_State* lua) {
  static const luaL_Reg kFunctions[] = {{"pack", PackValues},
                                        {"unpack", UnpackValues},
                                        {"unpack_one", UnpackOne},
                                        {"unpack_limit", UnpackLimit},
                                        {nullptr, nullptr}};
  lua_createtable(lua, 0, 8);
  luaL_register(lua, nullptr, kFunctions);
  lua_pushliteral(lua, "cmsgpack");
  lua_setfield(lua, -2, "_NAME");
  lua_pushliteral(lua, "lua-cmsgpack 0.4.0");
  lua_setfield(lua, -2, "_VERSION");
}

}  // namespace ebla::gateway::redis
