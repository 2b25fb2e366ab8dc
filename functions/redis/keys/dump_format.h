// functions/redis/keys/dump_format.h
// A value in the form of Redis's DUMP, which RESTORE, MIGRATE and tools that move keys understand:
//
//   1 byte   its type; 0: a string
//   string   as in Redis's files: a length and bytes; a number of at most 32 bits as such; or compressed by LZF
//   2 bytes  version of the format, little endian; strings are the same in all of them
//   8 bytes  CRC-64 of all that is before it (polynomial of Jones), little endian
//
// The bytes equal those of Redis 7.0: strings from 21 bytes on are compressed if that saves four bytes.
// Source:  Redis 7.0's documentation of its file format.
// Threads: functions of their arguments.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace ebla::redis {

enum class DumpFault : uint8_t {
  kDamaged,     // no dump, or altered bytes
  kNotAString,  // of another type
  kMalformed,   // a right checksum, but no string
  kTooLong,     // longer than `bytes_max`
};

inline constexpr size_t kDumpFrameBytesMax = 16;  // more than the value's own bytes

std::string EncodeDump(std::string_view value);
uint64_t DumpChecksum(std::string_view bytes);
std::variant<std::string, DumpFault> DecodeDump(std::string_view dump, size_t bytes_max);

}  // namespace ebla::redis
