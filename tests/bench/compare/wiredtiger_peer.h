// tests/bench/compare/wiredtiger_peer.h
// Bare WiredTiger in this process, with one thread: the base of Ebla's storage. Its log is on, because Ebla also writes
// a log. Its checkpoints and cache are as frequent and as large as Ebla's defaults.
// Errors:  any ends the program.
// Threads: thread-compatible.
#pragma once

#include <string>

#include "ebla/ebla.h"
#include "tests/bench/compare/figures.h"

typedef struct __wt_connection WT_CONNECTION;
typedef struct __wt_session WT_SESSION;
typedef struct __wt_cursor WT_CURSOR;

namespace ebla::bench {

class WiredTigerPeer {
 public:
  // Has a table of all records.
  explicit WiredTigerPeer(const std::string& directory);
  ~WiredTigerPeer();
  WiredTigerPeer(const WiredTigerPeer&) = delete;
  WiredTigerPeer& operator=(const WiredTigerPeer&) = delete;

  // New records in the order of their keys, into a new table, `batch` to a transaction. A transaction's log has been
  // synced when it ends, or handed to the operating system and synced once a second.
  Figure LoadInOrder(TableDurability durability, int batch, Duration each);
  // Reads the whole table again and again by one cursor. Copies keys and values, because a caller that continues has
  // to.
  Figure Scans(Duration each);

 private:
  WT_CURSOR* MakeTable(const std::string& name);
  void Insert(WT_CURSOR* cursor, int64_t first, int count);  // in a transaction

  WT_CONNECTION* connection_ = nullptr;
  WT_SESSION* session_ = nullptr;
  WT_CURSOR* records_ = nullptr;
  int loads_ = 0;
  const std::string value_ = std::string(kValueBytes, 'v');
};

}  // namespace ebla::bench
