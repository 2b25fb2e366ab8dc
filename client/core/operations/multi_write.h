// client/core/operations/multi_write.h
// Many writes, each for itself: those of one tablet, as the routing cache knows it, go as one batch. A batch is all or
// nothing, so where one of its parts is refused, or the tablet was split, nothing has happened, and it goes in pieces: what
// stands before the refused one, that one alone, and what stands behind it.
// Those whose places are not known go together, too: the first's is looked up, and if they turn out to lie apart, they are
// spread anew.
// Functions: what those of a batch answer together is bounded, as servers keep it (common/base/record_functions.h). How much
//          it will be is known only afterwards. So a batch has as many as fit if they answer as the table's have done of
//          late; one that is refused for it nevertheless goes in pieces, and the next ones are smaller.
// Place:   over write_operation.h; what it is for: many callers' small writes cost little more than one.
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
  // Parts that go together: their places in the call, and what they write. Where the log should need it, plain puts and
  // deletes can be told again and again; so they go without those that cannot.
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
