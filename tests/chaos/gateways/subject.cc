#include "tests/chaos/gateways/subject.h"

namespace ebla::chaos {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kJudgesPatience{60'000};
constexpr milliseconds kRestWhenShaken{50};

}  // namespace

Caller::Caller(const Setting& setting, uint64_t number)
    : setting_(setting),
      random_(setting.seed * 1000 + number),
      redis_(setting.gateways, Options(number), setting.database) {}

ConnectionOptions Caller::Options(uint64_t number) const {
  return {.listener = &GatewayListeners::redis,
          .first = static_cast<size_t>(number),
          .patience = number % 2 == 0 ? setting_.patience : kImpatience};
}

std::chrono::nanoseconds Caller::Rest() {
  const auto most = shaken_ ? kRestWhenShaken : setting_.think_max;
  shaken_ = false;
  return std::chrono::microseconds(random_.Below(static_cast<uint64_t>(std::chrono::microseconds(most).count()) + 1));
}

void Caller::Ended(const std::string& what, const Status& status) {
  if (status.ok()) {
    ++setting_.tally.answered;
  } else if (status.code() == Code::kUnknownOutcome) {
    ++setting_.tally.unknown;
  } else if (NothingHappened(status)) {
    ++setting_.tally.not_executed;
    shaken_ = true;
  } else {
    setting_.workers.Failed(what + ": " + status.ToString());
  }
}

ConnectionOptions JudgesOptions() {
  return {.listener = &GatewayListeners::redis, .first = 0, .patience = kJudgesPatience};
}

RedisClient JudgesClient(const Setting& setting) { return {setting.gateways, JudgesOptions(), setting.database}; }

}  // namespace ebla::chaos
