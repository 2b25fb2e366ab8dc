// tabletserver/service/checksum_edge.h
// Answers what one replica here holds, as numbers, for `ebla check`: a page of it is read in one snapshot, as a chunk of a
// copy is, and summed up. Any replica answers for itself; replicas that have applied the same give the same numbers.
// Place:      tablet_service.cc passes requests on that request_check.h has passed.
// Invariants: 1. What is summed up was applied exactly through the lsn that is told with it.
//             2. Where a page ends depends on nothing but the records, so that pages of two replicas can be compared.
//             3. kWaitingMax requests wait at most; others are answered OVERLOADED.
// Threads:    any; the reading is done, and `done` called, on `background`.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "common/base/executor.h"
#include "idl/tablet_types.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/tablet/tablet_directory.h"

namespace ebla::tabletserver {

class ChecksumEdge {
 public:
  static constexpr int kWaitingMax = 8;
  static constexpr int64_t kPageRecords = 20'000;
  static constexpr int64_t kPageBytes = 4 << 20;

  ChecksumEdge(Executor& background, TabletStore& store, const TabletDirectory& directory)
      : background_(background), store_(store), directory_(directory) {}

  void Answer(const idl::ChecksumRequest& request, std::function<void(const idl::ChecksumReply&)> done);

 private:
  Executor& background_;
  TabletStore& store_;
  const TabletDirectory& directory_;
  // Shared with what waits on `background`.
  const std::shared_ptr<std::atomic<int>> waiting_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace ebla::tabletserver
