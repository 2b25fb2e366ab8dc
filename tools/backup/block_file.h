// tools/backup/block_file.h
// A file of a backup: blocks of bytes, compressed, checked, and encrypted if there is a key.
//
//   file   "EBLABKP2", then blocks, the last of which is the end
//   block  length of the stored bytes (4, little endian), kind (1 is data, 2 is the end), size of the plain bytes (4),
//          stored bytes, CRC-32 of all of the block before it (4)
//   stored bytes are, without a key, zstd's of the plain bytes; with a key, a nonce (12), AES-256-GCM of the same and
//          its tag (16). The file's name (the object's name after its last /), the block's number and its kind are
//          authenticated with them, so that a block is neither moved, nor left out, nor taken from another file.
//   end    its plain bytes are the number of data blocks before it (8, little endian)
//
// Older files, "EBLABKP1", are read, too. They have zlib instead of zstd, which takes several times as much of a core,
// and that core often serves clients.
//
// Place:   an object of a backup_store.h; record_stream.h and manifest.h define the contents of the blocks.
// Errors:  the store's; INVALID_ARGUMENT, with the file and the place, for a damaged file, and for a key of another
//          backup.
// Source:  zstd (RFC 8878); zlib; OpenSSL 3; NIST SP 800-38D.
// Threads: thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tools/backup/backup_store.h"

namespace ebla::backup {

// 32 bytes, or none: not encrypted.
using Key = std::string;
inline constexpr size_t kKeyBytes = 32;
// From a file with the 64 hexadecimal digits of a key, as `openssl rand -hex 32` makes one.
Result<Key> ReadKey(const std::string& file);

class BlockWriter {
 public:
  // `object`: its name in the store, which must outlive the writer.
  static Result<BlockWriter> Create(BackupStore& store, const std::string& object, Key key);
  BlockWriter(BlockWriter&&) = default;
  BlockWriter& operator=(BlockWriter&&) = default;

  Status Write(std::string_view plain);
  // Everything is in the store then, under its name.
  Status Finish();
  uint64_t bytes() const { return bytes_; }        // written so far
  uint32_t checksum() const { return checksum_; }  // CRC-32 of them

 private:
  BlockWriter(std::unique_ptr<ObjectWriter> object, std::string name, Key key)
      : object_(std::move(object)), name_(std::move(name)), key_(std::move(key)) {}
  Status WriteBlock(uint8_t kind, std::string_view plain);
  Status Put(std::string_view bytes);

  std::unique_ptr<ObjectWriter> object_;
  std::string name_;
  Key key_;
  uint64_t blocks_ = 0;
  uint64_t bytes_ = 0;
  uint32_t checksum_ = 0;
};

class BlockReader {
 public:
  static Result<BlockReader> Open(BackupStore& store, const std::string& object, Key key);
  BlockReader(BlockReader&&) = default;
  BlockReader& operator=(BlockReader&&) = default;

  // The next block; none: the end, and the file is whole.
  Result<std::optional<std::string>> Next();
  uint32_t checksum() const { return checksum_; }  // of what was read so far, as the writer's

 private:
  BlockReader(std::unique_ptr<ObjectReader> object, std::string where, std::string name, Key key)
      : object_(std::move(object)), where_(std::move(where)), name_(std::move(name)), key_(std::move(key)) {}
  Error Damaged(const std::string& what) const;
  Result<std::string> Take(size_t bytes);

  std::unique_ptr<ObjectReader> object_;
  std::string where_, name_;
  Key key_;
  uint64_t blocks_ = 0;
  uint32_t checksum_ = 0;
  bool of_before_ = false;
  bool ended_ = false;
};

}  // namespace ebla::backup
