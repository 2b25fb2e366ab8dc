#include "gateway/redis/scripts/engine/lua_replies.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "gateway/redis/scripts/engine/lua_run.h"
#include "gateway/redis/scripts/engine/lua_sandbox.h"

namespace ebla::gateway::redis {
namespace {

constexpr int kNestedMax = 100;  // replies of commands in replies

// ---- a command's reply to a script ----------------------------------------------------------------------------------

class ReplyReader {
 public:
  ReplyReader(lua_State* lua, const std::string& bytes) : lua_(lua), at_(bytes.data()), end_(at_ + bytes.size()) {}

  // Pushes one value.
  void Value(int depth);

 private:
  struct Text {
    const char* begin;
    size_t size;
  };

  [[noreturn]] void Malformed() {
    PushError(lua_, "malformed reply", std::strlen("malformed reply"));
    lua_error(lua_);
    std::abort();  // not reached
  }
  Text Line();
  Text Block(int64_t size);
  int64_t NumberOf(Text line);
  void Push(Text text) { lua_pushlstring(lua_, text.begin, text.size); }
  // Pushes {name = text}.
  void PushNamed(const char* name, Text text) {
    lua_createtable(lua_, 0, 1);
    Push(text);
    lua_setfield(lua_, -2, name);
  }
  void Array(int64_t size, int depth);
  // Pushes {name = {...}}, of pairs or of keys alone.
  void Pairs(const char* name, int64_t size, bool with_values, int depth);
  void Verbatim(Text text);

  lua_State* const lua_;
  const char* at_;
  const char* const end_;
};

ReplyReader::Text ReplyReader::Line() {
  const void* const found = memmem(at_, static_cast<size_t>(end_ - at_), "\r\n", 2);
  if (found == nullptr) Malformed();
  const Text line{at_, static_cast<size_t>(static_cast<const char*>(found) - at_)};
  at_ += line.size + 2;
  return line;
}

ReplyReader::Text ReplyReader::Block(int64_t size) {
  if (size < 0 || size > end_ - at_ - 2) Malformed();
  const Text block{at_, static_cast<size_t>(size)};
  at_ += size + 2;
  return block;
}

int64_t ReplyReader::NumberOf(Text line) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(line.begin, line.begin + line.size, number);
  if (error != std::errc() || end != line.begin + line.size) Malformed();
  return number;
}

void ReplyReader::Array(int64_t size, int depth) {
  // Each element has three bytes at least.
  if (size > end_ - at_) Malformed();
  lua_createtable(lua_, static_cast<int>(size), 0);
  for (int64_t i = 1; i <= size; ++i) {
    Value(depth + 1);
    lua_rawseti(lua_, -2, static_cast<int>(i));
  }
}

void ReplyReader::Pairs(const char* name, int64_t size, bool with_values, int depth) {
  if (size > end_ - at_) Malformed();
  lua_createtable(lua_, 0, 1);
  lua_createtable(lua_, 0, static_cast<int>(size));
  for (int64_t i = 0; i < size; ++i) {
    Value(depth + 1);
    if (with_values) {
      Value(depth + 1);
    } else {
      lua_pushboolean(lua_, 1);
    }
    if (lua_isnil(lua_, -2)) Malformed();
    lua_rawset(lua_, -3);
  }
  lua_setfield(lua_, -2, name);
}

void ReplyReader::Verbatim(Text text) {
  if (text.size < 4) Malformed();
  lua_createtable(lua_, 0, 1);
  PushNamed("format", {text.begin, 3});
  Push({text.begin + 4, text.size - 4});
  lua_setfield(lua_, -2, "string");
  lua_setfield(lua_, -2, "verbatim_string");
}

void ReplyReader::Value(int depth) {
  if (depth > kNestedMax || at_ == end_) Malformed();
  LuaRun::Of(lua_).Step(lua_);
  luaL_checkstack(lua_, 6, "not enough stack for a reply");
  const char kind = *at_++;
  const Text line = Line();
  switch (kind) {
    case '+': return PushNamed("ok", line);
    case '-': return PushError(lua_, line.begin - 1, line.size + 1);
    case ':': return lua_pushnumber(lua_, static_cast<double>(NumberOf(line)));
    case '_': return lua_pushnil(lua_);
    case '#': return lua_pushboolean(lua_, line.size > 0 && *line.begin == 't');
    case '(': return PushNamed("big_number", line);
    case ',':
      lua_createtable(lua_, 0, 1);
      lua_pushnumber(lua_, std::strtod(line.begin, nullptr));
      return lua_setfield(lua_, -2, "double");
    default: break;
  }
  const int64_t size = NumberOf(line);
  if (size < 0 && (kind == '$' || kind == '*')) return lua_pushboolean(lua_, 0);
  switch (kind) {
    case '$': return Push(Block(size));
    case '=': return Verbatim(Block(size));
    case '*':
    case '>': return Array(size, depth);
    case '%': return Pairs("map", size, true, depth);
    case '~': return Pairs("set", size, false, depth);
    default: Malformed();
  }
}

// ---- what a script returns ------------------------------------------------------------------------------------------

class ReplyWriter {
 public:
  ReplyWriter(lua_State* lua, int protocol, std::string& made)
      : lua_(lua), run_(LuaRun::Of(lua)), resp3_(protocol >= 3), made_(made) {}

