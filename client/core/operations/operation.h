// client/core/operations/operation.h
// One operation on one tablet over its attempts: find the place, call, judge the reply, and again, until the answer is
// final or the deadline is spent. Kinds of operations derive from it and define the request.
//
//   operation            first             after a refusal                    after silence
//   other writes, STRONG the primary       as its hint or the master says     the same
//   SESSION, BOUNDED     any replica       the primary, which may wait        another replica, until all were asked
//   EVENTUAL, writes     any replica       the primary, then another          another replica, until all were asked
//     at ANY
//
// An unknown primary, or silent masters, do not delay an operation that any replica may answer, because the last known
// place serves it. Other operations use the last known primary after kLookUpPatience.
// Place:      retry_policy.h judges; replica_round.h chooses replicas; token_exchange.h is its side of the session;
//             router.h finds places and learns from servers' answers.
// Invariants: 1. Finish is called exactly once, or never when the operation dies with the client; derived classes keep
//                their callback in a Once, which then answers.
//             2. One attempt is under way at a time, so no member needs a lock.
// Threads:    see client_core.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/calls/call.h"
#include "client/core/calls/retry_policy.h"
#include "client/core/operations/client_core.h"
#include "client/core/operations/replica_round.h"
#include "client/core/session/token_exchange.h"
#include "idl/tablet_types.h"

namespace ebla::client {

inline constexpr Duration kLookUpPatience = std::chrono::milliseconds(500);

class Operation : public std::enable_shared_from_this<Operation> {
 public:
  virtual ~Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  void Run();

 protected:
  enum class Kind { kRead, kWrite };

  Operation(ClientCore& core, TablePtr table, Kind kind, Duration allowed);

  // ---- defined by each kind of operation ----

  // The key whose server serves the operation.
  virtual std::string_view RoutingKey() const = 0;
  // The keys that it touches within `place`, as session tokens count them.
  virtual KeyRange Touched() const = 0;
  // The keys that an answer may concern, whatever tablet its replica holds. The request carries the session's positions
  // of all of them.
  virtual KeyRange MayBeShown() const { return Touched(); }
  // Before each attempt, with the place found. An error ends the operation; kComeAgain looks the place up anew first.
  virtual Status Prepare(const Place&) { return {}; }
  // Fills in the request, and sends it.
  virtual void Send(rpc::Channel& channel) = 0;
  // Reads facts for this kind alone from a reply's header, before any other use of it.
  virtual void OnReplyHeader(const idl::ReplyHeader&) {}
  // After an OK reply: whether it is the whole answer (kOk), which may be false for answers per key.
  virtual Status Complete() { return {}; }
  virtual void Finish(Status status) = 0;

  // ---- for the use of each kind ----

  ClientCore& core() { return core_; }
  const TablePtr& table() const { return table_; }
  Router& router() { return *router_; }
  const PlacePtr& place() const { return place_; }
  MonotonicTime end() const { return end_; }
  const RetryPolicy& policy() const { return policy_; }
  Status OutOfTime() const { return round_.WithAllAsked(policy_.OutOfTime()); }
  TokenExchange& tokens() { return tokens_; }
  // The range to which a reply's applied position applies.
  KeyRange AnsweredRange(const idl::ReplyHeader& header) const;

  // Stores the reply in `reply`, and judges it.
  template <class Request>
  void Ask(rpc::Channel& channel, const Request& request, ReplyTo<Request>& reply) {
    Call(channel, request, timeout_, [self = shared_from_this(), this, &reply](Result<ReplyTo<Request>> answer) {
      if (!answer) return OnReply(Error(answer.error()));
      reply = *std::move(answer);
      OnReply(&reply.header);
    });
  }
  // The header of the coming attempt, with the session's token.
  void FillHeader(idl::RequestHeader& header);
  void SetRead(const Read& read) { read_ = read; }
  // For a write: whether any replica accepts it.
  void SetAck(Ack ack) { any_ = (ack == Ack::kDefault ? table_->default_ack() : ack) == Ack::kAny; }
  // INVALID_ARGUMENT when the level cannot be served as asked.
  Status CheckRead() const;
  // The level of the coming attempt: with a coarse token SESSION is read at STRONG.
  template <class Request>
  void FillRead(Request& request) {
    request.__isset.options = tokens_.coarse() || read_.level() != Read::Level::kDefault;
    request.options = request.__isset.options ? ReadOptionsOf() : idl::ReadOptions();
  }

 private:
  idl::ReadOptions ReadOptionsOf();
  // The read's level, by the client's last known default of the table.
  Read::Level Level() const { return read_.level() == Read::Level::kDefault ? table_->default_read() : read_.level(); }
  EligibleReplicas Eligible() const;
  // Whether calls measure the latency and liveness of their servers; a write may wait for other servers.
  bool Gauged() const { return kind_ == Kind::kRead || any_; }
  void Found(Result<PlacePtr> place);
  void Try();
  void OnReply(Result<const idl::ReplyHeader*> reply);
  void LearnFrom(const idl::ReplyHeader& header, Attempt& attempt);
  void TakeHint(const idl::Hint& hint);
  void TakeReplicaAnswer(const idl::ReplyHeader& header);
  void TakePrimaryAnswer(const idl::ReplyHeader& header, Code code);
  void Decide(Attempt attempt);
  void RetryAfter(Duration delay);
  void OpenAgain();
  Duration Remaining() { return end_ - core_.network().Now(); }

  ClientCore& core_;
  const Kind kind_;
  const TablePtr table_;
  std::shared_ptr<Router> router_;
  const MonotonicTime end_;
  RetryPolicy policy_;
  ReplicaRound round_;
  TokenExchange tokens_;
  Read read_;
  bool any_ = false;  // a write at ANY

  // State of the attempt under way.
  PlacePtr place_;
  bool last_known_ = false;  // the place was doubted before, and is used for want of a better one
  Duration timeout_{0};
};

}  // namespace ebla::client
