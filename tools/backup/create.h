// tools/backup/create.h
// Makes a backup of tables while they are written, split, merged and moved: tablet after tablet, each at one position
// of its log, with everything that had been acknowledged when the backup began.
// Interrupted: finished parts are recorded (manifest.h, progress), and the next run with the same name continues from
// there. A tablet that changes its range, its server or its primary meanwhile is read again.
// A table that is dropped meanwhile is left out, unless it was asked for by name.
// Since another backup: every record is read, and only records with another version are written.
// Errors:  INVALID_ARGUMENT for impossible options; UNAVAILABLE when some tablet could not be read for `patience`; the
//          store's.
// Threads: one.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ebla/client.h"
#include "tools/backup/manifest.h"

namespace ebla::backup {

struct Progress {
  std::string table;
  uint64_t records = 0;  // read by this run
  uint64_t read_bytes = 0;
  uint64_t file_bytes = 0;
};

struct CreateOptions {
  std::string name;
  std::string since;                // the backup that it follows; empty: a whole one
  std::vector<std::string> tables;  // none: all
  Key key;
  std::optional<uint64_t> bytes_per_second;  // read from servers; none: as a guest of theirs (pace.h)
  size_t part_bytes = 32 << 20;              // of one file: what a store takes at once, and has to take in kPatience
  std::chrono::seconds patience{150};        // longer than a server keeps an unused snapshot
  std::function<void(const Progress&)> progress = [](const Progress&) {};
  std::function<void(const std::string&)> left_out = [](const auto&) {};  // one line
  std::function<bool()> interrupted = [] { return false; };
};

Result<Manifest> Create(const Client& client, BackupStore& store, const CreateOptions& options);

}  // namespace ebla::backup
