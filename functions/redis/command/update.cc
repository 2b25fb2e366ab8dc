#include "functions/redis/command/update.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>

namespace ebla::redis {

std::optional<Value> ToValue(std::optional<FoundItem> found) {
  if (!found) return std::nullopt;
  return Value{.bytes = std::move(found->item.value),
               .expires_ms = found->expires_ms,
               .changed_in_place = (found->item.flags & kChangedInPlace) != 0};
}

ItemStep Update::TakeStep() {
  if (change == Change::kNone) return ItemStep::Nothing();
  if (change == Change::kDelete) return ItemStep::Delete();
  Lifetime lifetime = Lifetime::Forever();
  if (const auto& expires_ms = put.expires_ms) {
    lifetime = old && old->expires_ms == expires_ms ? Lifetime::Kept()
               : time_from == TimeFrom::kEpoch      ? Lifetime::Until(*expires_ms)
                                                    : Lifetime::For(std::chrono::milliseconds(*expires_ms - now_ms));
  }
  // Only a number needs the flag. A value without flags lies in its record as it is.
  const uint32_t flags = put.changed_in_place && ToInteger(put.bytes) ? kChangedInPlace : 0;
  return ItemStep::Put({.value = std::move(put.bytes), .flags = flags}, lifetime);
}

std::optional<int64_t> ToInteger(std::string_view text) {
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || (digits.front() == '0' && text.size() > 1)) return std::nullopt;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool IsWord(std::string_view text, std::string_view upper) {
  return std::ranges::equal(text, upper,
                            [](char a, char b) { return std::toupper(static_cast<unsigned char>(a)) == b; });
}

bool EndsWithFlushMode(const Words& words, size_t at) {
  return words.size() == at || (words.size() == at + 1 && (IsWord(words[at], "SYNC") || IsWord(words[at], "ASYNC")));
}

std::string ToUpper(std::string_view text) {
  std::string upper(text);
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return upper;
}

std::string ToLower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

std::optional<int64_t> ToExpiry(std::string_view text, TimeUnit unit, TimeFrom from, bool positive, Update& update) {
  const std::optional<int64_t> given = ToInteger(text);
  if (!given) {
    update.reply.Failure(kNotAnInteger);
    return std::nullopt;
  }
  update.time_from = from;
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  int64_t ms = *given;
  bool fits = !positive || ms > 0;
  if (unit == TimeUnit::kSeconds) fits = fits && !__builtin_mul_overflow(ms, int64_t{1000}, &ms);
  if (from == TimeFrom::kNow)
    fits = fits && ms <= kMost - update.now_ms && !__builtin_add_overflow(ms, update.now_ms, &ms);
  if (!fits) {
    update.reply.Failure("ERR invalid expire time in '" + ToLower(update.words.front()) + "' command");
    return std::nullopt;
  }
  return ms;
}

}  // namespace ebla::redis
