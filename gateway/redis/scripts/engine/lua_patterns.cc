#include "gateway/redis/scripts/engine/lua_patterns.h"

#include <cctype>
#include <cstring>

#include "gateway/redis/scripts/engine/lua_run.h"

namespace ebla::gateway::redis {
namespace {

constexpr int kDepthMax = 2'000;  // of a pattern's items that wait for what follows them
constexpr ptrdiff_t kOpen = -1;   // lengths of captures that are none yet
constexpr ptrdiff_t kPosition = -2;

unsigned char Byte(const char* at) { return static_cast<unsigned char>(*at); }

// One pattern against one subject. A pattern ends with a byte of zero, as Lua's do.
class Matcher {
 public:
  Matcher(lua_State* lua, const char* subject, size_t size)
      : lua_(lua), run_(LuaRun::Of(lua)), begin_(subject), end_(subject + size) {}

  const char* begin() const { return begin_; }
  const char* end() const { return end_; }

  // The end of the match that begins at `at`; null: no match.
  const char* Start(const char* at, const char* pattern) {
    captures_ = 0;
    depth_ = 0;
    return Match(at, pattern);
  }
  // All captures, or the whole match where there are none; `at` null: captures only. Returns how many.
  int Push(const char* at, const char* to) {
    const int count = captures_ == 0 && at != nullptr ? 1 : captures_;
    luaL_checkstack(lua_, count, "too many captures");
    for (int i = 0; i < count; ++i) PushOne(i, at, to);
    return count;
  }
  void PushOne(int index, const char* at, const char* to) {
    if (index >= captures_) {
      if (index != 0) luaL_error(lua_, "invalid capture index");
      lua_pushlstring(lua_, at, static_cast<size_t>(to - at));
      return;
    }
    const Capture& capture = capture_[index];
    if (capture.length == kOpen) luaL_error(lua_, "unfinished capture");
    if (capture.length == kPosition) {
      lua_pushinteger(lua_, capture.begin - begin_ + 1);
    } else {
      lua_pushlstring(lua_, capture.begin, static_cast<size_t>(capture.length));
    }
  }

 private:
  struct Capture {
    const char* begin;
    ptrdiff_t length;
  };

  const char* Match(const char* at, const char* pattern);
  const char* Greedy(const char* at, const char* item, const char* item_end);
  const char* Lazy(const char* at, const char* item, const char* item_end);
  const char* Open(const char* at, const char* pattern, ptrdiff_t kind);
  const char* Close(const char* at, const char* pattern);
  const char* Balanced(const char* at, const char* pair);
  const char* SameAs(const char* at, char digit);
  const char* ItemEnd(const char* item);
  bool IsInSet(unsigned char c, const char* set, const char* last) const;
  static bool IsInClass(unsigned char c, unsigned char name);
  bool IsOne(const char* at, const char* item, const char* item_end) const;
  int CaptureOf(char digit);

