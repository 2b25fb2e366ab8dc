#include "client/core/routing/master_probe.h"

#include <memory>
#include <set>
#include <string>
#include <utility>

#include "client/core/calls/call.h"
#include "common/base/mutex.h"
#include "idl/master_types.h"

namespace ebla::client {

namespace {

constexpr Duration kAskAgain = std::chrono::milliseconds(100);

// The outcome of asking each master. The last owner gives the answer when it is destroyed, unless an owner gave it
// before.
class Probe : public std::enable_shared_from_this<Probe> {
 public:
  Probe(Network& network, std::vector<rpc::Endpoint> masters, Duration timeout, OnceCallback<Status> done)
      : network_(network),
        masters_(std::move(masters)),
        causes_(masters_.size(), "it has not answered"),
        end_(network.Now() + timeout),
        done_(std::move(done)) {}
  ~Probe() { Finish({Code::kUnavailable, "no master answers: " + Causes()}); }

  void Ask(size_t index) {
    const Duration left = end_ - network_.Now();
    if (left <= Duration(0) || Finished()) return;
    Call(*network_.To(masters_[index]), idl::ClusterInfoRequest(), left,
         [self = shared_from_this(), index](const Result<idl::ClusterInfoReply>& reply) {
           self->OnReply(index, reply ? Status() : reply.error());
         });
  }

 private:
  void OnReply(size_t index, Status cause) {
    if (Finished()) return;  // the client may be closing
    if (cause.ok()) return Finish({});
    if (cause.code() == Code::kInternal)
      cause = Status(Code::kUnavailable, "what answers there is not a master: " + cause.message());
    const bool denied = cause.code() == Code::kPermissionDenied;
    bool hopeless = false;
    {
      MutexLock lock(mutex_);
      causes_[index] = cause.message();
      failed_.insert(index);
      denied_ = denied_ || denied;
      hopeless = denied_ && failed_.size() == masters_.size();
    }
    // Each time that a login is refused counts as a guess there: so it is not tried again, unless another master knows
    // better.
    if (hopeless) return Finish(Status(Code::kPermissionDenied, "no master lets this client in: " + Causes()));
    if (cause.code() == Code::kInvalidArgument || cause.code() == Code::kOverloaded)
      return Finish(Status(cause.code(), masters_[index].ToString() + ": " + cause.message()));
    if (denied) return;
    if (network_.Now() + kAskAgain >= end_) return;
    network_.executor().After(kAskAgain, [self = shared_from_this(), index] { self->Ask(index); });
  }

  bool Finished() {
    MutexLock lock(mutex_);
    return finished_;
  }
  std::string Causes() {
    std::string text;
    MutexLock lock(mutex_);
    for (size_t i = 0; i < masters_.size(); ++i)
      text += (i == 0 ? "" : "; ") + masters_[i].ToString() + ": " + causes_[i];
    return text;
  }
  void Finish(Status status) {
    {
      MutexLock lock(mutex_);
      if (std::exchange(finished_, true)) return;
    }
    done_(std::move(status));
  }

  Network& network_;
  const std::vector<rpc::Endpoint> masters_;
  Mutex mutex_;
  std::vector<std::string> causes_ EBLA_GUARDED_BY(mutex_);
  std::set<size_t> failed_ EBLA_GUARDED_BY(mutex_);  // at least once
  bool denied_ EBLA_GUARDED_BY(mutex_) = false;      // a master rejected the caller's identity
  bool finished_ EBLA_GUARDED_BY(mutex_) = false;
  const MonotonicTime end_;
  OnceCallback<Status> done_;
};

}  // namespace

void ProbeMasters(Network& network, const std::vector<rpc::Endpoint>& masters, Duration timeout,
                  OnceCallback<Status> done) {
  const auto probe = std::make_shared<Probe>(network, masters, timeout, std::move(done));
  for (size_t i = 0; i < masters.size(); ++i) probe->Ask(i);
}

}  // namespace ebla::client
