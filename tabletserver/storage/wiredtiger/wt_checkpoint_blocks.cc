#include "tabletserver/storage/wiredtiger/wt_checkpoint_blocks.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>
#include <vector>

#include "common/base/descriptor.h"
#include "common/base/read_at.h"
#include "tabletserver/storage/log/open_retrying.h"
#include "tabletserver/storage/wiredtiger/wt_blocks.h"
#include "tabletserver/storage/wiredtiger/wt_table_files.h"

namespace ebla::tabletserver {

namespace {

constexpr int64_t kUnit = 4096;  // WiredTiger's allocation_size

// A value of a configuration string; empty: there is none.
std::string ValueOf(WT_SESSION* session, std::string_view config, const char* key) {
  WT_CONFIG_PARSER* parser = nullptr;
  if (wiredtiger_config_parser_open(session, config.data(), config.size(), &parser) != 0) return {};
  WT_CONFIG_ITEM item{};
  std::string value;
  if (parser->get(parser, key, &item) == 0) value.assign(item.str, item.len);
  parser->close(parser);
  return value;
}

// The address of the last of the checkpoints; empty: there is none, or the tree is empty.
std::string LastAddress(WT_SESSION* session, std::string_view checkpoints) {
  WT_CONFIG_PARSER* parser = nullptr;
  if (wiredtiger_config_parser_open(session, checkpoints.data(), checkpoints.size(), &parser) != 0) return {};
  WT_CONFIG_ITEM name{}, value{};
  std::string address;
  while (parser->next(parser, &name, &value) == 0) address = ValueOf(session, {value.str, value.len}, "addr");
  parser->close(parser);
  return address;
}

int ReadAddress(WtSession& session, const std::string& uri, std::string& address) {
  const WtCursor metadata(session, "metadata:", nullptr);
  if (const int error = metadata.error()) return error;
  WT_CURSOR* const cursor = metadata.get();
  cursor->set_key(cursor, uri.c_str());
  if (const int error = cursor->search(cursor)) return error == WT_NOTFOUND ? ENOENT : error;
  const char* config = nullptr;
  if (const int error = cursor->get_value(cursor, &config)) return error;
  address = LastAddress(session.get(), ValueOf(session.get(), config, "checkpoint"));
  return 0;
}

struct Block {
  int64_t offset = 0;
  size_t bytes = 0;
  uint32_t checksum = 0;
};

// An address that this build does not understand has none.
std::vector<Block> BlocksOf(WT_SESSION* session, std::string_view address, bool only_to_read) {
  std::string bytes;
  for (size_t at = 0; at + 2 <= address.size(); at += 2) {
    uint8_t byte = 0;
    std::from_chars(address.data() + at, address.data() + at + 2, byte, 16);
    bytes.push_back(static_cast<char>(byte));
  }
  uint8_t version = 0;
  std::array<uint64_t, 12> n{};
  if (wiredtiger_struct_unpack(session, bytes.data(), bytes.size(), "BQQQQQQQQQQQQ", &version, &n[0], &n[1], &n[2],
                               &n[3], &n[4], &n[5], &n[6], &n[7], &n[8], &n[9], &n[10], &n[11]) != 0 ||
      version != 1) {
    return {};
  }
  std::vector<Block> blocks;
  // The root, and the lists of blocks: allocated, available, discarded.
  for (size_t at = 0; at < n.size(); at += only_to_read ? 6 : 3) {
    if (n[at + 1] == 0) continue;
    blocks.push_back({(static_cast<int64_t>(n[at]) + 1) * kUnit, static_cast<size_t>(n[at + 1]) * kUnit,
                      static_cast<uint32_t>(n[at + 2])});
  }
  return blocks;
}

int CheckBlock(int fd, const Block& block) {
  std::string bytes(block.bytes, '\0');
  (void)posix_fadvise(fd, block.offset, static_cast<off_t>(block.bytes), POSIX_FADV_DONTNEED);
  if (ReadAt(fd, block.offset, bytes).bytes < bytes.size() || !BlockIsWhole(bytes)) return kDamagedBlock;
  return BlockChecksum(bytes) == block.checksum ? 0 : kOtherFile;
}

int CheckBlocks(int fd, const std::vector<Block>& blocks) {
  for (const Block& block : blocks) {
    int error = CheckBlock(fd, block);
    if (error != 0) error = CheckBlock(fd, block);  // as a wire may have erred and not the disk
    if (error != 0) return error;
  }
  return 0;
}

}  // namespace

int CheckCheckpointBlocks(WtSession& session, const std::string& file, bool only_to_read) {
  WT_CONNECTION* const connection = session.get()->connection;
  const std::string path = connection->get_home(connection) + ("/" + file), uri = "file:" + file;
  std::string address;
  if (const int error = ReadAddress(session, uri, address)) return error;
  for (;;) {
    if (const int error = CheckTableFile(path)) return error;
    const Descriptor fd(OpenRetrying(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return errno;
    const int damage = CheckBlocks(fd.get(), BlocksOf(session.get(), address, only_to_read));
    if (damage == 0) return 0;
    // Once there is a newer checkpoint the blocks of this one may be written anew, and so may the file.
    const std::string before = address;
    if (const int error = ReadAddress(session, uri, address)) return error;
    if (address == before) return damage;
  }
}

std::string DescribeDamage(int error) {
  if (error == kDamagedBlock) return "is missing or damaged";
  if (error == kOtherFile) return "is an older copy, or another server's file";
  return std::string("cannot be opened: ") + std::strerror(error);
}

}  // namespace ebla::tabletserver
