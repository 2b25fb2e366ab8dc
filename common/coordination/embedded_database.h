// common/coordination/embedded_database.h
// The embedded coordinator's nodes on the disk: a small WiredTiger database, read once, by Load.
// Place:      embedded_coordinator.cc owns one. EmbeddedOptions (embedded_coordinator.h) say how it is opened.
// Format:     table "meta" maps "format" to "1", "sessions" to the number that were ever opened, and "changes" to the
//             number of transactions that Store committed (older builds leave it as it is). Table "nodes" maps a path
//             to version (i), next child number (q) and data (u). A newer format is refused.
// Errors:     INTERNAL: it is damaged. The message names the file, as far as WiredTiger or the first look tells.
//             INVALID_ARGUMENT: in use by another process, or of a newer format. UNAVAILABLE: not now, as on a full
//             disk.
// Threads:    one at a time; a Scrub beside it, which ends before Close.
#pragma once

#include <wiredtiger.h>

#include <functional>
#include <memory>
#include <string>

#include "common/coordination/change_mark.h"
#include "common/coordination/embedded_coordinator.h"
#include "common/coordination/znode_tree.h"
#include "common/wiredtiger/error_messages.h"

namespace ebla::coordination {

class EmbeddedDatabase {
 public:
  EmbeddedDatabase();
  ~EmbeddedDatabase();
  EmbeddedDatabase(const EmbeddedDatabase&) = delete;
  EmbeddedDatabase& operator=(const EmbeddedDatabase&) = delete;

  // Makes the directory where it is missing, unless a database was made before.
  Status Open(const std::string& directory, const EmbeddedOptions& options);
  void Close();

  Result<ZnodeTree::Snapshot> Load();
  // Numbers of sessions are never used twice, across restarts too.
  Result<int64_t> NextSession();
  // One synced transaction. UNAVAILABLE: rolled back; UNKNOWN_OUTCOME: the commit itself failed.
  Status Store(const ZnodeTree& tree, const ZnodeTree::Change& change);

  // Reads the tables as the last checkpoint has them, in a session of its own. INTERNAL: damage.
  class Scrub {
   public:
    explicit Scrub(EmbeddedDatabase& database);
    ~Scrub();
    Scrub(const Scrub&) = delete;
    Scrub& operator=(const Scrub&) = delete;
    Status Run(const EmbeddedCoordination::ScrubPace& pace);

   private:
    int Read(const char* uri, const EmbeddedCoordination::ScrubPace& pace, bool& stopped);
    EmbeddedDatabase& database_;
    WT_SESSION* session_ = nullptr;  // null: the database has failed
  };

 private:
  Status Failed(const std::string& doing, int error, Code code = Code::kInternal) const;
  Status CheckFiles(bool made_before) const;
  Status OpenTables();
  Status CheckChanges();
  Result<std::string> Meta(const char* key);
  int PutMeta(const char* key, const std::string& value);
  int Write(const std::string& path, const ZnodeTree& tree);
  int WriteAll(const ZnodeTree& tree, const ZnodeTree::Change& change);

  std::string directory_;
  EmbeddedOptions options_;
  std::unique_ptr<wiredtiger::ErrorMessages> messages_;
  WT_CONNECTION* connection_ = nullptr;
  WT_SESSION* session_ = nullptr;
  WT_CURSOR* nodes_ = nullptr;
  WT_CURSOR* meta_ = nullptr;
  uint64_t changes_ = 0;
  ChangeMark mark_;
};

}  // namespace ebla::coordination
