#include <strings.h>

#include <cmath>
#include <cstdlib>
#include <cstring>

#include "gateway/redis/scripts/engine/lua_json.h"
#include "gateway/redis/scripts/engine/lua_run.h"

namespace ebla::gateway::redis {
namespace {

class JsonDecoder {
 public:
  JsonDecoder(lua_State* lua, const char* text, size_t size)
      : lua_(lua), run_(LuaRun::Of(lua)), options_(JsonOptionsOf(lua)), begin_(text), at_(text) {
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

void JsonDecoder::Fail(const char* expected) {
  static const char* const kNames[] = {"T_OBJ_BEGIN", "T_OBJ_END", "T_ARR_BEGIN", "T_ARR_END", "T_STRING", "T_NUMBER",
                                       "T_BOOLEAN",   "T_NULL",    "T_COLON",     "T_COMMA",   "T_END"};
  luaL_error(lua_, "Expected %s but found %s at character %d", expected,
             token_ == Token::kError ? error_ : kNames[static_cast<int>(token_)],
             static_cast<int>(token_at_ - begin_) + 1);
  std::abort();  // not reached
}

void JsonDecoder::Next() {
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

void JsonDecoder::NextWord() {
  if (std::strncmp(at_, "true", 4) == 0 || std::strncmp(at_, "false", 5) == 0) {
    number_ = *at_ == 't' ? 1 : 0;
    return Is(Token::kBoolean, *at_ == 't' ? 4 : 5);
  }
  if (std::strncmp(at_, "null", 4) == 0) return Is(Token::kNull, 4);
  if (options_.decode_invalid && std::strchr("fiInNt+", *at_) != nullptr && !IsStrictlyANumber()) return NextNumber();
  IsError("invalid token");
}

// Not hexadecimal, infinite or none, and without a plus or zeros in front.
bool JsonDecoder::IsStrictlyANumber() const {
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

void JsonDecoder::NextNumber() {
  char* end = nullptr;
  number_ = std::strtod(at_, &end);
  if (end == at_) return IsError("invalid number");
  Is(Token::kNumber, 0);
  at_ = end;
}

int JsonDecoder::Hex4(const char* text) {
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

bool JsonDecoder::Unicode() {
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

void JsonDecoder::NextString() {
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

void JsonDecoder::Deeper(int slots) {
  if (++depth_ > options_.decode_depth || !lua_checkstack(lua_, slots)) {
    luaL_error(lua_, "Found too many nested data structures (%d) at character %d", depth_,
               static_cast<int>(at_ - begin_));
  }
}

void JsonDecoder::Object() {
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

void JsonDecoder::Array() {
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

void JsonDecoder::Value() {
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

}  // namespace

int JsonDecode(lua_State* lua) {
  luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
  size_t size = 0;
  const char* const text = luaL_checklstring(lua, 1, &size);
  if (size >= 2 && (text[0] == '\0' || text[1] == '\0')) {
    return luaL_error(lua, "JSON parser does not support UTF-16 or UTF-32");
  }
  JsonDecoder(lua, text, size).Whole();
  return 1;
}

}  // namespace ebla::gateway::redis