  // The value on top of the stack, which it leaves there.
  void Value(int depth);

 private:
  void Put(const char* bytes, size_t size) noexcept { made_.append(bytes, size); }
  void Bytes(const char* bytes, size_t size) {
    run_.Step(lua_);
    if (made_.size() + size > run_.limits.reply_bytes) {
      luaL_error(lua_, "the script's reply has more than %d bytes", static_cast<int>(run_.limits.reply_bytes));
    }
    Put(bytes, size);
  }
  void Kind(char kind) { Bytes(&kind, 1); }
  void Line(char kind, const char* text, size_t size) {
    Kind(kind);
    Bytes(text, size);
    Bytes("\r\n", 2);
  }
  void Number(char kind, long long number) {
    char text[24];
    Line(kind, text, static_cast<size_t>(std::snprintf(text, sizeof text, "%lld", number)));
  }
  void Bulk(const char* bytes, size_t size) {
    Number('$', static_cast<long long>(size));
    Bytes(bytes, size);
    Bytes("\r\n", 2);
  }
  // Line ends become blanks.
  void OneLine(char kind, const char* text, size_t size);
  void Null() { resp3_ ? Line('_', "", 0) : Line('$', "-1", 2); }
  void Double(double number);
  void Verbatim(const char* format, const char* text, size_t size);
  // Pushes the field of the table on top if it has this type.
  bool PushField(const char* name, int type);
  // A table with one field of a meaning. False: it is none of these.
  bool Special(int depth);
  bool VerbatimField();
  void Array(int depth);
  void Pairs(bool with_values, int depth);

