// gateway/redis/databases/channel_grants.h
// The channels that a user may subscribe to, and those to which it may publish. A channel has the grants of the record
// of its name, in the table that all gateways of these channels serve. SUBSCRIBE requires a grant to read that record.
// PSUBSCRIBE requires one to read every record that begins as the pattern does before its first special character.
// PUBLISH requires one to write the record. It is the record of that name, not of that key, because a key with a {tag}
// lies elsewhere (key_codec.h), beyond a grant of a prefix.
// Place:   open_tables.h has one for each user, where a gateway knows users.
// How:     asks the cluster in the user's name: reads the record, scans for one of those, or deletes a version of the
//          record that never exists. An answer holds for kBelievedFor, and for at most kBelievedAtMost while the
//          cluster cannot answer. Meanwhile a caller waits for at most kAskAgain.
// Bounds:  remembers kKnownMax answers, and then forgets all. Remembers none for names that are too long for a channel.
// Threads: any.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "common/base/mutex.h"
#include "gateway/redis/databases/databases.h"
#include "gateway/store/store.h"

namespace ebla::gateway::redis {

class ChannelGrants : public std::enable_shared_from_this<ChannelGrants> {
 public:
  static constexpr std::chrono::seconds kBelievedFor{5}, kBelievedAtMost{60};
  static constexpr std::chrono::milliseconds kAskAgain{250};
  static constexpr size_t kKnownMax = 10'000;

  // True: `answer` is a recent answer.
  bool Knows(const ChannelUse& use, Status& answer) const;
  // `records`: of the table, as the user sees it. `done` is called once, on any thread. PERMISSION_DENIED names the
  // grant that is lacking; other errors are the store's.
  void Ask(std::shared_ptr<Store> records, const ChannelUse& use, Until until, Callback<Status> done);

 private:
  using Clock = std::chrono::steady_clock;
  using Question = std::pair<ChannelUse::Kind, std::string>;
  struct Known {
    Status answer;
    Clock::time_point learnt;
    Clock::time_point until;  // the cluster is not asked before
  };
  void Learn(const Question& question, Status answer, Callback<Status> done);

  mutable Mutex mutex_;
  std::map<Question, Known> known_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::gateway::redis
