// client/core/operations/multi_write.h
// Executes many independent writes. Sends those of one tablet, by the routing cache, as one batch. A batch is all or
// nothing, so if a part is refused, or the tablet was split, no part has happened. The job then sends the parts before
// the refused one, that part alone, and the parts behind it. Writes without a known place form a batch, too. The job
// looks up the place of the first, and distributes them again if they lie in different tablets.
// Functions: the answers of a batch's functions are bounded, because servers keep them
//            (common/base/functions.h). Their size is known only afterwards. So the job estimates it by the
//            table's recent answers; a batch that is refused as too large is sent in pieces, and later batches are
//            smaller.
// Place:   over write_operation.h. Makes small writes of many callers cost little more than one.
// Errors:  each part has its own, as soon as its batch does. UNKNOWN_OUTCOME of a batch is every part's.
// Threads: see client_core.h.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "client/core/operations/client_core.h"
#include "idl/tablet_types.h"

namespace ebla::client {

class MultiWriteJob {
 public:
  MultiWriteJob(ClientCore& core, TablePtr table, std::vector<Batch::Part> parts, const WriteOptions& options,
                EachCallback<Result<PartResult>> each);

  static void Start(const std::shared_ptr<MultiWriteJob>& job);

 private:
  // The parts of one batch: their places in the call, and their writes. Plain puts and deletes form batches of their
  // own, because they may be repeated.
  struct Together {
    PlacePtr place;  // null: not known
    bool plain = false;
    std::vector<size_t> indices;
    std::vector<idl::Write> writes;
    size_t bytes = 0;
    size_t answer_bytes = 0;  // as expected
  };

  static void Spread(const std::shared_ptr<MultiWriteJob>& job, std::vector<size_t> indices,
                     std::vector<idl::Write> writes);
  static void Send(const std::shared_ptr<MultiWriteJob>& job, Together batch);
  static void OnRefused(const std::shared_ptr<MultiWriteJob>& job, Together batch, std::optional<size_t> refused_at);
  void Answer(const std::vector<size_t>& indices, Result<BatchResult> result) const;

  ClientCore& core_;
  const TablePtr table_;
  std::vector<Batch::Part> parts_;  // until they are sent
  std::vector<Batch::Kind> kinds_;  // of each of them
  const Ack ack_;
  const std::shared_ptr<SessionState> session_;
  const MonotonicTime end_;
  const EachCallback<Result<PartResult>> each_;  // by the batch that has it, once
};

}  // namespace ebla::client
