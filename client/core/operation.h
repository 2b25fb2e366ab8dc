// client/core/operation.h
// One operation on one tablet over its attempts: find the place, encode, call, judge the reply, and again, until the
// answer is final or the deadline is spent. Kinds of operations derive from it and say how to encode and decode.
// Place:      retry_policy.h judges; router.h finds places and is taught by what servers answer.
// Invariants: 1. Finish is called exactly once, or never when the operation dies with the client; derived classes keep
//                their callback in a Once, which then answers.
//             2. One attempt is under way at a time, so no member needs a lock.
// Threads:    see client_core.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "client/core/client_core.h"
#include "client/core/retry_policy.h"
#include "idl/tablet_types.h"

namespace ebla::client {

class Operation : public std::enable_shared_from_this<Operation> {
 public:
  virtual ~Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  void Run();

 protected:
  enum class Kind { kRead, kWrite };

  Operation(ClientCore& core, TablePtr table, Kind kind, Duration allowed);

  // ---- what a kind of operation says ----

  virtual const char* Method() const = 0;
  // Whoever serves this key serves the operation.
  virtual std::string_view RoutingKey() const = 0;
  // The keys that it touches within `place`, as session tokens count them.
  virtual KeyRange Touched() const = 0;
  // Before each attempt, with the place found. An error ends the operation; kComeAgain looks the place up anew first.
  virtual Status Prepare(const Place&) { return {}; }
  virtual rpc::EncodedCall Encode() = 0;
  // Reads and keeps the reply; points to its header.
  virtual Result<idl::ReplyHeader*> Decode(std::string&& message) = 0;
  // The last reply was OK: whether it is the whole answer, which may be false for what answers per key. kOk: it is.
  virtual Status Complete() { return {}; }
  virtual void Finish(Status status) = 0;

  // ---- what it may use ----

  ClientCore& core() { return core_; }
  const TablePtr& table() const { return table_; }
  Router& router() { return *router_; }
  const PlacePtr& place() const { return place_; }
  MonotonicTime end() const { return end_; }
  const RetryPolicy& policy() const { return policy_; }
  Status OutOfTime() const { return policy_.OutOfTime(); }
  void SetSession(std::shared_ptr<SessionState> session) { session_ = std::move(session); }
  const std::shared_ptr<SessionState>& session() const { return session_; }

  // The header of the coming attempt, with the session's token.
  void FillHeader(idl::RequestHeader& header);
  // INVALID_ARGUMENT when the level cannot be served as asked.
  Status CheckRead(const Read& read) const;
  // The level of the coming attempt, once FillHeader has run: a coarse token reads at STRONG.
  template <class Request>
  void FillRead(const Read& read, Request& request) {
    request.__isset.options = read.level() != Read::Level::kDefault;
    if (request.__isset.options) request.options = ReadOptionsOf(read);
  }

 private:
  idl::ReadOptions ReadOptionsOf(const Read& read);
  void Found(Result<PlacePtr> place);
  void Try();
  void OnReply(Result<std::string> message);
  void LearnFrom(const idl::ReplyHeader& header, Attempt& attempt);
  void NoteSession(const idl::ReplyHeader& header);
  void Decide(Attempt attempt);
  void Again(Duration delay);
  void OpenAgain();
  Duration Remaining() { return end_ - core_.network().Now(); }

  ClientCore& core_;
  const TablePtr table_;
  std::shared_ptr<Router> router_;
  const MonotonicTime end_;
  RetryPolicy policy_;
  std::shared_ptr<SessionState> session_;

  // Of the attempt under way.
  PlacePtr place_;
  Duration timeout_{0};
  bool token_coarse_ = false;
  bool token_judged_ = false;  // its success says that all the token's versions were judged
};

}  // namespace ebla::client
