// functions/redis/bits/bit_commands.h
// Values as rows of bits, of which the first is the highest bit of the first byte.
// Source:  Redis 7.0's documentation of each command.
// Threads: functions of their arguments.
#pragma once

#include "functions/redis/command/update.h"

namespace ebla::redis {

void SetBit(Update& update);
void GetBit(Update& update);
void BitCount(Update& update);
void BitPos(Update& update);
void BitField(Update& update);  // and BITFIELD_RO, which reads alone

// A BITFIELD whose operations only read.
bool OnlyReads(const Words& words);

// BITOP's result of the values. If the operation is unknown or requires another number of values, the result is none,
// and the reply has the error.
std::optional<std::string> BitOp(const std::string& operation, const std::vector<std::string_view>& values,
                                 Reply& reply);

}  // namespace ebla::redis
