// tabletserver/server/identity.h
// The identity of a data directory: its server and cluster, and how often it has been started. One process
// at a time owns a directory, and a directory has one life (PROTOCOL 23). Each start raises its counter, durably,
// before anything is served; registration compares that counter with the server's node in the coordinator. A second
// counter, the life mark, is raised there and then in the node after each checkpoint, so that a backup taken since the
// last start is known for one, too, unless it is as young as the last mark.
// Place:      server_process.cc opens the directory before the store; the counter is this process's incarnation.
// Format:     <dir>/IDENTITY, text, replaced by rename. Its first line is "ebla tablet server data, format 2, crc C"
//             (the CRC-32 of the rest; older builds wrote none), then "uuid U", "name N", "cluster C" (empty
//             until it joined one), "starts S", "mark M" (format 1 had none).
//             <dir>/LOCK is flock()ed (directory_lock.h).
// Errors:     INVALID_ARGUMENT: the directory is another server's, another cluster's or of a newer format; nothing was
//             changed. UNAVAILABLE: another process holds it. INTERNAL: the disk refused, or the file is damaged.
// Threads:    opened and destroyed by the process's main thread; everything else from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/base/ids.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/process/directory_lock.h"

namespace ebla::tabletserver {

inline constexpr int kDataFormatVersion = 2;

struct Identity {
  std::string uuid;
  ServerName name;
  std::string cluster_id;   // empty: joined none yet
  Incarnation incarnation;  // the start counter
  uint64_t life_mark = 0;
  // The machine's boot in which it runs, or ran when it was not stopped cleanly; empty: it was.
  std::string running_boot;
  // Data of the process before this one that was not on the disk is lost (PROTOCOL 5), because the machine crashed, or
  // because the disk had refused it. Not stored.
  bool machine_crashed = false;
  std::string lock_mark;  // of the lock that this process holds (common/coordination/registration.h); not stored
};

// Reads the identity on the disk, without a lock.
Result<Identity> ReadIdentity(const std::string& data_dir);

class DataDirectory {
 public:
  // Makes the directory's identity when there is none, and raises the start counter. `name` is the name wanted: empty
  // means whatever the directory has. A new directory needs one. `lock`: the directory's; none: it is taken here.
  static Result<std::unique_ptr<DataDirectory>> Open(const std::string& path, const ServerName& name,
                                                     process::DirectoryLock lock = {});
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  const std::string& path() const { return path_; }
  Identity identity() const;
  // Binds the directory to a cluster for life, or checks that it is bound to this one.
  Status JoinCluster(const std::string& cluster_id);
  // The process ends in good order, with everything on the disk.
  Status NoteCleanStop();
  // Raises the life mark, durably, and returns it. Waits for the disk.
  Result<uint64_t> RaiseLifeMark();

 private:
  DataDirectory(std::string path, process::DirectoryLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  Status Load(const ServerName& name) EBLA_REQUIRES(mutex_);
  Status Save(Identity identity) EBLA_REQUIRES(mutex_);  // on disk, then in memory

  std::string path_;
  process::DirectoryLock lock_;
  mutable Mutex mutex_;  // held while the file is written: by JoinCluster, once in a life, and RaiseLifeMark
  Identity identity_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::tabletserver
