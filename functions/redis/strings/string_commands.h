// functions/redis/strings/string_commands.h
// Strings: SET, GET and the other commands that change or read one value, and LCS of two.
// Source:  Redis 7.0's documentation of each command, whose replies and errors these are.
// Threads: functions of their arguments.
#pragma once

#include "functions/redis/command/update.h"

namespace ebla::redis {

void Set(Update& update);
void SetNx(Update& update);
void SetEx(Update& update);  // SETEX and PSETEX
void Get(Update& update);
void GetEx(Update& update);
void GetDel(Update& update);
void GetSet(Update& update);
void Increment(Update& update);  // INCR, DECR, INCRBY, DECRBY
// The summand of these commands; none: their words are wrong.
std::optional<int64_t> IncrementBy(const Words& words);
void IncrementByFloat(Update& update);
void Append(Update& update);
void StrLen(Update& update);
void GetRange(Update& update);
void SetRange(Update& update);

inline constexpr size_t kLcsProductMax = 4'000'000;
// The longest common subsequence of two values; words from the fourth on are its options. The time grows with the
// product of the values' lengths, so Lcs refuses a greater one than kLcsProductMax.
void Lcs(const Words& words, std::string_view a, std::string_view b, Reply& reply);

// A SET whose effect does not depend on the old value.
bool IsBlindSet(const Words& words);
// A SET that puts whenever there is a value (true), or there is none (false); none: another SET.
std::optional<bool> SetCondition(const Words& words);

}  // namespace ebla::redis
