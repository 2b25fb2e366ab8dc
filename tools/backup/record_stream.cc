#include "tools/backup/record_stream.h"

#include <algorithm>
#include <utility>

#include "tools/backup/listing.h"

namespace ebla::backup {
namespace {

constexpr uint8_t kThere = 1, kDeleted = 2;

}  // namespace

// ---- writing --------------------------------------------------------------------------------------------------------

Result<PartWriter> PartWriter::Create(BackupStore& store, const std::string& backup, Part part, const Key& key) {
  EBLA_ASSIGN(BlockWriter writer, BlockWriter::Create(store, backup + "/" + part.file, key));
  return PartWriter(std::move(writer), std::move(part));
}

Status PartWriter::Add(const Row& row) {
  const Record& record = row.record;
  block_.Byte(kThere).Bytes(row.key).Bytes(record.value);
  block_.Varint(record.version.epoch.value).Varint(record.version.lsn.value);
  block_.Varint(record.expires ? static_cast<uint64_t>(record.expires->time_since_epoch().count()) : 0);
  ++part_.records;
  return Flush(kBlockBytes);
}

Status PartWriter::AddDelete(std::string_view key) {
  block_.Byte(kDeleted).Bytes(key);
  ++part_.deletes;
  return Flush(kBlockBytes);
}

Status PartWriter::Flush(size_t least) {
  if (block_.view().empty() || block_.view().size() < least) return {};
  EBLA_TRY(writer_.Write(block_.view()));
  block_.Clear();
  return {};
}

Result<Part> PartWriter::Finish(uint64_t epoch, uint64_t applied, const std::string& end) {
  EBLA_TRY(Flush(0));
  EBLA_TRY(writer_.Finish());
  part_.range.end = end;
  part_.epoch = epoch;
  part_.applied = applied;
  part_.file_bytes = writer_.bytes();
  part_.checksum = writer_.checksum();
  return part_;
}

// ---- reading --------------------------------------------------------------------------------------------------------

namespace {

class PartStream : public RecordStream {
 public:
  PartStream(BackupStore& store, const std::string& backup, Part part, Key key)
      : store_(store), object_(backup + "/" + part.file), part_(std::move(part)), key_(std::move(key)) {}

  Result<std::optional<BackupRecord>> Next() override {
    if (!reader_) {
      EBLA_ASSIGN(reader_, BlockReader::Open(store_, object_, key_));
    }
    while (rest_.done()) {
      EBLA_ASSIGN(std::optional<std::string> block, reader_->Next());
      if (!block) return AtEnd();
      block_ = *std::move(block);
      rest_ = ByteReader(block_);
    }
    BackupRecord record;
    const uint8_t kind = rest_.Byte();
    record.deleted = kind == kDeleted;
    record.row.key = rest_.Bytes();
    if (!record.deleted) {
      record.row.record.value = rest_.Bytes();
      record.row.record.version.epoch.value = rest_.Varint();
      record.row.record.version.lsn.value = rest_.Varint();
      if (const uint64_t expires = rest_.Varint(); expires != 0)
        record.row.record.expires = Expiry(std::chrono::milliseconds(expires));
    }
    if (!rest_.ok() || (kind != kThere && kind != kDeleted)) return Wrong("a record cannot be read");
    if (!part_.range.Contains(record.row.key)) return Wrong("a record lies outside its part");
    if (any_ && record.row.key <= last_) return Wrong("its records are out of order");
    any_ = true;
    last_ = record.row.key;
    ++(record.deleted ? deletes_ : records_);
    return record;
  }

 private:
  Result<std::optional<BackupRecord>> AtEnd() {
    if (records_ != part_.records || deletes_ != part_.deletes || reader_->checksum() != part_.checksum)
      return Wrong("it is not the file that the backup's manifest lists");
    return std::nullopt;
  }
  Error Wrong(const std::string& what) const {
    return Error(Code::kInvalidArgument, store_.LocationOf(object_) + " is damaged: " + what);
  }

  BackupStore& store_;
  const std::string object_;
  const Part part_;
  const Key key_;
  std::optional<BlockReader> reader_;
  std::string block_;
  ByteReader rest_{{}};
  std::string last_;
  bool any_ = false;
  uint64_t records_ = 0, deletes_ = 0;
};

// Reads the parts that overlap the range, one after the other, and of them only the range.
class PartsStream : public RecordStream {
 public:
  PartsStream(BackupStore& store, std::string backup, std::vector<Part> parts, KeyRange range, Key key)
      : store_(store),
        backup_(std::move(backup)),
        parts_(std::move(parts)),
        range_(std::move(range)),
        key_(std::move(key)) {
    std::erase_if(parts_, [&](const Part& part) { return part.range.Intersect(range_).Empty(); });
    std::ranges::sort(parts_, {}, [](const Part& part) { return part.range.start; });
  }

