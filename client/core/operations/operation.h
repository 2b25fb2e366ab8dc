// client/core/operations/operation.h
// One operation on one tablet over its attempts: find the place, call, judge the reply, and again, until the answer is
// final or the deadline is spent. Kinds of operations derive from it and say what is asked.
//
//   whom it asks         first             after a refusal                    after silence
//   other writes, STRONG the primary       as its hint or the master says     the same
//   SESSION, BOUNDED     any replica       the primary, which may wait        another replica, until all were asked
//   EVENTUAL, writes     any replica       the primary, then another          another replica, until all were asked
//     at ANY
//
// What may be asked of any replica is not held up by an unknown primary, nor by masters that do not answer: the place
// last known serves. So does the primary last known for the rest, once the masters were given kLookUpPatience.
// Place:      retry_policy.h judges; replica_round.h says whom to ask; token_exchange.h is its side of the session;
//             router.h finds places and is taught by what servers answer.
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

  // ---- what a kind of operation says ----

  // Whoever serves this key serves the operation.
  virtual std::string_view RoutingKey() const = 0;
  // The keys that it touches within `place`, as session tokens count them.
  virtual KeyRange Touched() const = 0;
  // And those that any replica may answer for, whatever it holds: of them a session says what it knows.
  virtual KeyRange MayBeShown() const { return Touched(); }
  // Before each attempt, with the place found. An error ends the operation; kComeAgain looks the place up anew first.
  virtual Status Prepare(const Place&) { return {}; }
  // Fills the request in, and asks.
  virtual void Send(rpc::Channel& channel) = 0;
  // What a reply's header tells this kind alone, before anything else goes by it.
  virtual void Hear(const idl::ReplyHeader&) {}
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
  Status OutOfTime() const { return round_.WithAllAsked(policy_.OutOfTime()); }
  TokenExchange& tokens() { return tokens_; }
  // The range that a reply's applied position speaks of.
  KeyRange AnsweredRange(const idl::ReplyHeader& header) const;

  // The reply is kept in `reply`, and judged.
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
  // Of a write: whether any replica takes it.
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
  // As far as this client knows what the table's default is.
  Read::Level Level() const { return read_.level() == Read::Level::kDefault ? table_->default_read() : read_.level(); }
  Answerers WhoMayAnswer() const;
  // Whose calls tell of how near and how live their servers are: a write may wait for others.
  bool Gauged() const { return kind_ == Kind::kRead || any_; }
  void Found(Result<PlacePtr> place);
  void Try();
  void OnReply(Result<const idl::ReplyHeader*> reply);
  void LearnFrom(const idl::ReplyHeader& header, Attempt& attempt);
  void TakeHint(const idl::Hint& hint);
  void TakeReplicaAnswer(const idl::ReplyHeader& header);
  void TakePrimaryAnswer(const idl::ReplyHeader& header, Code code);
  void Decide(Attempt attempt);
  void Again(Duration delay);
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

  // Of the attempt under way.
  PlacePtr place_;
  bool last_known_ = false;  // the place was doubted before, and is tried for want of a better one
  Duration timeout_{0};
};

}  // namespace ebla::client
