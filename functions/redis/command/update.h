// functions/redis/command/update.h
// A command of one key as a function of the key's value, which decides what to put in its place and what to reply. So a
// server, a transaction and a gateway can all run it, and the function does not know how the value is read or replaced.
// Threads: values and functions of their arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "functions/items/item_step.h"
#include "functions/redis/command/reply.h"

namespace ebla::redis {

// The longest value: a record has 1 MiB, of which the item's frame takes a few bytes (item_codec.h).
inline constexpr size_t kStringBytesMax = (1 << 20) - kItemFrameBytesMax;

// A command's name and its arguments.
using Words = std::vector<std::string>;

struct Value {
  std::string bytes;
  std::optional<int64_t> expires_ms;  // since 1970; none: never
  bool changed_in_place = false;      // its encoding is "raw" for OBJECT, although the bytes read as a number
};

// An item's flag that keeps `changed_in_place`.
inline constexpr uint32_t kChangedInPlace = 1;

std::optional<Value> ToValue(std::optional<FoundItem> found);

// The unit of a given time, and the moment from which it counts.
enum class TimeUnit { kSeconds, kMilliseconds };
enum class TimeFrom { kNow, kEpoch };

class Update {
 public:
  enum class Change { kNone, kPut, kDelete };

  // `old`: none if there is no such key.
  Update(const Words& words, const std::optional<Value>& old, int64_t now_ms, int protocol)
      : words(words), old(old), now_ms(now_ms), reply(protocol) {}

  const Words& words;      // the command and its arguments
  Words* spent = nullptr;  // the same, if the command may move them away
  const std::optional<Value>& old;
  const int64_t now_ms;
  Reply reply;

  Change change = Change::kNone;
  Value put;                            // with kPut
  TimeFrom time_from = TimeFrom::kNow;  // of the time given to `put`, if there is one
  // If other work waits for the thread, a command that takes longer than to copy a value is declined, and changes
  // nothing.
  bool others_wait = false;
  bool declined = false;

  // Returns a word that will be put.
  std::string Take(size_t word) { return spent == nullptr ? words[word] : std::move((*spent)[word]); }
  void Put(std::string bytes, std::optional<int64_t> expires_ms) {
    change = Change::kPut;
    put = {.bytes = std::move(bytes), .expires_ms = expires_ms};
    // A value that has expired already was never visible.
    if (expires_ms && *expires_ms <= now_ms) change = old ? Change::kDelete : Change::kNone;
  }
  // Puts bytes, and keeps the expiry.
  void PutKeepingTime(std::string bytes) { Put(std::move(bytes), old ? old->expires_ms : std::nullopt); }
  // The same for bytes that were changed within the old value, as by APPEND.
  void PutInPlace(std::string bytes) {
    PutKeepingTime(std::move(bytes));
    put.changed_in_place = true;
  }
  // Puts the old value with another expiry.
  void PutOld(std::optional<int64_t> expires_ms) {
    Put(old->bytes, expires_ms);
    put.changed_in_place = old->changed_in_place;
  }
  void Delete() { change = old ? Change::kDelete : Change::kNone; }
  // The change as a step of the item.
  ItemStep TakeStep();
};

using UpdateFunction = void (*)(Update& update);

// ---- shared by many commands ----------------------------------------------------------------------------------------

inline constexpr std::string_view kSyntax = "ERR syntax error";
inline constexpr std::string_view kNotAnInteger = "ERR value is not an integer or out of range";
inline constexpr std::string_view kTooLong = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";

// A decimal int64 in Redis's form: nothing in front, no plus, no leading zeros, no "-0".
std::optional<int64_t> ToInteger(std::string_view text);
bool IsWord(std::string_view text, std::string_view upper);  // whatever its case
// Whether the words end at this place, or with SYNC or ASYNC there.
bool EndsWithFlushMode(const Words& words, size_t at);
std::string ToUpper(std::string_view text);
std::string ToLower(std::string_view text);

// The end of a given time, in milliseconds since 1970. None: the reply has the error.
std::optional<int64_t> ToExpiry(std::string_view text, TimeUnit unit, TimeFrom from, bool positive, Update& update);

}  // namespace ebla::redis
