// A file of a backup: blocks of bytes, compressed, checked, and encrypted where there is a key.
//
//   file   "EBLABKP1", then blocks, the last of which is the end
//   block  length of the stored bytes (4, little endian), kind (1: data, 2: end), size of the plain bytes (4),
//          stored bytes, CRC-32 of all of the block before it (4)
//   stored bytes, without a key: zlib's of the plain bytes. With a key: a nonce (12), AES-256-GCM of the same, its tag
//          (16). What is authenticated with them is the file's name, the block's number and its kind, so that a block is
//          neither moved, nor left out, nor taken from another file.
//   end    its plain bytes are the number of data blocks before it (8, little endian)
//
// Place:   record_stream.h and manifest.h say what is in the blocks.
// Errors:  INTERNAL for what cannot be written; INVALID_ARGUMENT for a damaged file, which they name with the place, and
//          for a key that is not this backup's.
// Source:  zlib; OpenSSL 3; NIST SP 800-38D.
// Threads: thread-compatible.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace ebla::backup {

// 32 bytes, or none: not encrypted.
using Key = std::string;
inline constexpr size_t kKeyBytes = 32;
// From a file with the 64 hexadecimal digits of a key, as `openssl rand -hex 32` makes one.
Result<Key> ReadKey(const std::string& file);

class BlockWriter {
 public:
  // Writes to a name of its own until Finish() gives the file its name. `name`: below `directory`.
  static Result<BlockWriter> Create(const std::string& directory, const std::string& name, Key key);
  BlockWriter(BlockWriter&&) = default;

  Status Write(std::string_view plain);
  // Everything is on disk then, under its name.
  Status Finish();
  uint64_t bytes() const { return bytes_; }        // written so far
  uint32_t checksum() const { return checksum_; }  // CRC-32 of them

 private:
  using File = std::unique_ptr<FILE, int (*)(FILE*)>;
  BlockWriter(File file, std::string directory, std::string name, Key key)
      : file_(std::move(file)), directory_(std::move(directory)), name_(std::move(name)), key_(std::move(key)) {}
  Status WriteBlock(uint8_t kind, std::string_view plain);
  Status Put(std::string_view bytes);

  File file_;
  std::string directory_, name_;
  Key key_;
  uint64_t blocks_ = 0;
  uint64_t bytes_ = 0;
  uint32_t checksum_ = 0;
};

class BlockReader {
 public:
  static Result<BlockReader> Open(const std::string& directory, const std::string& name, Key key);
  BlockReader(BlockReader&&) = default;
  BlockReader& operator=(BlockReader&&) = default;

  // The next block; none: the end, and the file is whole.
  Result<std::optional<std::string>> Next();
  uint32_t checksum() const { return checksum_; }  // of what was read so far, as the writer's

 private:
  using File = std::unique_ptr<FILE, int (*)(FILE*)>;
  BlockReader(File file, std::string path, std::string name, Key key)
      : file_(std::move(file)), path_(std::move(path)), name_(std::move(name)), key_(std::move(key)) {}
  Error Damaged(const std::string& what) const;
  Result<std::string> Take(size_t bytes);

  File file_;
  std::string path_, name_;
  Key key_;
  uint64_t blocks_ = 0;
  uint32_t checksum_ = 0;
  bool ended_ = false;
};

}  // namespace ebla::backup
