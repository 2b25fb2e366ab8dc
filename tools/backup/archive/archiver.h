// tools/backup/archive/archiver.h
// Keeps an archive of a cluster's changes in a backup store, so that tables can be restored as they were at any moment
// (replay.h). It reads every server's log as it grows, about once a second, and writes a file of new changes every few
// seconds.
// A run that was interrupted or killed continues from its last flush, because servers retain their logs for it for ten
// minutes, and up to --log_followed_mb. After a longer pause, or if changes are missing, a table's history starts
// again. Moments in between are then lost, and later moments need a backup that began after the gap. The archiver
// reports this.
// Only one run may write an archive. A run that begins waits to see whether another run writes the index, and refuses
// if so. Each also checks before it writes.
// Errors:  of a round: the cluster's and the store's; nothing is lost by them. INVALID_ARGUMENT when another run writes
//          the same archive, or when the store has its files and no index.
// Threads: one.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "ebla/client.h"
#include "tools/backup/archive/archive_files.h"
#include "tools/backup/archive/server_logs.h"

namespace ebla::backup {

struct ArchiverOptions {
  Key key;
  std::chrono::milliseconds every{std::chrono::seconds(5)};          // a file
  size_t file_bytes = 8 << 20;                                       // or earlier
  std::chrono::milliseconds keep{0};                                 // older files are deleted; 0: none is
  std::function<void(const std::string&)> say = [](const auto&) {};  // one line
  std::function<bool()> interrupted = [] { return false; };
};

class Archiver {
 public:
  Archiver(const Client& client, BackupStore& store, const ArchiverOptions& options);

  // Goes on with the archive that the cluster has in the store, or begins one.
  Status Open();
  // Reads all logs on, and writes what is due. Whether they were read to their end.
  Result<bool> Round();
  // Writes what has come and not been written.
  Status Flush();
  // Also records that this run has ended.
  Status Close();

  const ArchiveIndex& index() const { return index_; }

 private:
  Status AwaitEndOfAnother();
  Status TakeOver();
  // When the list before this one was asked for, and when this one had come.
  void NoteTables(const std::vector<TableInfo>& tables, int64_t before_ms, int64_t after_ms);
  void NoteSpans();
  Error AnotherRun() const;
  Status CheckWriter();
  Status DeleteOld();

  const Client& client_;
  BackupStore& store_;
  const ArchiverOptions& options_;
  ArchiveIndex index_;
  std::string found_writer_;     // of the run before; empty: there was none
  int64_t found_looked_ms_ = 0;  // its last look
  TabletChains chains_;
  bool left_files_ = true;  // a run, or a flush, may have written a file and not named it
  ServerLogs logs_;
  std::map<uint64_t, ServerLogs::Places> began_;  // where each round began
  std::chrono::steady_clock::time_point flushed_{}, deleted_{};
  int64_t now_ms_ = 0;
};

// Until it is interrupted: rounds, and again after what fails, but for what another try does not mend.
Status RunArchiver(const Client& client, BackupStore& store, const ArchiverOptions& options);

}  // namespace ebla::backup
