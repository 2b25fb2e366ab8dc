// client/core/operations/write_operation.h
// One write or batch: numbered once, sent as often as need be with the same number, so that it happens at most once.
// Invariants: 1. The tablet time that it carries was learnt before the first attempt that may have happened.
//             2. Its sequence is finished before its callback runs.
// Threads:    see client_core.h.
#pragma once

#include <optional>
#include <vector>

#include "client/core/operations/operation.h"

namespace ebla::client {

inline constexpr size_t kBatchWritesMax = 1000;
inline constexpr size_t kBatchBytesMax = 4 << 20;

// INVALID_ARGUMENT for a write that no server would accept; names the part of the batch, and the reason.
Status CheckPart(const Batch::Part& part);
Status CheckBatch(const Batch& batch);

void ToIdl(Batch::Part&& part, idl::Write& write);
std::vector<idl::Write> ToIdl(Batch&& batch);

class WriteOperation final : public Operation {
 public:
  WriteOperation(ClientCore& core, TablePtr table, std::vector<idl::Write> writes, Ack ack,
                 std::shared_ptr<SessionState> session, Duration allowed);
  ~WriteOperation() override;
  // Checks, then waits for room in the window. `done` runs once, also when the operation dies; it lives in it.
  void Start(Status valid, Callback<Result<BatchResult>> done);
  // While its callback runs: whether an attempt may have happened whose answer was lost; and what it was to write.
  bool maybe_happened() const { return policy().maybe_happened(); }
  // The refused write, if the refusal names it; then no part of the batch has happened.
  std::optional<size_t> refused_at() const {
    const bool named = reply_.__isset.failedIndex && reply_.failedIndex >= 0;
    return named ? std::optional(static_cast<size_t>(reply_.failedIndex)) : std::nullopt;
  }
  std::vector<idl::Write> TakeWrites() { return std::move(request_.writes); }

 private:
  std::string_view RoutingKey() const override { return request_.writes.front().key; }
  KeyRange Touched() const override;
  Status Prepare(const Place& place) override;
  void Send(rpc::Channel& channel) override;
  void OnReplyHeader(const idl::ReplyHeader& header) override;
  Status Complete() override;
  void Finish(Status status) override;

  std::string Describe(const Status& status) const;
  bool MayHaveApplied(const Status& refusal) const;

  idl::WriteRequest request_;
  idl::WriteReply reply_;
  std::optional<WriteSequencer::Ticket> ticket_;
  TabletTime tablet_time_;
  int attempts_ = 0;
  bool looked_up_ = false;                           // its keys' places were asked of the master for this very batch
  OnceCallback<Result<BatchResult>> done_{nullptr};  // from Start() on
};

}  // namespace ebla::client
