#include <strings.h>

#include <cmath>
#include <cstdio>
#include <cstring>

#include "gateway/redis/scripts/engine/lua_json.h"
#include "gateway/redis/scripts/engine/lua_run.h"

namespace ebla::gateway::redis {
namespace {

class JsonEncoder {
 public:
  explicit JsonEncoder(lua_State* lua) : lua_(lua), run_(LuaRun::Of(lua)), options_(JsonOptionsOf(lua)) {
    run_.scratch.clear();
  }

  // The value on top of the stack.
  void Value(int depth);

 private:
  void Text(const char* text, size_t size) {
    run_.Step(lua_);
    run_.Need(lua_, run_.scratch.size() + size);
    Append(text, size);
  }
  void Text(const char* text) { Text(text, std::strlen(text)); }
  void Append(const char* text, size_t size) noexcept { run_.scratch.append(text, size); }
  void String(int index);
  void Number(int index);
  void Array(int size, int depth);
  void Object(int depth);
  void Table(int depth);
  // How long the array is that the table on top is; negative: it is none.
  int ArraySize();
  void Refuse(int index, const char* reason) {
    luaL_error(lua_, "Cannot serialise %s: %s", lua_typename(lua_, lua_type(lua_, index)), reason);
  }

  lua_State* const lua_;
  LuaRun& run_;
  const JsonOptions& options_;
};

void JsonEncoder::String(int index) {
  size_t size = 0;
  const char* const text = lua_tolstring(lua_, index, &size);
  Text("\"", 1);
  size_t written = 0;
  for (size_t i = 0; i < size; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    char escape[8] = {'\\', 0};
    switch (c) {
      case '"':
      case '\\':
      case '/': escape[1] = static_cast<char>(c); break;
      case '\b': escape[1] = 'b'; break;
      case '\t': escape[1] = 't'; break;
      case '\n': escape[1] = 'n'; break;
      case '\f': escape[1] = 'f'; break;
      case '\r': escape[1] = 'r'; break;
      default:
        if (c >= 32 && c != 127) continue;
        std::snprintf(escape, sizeof escape, "\\u%04x", c);
    }
    Text(text + written, i - written);
    Text(escape);
    written = i + 1;
  }
  Text(text + written, size - written);
  Text("\"", 1);
}

void JsonEncoder::Number(int index) {
  const double number = lua_tonumber(lua_, index);
  if (std::isfinite(number)) {
    char text[32];
    Text(text, static_cast<size_t>(std::snprintf(text, sizeof text, "%.*g", options_.precision, number)));
  } else if (options_.encode_invalid == JsonOptions::kRefuse) {
    Refuse(index, "must not be NaN or Inf");
  } else if (options_.encode_invalid == JsonOptions::kAsNull) {
    Text("null");
  } else {
    Text(std::isnan(number) ? "nan" : number < 0 ? "-inf" : "inf");
  }
}

int JsonEncoder::ArraySize() {
  double largest = 0;
  int64_t items = 0;
  lua_pushnil(lua_);
  while (lua_next(lua_, -2)) {
    run_.Step(lua_);
    const double key = lua_type(lua_, -2) == LUA_TNUMBER ? lua_tonumber(lua_, -2) : 0;
    if (key < 1 || key > INT_MAX || std::floor(key) != key) {
      lua_pop(lua_, 2);
      return -1;
    }
    largest = std::max(largest, key);
    ++items;
    lua_pop(lua_, 1);
  }
  if (options_.sparse_ratio > 0 && largest > static_cast<double>(items) * options_.sparse_ratio &&
      largest > options_.sparse_safe) {
    if (!options_.sparse_convert) Refuse(-1, "excessively sparse array");
    return -1;
  }
  return static_cast<int>(largest);
}

void JsonEncoder::Array(int size, int depth) {
  Text("[", 1);
  for (int64_t i = 1; i <= size; ++i) {
    if (i > 1) Text(",", 1);
    lua_rawgeti(lua_, -1, static_cast<int>(i));
    Value(depth);
    lua_pop(lua_, 1);
  }
  Text("]", 1);
}

void JsonEncoder::Object(int depth) {
  Text("{", 1);
  bool first = true;
  lua_pushnil(lua_);
  while (lua_next(lua_, -2)) {
    if (!first) Text(",", 1);
    first = false;
    switch (lua_type(lua_, -2)) {
      case LUA_TNUMBER:
        Text("\"", 1);
        Number(-2);
        Text("\":", 2);
        break;
      case LUA_TSTRING:
        String(-2);
        Text(":", 1);
        break;
      default: Refuse(-2, "table key must be a number or string");
    }
    Value(depth);
    lua_pop(lua_, 1);
  }
  Text("}", 1);
}

void JsonEncoder::Table(int depth) {
  if (depth > options_.encode_depth || !lua_checkstack(lua_, 4)) {
    luaL_error(lua_, "Cannot serialise, excessive nesting (%d)", depth);
  }
  const int before = lua_gettop(lua_);
  lua_pushvalue(lua_, -1);
  UnwrapReadOnly(lua_, lua_gettop(lua_));
  const int size = ArraySize();
  if (size > 0) {
    Array(size, depth);
  } else {
    Object(depth);
  }
  lua_settop(lua_, before);
}

void JsonEncoder::Value(int depth) {
  switch (lua_type(lua_, -1)) {
    case LUA_TSTRING: return String(-1);
    case LUA_TNUMBER: return Number(-1);
    case LUA_TBOOLEAN: return Text(lua_toboolean(lua_, -1) ? "true" : "false");
    case LUA_TTABLE: return Table(depth + 1);
    case LUA_TNIL: return Text("null");
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(lua_, -1) == nullptr) return Text("null");
      break;
    default: break;
  }
  Refuse(-1, "type not supported");
}

}  // namespace

int JsonEncode(lua_State* lua) {
  luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
  JsonEncoder(lua).Value(0);
  const std::string& text = LuaRun::Of(lua).scratch;
  lua_pushlstring(lua, text.data(), text.size());
  return 1;
}

}  // namespace ebla::gateway::redis
