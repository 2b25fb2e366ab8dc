// tabletserver/service/checksum_edge.h
// Answers what one replica here holds, as numbers, for `ebla check`: a page of it is read in one snapshot, as a chunk
// of a copy is, and summed up. Any replica answers for itself; replicas that have applied the same give the same
// numbers.
// Place:      tablet_service.cc passes requests on that request_check.h has passed.
// Invariants: 1. What is summed up was applied exactly through the lsn that is told with it.
//             2. Where a page ends depends on nothing but the records, so that pages of two replicas can be compared.
//             3. One page is read at a time, and after it this rests as long as that took: a check takes half of one
//                reader at most, and never keeps the background executor, where a Configure's table is made, from its
//                work.
//             4. kWaitingMax requests wait at most; others are answered OVERLOADED.
// Threads:    any; the reading is done, and `done` called, on the executor.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/executor.h"
#include "idl/tablet_types.h"
#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

class ChecksumEdge {
 public:
  static constexpr size_t kWaitingMax = 8;
  static constexpr int64_t kPageRecords = 20'000;
  static constexpr int64_t kPageBytes = 4 << 20;

  // `executor` may wait for the disk.
  ChecksumEdge(Executor& executor, TabletStore& store, const TabletDirectory& directory);

  void Answer(const idl::ChecksumRequest& request, std::function<void(const idl::ChecksumReply&)> done);

 private:
  class Line;

  const TabletDirectory& directory_;
  const std::shared_ptr<Line> line_;  // shared with what waits on the executor
};

}  // namespace ebla::tabletserver
