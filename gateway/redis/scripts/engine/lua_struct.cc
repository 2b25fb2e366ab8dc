// Redis's struct: numbers and strings to bytes in the layout of a format, and back.
// Source:  comparison with a redis-server 7.0.15 (redis_scripts.txt), also for numbers whose conversion C leaves
//          undefined.
// Bounds:  one step of the run's clock for each item of a format, and the run's memory for the results.
// Stack:   each function has its arguments from 1 on.
#include <algorithm>
#include <bit>
#include <climits>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "gateway/redis/scripts/engine/lua_run.h"
#include "gateway/redis/scripts/engine/lua_sandbox.h"

namespace ebla::gateway::redis {
namespace {

constexpr int kIntegerBytesMax = 32;
constexpr size_t kNaturalAlignment = 8;

// Reads the items of a format, and knows what those before them have said of order and alignment.
class Format {
 public:
  Format(lua_State* lua, const char* text) : lua_(lua), at_(text) {}

  struct Item {
    char kind = 0;
    size_t size = 0;  // 0: it depends on the value, or it is no value
  };
  bool Next(Item& item) {
    if (*at_ == '\0') return false;
    LuaRun::Of(lua_).Step(lua_);
    item.kind = *at_++;
    item.size = SizeOf(item.kind);
    return true;
  }
  // The padding of an item behind so many bytes.
  size_t PaddingOf(const Item& item, size_t before) const {
    if (item.size == 0 || item.kind == 'c') return 0;
    const size_t unit = std::min(item.size, alignment_);
    return (unit - (before & (unit - 1))) & (unit - 1);
  }
  // Consumes an item that is no value.
  void Take(const Item& item) {
    switch (item.kind) {
      case ' ': return;
      case '>': little_ = false; return;
      case '<': little_ = true; return;
      case '!': {
        const int wanted = Number(kNaturalAlignment);
        if (wanted <= 0 || (wanted & (wanted - 1)) != 0) luaL_error(lua_, "alignment %d is not a power of 2", wanted);
        alignment_ = static_cast<size_t>(wanted);
        return;
      }
      default: luaL_argerror(lua_, 1, lua_pushfstring(lua_, "invalid format option '%c'", item.kind));
    }
  }
  bool little() const { return little_; }

 private:
  // The digits that are next; none: `otherwise`.
  int Number(int otherwise) {
    if (!IsDigit(*at_)) return otherwise;
    int64_t number = 0;
    for (; IsDigit(*at_); ++at_) {
      number = 10 * number + (*at_ - '0');
      if (number > INT_MAX) luaL_error(lua_, "integral size overflow");
    }
    return static_cast<int>(number);
  }
  size_t SizeOf(char kind) {
    switch (kind) {
      case 'b':
      case 'B':
      case 'x': return 1;
      case 'h':
      case 'H': return sizeof(short);
      case 'l':
      case 'L': return sizeof(long);
      case 'T': return sizeof(size_t);
      case 'f': return sizeof(float);
      case 'd': return sizeof(double);
      case 'c': return static_cast<size_t>(Number(1));
      case 'i':
      case 'I': {
        const int size = Number(sizeof(int));
        if (size > kIntegerBytesMax)
          luaL_error(lua_, "integral size %d is larger than limit of %d", size, kIntegerBytesMax);
        return static_cast<size_t>(size);
      }
      default: return 0;
    }
  }
  static bool IsDigit(char c) { return c >= '0' && c <= '9'; }

  lua_State* const lua_;
  const char* at_;
  size_t alignment_ = 1;
  bool little_ = true;
};

bool IsInteger(char kind) { return kind != '\0' && std::strchr("bBhHlLTiI", kind) != nullptr; }
bool IsSigned(char kind) { return kind >= 'a' && kind <= 'z'; }

// The bits of a number, as the processor converts it if it exceeds 64 bits.
uint64_t BitsOf(double number) {
  constexpr uint64_t kTopBit = 1ull << 63;
  constexpr double k63 = 9223372036854775808.0;
  if (std::isnan(number) || number < -k63) return kTopBit;
  if (number < 0) return static_cast<uint64_t>(static_cast<int64_t>(number));
  return number >= 2 * k63 ? 0 : static_cast<uint64_t>(number);
}

// ---- to bytes -------------------------------------------------------------------------------------------------------

class StructPacker {
 public:
  explicit StructPacker(lua_State* lua) : lua_(lua), run_(LuaRun::Of(lua)) { run_.scratch.clear(); }

  size_t size() const { return run_.scratch.size(); }
  void Zeros(size_t count) {
    run_.Need(lua_, size() + count);
    AppendZeros(count);
  }
  void Bytes(const char* bytes, size_t count) {
    run_.Need(lua_, size() + count);
    Append(bytes, count);
  }
  // The first or last `size` bytes of a number of any length.
  void Integer(uint64_t bits, size_t size, bool little) {
    char bytes[kIntegerBytesMax] = {};
    for (size_t i = 0; i < size; ++i, bits >>= 8) bytes[little ? i : size - 1 - i] = static_cast<char>(bits & 0xff);
    Bytes(bytes, size);
  }

 private:
  void Append(const char* bytes, size_t count) noexcept { run_.scratch.append(bytes, count); }
  void AppendZeros(size_t count) noexcept { run_.scratch.append(count, '\0'); }

