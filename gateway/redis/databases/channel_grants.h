// gateway/redis/databases/channel_grants.h
// Which channels a user may listen to, and where it may publish: a channel is guarded as the record of its name is, in the
// table that all gateways of these channels serve. SUBSCRIBE takes a grant to read that record; PSUBSCRIBE one to read
// every record that begins as the pattern does before its first special character; PUBLISH one to write the record. A
// record, not a key: what has a {tag} lies elsewhere (key_codec.h), where grants of a prefix do not reach.
// Place:   open_tables.h has one for each user, where a gateway knows users.
// How:     it asks the cluster, in the user's name: reads the record, scans for one of those, deletes a version of the record
//          that there never is. What was answered holds for kBelievedFor, and while the cluster cannot say, for which nobody
//          waits longer than kAskAgain then, for kBelievedAtMost.
// Bounds:  kKnownMax answers are known; then all are forgotten. Of longer names than channels may have nothing is.
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

  // True: `answer` is what was answered not long ago.
  bool Knows(const ChannelUse& use, Status& answer) const;
  // `records`: of the table, as the user sees it. `done` is called once, on any thread. PERMISSION_DENIED names the grant
  // that is lacking; others are the store's.
  void Ask(std::shared_ptr<Store> records, const ChannelUse& use, Until until, Callback<Status> done);

 private:
  using Clock = std::chrono::steady_clock;
  using Question = std::pair<ChannelUse::Kind, std::string>;
  struct Known {
    Status answer;
    Clock::time_point learnt;
    Clock::time_point until;  // nobody is asked before
  };
  void Learn(const Question& question, Status answer, Callback<Status> done);

  mutable Mutex mutex_;
  std::map<Question, Known> known_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::gateway::redis
