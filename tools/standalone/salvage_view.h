// tools/standalone/salvage_view.h
// A data directory that reads as another one does, and takes all writes: for a start over damaged files that must not
// change one of them (--salvage).
// How:     a new directory under $TMPDIR. Files of the log and of WiredTiger are symbolic links to the real ones, which
//          the store reads and never writes (wiredtiger/unwritten_file.h, log/posix_log_disk.h). Small files that are
//          written as a whole are copies. The coordinator's database is left out, because the catalog is made of what
//          the store reports. Without a readable IDENTITY the view has a new one.
// Locks:   those of the real directory, as long as the view lives, so that no server starts on it meanwhile. The view's
//          own directory is locked, too, so that the next salvage knows and removes the views of killed processes.
// Errors:  UNAVAILABLE: a server runs there. INVALID_ARGUMENT: it has no store. INTERNAL: the disk refused, with the
//          file.
// Threads: the main thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/descriptor.h"
#include "common/base/ids.h"
#include "common/base/status.h"
#include "tabletserver/storage/wiredtiger/wt_options.h"

namespace ebla::standalone {

class SalvageView {
 public:
  // `name`: of the server, where the directory has lost its own.
  static Result<std::unique_ptr<SalvageView>> Make(const std::string& data_dir, const ServerName& name);
  ~SalvageView();  // removes the view
  SalvageView(const SalvageView&) = delete;
  SalvageView& operator=(const SalvageView&) = delete;

  const std::string& path() const { return path_; }
  const std::string& data_dir() const { return data_dir_; }
  // The same text with the real paths in the place of the view's.
  std::string WithRealPaths(std::string text) const;
  // By the real store's inventory.
  const tabletserver::StoreSalvage& had() const { return had_; }

 private:
  explicit SalvageView(std::string data_dir) : data_dir_(std::move(data_dir)) {}
  Status Lock(const std::string& file);
  Status MakeIdentity(const ServerName& name);
  Status MakeStore();
  Status LinkLog();
  Status MendFormat();

  const std::string data_dir_;  // absolute
  std::string path_;
  uint64_t life_ = 0;  // of the next start; 0: unknown
  std::vector<std::unique_ptr<Descriptor>> locks_;
  tabletserver::StoreSalvage had_;
};

}  // namespace ebla::standalone