  lua_State* const lua_;
  LuaRun& run_;
  const bool resp3_;
  std::string& made_;
};

void ReplyWriter::OneLine(char kind, const char* text, size_t size) {
  Kind(kind);
  for (size_t i = 0; i < size; ++i) {
    const char c = text[i] == '\r' || text[i] == '\n' ? ' ' : text[i];
    Bytes(&c, 1);
  }
  Bytes("\r\n", 2);
}

void ReplyWriter::Double(double number) {
  char text[40];
  const int size = std::isinf(number) ? std::snprintf(text, sizeof text, "%s", number > 0 ? "inf" : "-inf")
                                      : std::snprintf(text, sizeof text, "%.17g", number);
  if (resp3_) {
    Line(',', text, static_cast<size_t>(size));
  } else {
    Bulk(text, static_cast<size_t>(size));
  }
}

void ReplyWriter::Verbatim(const char* format, const char* text, size_t size) {
  if (!resp3_) return Bulk(text, size);
  Number('=', static_cast<long long>(size) + 4);
  char head[4] = {' ', ' ', ' ', ':'};
  for (int i = 0; i < 3 && format[i] != '\0'; ++i) head[i] = format[i];
  Bytes(head, sizeof head);
  Bytes(text, size);
  Bytes("\r\n", 2);
}

bool ReplyWriter::PushField(const char* name, int type) {
  lua_pushstring(lua_, name);
  lua_rawget(lua_, -2);
  if (lua_type(lua_, -1) == type) return true;
  lua_pop(lua_, 1);
  return false;
}

bool ReplyWriter::VerbatimField() {
  if (!PushField("verbatim_string", LUA_TTABLE)) return false;
  bool is = false;
  if (PushField("format", LUA_TSTRING)) {
    const char* const format = lua_tostring(lua_, -1);
    lua_pop(lua_, 1);  // the table holds it
    if (PushField("string", LUA_TSTRING)) {
      size_t size = 0;
      const char* const text = lua_tolstring(lua_, -1, &size);
      Verbatim(format, text, size);
      lua_pop(lua_, 1);
      is = true;
    }
  }
  lua_pop(lua_, 1);
  return is;
}

bool ReplyWriter::Special(int depth) {
  size_t size = 0;
  if (PushField("err", LUA_TSTRING)) {
    const char* const text = lua_tostring(lua_, -1);
    OneLine('-', text, std::strlen(text));
  } else if (PushField("ok", LUA_TSTRING)) {
    const char* const text = lua_tostring(lua_, -1);
    OneLine('+', text, std::strlen(text));
  } else if (PushField("double", LUA_TNUMBER)) {
    Double(lua_tonumber(lua_, -1));
  } else if (PushField("big_number", LUA_TSTRING)) {
    const char* const text = lua_tolstring(lua_, -1, &size);
    if (!resp3_) Number('$', static_cast<long long>(size));
    if (resp3_) Kind('(');
    for (size_t i = 0; i < size; ++i) Kind(text[i] == '\r' || text[i] == '\n' ? ' ' : text[i]);
    Bytes("\r\n", 2);
  } else if (VerbatimField()) {
    return true;
  } else if (PushField("map", LUA_TTABLE)) {
    Pairs(true, depth);
  } else if (PushField("set", LUA_TTABLE)) {
    Pairs(false, depth);
  } else {
    return false;
  }
  lua_pop(lua_, 1);
  return true;
}

void ReplyWriter::Array(int depth) {
  int size = 0;
  for (;; ++size) {
    run_.Step(lua_);
    lua_rawgeti(lua_, -1, size + 1);
    const bool end = lua_isnil(lua_, -1);
    lua_pop(lua_, 1);
    if (end) break;
  }
  Number('*', size);
  for (int i = 1; i <= size; ++i) {
    lua_rawgeti(lua_, -1, i);
    Value(depth + 1);
    lua_pop(lua_, 1);
  }
}

void ReplyWriter::Pairs(bool with_values, int depth) {
  long long size = 0;
  lua_pushnil(lua_);
  while (lua_next(lua_, -2)) {
    run_.Step(lua_);
    ++size;
    lua_pop(lua_, 1);
  }
  if (resp3_) {
    Number(with_values ? '%' : '~', size);
  } else {
    Number('*', with_values ? 2 * size : size);
  }
  lua_pushnil(lua_);
  while (lua_next(lua_, -2)) {
    lua_pushvalue(lua_, -2);
    Value(depth + 1);
    lua_pop(lua_, 1);
    if (with_values) Value(depth + 1);
    lua_pop(lua_, 1);
  }
}

void ReplyWriter::Value(int depth) {
  if (depth > run_.limits.reply_depth || !lua_checkstack(lua_, 8)) {
    PushError(lua_, "reached lua stack limit", std::strlen("reached lua stack limit"));
    lua_error(lua_);
  }
  size_t size = 0;
  switch (lua_type(lua_, -1)) {
    case LUA_TSTRING: {
      const char* const bytes = lua_tolstring(lua_, -1, &size);
      return Bulk(bytes, size);
    }
    case LUA_TBOOLEAN: {
      const bool value = lua_toboolean(lua_, -1);
      if (run_.protocol >= 3) return resp3_ ? Line('#', value ? "t" : "f", 1) : Number(':', value ? 1 : 0);
      return value ? Number(':', 1) : Null();
    }
    case LUA_TNUMBER: {
      const double number = lua_tonumber(lua_, -1);
      // A number out of range becomes the processor's result, as in Redis.
      const bool fits = number >= -0x1p63 && number < 0x1p63;
      return Number(':', fits ? static_cast<long long>(number) : INT64_MIN);
    }
    case LUA_TTABLE:
      lua_pushvalue(lua_, -1);
      UnwrapReadOnly(lua_, lua_gettop(lua_));
      if (!Special(depth)) Array(depth);
      return lua_pop(lua_, 1);
    default: return Null();
  }
}

}  // namespace

void PushError(lua_State* lua, const char* text, size_t size) {
  const auto is_end = [](char c) { return c == '\r' || c == '\n'; };
  const char* code = "ERR";
  size_t code_size = 3;
  if (size > 0 && *text == '-') {
    ++text;
    --size;
    // One word alone is a message, not a code.
    if (const void* const blank = std::memchr(text, ' ', size)) {
      code = text;
      code_size = static_cast<size_t>(static_cast<const char*>(blank) - text);
      text += code_size + 1;
      size -= code_size + 1;
    }
  }
  while (size > 0 && is_end(text[size - 1])) --size;
  while (size > 0 && is_end(*text)) {
    ++text;
    --size;
  }
  lua_createtable(lua, 0, 3);
  lua_pushlstring(lua, code, code_size);
  lua_pushliteral(lua, " ");
  lua_pushlstring(lua, text, size);
  lua_concat(lua, 3);
  lua_setfield(lua, -2, "err");
}

bool PushReply(lua_State* lua) {
  const std::string& reply = LuaRun::Of(lua).reply;
  ReplyReader(lua, reply).Value(0);
  return !reply.empty() && reply.front() == '-';
}

void WriteReply(lua_State* lua, int protocol, std::string& made) { ReplyWriter(lua, protocol, made).Value(0); }

}  // namespace ebla::gateway::redis
