#include "gateway/redis/transactions/multi.h"

#include <algorithm>
#include <atomic>
#include <map>

#include "gateway/redis/commands/fan_out.h"
#include "gateway/redis/commands/keys/key_commands.h"
#include "gateway/redis/connections/connection_state.h"
#include "gateway/redis/databases/key_codec.h"

namespace ebla::gateway::redis {
namespace {

constexpr std::string_view kOrEachGroup =
    ", or make each group's commands a transaction of their own: CONFIG SET ebla.transactions each-group for this "
    "connection, --redis_transactions=each-group for the gateway";
constexpr std::string_view kWatched = ", as that of what is watched";

std::vector<std::string> KeysIn(const QueuedCommand& queued) { return CopiedKeysOf(*queued.command, *queued.words); }

// The next step: transactions of several groups at the same time, or a single command. Commands are named by their
// places.
struct Act {
  std::map<std::string, std::vector<size_t>> groups;
  std::optional<size_t> single;
};

class Queued : public std::enable_shared_from_this<Queued> {
 public:
  explicit Queued(QueuedRun run) : run_(std::move(run)), replies_(run_.commands.size()) {}

  void Start() {
    if (!run_.watched.empty() || OneGroupOnly()) {
      std::vector<std::string> keys;
      for (const WatchedKey& watched : run_.watched) keys.push_back(watched.key);
      for (const QueuedCommand& queued : run_.commands) std::ranges::copy(KeysIn(queued), std::back_inserter(keys));
      if (!keys.empty() && !OneGroupOf(keys))
        return Fail(std::string(kCrossSlot) + std::string(OneGroupOnly() ? kOrEachGroup : kWatched));
    }
    Plan();
    GoOn();
  }

 private:
  bool OneGroupOnly() const { return run_.transactions == Transactions::kOneGroup; }

  // If each group's commands are a transaction, a command of several groups runs after those before it, and before
  // those after it. Commands without keys run at the end, so that they cut no transaction.
  void Plan() {
    std::vector<size_t> without_keys;
    acts_.emplace_back();
    if (!run_.watched.empty()) acts_[0].groups[GroupOf(run_.watched.front().key)] = {};
    for (size_t place = 0; place < run_.commands.size(); ++place) {
      const std::vector<std::string> keys = KeysIn(run_.commands[place]);
      if (keys.empty()) {
        without_keys.push_back(place);
      } else if (const auto group = OneGroupOf(keys)) {
        acts_.back().groups[*group].push_back(place);
      } else {
        acts_.push_back({.single = place});
        acts_.emplace_back();
      }
    }
    for (const size_t place : without_keys) acts_.push_back({.single = place});
  }

  // Runs act after act, without recursion if an act ends within its start.
  void GoOn() {
    enum State { kBegun, kEnded, kLeft };
    while (at_ < acts_.size() && !failed_) {
      const auto state = std::make_shared<std::atomic<int>>(kBegun);
      Begin(acts_[at_++], [self = shared_from_this(), state] {
        if (state->exchange(kEnded) == kLeft) self->GoOn();
      });
      if (state->exchange(kLeft) == kBegun) return;
    }
    if (!failed_) Finish();
  }

  void Begin(Act& act, std::move_only_function<void()> done) {
    if (act.single) {
      return RunOne(*act.single, [self = shared_from_this(), done = std::move(done)](const Status&) mutable {
        if (const Status status = self->Room(); !status.ok()) self->Fail(FailureText(status));
        done();
      });
    }
    std::vector<std::vector<size_t>> groups;
    for (auto& [group, places] : act.groups) groups.push_back(std::move(places));
    const size_t count = groups.size();
    auto start = [self = shared_from_this(), groups = std::move(groups)](size_t one, std::shared_ptr<FanOut> all) {
      self->RunGroup(groups[one], std::move(all));
    };
    FanOut::Start(
        count, std::move(start),
        [self = shared_from_this(), done = std::move(done)](const Status& failure, int64_t unchanged) mutable {
          if (!failure.ok()) self->Fail(FailureText(failure));
          if (failure.ok() && unchanged > 0) self->End(Reply(self->run_.context.protocol).NullArray());
          done();
        });
  }

  void RunGroup(const std::vector<size_t>& places, std::shared_ptr<FanOut> all) {
    // One command of one key is a transaction as it is.
    const bool as_it_is =
        places.size() == 1 && run_.watched.empty() && run_.commands[places.front()].command->runner.update != nullptr;
    if (as_it_is)
      return RunOne(places.front(), [self = shared_from_this(), all = std::move(all)](const Status& fault) {
        all->End(self->IsOfTheWhole(fault) ? fault : self->Room());
      });
    std::vector<QueuedCommand> commands;
    for (const size_t place : places) commands.push_back(std::move(run_.commands[place]));
    StoreContext context = run_.context;
    context.reply_bytes = reply_bytes_;
    RunTogether(std::move(context), std::move(commands), run_.watched,
                [self = shared_from_this(), places, all = std::move(all)](Result<Replies> replies) {
                  if (replies && !*replies) return all->End({}, true);
                  if (!replies && self->OneGroupOnly()) return all->End(replies.error());
                  for (size_t i = 0; i < places.size(); ++i) {
                    self->replies_[places[i]] =
                        replies ? std::move((**replies)[i]) : Reply().Failure(FailureText(replies.error())).Take();
                  }
                  all->End(self->Room());
                });
  }

