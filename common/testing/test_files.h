// common/testing/test_files.h
// Whole files, as tests read and damage them.
// Threads: functions of their arguments.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>

#include "common/base/read_all.h"

namespace ebla::testing {

// Empty: there is no such file, or nothing in it.
inline std::string FileBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return ReadAll(file);
}

inline void SetFileBytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// Bit `bit` of the byte at `at`, in place: a process that has the file open reads it so.
inline void FlipBit(const std::string& path, int64_t at, int bit = 2) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const char byte = static_cast<char>(file.get() ^ (1 << bit));
  file.seekp(at);
  file.put(byte);
}

}  // namespace ebla::testing
