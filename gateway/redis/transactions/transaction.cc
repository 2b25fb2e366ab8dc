#include "gateway/redis/transactions/transaction.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "gateway/redis/connections/connection_state.h"
#include "gateway/redis/scripts/scripts.h"
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
    view_ = std::make_shared<TransactionView>(transaction_.context.store);
    view_->Load(transaction_.keys, transaction_.context.until,
                [self = shared_from_this()](const Status& loaded) { self->Begin(loaded); });
  }

 private:
  void Begin(const Status& loaded) {
    if (!loaded.ok()) return Fail(loaded);
    if (!std::ranges::all_of(transaction_.watched, [this](const auto& watched) { return IsAsItWas(watched); }))
      return transaction_.done(false);
    transaction_.body(view_, [self = shared_from_this()](const Status& ran) {
      if (!ran.ok()) return self->Fail(ran);
      self->view_->Commit(self->transaction_.context.until, [self](const Status& status) { self->End(status); });
    });
  }

  bool IsAsItWas(const WatchedKey& watched) const {
    const Record* const record = view_->Loaded(watched.key);
    return record != nullptr ? watched.version == record->version : !watched.version;
  }

  void End(const Status& status) {
    if (status.ok()) return transaction_.done(true);
    if (status.code() != Code::kConditionFailed) return Fail(status);
    if (std::chrono::steady_clock::now() >= transaction_.context.until)
      return Fail(Status(Code::kDeadlineExceeded, "others changed the keys each time until the deadline"));
    RetryAfterLosing(++lost_, transaction_.context.executor(), [self = shared_from_this()] { self->Attempt(); });
  }
  void Fail(const Status& status) { transaction_.done(Error(status)); }

  Transaction transaction_;
  std::shared_ptr<TransactionView> view_;
  int lost_ = 0;
};

// The keys whose values the commands need.
std::vector<std::string> KeysToLoad(const std::vector<QueuedCommand>& commands, int64_t now_ms) {
  std::vector<std::string> keys;
  for (const auto& [command, words] : commands) {
    if (WritesBlindly(*command, *words, now_ms)) continue;
    std::ranges::move(CopiedKeysOf(*command, *words), std::back_inserter(keys));
  }
  return keys;
}

bool RunsAScript(const QueuedCommand& queued) { return queued.command->name.starts_with("eval"); }

// Runs the commands in turn on the transaction view, where each ends within its start. Yields its loop every few
// milliseconds. With a script among them, the commands run on a thread for scripts.
class TransactionCommands : public std::enable_shared_from_this<TransactionCommands> {
 public:
  TransactionCommands(StoreContext context, std::shared_ptr<const std::vector<QueuedCommand>> commands,
                      std::shared_ptr<std::vector<std::string>> replies, Transaction::BodyDone done)
      : context_(std::move(context)),
        commands_(std::move(commands)),
        replies_(std::move(replies)),
        done_(std::move(done)),
        blocks_(std::ranges::any_of(*commands_, RunsAScript)) {
    for (const std::string& reply : *replies_) *context_.reply_bytes -= reply.size();  // of a try that was in vain
    replies_->clear();
    *context_.effects = {};
  }

  // So many bytes were loaded.
  void Start(size_t bytes) {
    if (!blocks_) return Run();
    context_.shared().scripts->Run(context_.until, bytes, [self = shared_from_this()](const Status& may) {
      may.ok() ? self->Run() : self->done_(may);
    });
  }

 private:
  void Run() {
    constexpr std::chrono::milliseconds kSlice{5};
    const auto began = std::chrono::steady_clock::now();
    while (replies_->size() < commands_->size()) {
      const auto now = std::chrono::steady_clock::now();
      if (context_.gone()) return done_(Status(Code::kUnavailable, "the client has gone"));
      if (now >= context_.until) return done_(Status(Code::kDeadlineExceeded, "its commands took too long"));
      if (!blocks_ && now - began > kSlice)
        return context_.executor().Post([self = shared_from_this()] { self->Run(); });
      if (const Status status = RunNext(); !status.ok()) return done_(status);
    }
    done_({});
  }
  Status RunNext() {
    const auto& [command, words] = (*commands_)[replies_->size()];
    auto reply = RunAtOnce(context_, *command, *words);
    if (!reply) return Status(Code::kInternal, "the command " + std::string(command->name) + " waits in a transaction");
    if ((*context_.reply_bytes += reply->size()) > kRepliesBytesMax)
      return Status(Code::kOverloaded, "the replies of a transaction have more than 64 MiB together");
    replies_->push_back(*std::move(reply));
    return context_.effects->failure;
  }

  const StoreContext context_;
  const std::shared_ptr<const std::vector<QueuedCommand>> commands_;
  const std::shared_ptr<std::vector<std::string>> replies_;
  Transaction::BodyDone done_;
  const bool blocks_;
};

}  // namespace

void RunTransaction(Transaction transaction) { std::make_shared<TransactionRun>(std::move(transaction))->Attempt(); }

void RunTogether(StoreContext context, std::vector<QueuedCommand> commands, std::vector<WatchedKey> watched,
                 Callback<Result<Replies>> done) {
  const auto replies = std::make_shared<std::vector<std::string>>();
  context.effects = std::make_shared<Effects>();
  if (context.reply_bytes == nullptr) context.reply_bytes = std::make_shared<std::atomic<size_t>>(0);
  Transaction transaction{.context = context,
                          .keys = KeysToLoad(commands, context.store->NowMs()),
                          .watched = std::move(watched),
                          .body = {},
                          .done = {}};
  const auto shared = std::make_shared<const std::vector<QueuedCommand>>(std::move(commands));
  transaction.body = [context, shared, replies](std::shared_ptr<TransactionView> view,
                                                Transaction::BodyDone ran) mutable {
    const size_t bytes = view->loaded_bytes();
    context.store = std::move(view);
    std::make_shared<TransactionCommands>(context, shared, replies, std::move(ran))->Start(bytes);
  };
  transaction.done = [context, replies, done = std::move(done)](const Result<bool>& committed) mutable {
    if (!committed) return done(Error(committed.error()));
    if (!*committed) return done(Replies());
    for (const auto& [kind, channel, text] : context.effects->messages)
      context.shared().publisher->Publish(kind, channel, text, [](int64_t) {});
    done(std::move(*replies));
  };
  RunTransaction(std::move(transaction));
}

}  // namespace ebla::gateway::redis
