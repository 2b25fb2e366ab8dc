// functions/redis/strings/string_commands.h
// Strings: SET GET and what else changes or shows one value.
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
// By how much these change a number; none: their words are wrong.
std::optional<int64_t> IncrementBy(const Words& words);
void IncrementByFloat(Update& update);
void Append(Update& update);
void StrLen(Update& update);
void GetRange(Update& update);
void SetRange(Update& update);

// The longest common subsequence of two values; words from the fourth on are its options.
void Lcs(const Words& words, std::string_view a, std::string_view b, Reply& reply);

// SET that does the same whatever is there.
bool IsBlindSet(const Words& words);
// SET that puts, whatever the value is, if there is one (true) or if there is none (false); none: another.
std::optional<bool> SetCondition(const Words& words);

}  // namespace ebla::redis
