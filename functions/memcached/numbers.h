// functions/memcached/numbers.h
// Decimal numbers and times as memcached reads them, which clients rely on. Pure.
// Source:  observed of memcached 1.6.18: it reads numbers as strtoull and strtol do, and then wants a blank or the end.
// Threads: functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "functions/items/item_step.h"

namespace ebla::memcached {

// A sign and digits. Blanks before them, and anything after a blank, are ignored.
std::optional<uint64_t> ReadUnsigned(std::string_view text);
std::optional<int32_t> ReadSigned(std::string_view text);
// The lower 32 bits of a signed number of 64, as memcached reads times. libmemcached writes 4294967295 and means -1.
std::optional<int32_t> ReadTime(std::string_view text);

// 0 is for ever; up to 30 days count from now on, more since 1970; a negative or past time is gone.
Lifetime LifetimeOf(int64_t exptime, int64_t now_ms);
// The end of a life, in milliseconds since 1970; now, if it is over; none: never.
std::optional<int64_t> ExpiresMs(int64_t exptime, int64_t now_ms);

// The rest of an item's life, in seconds; -1 is for ever.
int64_t SecondsLeft(const std::optional<int64_t>& expires_ms, int64_t now_ms);

// A value after an increment or a decrement: the number in its decimal digits, and blanks up to the length that it had.
std::string PaddedNumber(uint64_t number, size_t length);

}  // namespace ebla::memcached