  Result<std::optional<BackupRecord>> Next() override {
    while (true) {
      if (present_ == nullptr) {
        if (next_ == parts_.size()) return std::nullopt;
        present_ = ReadPart(store_, backup_, parts_[next_++], key_);
      }
      EBLA_ASSIGN(std::optional<BackupRecord> record, present_->Next());
      if (!record) {
        present_.reset();
      } else if (range_.Contains(record->row.key)) {
        return record;
      }
    }
  }

 private:
  BackupStore& store_;
  const std::string backup_;
  std::vector<Part> parts_;
  const KeyRange range_;
  const Key key_;
  size_t next_ = 0;
  std::unique_ptr<RecordStream> present_;
};

// Reads the records of the earlier backup with the changes applied.
class ChangedStream : public RecordStream {
 public:
  ChangedStream(std::unique_ptr<RecordStream> before, std::unique_ptr<RecordStream> changes)
      : before_(std::move(before)), changes_(std::move(changes)) {}

  Result<std::optional<BackupRecord>> Next() override {
    if (!std::exchange(begun_, true)) {
      EBLA_TRY(Advance(*before_, old_));
      EBLA_TRY(Advance(*changes_, change_));
    }
    while (old_ || change_) {
      if (change_ && (!old_ || change_->row.key <= old_->row.key)) {
        if (old_ && old_->row.key == change_->row.key) EBLA_TRY(Advance(*before_, old_));
        std::optional<BackupRecord> record = std::move(change_);
        EBLA_TRY(Advance(*changes_, change_));
        if (!record->deleted) return record;
      } else {
        std::optional<BackupRecord> record = std::move(old_);
        EBLA_TRY(Advance(*before_, old_));
        return record;
      }
    }
    return std::nullopt;
  }

 private:
  static Status Advance(RecordStream& stream, std::optional<BackupRecord>& to) {
    EBLA_ASSIGN(to, stream.Next());
    return {};
  }

  const std::unique_ptr<RecordStream> before_, changes_;
  std::optional<BackupRecord> old_, change_;
  bool begun_ = false;
};

}  // namespace

std::unique_ptr<RecordStream> ReadPart(BackupStore& store, const std::string& backup, const Part& part,
                                       const Key& key) {
  return std::make_unique<PartStream>(store, backup, part, key);
}

Result<Chain> Chain::Open(BackupStore& store, const std::string& name, const Key& key) {
  Chain chain{.store = &store, .backups = {}, .key = key};
  for (std::string next = name; !next.empty(); next = chain.backups.back().since) {
    EBLA_TRY(CheckBackupName(next));
    if (std::ranges::find(chain.backups, next, &Manifest::name) != chain.backups.end())
      return Error(Code::kInvalidArgument, "the backup " + next + " follows itself");
    Result<Manifest> manifest = ReadManifest(store, next, kManifestFile, key);
    if (!manifest && manifest.error().code() == Code::kNotFound) return NoSuchBackup(store, next, key);
    if (!manifest) return Error(std::move(manifest.error()));
    if (manifest->name != next)
      return Error(Code::kInvalidArgument, store.LocationOf(next) + " holds the backup " + manifest->name);
    chain.backups.push_back(*std::move(manifest));
  }
  return chain;
}

Result<std::unique_ptr<RecordStream>> Chain::Read(const std::string& table, const KeyRange& range) const {
  // The changes since a whole one, the newest first, and it.
  std::vector<std::unique_ptr<RecordStream>> layers;
  for (const Manifest& backup : backups) {
    const TablePart* found = backup.Find(table);
    if (found == nullptr)
      return Error(Code::kNotFound, "the backup " + backup.name + " holds no table \"" + table + "\"");
    layers.push_back(std::make_unique<PartsStream>(*store, backup.name, found->parts, range, key));
    if (found->whole) break;
  }
  std::unique_ptr<RecordStream> stream = std::move(layers.back());
  for (layers.pop_back(); !layers.empty(); layers.pop_back())
    stream = std::make_unique<ChangedStream>(std::move(stream), std::move(layers.back()));
  return stream;
}

}  // namespace ebla::backup
