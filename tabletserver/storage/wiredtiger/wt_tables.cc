#include "tabletserver/storage/wiredtiger/wt_tables.h"

#include <algorithm>
#include <filesystem>

#include "common/base/key_range.h"
#include "tabletserver/storage/wiredtiger/wt_checkpoint_blocks.h"
#include "tabletserver/storage/wiredtiger/wt_files.h"

namespace ebla::tabletserver {

namespace {

// Most of the tables have small and short-lived rows. Pages hold some dozens of them, and values stay on the leaf
// pages, because an overflow page would cost a second read and forbid fast range truncation. Eviction's writes are sent
// to the disk after each MB (wt_files.h). Without that the operating system gathers them for half a minute and writes
// them at once, and every fsync of the log waits behind them. A thread that meets a page above memory_page_max may have
// to write it out. WiredTiger's default of 5 MB took 20 to 80 ms, half a MB takes 2 to 8. Checksums cover all of each
// block. WiredTiger's default, `uncompressed`, leaves compressed blocks to the decompressor, which turns much damage
// into other values.
constexpr char kRowConfig[] = "key_format=u,value_format=u,checksum=on,os_cache_dirty_max=1MB,memory_page_max=512KB";
// The longest key fits on its page too. A checkpoint may have to read the block of a separate key, and fails if that is
// damaged.
constexpr char kLargePages[] = ",leaf_page_max=32KB,leaf_key_max=4KB,leaf_value_max=64MB,split_pct=90";
// Loaded in order, pages are full. A load writes much at once, so it sends a piece of PacedSyncs at a time.
constexpr char kRunPages[] =
    ",leaf_page_max=8KB,leaf_key_max=4KB,leaf_value_max=64MB,split_pct=100,os_cache_dirty_max=256KB";
static_assert(PacedSyncs::kPieceBytes == 256 << 10);
static_assert(kKeyBytesMax == 4 << 10);

std::string_view CompressorName(TableCompression compression) {
  switch (compression) {
    case TableCompression::kNone: return "none";
    case TableCompression::kSnappy: return "snappy";
    case TableCompression::kZlib: return "zlib";
  }
  return "none";
}

}  // namespace

std::string RunConfig(TableCompression compression) {
  std::string config = std::string(kRowConfig) + kRunPages + ",block_compressor=";
  return config += CompressorName(compression);
}

Status WtTables::Open() {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  std::set<std::string> files;
  EBLA_TRY(sessions_.Check(ReadFileNames(session->get(), files), "reading the metadata"));
  for (size_t i = 0; i < kSystemTables; ++i) EBLA_TRY(OpenSystemTable(*session, static_cast<SystemTable>(i), files));
  Find(*session, files);
  return {};
}

// WiredTiger would fail with an error that names no file.
Status WtTables::OpenSystemTable(WtSession& session, SystemTable table, const std::set<std::string>& files) {
  const std::string uri = SystemTableUri(table);
  if (files.contains(FileOfTable(uri))) {
    const int error = CheckCheckpointBlocks(session, FileOfTable(uri));
    if (error == kDamagedBlock || error == kOtherFile) {
      return Error(Code::kInternal,
                   PathOf(uri) + " " + DescribeDamage(error) + ", and all tablets of this server need it");
    }
  }
  WT_SESSION* const raw = session.get();
  EBLA_TRY(sessions_.Check(raw->create(raw, uri.c_str(), kRowConfig), "making a table"));
  return sessions_.Check(WtCursor(session, table).error(), "opening " + uri);
}

void WtTables::Find(WtSession& session, const std::set<std::string>& files) {
  for (const std::string& file : files) {
    const auto number = NumberInName(file, "data_");
    if (!number) continue;
    const TableId table{*number};
    sessions_.in_place().Add(table);
    if (sessions_.NoteIfDamaged(session, table, file)) sessions_.damaged().NoteLost(table);
  }
}

// The file of a table that exists is neither opened nor made again.
Status WtTables::Ensure(TableId table, TableCompression compression) {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  WT_SESSION* const raw = session->get();
  std::string config = std::string(kRowConfig) + kLargePages + ",block_compressor=";
  config += CompressorName(compression);
  const int error = RunRead([&] { return raw->create(raw, DataTableUri(table).c_str(), config.c_str()); });
  EBLA_TRY(sessions_.Check(error, "making a table"));
  sessions_.in_place().Add(table);
  return {};
}

std::vector<TableId> WtTables::Ids() const { return sessions_.in_place().All(); }

bool WtTables::Has(TableId table) const { return sessions_.in_place().Has(table); }

Status WtTables::Drop(TableId table) {
  Status busy(Code::kComeAgain, "table " + std::to_string(table.value) + " is still in use");
  sessions_.CloseCursors(table);
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  WT_SESSION* const raw = session->get();
  // A table of earlier builds has entries beside its file's. The first drop changes nothing if there are none.
  for (const std::string& uri : {"table:data_" + std::to_string(table.value), DataTableUri(table)}) {
    const int error = raw->drop(raw, uri.c_str(), "force=true,checkpoint_wait=false");
    if (error == EBUSY) return busy;
    EBLA_TRY(sessions_.Check(error, "dropping a table"));
  }
  // In this order: a read that misses the file looks for the table once more (WtSessions::CheckTable).
  sessions_.in_place().Remove(table);
  sessions_.damaged().Forget(table);
  return {};
}

// Compaction asks first. It takes a checkpoint of the file, and WiredTiger panics where a block that this needs is
// damaged.
Result<int64_t> WtTables::FileBytes(TableId table) const {
  const bool damaged =
      sessions_.damaged().Has(table) || (Has(table) && CheckTableFile(PathOf(DataTableUri(table))) == kDamagedBlock);
  if (damaged) return std::unexpected(sessions_.CheckTable(kDamagedBlock, table, "measuring a file"));
  std::error_code error;
  const auto bytes = std::filesystem::file_size(PathOf(DataTableUri(table)), error);
  if (error) return std::unexpected(sessions_.CheckTable(ENOENT, table, "measuring a file"));
  return static_cast<int64_t>(bytes);
}

}  // namespace ebla::tabletserver
