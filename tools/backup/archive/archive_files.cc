#include "tools/backup/archive/archive_files.h"

#include <algorithm>
#include <charconv>

#include "common/base/encoding.h"

namespace ebla::backup {
namespace {

constexpr size_t kBlockBytes = 256 << 10;

enum class EffectKind : uint8_t { kPut = 1, kDelete = 2 };

// "000000000042-1764045000000-1764045010000-WRITER.log"
std::optional<ArchiveFile> ParseFileName(const std::string& name) {
  constexpr std::string_view kEnd = ".log";
  ArchiveFile file{.name = name};
  if (!name.ends_with(kEnd)) return std::nullopt;
  const char* at = name.data();
  const char* const end = at + name.size() - kEnd.size();
  const auto number = [&](auto& to) {
    const auto [next, error] = std::from_chars(at, end, to);
    at = next != end && *next == '-' ? next + 1 : next;
    return error == std::errc();
  };
  if (!number(file.number) || !number(file.from_ms) || !number(file.through_ms)) return std::nullopt;
  file.writer.assign(at, end);
  return file;
}

std::string FileName(const ArchiveFile& file) {
  std::string digits = std::to_string(file.number);
  digits.insert(0, digits.size() < 12 ? 12 - digits.size() : 0, '0');
  return digits + "-" + std::to_string(file.from_ms) + "-" + std::to_string(file.through_ms) + "-" + file.writer +
         ".log";
}

void Encode(const ArchivedEntry& entry, ByteWriter& to) {
  to.Varint(entry.table.value).Varint(entry.tablet.value).Varint(entry.version.epoch.value);
  to.Varint(entry.version.lsn.value).Varint(static_cast<uint64_t>(entry.at_ms)).Varint(entry.effects.size());
  for (const UnresolvedEffect& effect : entry.effects) {
    to.Byte(static_cast<uint8_t>(effect.is_delete ? EffectKind::kDelete : EffectKind::kPut)).Bytes(effect.key);
    if (effect.is_delete) continue;
    const int64_t ms = effect.expires ? std::max<int64_t>(effect.expires->time_since_epoch().count(), 1) : 0;
    to.Bytes(effect.value).Varint(static_cast<uint64_t>(ms));
  }
}

// False: it is none.
bool Decode(ByteReader& from, ArchivedEntry& entry) {
  entry = {.table = TableId{from.Varint()},
           .tablet = TabletId{from.Varint()},
           .version = {Epoch{from.Varint()}, Lsn{from.Varint()}},
           .at_ms = static_cast<int64_t>(from.Varint()),
           .effects = {}};
  for (uint64_t left = from.Varint(); left > 0; --left) {
    const auto kind = static_cast<EffectKind>(from.Byte());
    if (!from.ok() || (kind != EffectKind::kPut && kind != EffectKind::kDelete)) return false;
    UnresolvedEffect& effect = entry.effects.emplace_back();
    effect.is_delete = kind == EffectKind::kDelete;
    effect.key = from.Bytes();
    if (effect.is_delete) continue;
    effect.value = from.Bytes();
    if (const uint64_t ms = from.Varint(); ms != 0) effect.expires = Expiry(std::chrono::milliseconds(ms));
  }
  return from.ok();
}

void EncodeHead(const ArchiveFile& file, ByteWriter& to) {
  to.Varint(0).Varint(file.number).Varint(static_cast<uint64_t>(file.from_ms));
  to.Varint(static_cast<uint64_t>(file.through_ms));
}
bool HasHead(const ArchiveFile& file, ByteReader& from) {
  return from.Varint() == 0 && from.Varint() == file.number && from.Varint() == static_cast<uint64_t>(file.from_ms) &&
         from.Varint() == static_cast<uint64_t>(file.through_ms) && from.ok();
}

// By number.
Result<std::vector<ArchiveFile>> AllFiles(BackupStore& store, const std::string& cluster) {
  EBLA_ASSIGN(const std::vector<std::string> names, store.List(ArchiveFolder(cluster)));
  std::vector<ArchiveFile> files;
  for (const std::string& name : names) {
    if (std::optional<ArchiveFile> file = ParseFileName(name)) files.push_back(*std::move(file));
  }
  std::ranges::sort(files, {}, &ArchiveFile::number);
  return files;
}

bool Counts(const ArchivedFiles& named, const ArchiveFile& file) {
  if (file.number < named.first || file.number > named.last) return false;
  const bool is_recent = named.last - file.number < named.recent.size();
  return !is_recent || std::ranges::find(named.recent, file.name) != named.recent.end();
}

}  // namespace

Result<std::vector<ArchiveFile>> ListArchiveFiles(BackupStore& store, const ArchiveIndex& index, const Key& key) {
  EBLA_ASSIGN(std::vector<ArchiveFile> files, AllFiles(store, index.cluster));
  std::erase_if(files, [&](const ArchiveFile& file) { return !Counts(index.files, file); });
  const auto lacks = [&](const std::string& what) {
    return Error(Code::kInvalidArgument, what + " in " + store.LocationOf(ArchiveFolder(index.cluster)) +
                                             ": restore the files that were deleted or renamed there");
  };
  uint64_t next = index.files.first, sum = 0;
  if (!index.files.sum && !files.empty()) next = files.front().number;  // which was the first is not known
  for (const ArchiveFile& file : files) {
    if (file.number != next) return lacks("file " + std::to_string(next) + " of the archive is missing");
    sum += ArchivedFiles::SumOf(file.name, key);
    ++next;
  }
  if (next != index.files.last + 1 && (index.files.sum || index.files.last > 0))
    return lacks("file " + std::to_string(next) + " of the archive is missing");
  if (index.files.sum && *index.files.sum != sum) return lacks("a file of the archive was renamed");
  return files;
}

Status DeleteUnnamedFiles(BackupStore& store, const ArchiveIndex& index) {
  EBLA_ASSIGN(const std::vector<ArchiveFile> files, AllFiles(store, index.cluster));
  for (const ArchiveFile& file : files) {
    if (!Counts(index.files, file)) EBLA_TRY(store.Delete(ArchiveFolder(index.cluster) + "/" + file.name));
  }
  return {};
}

Result<bool> HasArchiveFiles(BackupStore& store, const std::string& cluster) {
  EBLA_ASSIGN(const std::vector<ArchiveFile> files, AllFiles(store, cluster));
  return !files.empty();
}

Result<std::string> WriteArchiveFile(BackupStore& store, const ArchiveIndex& index, uint64_t number,
                                     std::span<const ArchivedEntry> entries, const Key& key) {
  const auto [first, last] = std::ranges::minmax(entries, {}, &ArchivedEntry::at_ms);
  ArchiveFile file{
      .number = number, .from_ms = first.at_ms, .through_ms = last.at_ms, .writer = index.writer, .name = {}};
  file.name = FileName(file);
  const std::string object = ArchiveFolder(index.cluster) + "/" + file.name;
  EBLA_ASSIGN(BlockWriter writer, BlockWriter::Create(store, object, key));
  ByteWriter block;
  EncodeHead(file, block);
  for (const ArchivedEntry& entry : entries) {
    Encode(entry, block);
    if (block.view().size() < kBlockBytes) continue;
    EBLA_TRY(writer.Write(block.view()));
    block.Clear();
  }
  if (!block.view().empty()) EBLA_TRY(writer.Write(block.view()));
  EBLA_TRY(writer.Finish());
  return file.name;
}

Status ReadArchiveFile(BackupStore& store, const std::string& cluster, const ArchiveFile& file, const Key& key,
                       const std::function<Status(ArchivedEntry)>& visit) {
  const std::string object = ArchiveFolder(cluster) + "/" + file.name;
  EBLA_ASSIGN(BlockReader reader, BlockReader::Open(store, object, key));
  bool has_head = file.writer.empty();
  while (true) {
    EBLA_ASSIGN(const std::optional<std::string> block, reader.Next());
    if (!block && !has_head) return Error(Code::kInvalidArgument, store.LocationOf(object) + " is empty");
    if (!block) return {};
    ByteReader from(*block);
    if (!std::exchange(has_head, true) && !HasHead(file, from))
      return Error(Code::kInvalidArgument, store.LocationOf(object) + " holds another file's contents");
    while (!from.done()) {
      ArchivedEntry entry;
      if (!Decode(from, entry))
        return Error(Code::kInvalidArgument, store.LocationOf(object) + " has a malformed entry");
      EBLA_TRY(visit(std::move(entry)));
    }
  }
}

}  // namespace ebla::backup
