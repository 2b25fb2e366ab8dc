// gateway/memcached/request.h
// A command in the form in which parser.h makes it, and text_commands.h and meta_commands.h run it.
// Threads: values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "functions/memcached/item_order.h"

namespace ebla::gateway::memcached {

using namespace ebla::memcached;  // what servers know of it, too

inline constexpr size_t kCacheKeyBytesMax = 250;
inline constexpr std::string_view kTooLarge = "SERVER_ERROR object too large for cache";
inline constexpr std::string_view kVersionSpoken = "1.6.18";

// In the order of kVerbNames, by which metrics know them.
enum class Verb : uint8_t {
  kGet,
  kGets,
  kGat,
  kGats,
  kSet,
  kAdd,
  kReplace,
  kAppend,
  kPrepend,
  kCas,
  kIncr,
  kDecr,
  kDelete,
  kTouch,
  kFlushAll,
  kStats,
  kMetaGet,
  kMetaSet,
  kMetaDelete,
  kMetaArithmetic,
  kMetaDebug,
  kFixed,  // with an answer that needs no store: version, verbosity, mn, quit, and errors
};
inline constexpr std::array<const char*, 22> kVerbNames = {"get",        "gets",     "gat",         "gats",
                                                           "set",        "add",      "replace",     "append",
                                                           "prepend",    "cas",      "incr",        "decr",
                                                           "delete",     "touch",    "flush_all",   "stats",
                                                           "meta_get",   "meta_set", "meta_delete", "meta_arithmetic",
                                                           "meta_debug", "other"};

// The flags of a meta command.
struct MetaFlags {
  struct Flag {
    char name = 0;
    std::string token;
  };
  std::vector<Flag> all;               // in their order
  bool base64 = false;                 // b: the key is encoded, in the command and in the reply
  bool quiet = false;                  // q
  bool value = false;                  // v
  bool invalidate = false;             // I
  std::optional<uint64_t> cas;         // C
  std::optional<int64_t> new_ttl;      // T
  std::optional<int64_t> vivify_ttl;   // N
  std::optional<int64_t> recache_ttl;  // R
  std::optional<uint64_t> initial;     // J
  std::optional<uint64_t> delta;       // D
  uint32_t client_flags = 0;           // F
  char mode = 0;                       // M; 0: none named

  bool Has(char name) const {
    for (const Flag& flag : all) {
      if (flag.name == name) return true;
    }
    return false;
  }
  // Both were named, in this order.
  bool InOrder(char first, char second) const {
    bool begun = false;
    for (const Flag& flag : all) {
      if (flag.name == second) return begun;
      begun = begun || flag.name == first;
    }
    return false;
  }
};

struct Request {
  Verb verb = Verb::kFixed;
  std::vector<std::string> keys;
  std::string key_as_sent;  // of a meta command
  uint32_t flags = 0;
  int64_t exptime = 0;  // of gat, touch and stores; of flush_all its delay
  uint64_t cas = 0;
  uint64_t delta = 0;
  std::string value;
  bool noreply = false;
  bool quit = false;
  bool too_large = false;  // the value was too large, and was skipped
  bool failed = false;     // the answer of kFixed is an error
  std::string text;        // of kFixed the answer, of stats its argument
  MetaFlags meta;
};

}  // namespace ebla::gateway::memcached
