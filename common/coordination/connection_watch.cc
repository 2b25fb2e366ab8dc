#include "common/coordination/connection_watch.h"

#include <glog/logging.h>

#include <utility>

namespace ebla::coordination {
namespace {

constexpr Duration kReached{-1};

int64_t Seconds(Duration duration) { return std::chrono::duration_cast<std::chrono::seconds>(duration).count(); }

}  // namespace

ConnectionWatch::ConnectionWatch(Coordinator& coordinator, Executor& executor, std::string stalls)
    : coordinator_(coordinator), executor_(executor), stalls_(std::move(stalls)), away_since_(kReached) {
  listener_ = coordinator_.Listen(if_alive_([this](SessionState state) { OnState(state); }));
}

ConnectionWatch::~ConnectionWatch() {
  coordinator_.Forget(listener_);
  if (timer_) executor_.Cancel(timer_);
}

void ConnectionWatch::OnState(SessionState state) {
  const Duration since = away_since_.load();
  if (state != SessionState::kConnected) {
    if (since != kReached) return;
    away_since_ = executor_.Now().since_boot;
    timer_ = executor_.After(kGrace, if_alive_([this] { WarnDisconnected(); }));
    return;
  }
  if (since == kReached) return;
  away_since_ = kReached;
  executor_.Cancel(std::exchange(timer_, {}));
  if (std::exchange(said_, false)) {
    LOG(INFO) << "the coordinator (ZooKeeper) is back after " << Seconds(executor_.Now().since_boot - since) << " s";
  }
}

void ConnectionWatch::WarnDisconnected() {
  timer_ = {};
  said_ = true;
  LOG(WARNING) << "the coordinator (ZooKeeper) is not reached: until it is back, " << stalls_;
}

std::optional<Duration> ConnectionWatch::away() const {
  const Duration since = away_since_.load();
  if (since == kReached) return std::nullopt;
  const Duration away = executor_.Now().since_boot - since;
  return away >= kGrace ? std::optional(away) : std::nullopt;
}

std::string ConnectionWatch::Describe() const {
  const auto away = this->away();
  if (!away) return Refusal();
  return "the coordinator (ZooKeeper) has been away for " + std::to_string(Seconds(*away)) + " s; until it is back, " +
         stalls_;
}

}  // namespace ebla::coordination
