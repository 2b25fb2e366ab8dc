// tabletserver/storage/wiredtiger/unwritten_file.h
// A file that is read and never written: the writes go to a file without a name, which ends with the process.
// Why:     --salvage (tools/standalone/salvage_view.h) opens a damaged store as any other. WiredTiger writes to its
//          files even if it is only read, and the only copy of the data must not change.
// Place:   wt_files.cc opens a symbolic link so in a salvage's view of a store, and in no other store.
// Errors:  an errno; 0: none.
// Threads: any.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "common/base/descriptor.h"
#include "common/base/mutex.h"

namespace ebla::tabletserver {

class UnwrittenFile {
 public:
  static constexpr int64_t kBlockBytes = 4096;

  // `path` is a symbolic link. The file without a name is made beside it.
  static std::expected<std::shared_ptr<UnwrittenFile>, int> Open(const std::string& path);

  int64_t size() const;
  // EIO where the file ends before.
  int Read(int64_t offset, std::span<char> into) const;
  int Write(int64_t offset, std::string_view bytes);
  int Truncate(int64_t bytes);

 private:
  UnwrittenFile(int base, int written, int64_t bytes)
      : base_(base), written_(written), base_bytes_(bytes), bytes_(bytes) {}
  int ReadBlock(int64_t block, int64_t begin, std::span<char> into) const EBLA_REQUIRES(mutex_);
  int KeepBlock(int64_t block) EBLA_REQUIRES(mutex_);

  const Descriptor base_;     // read only
  const Descriptor written_;  // the written blocks, each at its own offset
  mutable Mutex mutex_;
  std::set<int64_t> blocks_ EBLA_GUARDED_BY(mutex_);  // by number: they are in written_
  int64_t base_bytes_ EBLA_GUARDED_BY(mutex_);        // of the base, as far as it still shows
  int64_t bytes_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::tabletserver
