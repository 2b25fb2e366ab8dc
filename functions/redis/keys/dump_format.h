// functions/redis/keys/dump_format.h
// A value as Redis's DUMP writes it, and RESTORE, MIGRATE and the tools that move keys pass it on:
//
//   1 byte   its type; 0: a string
//   string   as in Redis's files: a length and bytes; a number of at most 32 bits as such; or compressed by LZF
//   2 bytes  version of the format, little endian; strings are the same in all of them
//   8 bytes  CRC-64 of all that is before it (polynomial of Jones), little endian
//
// Bytes are the same as a Redis 7.0's: strings from 21 bytes on are compressed where that saves four of them.
// Source:  Redis 7.0's documentation of its file format.
// Threads: functions of their arguments.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace ebla::redis {

enum class DumpFault : uint8_t {
  kDamaged,     // no dump, or not the bytes that were written
  kNotAString,  // of another type
  kMalformed,   // its checksum is right, and it is no string all the same
  kTooLong,     // longer than `bytes_max`
};

inline constexpr size_t kDumpFrameBytesMax = 16;  // which it adds to a value

std::string EncodeDump(std::string_view value);
uint64_t DumpChecksum(std::string_view bytes);
std::variant<std::string, DumpFault> DecodeDump(std::string_view dump, size_t bytes_max);

}  // namespace ebla::redis
