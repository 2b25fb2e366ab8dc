// cjson as Redis has it, written anew: the library takes memory that no limit of Lua's counts, and ends the process when
// there is none. A table that holds another one twice, and so on, becomes a text as long as two to the power of its depth.
// Source:  lua-cjson 2.1.0's manual; redis_scripts.txt compares it with a redis-server.
// The stack of each function: its arguments from 1 on. Its upvalue: the options, as plain bytes.
#include <strings.h>

#include <climits>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "gateway/redis/script/lua_run.h"
#include "gateway/redis/script/lua_sandbox.h"

namespace ebla::gateway::redis {
namespace {

enum InvalidNumbers { kRefuse, kWrite, kAsNull };

struct JsonOptions {
  int sparse_convert = 0, sparse_ratio = 2, sparse_safe = 10;
  int encode_depth = 1000, decode_depth = 1000;
  int precision = 14;
  int keep_buffer = 1;
  int encode_invalid = kRefuse, decode_invalid = kWrite;
};

JsonOptions& OptionsOf(lua_State* lua) { return *static_cast<JsonOptions*>(lua_touserdata(lua, lua_upvalueindex(1))); }

// ---- to text ----------------------------------------------------------------------------------------------------------

class Encoder {
 public:
  explicit Encoder(lua_State* lua) : lua_(lua), run_(LuaRun::Of(lua)), options_(OptionsOf(lua)) {
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

void Encoder::String(int index) {
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

void Encoder::Number(int index) {
  const double number = lua_tonumber(lua_, index);
  if (std::isfinite(number)) {
    char text[32];
    Text(text, static_cast<size_t>(std::snprintf(text, sizeof text, "%.*g", options_.precision, number)));
  } else if (options_.encode_invalid == kRefuse) {
    Refuse(index, "must not be NaN or Inf");
  } else if (options_.encode_invalid == kAsNull) {
    Text("null");
  } else {
    Text(std::isnan(number) ? "nan" : number < 0 ? "-inf" : "inf");
  }
}

int Encoder::ArraySize() {
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

void Encoder::Array(int size, int depth) {
  Text("[", 1);
  for (int64_t i = 1; i <= size; ++i) {
    if (i > 1) Text(",", 1);
    lua_rawgeti(lua_, -1, static_cast<int>(i));
    Value(depth);
    lua_pop(lua_, 1);
  }
  Text("]", 1);
}

void Encoder::Object(int depth) {
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

void Encoder::Table(int depth) {
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

void Encoder::Value(int depth) {
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

int Encode(lua_State* lua) {
  luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
  Encoder(lua).Value(0);
  const std::string& text = LuaRun::Of(lua).scratch;
  lua_pushlstring(lua, text.data(), text.size());
  return 1;
}

// ---- from text --------------------------------------------------------------------------------------------------------

class Decoder {
 public:
  Decoder(lua_State* lua, const char* text, size_t size)
      : lua_(lua), run_(LuaRun::Of(lua)), options_(OptionsOf(lua)), begin_(text), at_(text) {
    run_.Need(lua, size);
  }

  // Pushes the value.
  void Whole() {
    Next();
    Value();
    Next();
    if (token_ != Token::kEnd) Fail("the end");
  }

 private:
  enum class Token {
    kObject,
    kObjectEnd,
    kArray,
    kArrayEnd,
    kString,
    kNumber,
    kBoolean,
    kNull,
    kColon,
    kComma,
    kEnd,
    kError
  };

  void Next();
  void NextString();
  void NextNumber();
  void NextWord();
  // Appends the character that \uXXXX, or two of them, stand for.
  bool Unicode();
  static int Hex4(const char* text);
  bool IsStrictlyANumber() const;
  void Put(char c) noexcept { run_.scratch.push_back(c); }
  void Is(Token token, int bytes) {
    token_ = token;
    at_ += bytes;
  }
  void IsError(const char* text) {
    token_ = Token::kError;
    error_ = text;
    token_at_ = at_;
  }
  [[noreturn]] void Fail(const char* expected);
  void Deeper(int slots);
  void Value();
  void Object();
  void Array();

  lua_State* const lua_;
  LuaRun& run_;
  const JsonOptions& options_;
  const char* const begin_;
  const char* at_;
  Token token_ = Token::kEnd;
  const char* token_at_ = nullptr;
  const char* error_ = nullptr;  // of kError
  double number_ = 0;            // of kNumber and kBoolean
  int depth_ = 0;
};

void Decoder::Fail(const char* expected) {
  static const char* const kNames[] = {"T_OBJ_BEGIN", "T_OBJ_END", "T_ARR_BEGIN", "T_ARR_END", "T_STRING", "T_NUMBER",
                                       "T_BOOLEAN",   "T_NULL",    "T_COLON",     "T_COMMA",   "T_END"};
  luaL_error(lua_, "Expected %s but found %s at character %d", expected,
             token_ == Token::kError ? error_ : kNames[static_cast<int>(token_)],
             static_cast<int>(token_at_ - begin_) + 1);
  std::abort();  // not reached
}

void Decoder::Next() {
  run_.Step(lua_);
  while (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r') ++at_;
  token_at_ = at_;
  switch (*at_) {
    case '{': return Is(Token::kObject, 1);
    case '}': return Is(Token::kObjectEnd, 1);
    case '[': return Is(Token::kArray, 1);
    case ']': return Is(Token::kArrayEnd, 1);
    case ',': return Is(Token::kComma, 1);
    case ':': return Is(Token::kColon, 1);
    case '\0': return Is(Token::kEnd, 0);
    case '"': return NextString();
    default: break;
  }
  if (*at_ == '-' || (*at_ >= '0' && *at_ <= '9')) {
    if (!options_.decode_invalid && !IsStrictlyANumber()) return IsError("invalid number");
    return NextNumber();
  }
  NextWord();
}

void Decoder::NextWord() {
  if (std::strncmp(at_, "true", 4) == 0 || std::strncmp(at_, "false", 5) == 0) {
    number_ = *at_ == 't' ? 1 : 0;
    return Is(Token::kBoolean, *at_ == 't' ? 4 : 5);
  }
  if (std::strncmp(at_, "null", 4) == 0) return Is(Token::kNull, 4);
  if (options_.decode_invalid && std::strchr("fiInNt+", *at_) != nullptr && !IsStrictlyANumber()) return NextNumber();
  IsError("invalid token");
}

// Not hexadecimal, infinite or none, and without a plus or zeros in front.
bool Decoder::IsStrictlyANumber() const {
  const char* digits = at_;
  if (*digits == '+') return false;
  if (*digits == '-') ++digits;
  if (*digits == '0') {
    const char next = digits[1];
    return (next | 0x20) != 'x' && !(next >= '0' && next <= '9');
  }
  if (*digits <= '9') return true;
  return strncasecmp(digits, "inf", 3) != 0 && strncasecmp(digits, "nan", 3) != 0;
}

void Decoder::NextNumber() {
  char* end = nullptr;
  number_ = std::strtod(at_, &end);
  if (end == at_) return IsError("invalid number");
  Is(Token::kNumber, 0);
  at_ = end;
}

int Decoder::Hex4(const char* text) {
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = text[i];
    const char lower = static_cast<char>(c | 0x20);
    if (c >= '0' && c <= '9') {
      value = value * 16 + (c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      value = value * 16 + (lower - 'a' + 10);
    } else {
      return -1;
    }
  }
  return value;
}

bool Decoder::Unicode() {
  int code = Hex4(at_ + 2), length = 6;
  if (code < 0) return false;
  if ((code & 0xf800) == 0xd800) {
    if ((code & 0x400) != 0 || at_[6] != '\\' || at_[7] != 'u') return false;
    const int low = Hex4(at_ + 8);
    if (low < 0 || (low & 0xfc00) != 0xdc00) return false;
    code = (((code & 0x3ff) << 10) | (low & 0x3ff)) + 0x10000;
    length = 12;
  }
  const auto tail = [&](int shift) { Put(static_cast<char>(0x80 | ((code >> shift) & 0x3f))); };
  if (code < 0x80) {
    Put(static_cast<char>(code));
  } else if (code < 0x800) {
    Put(static_cast<char>(0xc0 | (code >> 6)));
    tail(0);
  } else if (code < 0x10000) {
    Put(static_cast<char>(0xe0 | (code >> 12)));
    tail(6);
    tail(0);
  } else {
    Put(static_cast<char>(0xf0 | (code >> 18)));
    tail(12);
    tail(6);
    tail(0);
  }
  at_ += length;
  return true;
}

void Decoder::NextString() {
  run_.scratch.clear();
  ++at_;
  while (*at_ != '"') {
    run_.Step(lua_);
    char c = *at_;
    if (c == '\0') return IsError("unexpected end of string");
    if (c == '\\') {
      switch (at_[1]) {
        case '"':
        case '\\':
        case '/': c = at_[1]; break;
        case 'b': c = '\b'; break;
        case 't': c = '\t'; break;
        case 'n': c = '\n'; break;
        case 'f': c = '\f'; break;
        case 'r': c = '\r'; break;
        case 'u':
          if (Unicode()) continue;
          return IsError("invalid unicode escape code");
        default: return IsError("invalid escape code");
      }
      ++at_;
    }
    Put(c);
    ++at_;
  }
  Is(Token::kString, 1);
}

void Decoder::Deeper(int slots) {
  if (++depth_ > options_.decode_depth || !lua_checkstack(lua_, slots)) {
    luaL_error(lua_, "Found too many nested data structures (%d) at character %d", depth_,
               static_cast<int>(at_ - begin_));
  }
}

void Decoder::Object() {
  Deeper(3);
  lua_newtable(lua_);
  Next();
  while (token_ != Token::kObjectEnd) {
    if (token_ != Token::kString) Fail("object key string");
    lua_pushlstring(lua_, run_.scratch.data(), run_.scratch.size());
    Next();
    if (token_ != Token::kColon) Fail("colon");
    Next();
    Value();
    lua_rawset(lua_, -3);
    Next();
    if (token_ == Token::kObjectEnd) break;
    if (token_ != Token::kComma) Fail("comma or object end");
    Next();
    if (token_ == Token::kObjectEnd) Fail("object key string");
  }
  --depth_;
}

void Decoder::Array() {
  Deeper(2);
  lua_newtable(lua_);
  Next();
  for (int i = 1; token_ != Token::kArrayEnd; ++i) {
    Value();
    lua_rawseti(lua_, -2, i);
    Next();
    if (token_ == Token::kArrayEnd) break;
    if (token_ != Token::kComma) Fail("comma or array end");
    Next();
    if (token_ == Token::kArrayEnd) Fail("value");
  }
  --depth_;
}

void Decoder::Value() {
  switch (token_) {
    case Token::kString: return lua_pushlstring(lua_, run_.scratch.data(), run_.scratch.size());
    case Token::kNumber: return lua_pushnumber(lua_, number_);
    case Token::kBoolean: return lua_pushboolean(lua_, number_ != 0);
    case Token::kNull: return lua_pushlightuserdata(lua_, nullptr);
    case Token::kObject: return Object();
    case Token::kArray: return Array();
    default: Fail("value");
  }
}

int Decode(lua_State* lua) {
  luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
  size_t size = 0;
  const char* const text = luaL_checklstring(lua, 1, &size);
  if (size >= 2 && (text[0] == '\0' || text[1] == '\0')) {
    return luaL_error(lua, "JSON parser does not support UTF-16 or UTF-32");
  }
  Decoder(lua, text, size).Whole();
  return 1;
}

// ---- options ----------------------------------------------------------------------------------------------------------

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
  JsonOptions& options = OptionsOf(lua);
  TakeArguments(lua, 3);
  ChoiceOption(lua, 1, options.sparse_convert, nullptr);
  IntegerOption(lua, 2, options.sparse_ratio, 0, INT_MAX);
  IntegerOption(lua, 3, options.sparse_safe, 0, INT_MAX);
  return 3;
}

int EncodeDepth(lua_State* lua) {
  TakeArguments(lua, 1);
  return IntegerOption(lua, 1, OptionsOf(lua).encode_depth, 1, INT_MAX);
}

int DecodeDepth(lua_State* lua) {
  TakeArguments(lua, 1);
  return IntegerOption(lua, 1, OptionsOf(lua).decode_depth, 1, INT_MAX);
}

int Precision(lua_State* lua) {
  TakeArguments(lua, 1);
  return IntegerOption(lua, 1, OptionsOf(lua).precision, 1, 14);
}

int KeepBuffer(lua_State* lua) {
  TakeArguments(lua, 1);
  return ChoiceOption(lua, 1, OptionsOf(lua).keep_buffer, nullptr);
}

int EncodeInvalid(lua_State* lua) {
  static const char* const kNames[] = {"off", "on", "null", nullptr};
  TakeArguments(lua, 1);
  return ChoiceOption(lua, 1, OptionsOf(lua).encode_invalid, kNames);
}

int DecodeInvalid(lua_State* lua) {
  static const char* const kNames[] = {"off", "on", nullptr};
  TakeArguments(lua, 1);
  return ChoiceOption(lua, 1, OptionsOf(lua).decode_invalid, kNames);
}

int New(lua_State* lua) {
  AddJson(lua);
  return 1;
}

}  // namespace

void AddJson(lua_State* lua) {
  static const luaL_Reg kFunctions[] = {{"encode", Encode},
                                        {"decode", Decode},
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
