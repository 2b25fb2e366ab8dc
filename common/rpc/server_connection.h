// common/rpc/server_connection.h
// One accepted connection. Internal to common/rpc.
// Place:      server.cc accepts and stops; this cuts frames, dispatches them and sends the replies. Socket, buffers and
//             ending are accepted_connection.h's.
// Invariants: 1. A connection is touched on its loop's thread alone, but for Answer().
//             2. Calls with one sequence id form a queue; only its head's reply is sent, and later ones are held.
//             3. A call counts as in flight until its reply has been handed to the socket's buffer, or its connection
//                has gone.
// Threads:    Answer and the statistics from any thread.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "common/rpc/accepted_connection.h"
#include "common/rpc/server_loop.h"
#include "common/security/caller.h"

namespace ebla::rpc {

class ServerConnection final : public AcceptedConnection {
 public:
  ServerConnection(ServerLoop& server, int fd, std::string peer);

  void Start() override;
  // A process of the cluster is closed only if there is no other connection.
  size_t expendable_bytes() const override { return is_process() ? 0 : held_bytes(); }
  // It was deferred, and its user has time now; to send replies, or for requests too.
  void ResumeSending();
  void Resume();
  void OnTurnEnd() override;

 private:
  // One request between its arrival and its reply's delivery. Owned by its handler. If the loop stops before the
  // answer, the task with the answer destroys it.
  struct Call {
    std::shared_ptr<ServerConnection> connection;
    int32_t sequence = 0;
    Protocol protocol = Protocol::kBinary;
    CallWindow::Begun counted;   // among its user's
    Call* next = nullptr;        // in the same bucket, younger
    std::string held;            // the reply, while it waits for that of an older call with the same id
    std::unique_ptr<Call> self;  // itself, while its reply is held: then the connection owns it
  };
  static constexpr size_t kBuckets = 64;

  static void Answer(std::unique_ptr<Call> call, Result<std::string_view> reply);  // any thread, once
  void Complete(std::unique_ptr<Call> call, Result<std::string_view> reply);
  void Insert(Call* call);
  void Unlink(Call* call);
  Call* Oldest(int32_t sequence);  // of those in flight with this id
  void ForgetHeld();
  bool is_process() const { return session_ && session_->identity.is_process(); }
  std::shared_ptr<ServerConnection> Self() { return std::static_pointer_cast<ServerConnection>(shared_from_this()); }
  void OnReadable() override;
  bool HasRoom() const override { return !Full() && !deferred_; }
  bool Busy() const override { return in_flight_ > 0; }
  std::optional<std::string> Overdue() const override;
  void LogBroken(const std::string& why) const override;
  void OnUnsendable() override { Close(); }
  void OnClosed() override;
  void Consume(std::string_view bytes);
  size_t CutFrames(std::string_view bytes);
  // Counts among its user's connections; a login may have changed the user.
  void JoinUser();
  // The user, as its loop counts users.
  bool counted() const { return user_ != nullptr && user_->counted; }
  bool HasTime() const { return user_ == nullptr || server_.HasTime(*user_); }
  // Another request may be handled now.
  bool MayHandle() const { return HasTime() && (user_ == nullptr || server_.HasRoom(*user_)); }
  void SpendTime();  // since it began, or was spent last
  void Defer();
  void DeferRequests(size_t calls);  // of so many at least
  void Read();
  void HandleMessage(std::string_view message);
  void Send(std::string_view message);
  void SendShared();
  // Sends its output, then continues with waiting requests, if any.
  void Continue(bool requests_wait);
  bool Full() const;
  // After its buffers have changed: whether the sweep is to look at it, and what it adds to the loop's bytes.
  void UpdateWatch();
  void ContinueHandshake();  // with TLS, until the client has authenticated
  bool unknown() const { return !session_ || session_->identity.is_anonymous(); }
  Call*& Bucket(int32_t sequence) { return (*buckets_)[static_cast<uint32_t>(sequence) % kBuckets]; }

  ServerLoop& server_;                                    // home() keeps it
  std::optional<security::Session> session_;              // once its caller is known
  std::unique_ptr<std::array<Call*, kBuckets>> buckets_;  // the calls in flight by id; made by the first one
  size_t in_flight_ = 0;
  Protocol protocol_ = Protocol::kBinary;
  bool protocol_known_ = false;
  std::shared_ptr<LoopShares::User> user_;  // whose time of the loop it takes
  bool deferred_ = false;                   // handles nothing until it is resumed
  bool unread_ = false;                     // and something has come
  bool sends_later_ = false;                // it waits for time to send
};

}  // namespace ebla::rpc
