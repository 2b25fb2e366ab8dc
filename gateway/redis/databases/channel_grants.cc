#include "gateway/redis/databases/channel_grants.h"

#include <algorithm>

#include "common/base/number_limits.h"
#include "gateway/redis/databases/key_codec.h"
#include "gateway/redis/wire/glob.h"

namespace ebla::gateway::redis {
namespace {

// The answer of a user with the grant: the key is missing, or has another version.
bool IsAllowed(const Status& status) {
  return status.ok() || status.code() == Code::kNotFound || status.code() == Code::kConditionFailed;
}

bool IsAnswer(const Status& status) { return IsAllowed(status) || status.code() == Code::kPermissionDenied; }

// No record has an empty key.
std::string RecordOf(const std::string& channel) { return channel.empty() ? RecordKey(channel) : channel; }

}  // namespace

bool ChannelGrants::Knows(const ChannelUse& use, Status& answer) const {
  MutexLock lock(mutex_);
  const auto found = known_.find(Question(use.kind, use.name));
  if (found == known_.end() || Clock::now() > found->second.until) return false;
  answer = found->second.answer;
  return true;
}

void ChannelGrants::Ask(std::shared_ptr<Store> records, const ChannelUse& use, Until until, Callback<Status> done) {
  {
    MutexLock lock(mutex_);
    const auto known = known_.find(Question(use.kind, use.name));
    const auto now = Clock::now();
    if (known != known_.end() && now - known->second.learnt < kBelievedAtMost) until = std::min(until, now + kAskAgain);
  }
  Store& asked = *records;
  auto learn = [self = shared_from_this(), question = Question(use.kind, use.name), records = std::move(records),
                done = std::move(done)](Status status) mutable {
    self->Learn(question, std::move(status), std::move(done));
  };
  switch (use.kind) {
    case ChannelUse::Kind::kListen:
      return asked.Get(RecordOf(use.name), Freshness::kAsConfigured, until,
                       [learn = std::move(learn)](const Result<Record>& record) mutable {
                         learn(record ? Status() : record.error());
                       });
    case ChannelUse::Kind::kListenToPattern:
      return asked.ScanKeys(
          KeyRange::Prefix(PrefixOf(use.name)), 1, until,
          [learn = std::move(learn)](const Result<ScanPage>& page) mutable { learn(page ? Status() : page.error()); });
    case ChannelUse::Kind::kPublish:
      return asked.Delete(RecordOf(use.name), Condition::Is({Epoch{limits::kEpochMax}, Lsn{limits::kLsnMax}}), until,
                          std::move(learn));
  }
}

void ChannelGrants::Learn(const Question& question, Status answer, Callback<Status> done) {
  if (IsAllowed(answer)) answer = Status();
  {
    MutexLock lock(mutex_);
    const auto now = Clock::now();
    const auto before = known_.find(question);
    if (IsAnswer(answer)) {
      if (before == known_.end() && known_.size() >= kKnownMax) known_.clear();
      if (question.second.size() <= kChannelNameMax) known_[question] = {answer, now, now + kBelievedFor};
    } else if (before != known_.end() && answer.code() != Code::kOverloaded &&
               now - before->second.learnt < kBelievedAtMost) {
      answer = before->second.answer;
      before->second.until = now + std::chrono::seconds(1);
    }
  }
  done(std::move(answer));
}

}  // namespace ebla::gateway::redis
