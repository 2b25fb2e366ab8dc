#include "client/core/routing/master_client.h"

#include <algorithm>
#include <utility>

#include "client/core/calls/call.h"
#include "common/base/mutex.h"

namespace ebla::client {

rpc::Endpoint MasterClient::Target() {
  MutexLock lock(mutex_);
  return leader_ ? *leader_ : masters_[turn_ % masters_.size()];
}

void MasterClient::LeaderIs(const rpc::Endpoint& endpoint) {
  MutexLock lock(mutex_);
  leader_ = endpoint;
}

void MasterClient::Failed(const rpc::Endpoint& endpoint) {
  MutexLock lock(mutex_);
  // Only the first of many calls that fail together moves on.
  if (leader_) {
    if (*leader_ == endpoint) leader_.reset();
  } else if (masters_[turn_ % masters_.size()] == endpoint) {
    ++turn_;
  }
}

// One call over its attempts.
class MasterCall : public std::enable_shared_from_this<MasterCall> {
 public:
  using Answered = std::move_only_function<void(Result<idl::MasterReplyHeader>)>;
  // Makes the call, keeps its reply, and tells that one's header.
  using Send = std::move_only_function<void(rpc::Channel& channel, Duration timeout, Answered answered)>;
  using Done = std::move_only_function<void(Status, bool maybe_happened)>;

  MasterCall(MasterClient& client, MasterClient::CallOptions options, Send send, Done done)
      : client_(client),
        options_(std::move(options)),
        end_(client.network_.Now() + options_.deadline),
        policy_(options_.mutates, options_.deadline),
        send_(std::move(send)),
        done_(std::move(done)) {}

  ~MasterCall() { Finish(ClosedStatus()); }

  void Run() {
    const Duration remaining = end_ - client_.network_.Now();
    if (remaining <= Duration(0)) return Finish(policy_.OutOfTime());
    const Duration timeout = options_.quick ? policy_.AttemptTimeout(remaining) : remaining;
    target_ = client_.Target();
    send_(*client_.network_.To(target_), timeout,
          [self = shared_from_this()](const Result<idl::MasterReplyHeader>& header) { self->OnReply(header); });
  }

 private:
  void OnReply(const Result<idl::MasterReplyHeader>& header) {
    Attempt attempt;
    if (!header) {
      attempt.status = header.error();
    } else {
      attempt.from_server = true;
      attempt.status = Status(static_cast<Code>(header->code), header->message);
      attempt.retry_after = std::chrono::milliseconds(header->__isset.retryAfterMs ? header->retryAfterMs : 0);
      NoteLeader(*header, attempt);
    }
    if (!attempt.status.ok() && !IsAnswer(attempt)) {
      attempt.status = Status(attempt.status.code(), "master " + target_.ToString() + ": " + attempt.status.message());
      if (options_.note) options_.note(attempt.status);
    }
    Decide(std::move(attempt));
  }

  // An answer of the leader about the request itself needs no name of the master.
  static bool IsAnswer(const Attempt& attempt) {
    const Code code = attempt.status.code();
    return attempt.from_server &&
           (code == Code::kInvalidArgument || code == Code::kTableExists || code == Code::kNoSuchTable ||
            code == Code::kNotFound || code == Code::kConditionFailed);
  }

  void NoteLeader(const idl::MasterReplyHeader& header, Attempt& attempt) {
    if (header.code == idl::Code::OK) {
      if (!options_.any_master) {
        client_.LeaderIs(target_);
      } else if (header.__isset.leader && header.leader.port > 0) {
        client_.LeaderIs({header.leader.host, static_cast<uint16_t>(header.leader.port)});  // a standby's answer
      }
    } else if (header.code == idl::Code::NOT_PRIMARY && header.__isset.leader && header.leader.port > 0) {
      const rpc::Endpoint leader{header.leader.host, static_cast<uint16_t>(header.leader.port)};
      attempt.hint_usable = leader != target_;
      if (attempt.hint_usable) client_.LeaderIs(leader);
    }
  }

  void Decide(Attempt attempt) {
    const Duration remaining = end_ - client_.network_.Now();
    const Code code = attempt.status.code();
    const bool final_here = attempt.from_server && (code == Code::kNoSuchTable || code == Code::kUnknownOutcome ||
                                                    (code == Code::kDeadlineExceeded && !options_.quick));
    if (final_here) return Finish(std::move(attempt.status));
    Executor& executor = client_.network_.executor();
    const Verdict verdict = policy_.Decide(attempt, remaining, executor.Random());
    if (verdict.kind == Verdict::Kind::kAnswer) return Finish(verdict.status);
    if (verdict.kind == Verdict::Kind::kLookUp) client_.Failed(target_);
    if (verdict.delay <= Duration(0)) return Run();
    executor.After(verdict.delay, [self = shared_from_this()] { self->Run(); });
  }

  void Finish(Status status) {
    Done done = std::exchange(done_, nullptr);
    if (done) done(std::move(status), policy_.maybe_happened());
  }

  MasterClient& client_;
  MasterClient::CallOptions options_;
  const MonotonicTime end_;
  RetryPolicy policy_;
  Send send_;
  Done done_;
  rpc::Endpoint target_;
};

namespace {

// Requests that say how long they may take.
template <class Request>
void SetDeadline(Request& request, Duration timeout) {
  if constexpr (requires { request.deadlineMs; }) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
    request.deadlineMs =
        static_cast<int32_t>(std::max<int64_t>(1, ms * 19 / 20));  // the server's own answer arrives first
  }
}

}  // namespace

template <class Request>
void MasterClient::Call(Request request, CallOptions options,
                        std::move_only_function<void(Result<Answer<ReplyTo<Request>>>)> done) {
  using Reply = ReplyTo<Request>;
  auto reply = std::make_shared<Reply>();
  auto send = [request = std::move(request), reply](rpc::Channel& channel, Duration timeout,
                                                    MasterCall::Answered answered) mutable {
    SetDeadline(request, timeout);
    client::Call(channel, request, timeout, [reply, answered = std::move(answered)](Result<Reply> answer) mutable {
      if (!answer) return answered(Error(answer.error()));
      *reply = *std::move(answer);
      answered(reply->header);
    });
  };
  auto finish = [reply, done = std::move(done)](Status status, bool maybe_happened) mutable {
    if (!status.ok()) return done(Error(std::move(status)));
    done(Answer<Reply>{std::move(*reply), maybe_happened});
  };
  std::make_shared<MasterCall>(*this, std::move(options), std::move(send), std::move(finish))->Run();
}

#define EBLA_MASTER_METHOD(name, Request, Reply)              \
  template void MasterClient::Call(idl::Request, CallOptions, \
                                   std::move_only_function<void(Result<Answer<idl::Reply>>)>);
EBLA_MASTER_METHODS(EBLA_MASTER_METHOD)
#undef EBLA_MASTER_METHOD

}  // namespace ebla::client