  lua_State* const lua_;
  LuaRun& run_;
  const char* const begin_;
  const char* const end_;
  int captures_ = 0;
  int depth_ = 0;
  Capture capture_[LUA_MAXCAPTURES];
};

bool Matcher::IsInClass(unsigned char c, unsigned char name) {
  bool is = false;
  switch (std::tolower(name)) {
    case 'a': is = std::isalpha(c); break;
    case 'c': is = std::iscntrl(c); break;
    case 'd': is = std::isdigit(c); break;
    case 'l': is = std::islower(c); break;
    case 'p': is = std::ispunct(c); break;
    case 's': is = std::isspace(c); break;
    case 'u': is = std::isupper(c); break;
    case 'w': is = std::isalnum(c); break;
    case 'x': is = std::isxdigit(c); break;
    case 'z': is = c == 0; break;
    default: return name == c;
  }
  return std::isupper(name) ? !is : is;
}

// `set` is at its [, `last` at its ].
bool Matcher::IsInSet(unsigned char c, const char* set, const char* last) const {
  bool found = true;
  if (set[1] == '^') {
    found = false;
    ++set;
  }
  while (++set < last) {
    if (*set == '%') {
      ++set;
      if (IsInClass(c, Byte(set))) return found;
    } else if (set[1] == '-' && set + 2 < last) {
      set += 2;
      if (Byte(set - 2) <= c && c <= Byte(set)) return found;
    } else if (Byte(set) == c) {
      return found;
    }
  }
  return !found;
}

const char* Matcher::ItemEnd(const char* item) {
  const char first = *item++;
  if (first == '%') {
    if (*item == '\0') luaL_error(lua_, "malformed pattern (ends with '%%')");
    return item + 1;
  }
  if (first != '[') return item;
  if (*item == '^') ++item;
  // The first one of a set stands for itself, a ] too.
  do {
    if (*item == '\0') luaL_error(lua_, "malformed pattern (missing ']')");
    if (*item++ == '%' && *item != '\0') ++item;
  } while (*item != ']');
  return item + 1;
}

bool Matcher::IsOne(const char* at, const char* item, const char* item_end) const {
  switch (*item) {
    case '.': return true;
    case '%': return IsInClass(Byte(at), Byte(item + 1));
    case '[': return IsInSet(Byte(at), item, item_end - 1);
    default: return *item == *at;
  }
}

int Matcher::CaptureOf(char digit) {
  const int index = digit - '1';
  if (index < 0 || index >= captures_ || capture_[index].length == kOpen) luaL_error(lua_, "invalid capture index");
  return index;
}

const char* Matcher::Balanced(const char* at, const char* pair) {
  if (pair[0] == '\0' || pair[1] == '\0') luaL_error(lua_, "unbalanced pattern");
  if (at >= end_ || *at != pair[0]) return nullptr;
  for (size_t open = 1; ++at < end_;) {
    run_.Step(lua_);
    if (*at == pair[1]) {
      if (--open == 0) return at + 1;
    } else if (*at == pair[0]) {
      ++open;
    }
  }
  return nullptr;
}

const char* Matcher::Greedy(const char* at, const char* item, const char* item_end) {
  ptrdiff_t count = 0;
  while (at + count < end_ && IsOne(at + count, item, item_end)) {
    run_.Step(lua_);
    ++count;
  }
  for (; count >= 0; --count) {
    if (const char* const to = Match(at + count, item_end + 1)) return to;
  }
  return nullptr;
}

const char* Matcher::Lazy(const char* at, const char* item, const char* item_end) {
  while (true) {
    if (const char* const to = Match(at, item_end + 1)) return to;
    if (at >= end_ || !IsOne(at, item, item_end)) return nullptr;
    ++at;
  }
}

const char* Matcher::Open(const char* at, const char* pattern, ptrdiff_t kind) {
  if (captures_ >= LUA_MAXCAPTURES) luaL_error(lua_, "too many captures");
  capture_[captures_++] = {at, kind};
  const char* const to = Match(at, pattern);
  if (to == nullptr) --captures_;
  return to;
}

const char* Matcher::Close(const char* at, const char* pattern) {
  int index = captures_ - 1;
  while (index >= 0 && capture_[index].length != kOpen) --index;
  if (index < 0) luaL_error(lua_, "invalid pattern capture");
  capture_[index].length = at - capture_[index].begin;
  const char* const to = Match(at, pattern);
  if (to == nullptr) capture_[index].length = kOpen;
  return to;
}

const char* Matcher::SameAs(const char* at, char digit) {
  const Capture& capture = capture_[CaptureOf(digit)];
  // A position capture has the greatest number as its length, so that no text is as long.
  const auto length = static_cast<size_t>(capture.length);
  if (static_cast<size_t>(end_ - at) < length || std::memcmp(capture.begin, at, length) != 0) return nullptr;
  return at + length;
}

const char* Matcher::Match(const char* at, const char* pattern) {
  if (++depth_ > kDepthMax) luaL_error(lua_, "pattern too complex");
  // Each way out leaves the depth as it found it, but an error, which ends the match.
  const auto left = [this](const char* to) {
    --depth_;
    return to;
  };
  while (true) {
    run_.Step(lua_);
    switch (*pattern) {
      case '\0': return left(at);
      case '(': return left(pattern[1] == ')' ? Open(at, pattern + 2, kPosition) : Open(at, pattern + 1, kOpen));
      case ')': return left(Close(at, pattern + 1));
      case '$':
        if (pattern[1] == '\0') return left(at == end_ ? at : nullptr);
        break;
      case '%':
        if (pattern[1] == 'b') {
          at = Balanced(at, pattern + 2);
          if (at == nullptr) return left(nullptr);
          pattern += 4;
          continue;
        }
        if (pattern[1] == 'f') {
          pattern += 2;
          if (*pattern != '[') luaL_error(lua_, "missing '[' after '%%f' in pattern");
          const char* const set_end = ItemEnd(pattern);
          const unsigned char before = at == begin_ ? 0 : Byte(at - 1), here = at == end_ ? 0 : Byte(at);
          if (IsInSet(before, pattern, set_end - 1) || !IsInSet(here, pattern, set_end - 1)) return left(nullptr);
          pattern = set_end;
          continue;
        }
        if (std::isdigit(Byte(pattern + 1))) {
          at = SameAs(at, pattern[1]);
          if (at == nullptr) return left(nullptr);
          pattern += 2;
          continue;
        }
        break;
      default: break;
    }
    const char* const item_end = ItemEnd(pattern);
    const bool one = at < end_ && IsOne(at, pattern, item_end);
    switch (*item_end) {
      case '?':
        if (one) {
          if (const char* const to = Match(at + 1, item_end + 1)) return left(to);
        }
        pattern = item_end + 1;
        continue;
      case '*': return left(Greedy(at, pattern, item_end));
      case '+': return left(one ? Greedy(at + 1, pattern, item_end) : nullptr);
      case '-': return left(Lazy(at, pattern, item_end));
      default:
        if (!one) return left(nullptr);
        ++at;
        pattern = item_end;
    }
  }
}

// ---- the functions --------------------------------------------------------------------------------------------------

int FindOrMatch(lua_State* lua, bool find) {
  size_t size = 0, pattern_size = 0;
  const char* const subject = luaL_checklstring(lua, 1, &size);
  const char* pattern = luaL_checklstring(lua, 2, &pattern_size);
  ptrdiff_t from = luaL_optinteger(lua, 3, 1);
  if (from < 0) from += static_cast<ptrdiff_t>(size) + 1;
  from = from < 1 ? 0 : from - 1;
  if (from > static_cast<ptrdiff_t>(size)) from = static_cast<ptrdiff_t>(size);
  const char* at = subject + from;
  if (find && (lua_toboolean(lua, 4) || std::strpbrk(pattern, "^$*+?.([%-") == nullptr)) {
    // Linear, as Lua's own is not.
    const void* const found =
        pattern_size == 0 ? at : memmem(at, size - static_cast<size_t>(from), pattern, pattern_size);
    if (found == nullptr) {
      lua_pushnil(lua);
      return 1;
    }
    const ptrdiff_t begin = static_cast<const char*>(found) - subject;
    lua_pushinteger(lua, begin + 1);
    lua_pushinteger(lua, begin + static_cast<ptrdiff_t>(pattern_size));
    return 2;
  }
  const bool anchored = *pattern == '^';
  if (anchored) ++pattern;
  Matcher matcher(lua, subject, size);
  do {
    const char* const to = matcher.Start(at, pattern);
    if (to == nullptr) continue;
    if (!find) return matcher.Push(at, to);
    lua_pushinteger(lua, at - subject + 1);
    lua_pushinteger(lua, to - subject);
    return matcher.Push(nullptr, nullptr) + 2;
  } while (at++ < matcher.end() && !anchored);
  lua_pushnil(lua);
  return 1;
}

int Find(lua_State* lua) { return FindOrMatch(lua, true); }
int MatchOnce(lua_State* lua) { return FindOrMatch(lua, false); }

// Its upvalues: the subject, the pattern, where to go on.
int NextMatch(lua_State* lua) {
  size_t size = 0;
  const char* const subject = lua_tolstring(lua, lua_upvalueindex(1), &size);
  const char* const pattern = lua_tostring(lua, lua_upvalueindex(2));
  Matcher matcher(lua, subject, size);
  for (const char* at = subject + lua_tointeger(lua, lua_upvalueindex(3)); at <= matcher.end(); ++at) {
    const char* const to = matcher.Start(at, pattern);
    if (to == nullptr) continue;
    lua_pushinteger(lua, to - subject + (to == at ? 1 : 0));
    lua_replace(lua, lua_upvalueindex(3));
    return matcher.Push(at, to);
  }
  return 0;
}

int EachMatch(lua_State* lua) {
  luaL_checkstring(lua, 1);
  luaL_checkstring(lua, 2);
  lua_settop(lua, 2);
  lua_pushinteger(lua, 0);
  lua_pushcclosure(lua, NextMatch, 3);
  return 1;
}

// Adds the text that a replacement string makes of a match.
void AddFromString(lua_State* lua, luaL_Buffer* made, Matcher& matcher, const char* at, const char* to) {
  size_t size = 0;
  const char* const text = lua_tolstring(lua, 3, &size);
  for (size_t i = 0; i < size; ++i) {
    if (text[i] != '%') {
      luaL_addchar(made, text[i]);
      continue;
    }
    ++i;
    // Lua's strings have a zero behind their end.
    if (!std::isdigit(Byte(text + i))) {
      luaL_addchar(made, text[i]);
    } else if (text[i] == '0') {
      luaL_addlstring(made, at, static_cast<size_t>(to - at));
    } else {
      matcher.PushOne(text[i] - '1', at, to);
      luaL_addvalue(made);
    }
    LuaRun::Of(lua).Step(lua);
  }
}

void AddReplacement(lua_State* lua, luaL_Buffer* made, Matcher& matcher, const char* at, const char* to) {
  switch (lua_type(lua, 3)) {
    case LUA_TFUNCTION:
      lua_pushvalue(lua, 3);
      lua_call(lua, matcher.Push(at, to), 1);
      break;
    case LUA_TTABLE:
      matcher.PushOne(0, at, to);
      lua_gettable(lua, 3);
      break;
    default: AddFromString(lua, made, matcher, at, to); return;
  }
  if (!lua_toboolean(lua, -1)) {
    lua_pop(lua, 1);
    lua_pushlstring(lua, at, static_cast<size_t>(to - at));
  } else if (!lua_isstring(lua, -1)) {
    luaL_error(lua, "invalid replacement value (a %s)", luaL_typename(lua, -1));
  }
  luaL_addvalue(made);
}

int Replace(lua_State* lua) {
  size_t size = 0;
  const char* at = luaL_checklstring(lua, 1, &size);
  const char* pattern = luaL_checkstring(lua, 2);
  const int kind = lua_type(lua, 3);
  const auto most = static_cast<ptrdiff_t>(luaL_optinteger(lua, 4, static_cast<lua_Integer>(size) + 1));
  luaL_argcheck(lua, kind == LUA_TNUMBER || kind == LUA_TSTRING || kind == LUA_TFUNCTION || kind == LUA_TTABLE, 3,
                "string/function/table expected");
  if (kind == LUA_TNUMBER) lua_tostring(lua, 3);
  const bool anchored = *pattern == '^';
  if (anchored) ++pattern;
  Matcher matcher(lua, at, size);
  luaL_Buffer made;
  luaL_buffinit(lua, &made);
  ptrdiff_t count = 0;
  while (count < most) {
    LuaRun::Of(lua).Step(lua);
    const char* const to = matcher.Start(at, pattern);
    if (to != nullptr) {
      ++count;
      AddReplacement(lua, &made, matcher, at, to);
    }
    if (to != nullptr && to > at) {
      at = to;
    } else if (at < matcher.end()) {
      luaL_addchar(&made, *at);
      ++at;
    } else {
      break;
    }
    if (anchored) break;
  }
  luaL_addlstring(&made, at, static_cast<size_t>(matcher.end() - at));
  luaL_pushresult(&made);
  lua_pushinteger(lua, count);
  return 2;
}

}  // namespace

void AddPatternFunctions(lua_State* lua) {
  static const luaL_Reg kFunctions[] = {{"find", Find},       {"match", MatchOnce}, {"gmatch", EachMatch},
                                        {"gfind", EachMatch}, {"gsub", Replace},    {nullptr, nullptr}};
  luaL_register(lua, nullptr, kFunctions);
}

}  // namespace ebla::gateway::redis
