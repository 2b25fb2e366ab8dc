#include "gateway/redis/multi.h"

#include <algorithm>
#include <map>

#include "gateway/redis/record_key.h"
#include "gateway/redis/spread.h"

namespace ebla::gateway::redis {
namespace {

constexpr std::string_view kOrEachGroup =
    ", or make each group's commands a transaction of their own with CONFIG SET ebla.transactions each-group";

std::vector<std::string> KeysIn(const QueuedCommand& queued) {
  const std::vector<std::string_view> keys = KeysOf(*queued.command, queued.words);
  return {keys.begin(), keys.end()};
}

// Commands by their places: those of each group are a transaction, all groups go on at the same time; then the others,
// one after the other.
struct Step {
  std::map<std::string, std::vector<size_t>> groups;
  std::vector<size_t> after;
};

class Queued : public std::enable_shared_from_this<Queued> {
 public:
  explicit Queued(QueuedRun run) : run_(std::move(run)) {}

  void Start() {
    if (!run_.watched.empty() || run_.transactions == Transactions::kOneGroup) {
      std::vector<std::string> keys;
      for (const WatchedKey& watched : run_.watched) keys.push_back(watched.key);
      for (const QueuedCommand& queued : run_.commands) std::ranges::copy(KeysIn(queued), std::back_inserter(keys));
      if (!keys.empty() && !OneGroupOf(keys)) return Fail(std::string(kCrossSlot) + std::string(kOrEachGroup));
    }
    Plan();
    Next();
  }

 private:
  void Plan() {
    steps_.emplace_back();
    if (!run_.watched.empty()) steps_[0].groups[GroupOf(run_.watched.front().key)] = {};
    for (size_t place = 0; place < run_.commands.size(); ++place) {
      if (run_.replies[place]) continue;
      const std::vector<std::string> keys = KeysIn(run_.commands[place]);
      if (const auto group = OneGroupOf(keys)) {
        steps_.back().groups[*group].push_back(place);
        continue;
      }
      steps_.back().after.push_back(place);
      if (!keys.empty()) steps_.emplace_back();  // what comes next may be about its keys
    }
  }

  void Next() {
    if (at_ == steps_.size()) return Finish();
    std::vector<std::vector<size_t>> groups;
    for (auto& [group, places] : steps_[at_].groups) groups.push_back(std::move(places));
    const size_t count = groups.size();
    auto start = [self = shared_from_this(), groups = std::move(groups)](size_t one, std::shared_ptr<Spread> all) {
      self->RunGroup(groups[one], std::move(all));
    };
    Spread::Start(count, std::move(start), [self = shared_from_this()](const Status& failure, int64_t unchanged) {
      if (!failure.ok()) return self->Fail(FailureText(failure));
      unchanged > 0 ? self->run_.done(Reply(self->run_.context.protocol).NullArray().Take()) : self->RunAfter(0);
    });
  }

  void RunGroup(const std::vector<size_t>& places, std::shared_ptr<Spread> all) {
    if (places.size() == 1 && run_.watched.empty()) return RunAlone(places.front(), std::move(all));
    std::vector<QueuedCommand> commands;
    for (const size_t place : places) commands.push_back(std::move(run_.commands[place]));
    RunTogether(run_.context, std::move(commands), run_.watched,
                [self = shared_from_this(), places, all = std::move(all)](Result<Replies> replies) {
                  if (!replies) return all->End(replies.error());
                  if (!*replies) return all->End({}, true);
                  for (size_t i = 0; i < places.size(); ++i) self->run_.replies[places[i]] = std::move((**replies)[i]);
                  all->End({});
                });
  }
  // One command of one group is a transaction as it is.
  void RunAlone(size_t place, std::shared_ptr<Spread> all) {
    RunOne(place, [all = std::move(all)] { all->End({}); });
  }

  void RunAfter(size_t one) {
    if (one == steps_[at_].after.size()) {
      ++at_;
      return Next();
    }
    RunOne(steps_[at_].after[one], [self = shared_from_this(), one] { self->RunAfter(one + 1); });
  }
  void RunOne(size_t place, std::move_only_function<void()> done) {
    StoreCall call{run_.context};
    call.command = run_.commands[place].command;
    call.words = std::move(run_.commands[place].words);
    call.done = [self = shared_from_this(), place, done = std::move(done)](std::string reply) mutable {
      self->run_.replies[place] = std::move(reply);
      done();
    };
    RunStoreCommand(std::move(call));
  }

  void Finish() {
    Reply reply(run_.context.protocol);
    reply.Array(run_.replies.size());
    for (const auto& one : run_.replies) reply.Add(*one);
    run_.done(reply.Take());
  }
  void Fail(std::string_view text) { run_.done(Reply(run_.context.protocol).Failure(text).Take()); }

  QueuedRun run_;
  std::vector<Step> steps_;
  size_t at_ = 0;
};

}  // namespace

std::optional<std::string> OneGroupOf(const std::vector<std::string>& keys) {
  if (keys.empty()) return std::nullopt;
  const std::string group = GroupOf(keys.front());
  const bool one = std::all_of(keys.begin() + 1, keys.end(),
                               [&](const std::string& key) { return key == keys.front() || GroupOf(key) == group; });
  return one ? std::optional(group) : std::nullopt;
}

// ---- the queue --------------------------------------------------------------------------------------------------------

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
  if (command.name == "select") return refuse("ERR SELECT within MULTI is not served by Ebla");
  if (command.name.ends_with("subscribe"))
    return refuse("ERR SUBSCRIBE and its kin within MULTI are not served by Ebla");
  if (command.name == "flushdb" || command.name == "flushall")
    return refuse("ERR FLUSHDB and FLUSHALL within MULTI are not served by Ebla");
  if (command.name == "copy" && words.size() > 4 &&
      std::any_of(words.begin() + 3, words.end(), [](const std::string& word) { return IsWord(word, "DB"); }))
    return refuse("ERR COPY to another database within MULTI is not served by Ebla");
  for (const std::string& word : words) bytes_ += word.size() + sizeof word;
  if (bytes_ > kBytesMax || commands_.size() == kCommandsMax)
    return refuse("ERR a transaction has at most 100000 commands and 64 MiB");
  if (!broken_) commands_.push_back({&command, std::move(words)});
  return {};
}

std::vector<QueuedCommand> MultiQueue::Close() {
  open_ = broken_ = false;
  bytes_ = 0;
  return std::exchange(commands_, {});
}

// ---- EXEC -------------------------------------------------------------------------------------------------------------

void RunQueued(QueuedRun run) { std::make_shared<Queued>(std::move(run))->Start(); }

}  // namespace ebla::gateway::redis
