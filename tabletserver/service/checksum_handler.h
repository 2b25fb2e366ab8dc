// tabletserver/service/checksum_handler.h
// Answers what one replica here holds, as numbers (reads/record_page.h), for `ebla check` and for other servers'
// comparison of replicas. Any replica answers for itself.
// Place:      tablet_service.cc passes requests on that request_check.h has passed.
// Invariants: 1. One page is read at a time, and after it this rests as long as that took: a check takes half of one
//                reader at most, and never keeps the background executor, where a Configure's table is made, from its
//                work.
//             2. kWaitingMax requests wait at most; others are answered OVERLOADED.
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

class ChecksumHandler {
 public:
  static constexpr size_t kWaitingMax = 8;

  // `executor` may wait for the disk.
  ChecksumHandler(Executor& executor, TabletStore& store, const TabletDirectory& directory);

  void Answer(const idl::ChecksumRequest& request, std::function<void(const idl::ChecksumReply&)> done);

 private:
  class Line;

  const TabletDirectory& directory_;
  const std::shared_ptr<Line> line_;  // shared with what waits on the executor
};

}  // namespace ebla::tabletserver
