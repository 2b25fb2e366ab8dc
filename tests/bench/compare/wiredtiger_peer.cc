#include "tests/bench/compare/wiredtiger_peer.h"

#include <glog/logging.h>
#include <wiredtiger.h>

#include <chrono>
#include <filesystem>
#include <tuple>

#include "tests/bench/compare/keys.h"

namespace ebla::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr char kConfig[] = "create,cache_size=1GB,log=(enabled),checkpoint=(wait=60),transaction_sync=(enabled=false)";
constexpr std::chrono::seconds kSyncInterval{1};  // ebla-standalone's --interval_ms

WT_ITEM Item(const std::string& bytes) {
  WT_ITEM item{};
  item.data = bytes.data();
  item.size = bytes.size();
  return item;
}

Figure Rate(double records, Clock::time_point begun) {
  return {.timings = {.per_second = records / std::chrono::duration<double>(Clock::now() - begun).count()}};
}

}  // namespace

WiredTigerPeer::WiredTigerPeer(const std::string& directory) {
  std::filesystem::create_directories(directory);
  CHECK_EQ(wiredtiger_open(directory.c_str(), nullptr, kConfig, &connection_), 0);
  CHECK_EQ(connection_->open_session(connection_, nullptr, nullptr, &session_), 0);
  records_ = MakeTable("table:records");
  for (int n = 0; n < kRecords; n += 500) Insert(records_, n, 500);
}

WiredTigerPeer::~WiredTigerPeer() { connection_->close(connection_, nullptr); }

WT_CURSOR* WiredTigerPeer::MakeTable(const std::string& name) {
  WT_CURSOR* cursor = nullptr;
  CHECK_EQ(session_->create(session_, name.c_str(), "key_format=u,value_format=u"), 0);
  CHECK_EQ(session_->open_cursor(session_, name.c_str(), nullptr, nullptr, &cursor), 0);
  return cursor;
}

void WiredTigerPeer::Insert(WT_CURSOR* cursor, int64_t first, int count) {
  CHECK_EQ(session_->begin_transaction(session_, nullptr), 0);
  for (int64_t n = first; n < first + count; ++n) {
    const std::string key = RecordKey(n);
    WT_ITEM key_item = Item(key), value_item = Item(value_);
    cursor->set_key(cursor, &key_item);
    cursor->set_value(cursor, &value_item);
    CHECK_EQ(cursor->insert(cursor), 0);
  }
  CHECK_EQ(session_->commit_transaction(session_, nullptr), 0);
}

Figure WiredTigerPeer::LoadInOrder(TableDurability durability, int batch, Duration each) {
  const std::string name = "table:load" + std::to_string(++loads_);
  WT_CURSOR* cursor = MakeTable(name);
  const auto begun = Clock::now();
  auto synced = begun;
  int64_t records = 0;
  for (auto now = begun; now - begun < each; now = Clock::now()) {
    Insert(cursor, records, batch);
    records += batch;
    const bool sync = durability == TableDurability::kSync || now - synced >= kSyncInterval;
    CHECK_EQ(session_->log_flush(session_, sync ? "sync=on" : "sync=off"), 0);
    if (sync) synced = now;
  }
  const Figure figure = Rate(static_cast<double>(records), begun);
  cursor->close(cursor);
  // Its pages are still to be written: a checkpoint lets go of them.
  CHECK_EQ(session_->checkpoint(session_, nullptr), 0);
  // A file that WiredTiger holds stays until the directory is deleted.
  std::ignore = session_->drop(session_, name.c_str(), nullptr);
  return figure;
}

Figure WiredTigerPeer::Scans(Duration each) {
  const auto begun = Clock::now();
  int64_t records = 0;
  std::string key, value;
  while (Clock::now() - begun < each) {
    CHECK_EQ(records_->reset(records_), 0);
    int result = 0;
    for (; (result = records_->next(records_)) == 0; ++records) {
      WT_ITEM key_item{}, value_item{};
      CHECK_EQ(records_->get_key(records_, &key_item), 0);
      CHECK_EQ(records_->get_value(records_, &value_item), 0);
      key.assign(static_cast<const char*>(key_item.data), key_item.size);
      value.assign(static_cast<const char*>(value_item.data), value_item.size);
    }
    CHECK_EQ(result, WT_NOTFOUND);
    CHECK_EQ(key, RecordKey(kRecords - 1));
    CHECK_EQ(value, value_);
  }
  return Rate(static_cast<double>(records), begun);
}

}  // namespace ebla::bench
