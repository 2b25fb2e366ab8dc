// client/core/operations/operation.h
// One operation on one tablet over its attempts: find the place, encode, call, judge the reply, and again, until the
// answer is final or the deadline is spent. Kinds of operations derive from it and say how to encode and decode.
//
//   whom it asks         first             after a refusal                    after silence
//   other writes, STRONG the primary       as its hint or the master says     the same
//   SESSION, BOUNDED     any replica       the primary, which may wait        another replica, until all were asked
//   EVENTUAL, writes     any replica       the primary, then another          another replica, until all were asked
//     at ANY
//
// What may be asked of any replica is not held up by an unknown primary, nor by masters that do not answer: the place
// last known serves. So does the primary last known for the rest, once the masters were given kLookUpPatience.
// Place:      retry_policy.h judges; replica_choice.h chooses among replicas; router.h finds places and is taught by
//             what servers answer.
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

#include "client/core/calls/retry_policy.h"
#include "client/core/operations/client_core.h"
#include "client/core/routing/replica_choice.h"
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

  virtual const char* Method() const = 0;
  // Whoever serves this key serves the operation.
  virtual std::string_view RoutingKey() const = 0;
  // The keys that it touches within `place`, as session tokens count them.
  virtual KeyRange Touched() const = 0;
  // And those that any replica may answer for, whatever it holds: of them a session says what it knows.
  virtual KeyRange MayBeShown() const { return Touched(); }
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
  Status OutOfTime() const { return WithAllAsked(policy_.OutOfTime()); }
  void SetSession(std::shared_ptr<SessionState> session) { session_ = std::move(session); }
  const std::shared_ptr<SessionState>& session() const { return session_; }
  // The range that a reply's applied position speaks of.
  KeyRange AnsweredRange(const idl::ReplyHeader& header) const;

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
    request.__isset.options = token_coarse_ || read_.level() != Read::Level::kDefault;
    if (request.__isset.options) request.options = ReadOptionsOf();
  }

 private:
  idl::ReadOptions ReadOptionsOf();
  // As far as this client knows what the table's default is.
  Read::Level Level() const { return read_.level() == Read::Level::kDefault ? table_->default_read() : read_.level(); }
  // Any replica may answer.
  bool AtAnyReplica() const { return kind_ == Kind::kWrite ? any_ : !token_coarse_ && Level() != Read::Level::kStrong; }
  // And the primary's word is as good as another's.
  bool AllAlike() const { return kind_ == Kind::kWrite ? any_ : Level() == Read::Level::kEventual; }
  // Whose calls tell of how near and how live their servers are: a write may wait for others.
  bool Gauged() const { return kind_ == Kind::kRead || any_; }
  void Found(Result<PlacePtr> place);
  void Try();
  void TakeToken();
  // Whom the coming attempt asks; null when that is the primary and none is known.
  const Replica* Target();
  bool OthersLeft() const;
  // The replica asked has not answered the question: whether another may be asked at once.
  bool TurnElsewhere(const Attempt& attempt);
  void NoteGauge(bool answered);
  Status WithAllAsked(Status status) const;
  void OnReply(Result<std::string> message);
  void LearnFrom(const idl::ReplyHeader& header, Attempt& attempt);
  void NoteSession(const idl::ReplyHeader& header);
  // After LOST_WRITE: what the session does now, for people.
  std::string NoteLost(const idl::ReplyHeader& header);
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
  std::shared_ptr<SessionState> session_;
  Read read_;
  bool any_ = false;  // a write at ANY

  // Where any replica may answer: of the round under way, in which each replica is asked once.
  std::vector<rpc::Endpoint> passed_over_;
  bool to_primary_ = false;             // the next one asked
  std::vector<rpc::Endpoint> in_vain_;  // all that were asked, of all rounds

  // Of the attempt under way.
  PlacePtr place_;
  bool last_known_ = false;         // the place was doubted before, and is tried for want of a better one
  const Replica* asked_ = nullptr;  // in *place_, or primary_
  Replica primary_;
  MonotonicTime sent_at_;
  Duration timeout_{0};
  std::vector<TokenRange> token_;
  bool token_coarse_ = false;
  bool token_judged_ = false;  // its success says that all the token's versions were judged
};

}  // namespace ebla::client
