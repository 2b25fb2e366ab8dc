#include "tabletserver/tablet/waiters.h"

#include <algorithm>
#include <string>
#include <utility>

namespace ebla::tabletserver {

namespace {

constexpr int64_t kLearnRetryMs = 5;  // when a retry would learn the outcome

std::string Joined(const std::vector<ServerName>& names) {
  std::string text;
  for (const ServerName& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

void Waiters::Wait(Waiter waiter) {
  next_deadline_ = std::min(next_deadline_, waiter.deadline);
  ByLsn& waiters = waiter.level == AckLevel::kPrimary ? until_flushed_
                   : waiter.level == AckLevel::kAll   ? until_all_
                                                      : until_applied_;
  waiters[waiter.entry->version.lsn].push_back(std::move(waiter));
  ++count_;
  Settle();
}

void Waiters::Settle() {
  if (count_ == 0) return;
  const Lsn applied = common_.applied_lsn();
  SettleUpTo(until_flushed_, std::max(applied, common_.replica.log().flushed()));
  SettleUpTo(until_applied_, applied);
  if (!until_all_.empty()) SettleUpTo(until_all_, std::min(applied, common_.replica.standing().all_flushed()));
}

void Waiters::SettleUpTo(ByLsn& waiters, Lsn reached) {
  while (!waiters.empty() && waiters.begin()->first <= reached) {
    auto settled = waiters.extract(waiters.begin());
    for (const Waiter& waiter : settled.mapped()) Answer(waiter);
  }
}

void Waiters::Answer(const Waiter& waiter) {
  --count_;
  const LogEntry& entry = *waiter.entry;
  if (waiter.purge) {
    return replies_.Purge({waiter.token, {}, entry.kind == EntryKind::kPurge ? entry.effects.size() : 0});
  }
  if (entry.version.lsn > common_.applied_lsn() && entry.version.lsn > pending_primary_) {
    pending_primary_ = entry.version.lsn;  // STRONG reads wait for it from now on (PROTOCOL 15)
    common_.view_dirty = true;
  }
  AnswerWrite(waiter.token, entry.outcome, entry.version, waiter.believed);
}

void Waiters::AnswerWrite(RequestToken token, const Outcome& outcome, Version version, TabletId believed) {
  WriteReply& reply = replies_.Write(token);
  if (outcome.code == Code::kOk) {
    reply.answers = outcome.message;
  } else {
    reply.status = Status(outcome.code, outcome.message);
  }
  if (outcome.wrote) reply.version = version;
  reply.counters = outcome.counters;
  reply.failed_index = outcome.failed_index;
  split_.NameRange(version.lsn, believed, reply);
}

// The entry may be in the log, and the next primary may commit it. Only a retry can tell.
void Waiters::GiveUp(const Waiter& waiter) {
  --count_;
  if (waiter.purge) {
    const Code code = waiter.deadline <= common_.now ? Code::kDeadlineExceeded : Code::kComeAgain;
    return replies_.Purge({waiter.token, Error(code, "the tablet's time has not been committed")});
  }
  const std::string missing = Joined(common_.replica.standing().Missing(waiter.entry->version.lsn));
  const std::string why = missing.empty() ? "" : "; not yet at " + missing;
  replies_.RefuseWrite(
      waiter.token,
      Error(Code::kUnknownOutcome, "the write was still being committed; retry it to learn its outcome" + why),
      kLearnRetryMs);
}

void Waiters::GiveUpAll() {
  for (ByLsn* waiters : {&until_flushed_, &until_applied_, &until_all_}) {
    for (const auto& [lsn, waiting] : std::exchange(*waiters, {})) {
      for (const Waiter& waiter : waiting) GiveUp(waiter);
    }
  }
}

void Waiters::Expire(MonotonicTime now) {
  if (now < next_deadline_) return;
  next_deadline_ = MonotonicTime::Max();
  for (ByLsn* waiters : {&until_flushed_, &until_applied_, &until_all_}) {
    for (auto at = waiters->begin(); at != waiters->end();) {
      std::erase_if(at->second, [&](const Waiter& waiter) {
        if (waiter.deadline <= now) {
          GiveUp(waiter);
          return true;
        }
        next_deadline_ = std::min(next_deadline_, waiter.deadline);
        return false;
      });
      at = at->second.empty() ? waiters->erase(at) : std::next(at);
    }
  }
}

}  // namespace ebla::tabletserver