  // A failure of the store is EXEC's answer, not that of one command. A record that holds no value of Redis (INTERNAL,
  // see item_codec.h) fails its own command alone.
  bool IsOfTheWhole(const Status& fault) const { return OneGroupOnly() && fault.code() != Code::kInternal; }

  void RunOne(size_t place, std::move_only_function<void(const Status& fault)> done) {
    const auto& [command, words] = run_.commands[place];
    if (command->Is(kOwn)) {
      // On the connection's loop, which its state belongs to.
      return run_.context.executor().Post([self = shared_from_this(), place, done = std::move(done)]() mutable {
        self->SetReply(place, self->run_.answer(self->run_.commands[place]));
        done({});
      });
    }
    if (command->name == "msetnx" && !OneGroupOf(KeysIn(run_.commands[place]))) {
      SetReply(place, Reply().Failure(kCrossSlot).Take());
      return done({});
    }
    StoreCall call{run_.context, *command, *words};
    call.fault = std::make_shared<Status>();
    call.done = [self = shared_from_this(), place, fault = call.fault,
                 done = std::move(done)](std::string reply) mutable {
      self->SetReply(place, std::move(reply));
      done(*fault);
    };
    RunStoreCommand(std::move(call));
  }

  void SetReply(size_t place, std::string reply) {
    *reply_bytes_ += reply.size();
    replies_[place] = std::move(reply);
  }
  // Asked whenever a reply is there: many groups, whose replies are large, may be begun at a time.
  Status Room() const {
    if (*reply_bytes_ <= kRepliesBytesMax) return {};
    return {Code::kOverloaded,
            "the replies of this transaction have more than 64 MiB together; what comes before them has happened"};
  }
  void Finish() {
    Reply reply(run_.context.protocol);
    reply.Array(replies_.size());
    for (const std::string& one : replies_) {
      run_.context.shared().errors->Count(one);
      reply.Add(one);
    }
    run_.done(reply.Take());
  }
  void Fail(std::string_view text) { End(Reply(run_.context.protocol).Failure(text)); }
  void End(Reply& reply) {
    failed_ = true;
    run_.done(reply.Take());
  }

  QueuedRun run_;
  std::vector<std::string> replies_;
  const std::shared_ptr<std::atomic<size_t>> reply_bytes_ = std::make_shared<std::atomic<size_t>>(0);
  std::vector<Act> acts_;
  size_t at_ = 0;
  bool failed_ = false;  // it has been answered
};

}  // namespace

std::optional<std::string> OneGroupOf(const std::vector<std::string>& keys) {
  if (keys.empty()) return std::nullopt;
  const std::string group = GroupOf(keys.front());
  const bool one = std::all_of(keys.begin() + 1, keys.end(),
                               [&](const std::string& key) { return key == keys.front() || GroupOf(key) == group; });
  return one ? std::optional(group) : std::nullopt;
}

// ---- the queue ------------------------------------------------------------------------------------------------------

void MultiQueue::Break() {
  if (open_) broken_ = true;
  commands_.clear();
  bytes_ = 0;
}

std::string_view MultiQueue::Add(const CommandInfo& command, Words& words) {
  const auto refuse = [this](std::string_view why) {
    Break();
    return why;
  };
  if (command.name == "auth") return refuse("ERR AUTH within MULTI is not served by Ebla");
  if (command.name == "hello") return refuse("ERR HELLO within MULTI is not served by Ebla");
  if (command.name == "select") return refuse("ERR SELECT within MULTI is not served by Ebla");
  if (command.name.ends_with("subscribe"))
    return refuse("ERR SUBSCRIBE and its kin within MULTI are not served by Ebla");
  if (command.name == "flushdb" || command.name == "flushall")
    return refuse("ERR FLUSHDB and FLUSHALL within MULTI are not served by Ebla");
  if (NamedDatabase(command, words)) return refuse("ERR COPY with DB within MULTI is not served by Ebla");
  for (const std::string& word : words) bytes_ += word.size() + sizeof word;
  if (bytes_ > kBytesMax || commands_.size() == kCommandsMax)
    return refuse("ERR a transaction has at most 100000 commands and 64 MiB");
  if (!broken_) commands_.push_back({&command, std::make_shared<const Words>(std::move(words))});
  return {};
}

std::vector<QueuedCommand> MultiQueue::Close() {
  open_ = broken_ = false;
  bytes_ = 0;
  return std::exchange(commands_, {});
}

// ---- EXEC -----------------------------------------------------------------------------------------------------------

void RunQueued(QueuedRun run) { std::make_shared<Queued>(std::move(run))->Start(); }

}  // namespace ebla::gateway::redis