  lua_State* const lua_;
  LuaRun& run_;
};

void PackString(lua_State* lua, StructPacker& packer, const Format::Item& item, int argument) {
  size_t length = 0;
  const char* const text = luaL_checklstring(lua, argument, &length);
  const size_t wanted = item.size == 0 ? length : item.size;
  // Like Redis, this blames the argument behind it.
  luaL_argcheck(lua, length >= wanted, argument + 1, "string too short");
  packer.Bytes(text, wanted);
  if (item.kind == 's') packer.Zeros(1);
}

int Pack(lua_State* lua) {
  Format format(lua, luaL_checkstring(lua, 1));
  StructPacker packer(lua);
  lua_pushnil(lua);  // what is missing is nil, as there
  int argument = 2;
  for (Format::Item item; format.Next(item);) {
    packer.Zeros(format.PaddingOf(item, packer.size()));
    if (IsInteger(item.kind)) {
      packer.Integer(BitsOf(luaL_checknumber(lua, argument++)), item.size, format.little());
    } else if (item.kind == 'x') {
      packer.Zeros(1);
    } else if (item.kind == 'f') {
      const auto number = static_cast<float>(luaL_checknumber(lua, argument++));
      packer.Integer(std::bit_cast<uint32_t>(number), item.size, format.little());
    } else if (item.kind == 'd') {
      packer.Integer(std::bit_cast<uint64_t>(luaL_checknumber(lua, argument++)), item.size, format.little());
    } else if (item.kind == 'c' || item.kind == 's') {
      PackString(lua, packer, item, argument++);
    } else {
      format.Take(item);
    }
  }
  LuaRun& run = LuaRun::Of(lua);
  run.MakeRoom(lua, run.scratch.size());
  lua_pushlstring(lua, run.scratch.data(), run.scratch.size());
  return 1;
}

// ---- and back -------------------------------------------------------------------------------------------------------

uint64_t Joined(const char* bytes, size_t size, bool little) {
  uint64_t bits = 0;
  for (size_t i = 0; i < size; ++i) bits = bits << 8 | static_cast<unsigned char>(bytes[little ? size - 1 - i : i]);
  return bits;
}

double IntegerIn(const char* bytes, const Format::Item& item, bool little) {
  uint64_t bits = Joined(bytes, item.size, little);
  if (!IsSigned(item.kind)) return static_cast<double>(bits);
  const uint64_t sign_and_above = ~0ull << ((item.size * 8 - 1) & 63);
  if ((bits & sign_and_above) != 0) bits |= sign_and_above;
  return static_cast<double>(static_cast<int64_t>(bits));
}

void RequireData(lua_State* lua, bool there) { luaL_argcheck(lua, there, 2, "data string too short"); }

int UnpackFields(lua_State* lua) {
  Format format(lua, luaL_checkstring(lua, 1));
  size_t size = 0;
  const char* const data = luaL_checklstring(lua, 2, &size);
  auto at = static_cast<size_t>(luaL_optinteger(lua, 3, 1));
  luaL_argcheck(lua, at > 0, 3, "offset must be 1 or greater");
  --at;
  int count = 0;  // of values
  for (Format::Item item; format.Next(item);) {
    at += format.PaddingOf(item, at);
    RequireData(lua, item.size <= size && at <= size - item.size);
    luaL_checkstack(lua, 2, "too many results");
    size_t used = item.size;
    if (IsInteger(item.kind)) {
      lua_pushnumber(lua, IntegerIn(data + at, item, format.little()));
    } else if (item.kind == 'f') {
      const auto bits = static_cast<uint32_t>(Joined(data + at, item.size, format.little()));
      lua_pushnumber(lua, static_cast<double>(std::bit_cast<float>(bits)));
    } else if (item.kind == 'd') {
      lua_pushnumber(lua, std::bit_cast<double>(Joined(data + at, item.size, format.little())));
    } else if (item.kind == 'c') {
      if (used == 0) {
        if (count == 0 || !lua_isnumber(lua, -1)) luaL_error(lua, "format 'c0' needs a previous size");
        const double wanted = lua_tonumber(lua, -1);
        lua_pop(lua, 1);
        --count;
        RequireData(lua, wanted > -1 && wanted < static_cast<double>(size - at) + 1);
        used = static_cast<size_t>(wanted);
      }
      lua_pushlstring(lua, data + at, used);
    } else if (item.kind == 's') {
      const void* const end = std::memchr(data + at, '\0', size - at);
      if (end == nullptr) luaL_error(lua, "unfinished string in data");
      used = static_cast<size_t>(static_cast<const char*>(end) - (data + at)) + 1;
      lua_pushlstring(lua, data + at, used - 1);
    } else {
      if (item.kind != 'x') format.Take(item);
      --count;
    }
    ++count;
    at += used;
  }
  lua_pushinteger(lua, static_cast<lua_Integer>(at + 1));
  return count + 1;
}

int SizeOfFormat(lua_State* lua) {
  Format format(lua, luaL_checkstring(lua, 1));
  size_t size = 0;
  for (Format::Item item; format.Next(item);) {
    size += format.PaddingOf(item, size);
    if (item.kind == 's') luaL_argerror(lua, 1, "option 's' has no fixed size");
    if (item.kind == 'c' && item.size == 0) luaL_argerror(lua, 1, "option 'c0' has no fixed size");
    const bool word = (item.kind >= '0' && item.kind <= '9') || (item.kind >= 'a' && item.kind <= 'z') ||
                      (item.kind >= 'A' && item.kind <= 'Z');
    if (!word) format.Take(item);
    size += item.size;
  }
  lua_pushinteger(lua, static_cast<lua_Integer>(size));
  return 1;
}

}  // namespace

void AddStruct(lua_State* lua) {
  static const luaL_Reg kFunctions[] = {
      {"pack", Pack}, {"unpack", UnpackFields}, {"size", SizeOfFormat}, {nullptr, nullptr}};
  lua_createtable(lua, 0, 3);
  luaL_register(lua, nullptr, kFunctions);
}

}  // namespace ebla::gateway::redis
