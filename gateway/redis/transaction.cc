#include "gateway/redis/transaction.h"

#include <algorithm>
#include <set>
#include <utility>

#include "gateway/store/lost_race.h"

namespace ebla::gateway::redis {
namespace {

class TransactionRun : public std::enable_shared_from_this<TransactionRun> {
 public:
  explicit TransactionRun(Transaction transaction) : transaction_(std::move(transaction)) {
    std::set<std::string> keys(transaction_.keys.begin(), transaction_.keys.end());
    for (const WatchedKey& watched : transaction_.watched) keys.insert(watched.key);
    transaction_.keys.assign(keys.begin(), keys.end());
  }

  void Attempt() {
    if (transaction_.keys.size() > kCommitPartsMax)
      return Fail(Status(Code::kInvalidArgument, "a transaction has at most 1,000 keys"));
    staged_ = std::make_shared<StagedStore>(transaction_.context.store);
    staged_->Load(transaction_.keys, transaction_.context.until,
                  [self = shared_from_this()](const Status& loaded) { self->Begin(loaded); });
  }

 private:
  void Begin(const Status& loaded) {
    if (!loaded.ok()) return Fail(loaded);
    if (!std::ranges::all_of(transaction_.watched, [this](const auto& watched) { return IsAsItWas(watched); }))
      return transaction_.done(false);
    transaction_.body(staged_, [self = shared_from_this()](const Status& ran) {
      if (!ran.ok()) return self->Fail(ran);
      self->staged_->Commit(self->transaction_.context.until, [self](const Status& status) { self->End(status); });
    });
  }

  // What is gone because its time was over is as it was.
  bool IsAsItWas(const WatchedKey& watched) const {
    const Record* const record = staged_->Loaded(watched.key);
    if (record != nullptr) return watched.version == record->version;
    return !watched.version || (watched.expires_ms && *watched.expires_ms <= staged_->NowMs());
  }

  void End(const Status& status) {
    if (status.ok()) return transaction_.done(true);
    if (status.code() != Code::kConditionFailed) return Fail(status);
    if (std::chrono::steady_clock::now() >= transaction_.context.until)
      return Fail(Status(Code::kDeadlineExceeded, "others changed the keys each time until the deadline"));
    RetryAfterLosing(++lost_, *transaction_.context.executor, [self = shared_from_this()] { self->Attempt(); });
  }
  void Fail(const Status& status) { transaction_.done(Error(status)); }

  Transaction transaction_;
  std::shared_ptr<StagedStore> staged_;
  int lost_ = 0;
};

// What the staged store cannot tell without having loaded it.
std::vector<std::string> KeysToLoad(const std::vector<QueuedCommand>& commands, int64_t now_ms) {
  std::vector<std::string> keys;
  for (const auto& [command, words] : commands) {
    if (WritesBlindly(*command, words, now_ms)) continue;
    for (const std::string_view key : KeysOf(*command, words)) keys.emplace_back(key);
  }
  return keys;
}

// On a staged store every command ends within its start.
Status RunStaged(const StoreContext& context, const std::vector<QueuedCommand>& commands,
                 std::vector<std::string>& replies) {
  replies.clear();
  for (const auto& [command, words] : commands) {
    const auto reply = std::make_shared<std::optional<std::string>>();
    StoreCall call{context};
    call.command = command;
    call.words = words;
    call.done = [reply](std::string bytes) { *reply = std::move(bytes); };
    RunStoreCommand(std::move(call));
    if (!*reply)
      return Status(Code::kInternal, "the command " + std::string(command->name) + " waits in a transaction");
    replies.push_back(**std::move(reply));
  }
  return {};
}

}  // namespace

void RunTransaction(Transaction transaction) { std::make_shared<TransactionRun>(std::move(transaction))->Attempt(); }

void RunTogether(StoreContext context, std::vector<QueuedCommand> commands, std::vector<WatchedKey> watched,
                 Callback<Result<Replies>> done) {
  const auto replies = std::make_shared<std::vector<std::string>>();
  Transaction transaction{.context = context,
                          .keys = KeysToLoad(commands, context.store->NowMs()),
                          .watched = std::move(watched),
                          .body = {},
                          .done = {}};
  transaction.body = [context, commands = std::move(commands), replies](std::shared_ptr<StagedStore> staged,
                                                                        Transaction::BodyDone ran) mutable {
    context.store = std::move(staged);
    ran(RunStaged(context, commands, *replies));
  };
  transaction.done = [replies, done = std::move(done)](const Result<bool>& committed) mutable {
    if (!committed) return done(Error(committed.error()));
    done(*committed ? Replies(std::move(*replies)) : Replies());
  };
  RunTransaction(std::move(transaction));
}

}  // namespace ebla::gateway::redis
