// tests/bench/compare/wiredtiger_peer.h
// Bare WiredTiger in this process, with one thread: what Ebla's storage stands on. Its log is on, as Ebla keeps a log
// beside it. Ebla's checkpoints and cache, by default, are as large and as often.
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
  // The whole table again and again by one cursor; keys and values are copied, as a caller who goes on has to.
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
