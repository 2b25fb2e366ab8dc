#include "gateway/memcached/text_commands.h"

#include <algorithm>
#include <optional>

#include "gateway/memcached/numbers.h"
#include "gateway/memcached/operations.h"
#include "gateway/memcached/stats.h"
#include "gateway/store/flush_table.h"

namespace ebla::gateway::memcached {
namespace {

constexpr size_t kKeysAtATime = 64;        // of one get
constexpr size_t kGetBytesMax = 64 << 20;  // of one reply
constexpr std::string_view kNotNumeric = "CLIENT_ERROR cannot increment or decrement non-numeric value";

// The values of a get as they are sent, one key after the other.
class Values {
 public:
  Values(bool with_cas, Reply& reply) : with_cas_(with_cas), reply_(reply) {}

  void Add(const std::string& key, const std::optional<FoundItem>& found) {
    if (!found) {
      ++reply_.misses;
      return;
    }
    ++reply_.hits;
    std::string& out = reply_.bytes;
    const Item& item = found->item;
    const std::optional<uint64_t> cas = CasOf(found->version);
    if (with_cas_ && !cas)
      return Fail({Code::kInternal, "the version " + found->version.ToString() + " does not fit into a cas number"});
    if (out.size() + item.value.size() > kGetBytesMax)
      return Fail({Code::kInvalidArgument, "the values are larger than 64 MiB together: ask for fewer keys at a time"});
    out.append("VALUE ").append(key).append(" ").append(std::to_string(item.flags));
    out.append(" ").append(std::to_string(item.value.size()));
    if (with_cas_) out.append(" ").append(std::to_string(*cas));
    out.append("\r\n").append(item.value).append("\r\n");
  }
  void Add(const std::string& key, Result<Record> record) {
    const Result<std::optional<FoundItem>> found = ItemIn(std::move(record));
    if (!found.has_value()) return Fail(found.error());
    Add(key, *found);
  }
  void Fail(const Status& status) {
    if (fault_.ok()) fault_ = status;
  }
  bool ok() const { return fault_.ok(); }
  // What was found stands before an error, so that one key's does not take the others' values with it.
  void End() {
    reply_.error = !fault_.ok();
    reply_.bytes.append(fault_.ok() ? "END" : ServerError(fault_)).append("\r\n");
  }

 private:
  const bool with_cas_;
  Reply& reply_;
  Status fault_;
};

class GetCommand final : public CacheCommand {
 public:
  using CacheCommand::CacheCommand;

 protected:
  void Begin() override {
    if (request_.keys.size() > 1) return NextKeys();
    if (request_.keys.empty()) return Finish();
    environment_.store.Get(request_.keys[0], Freshness::kAsConfigured, until_, [this](Result<Record> record) {
      values_.Add(request_.keys[0], std::move(record));
      Finish();
    });
  }

 private:
  void NextKeys() {
    const size_t count = std::min(request_.keys.size() - next_, kKeysAtATime);
    if (count == 0 || !values_.ok()) return Finish();
    const auto first = request_.keys.begin() + static_cast<std::ptrdiff_t>(next_);
    environment_.store.MultiGet({first, first + static_cast<std::ptrdiff_t>(count)}, Freshness::kAsConfigured, until_,
                                [this](std::vector<Result<Record>> records) {
                                  for (Result<Record>& record : records)
                                    values_.Add(request_.keys[next_++], std::move(record));
                                  NextKeys();
                                });
  }
  void Finish() {
    values_.End();
    AnswerBytes(std::move(reply_));
  }

  Reply reply_;
  Values values_{request_.verb == Verb::kGets, reply_};
  size_t next_ = 0;
};

// All keys at the same time, as each takes a read and a write. The values are sent in the order of the keys.
class GetAndTouchCommand final : public CacheCommand {
 public:
  using CacheCommand::CacheCommand;

 protected:
  void Begin() override {
    found_.resize(request_.keys.size());
    {
      MutexLock lock(mutex_);
      left_ = request_.keys.size() + 1;
    }
    for (size_t i = 0; i < found_.size(); ++i) {
      const Lifetime lifetime = LifetimeOf(request_.exptime, environment_.store.NowMs());
      auto decide = [this, i, lifetime](std::optional<FoundItem> found) {
        found_[i] = found;
        return found ? ItemStep::Put(std::move(found->item), lifetime) : ItemStep::Nothing();
      };
      ChangeItem(environment_.store, executor_, request_.keys[i], until_, std::move(decide),
                 [this, i](Result<Version> version) {
                   if (version.has_value() && *version) found_[i]->version = *version;
                   CountOne(version.has_value() ? Status() : std::move(version.error()));
                 });
    }
    CountOne({});
  }

 private:
  void CountOne(Status status) {
    {
      MutexLock lock(mutex_);
      if (!status.ok() && outcome_.ok()) outcome_ = std::move(status);
      if (--left_ > 0) return;
      if (!outcome_.ok()) values_.Fail(outcome_);
    }
    if (values_.ok()) {
      for (size_t i = 0; i < found_.size(); ++i) values_.Add(request_.keys[i], found_[i]);
    }
    values_.End();
    AnswerBytes(std::move(reply_));
  }

  Reply reply_;
  Values values_{request_.verb == Verb::kGats, reply_};
  std::vector<std::optional<FoundItem>> found_;
  Mutex mutex_;
  size_t left_ EBLA_GUARDED_BY(mutex_) = 0;
  Status outcome_ EBLA_GUARDED_BY(mutex_);
};

class StoreCommand final : public CacheCommand {
 public:
  using CacheCommand::CacheCommand;

 protected:
  void Begin() override {
    StoreOrder order{.key = request_.keys[0],
                     .value = std::move(request_.value),
                     .flags = request_.flags,
                     .exptime = request_.exptime};
    switch (request_.verb) {
      case Verb::kAdd: order.mode = StoreMode::kAdd; break;
      case Verb::kReplace: order.mode = StoreMode::kReplace; break;
      case Verb::kAppend: order.mode = StoreMode::kAppend; break;
      case Verb::kPrepend: order.mode = StoreMode::kPrepend; break;
      case Verb::kCas: order.cas = request_.cas; break;
      default: break;
    }
    StoreItem({environment_.store, executor_, until_}, std::move(order), [this](Result<Stored> stored) {
      if (!stored.has_value()) return Fail(stored.error());
      switch (stored->outcome) {
        case Outcome::kExists: return AnswerLine("EXISTS");
        case Outcome::kNotFound: return AnswerLine("NOT_FOUND", {.misses = 1});
        case Outcome::kNotStored: return AnswerLine("NOT_STORED", {.misses = 1});
        default: return AnswerLine("STORED", {.hits = 1});
      }
    });
  }
};

class CountCommand final : public CacheCommand {
 public:
  using CacheCommand::CacheCommand;

 protected:
  void Begin() override {
    CountOrder order{.key = request_.keys[0], .delta = request_.delta, .down = request_.verb == Verb::kDecr};
    CountItem({environment_.store, executor_, until_}, std::move(order), [this](Result<Counted> counted) {
      if (!counted.has_value()) return Fail(counted.error());
      if (counted->outcome == Outcome::kNotFound) return AnswerLine("NOT_FOUND", {.misses = 1});
      if (counted->outcome != Outcome::kDone) return AnswerError(kNotNumeric);
      AnswerLine(std::to_string(counted->number), {.hits = 1});
    });
  }
};

class DeleteCommand final : public CacheCommand {
 public:
  using CacheCommand::CacheCommand;

 protected:
  void Begin() override {
    RemoveItem({environment_.store, executor_, until_}, {.key = request_.keys[0]}, [this](Result<Outcome> outcome) {
      if (!outcome.has_value()) return Fail(outcome.error());
      if (*outcome == Outcome::kNotFound) return AnswerLine("NOT_FOUND", {.misses = 1});
      AnswerLine("DELETED", {.hits = 1});
    });
  }
};

class TouchCommand final : public CacheCommand {
 public:
  using CacheCommand::CacheCommand;

 protected:
  void Begin() override {
    const Lifetime lifetime = LifetimeOf(request_.exptime, environment_.store.NowMs());
    auto decide = [this, lifetime](std::optional<FoundItem> found) {
      found_ = found.has_value();
      return found_ ? ItemStep::Put(std::move(found->item), lifetime) : ItemStep::Nothing();
    };
    ChangeItem(environment_.store, executor_, request_.keys[0], until_, std::move(decide),
               [this](Result<Version> version) {
                 if (!version.has_value()) return Fail(version.error());
                 if (!found_) return AnswerLine("NOT_FOUND", {.misses = 1});
                 AnswerLine("TOUCHED", {.hits = 1});
               });
  }

 private:
  bool found_ = false;
};

class FlushCommand final : public CacheCommand {
 public:
  using CacheCommand::CacheCommand;
  bool alone() const override { return true; }

 protected:
  void Begin() override {
    const uint64_t number = ++environment_.flushes;
    const Lifetime delay = LifetimeOf(request_.exptime, environment_.store.NowMs());
    if (delay.kind != Lifetime::Kind::kLimited) {
      return FlushTable(environment_.store, environment_.deadline, [this](Status status) {
        if (!status.ok()) return Fail(status);
        AnswerLine("OK");
      });
    }
    executor_.After(delay.ttl, [&environment = environment_, number] {
      if (environment.flushes.load() != number) return;
      ++environment.background;
      FlushTable(environment.store, environment.deadline, [&environment](Status) {
        --environment.background;  // there is nobody left to tell how it went
      });
    });
    AnswerLine("OK");
  }
};

class StatsCommand final : public CacheCommand {
 public:
  using CacheCommand::CacheCommand;
  bool alone() const override { return true; }  // so that it counts what came before it

 protected:
  void Begin() override {
    std::string text = StatsText(environment_, request_.text);
    AnswerBytes({.bytes = std::move(text)});
  }
};

class FixedCommand final : public CacheCommand {
 public:
  using CacheCommand::CacheCommand;

 protected:
  void Begin() override { AnswerLine(request_.text, {.error = request_.failed}); }
};

class TooLargeCommand final : public CacheCommand {
 public:
  using CacheCommand::CacheCommand;

 protected:
  void Begin() override {
    if (request_.verb != Verb::kSet && request_.verb != Verb::kMetaSet) return AnswerError(kTooLarge);
    environment_.store.Delete(request_.keys[0], Condition::None(), until_, [this](Status status) {
      if (!status.ok()) return Fail(status);
      AnswerError(kTooLarge);
    });
  }
};

}  // namespace

std::string ServerError(const Status& status) {
  std::string line = "SERVER_ERROR " + status.ToString();
  std::ranges::replace_if(line, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  constexpr size_t kLongest = 1000;
  if (line.size() > kLongest) line.resize(kLongest);
  return line;
}

std::unique_ptr<Command> MakeTooLargeCommand(Environment& environment, Executor& executor, Request request) {
  return std::make_unique<TooLargeCommand>(environment, executor, std::move(request));
}

std::unique_ptr<Command> MakeTextCommand(Environment& environment, Executor& executor, Request request) {
  switch (request.verb) {
    case Verb::kGet:
    case Verb::kGets: return std::make_unique<GetCommand>(environment, executor, std::move(request));
    case Verb::kGat:
    case Verb::kGats: return std::make_unique<GetAndTouchCommand>(environment, executor, std::move(request));
    case Verb::kSet:
    case Verb::kAdd:
    case Verb::kReplace:
    case Verb::kAppend:
    case Verb::kPrepend:
    case Verb::kCas: return std::make_unique<StoreCommand>(environment, executor, std::move(request));
    case Verb::kIncr:
    case Verb::kDecr: return std::make_unique<CountCommand>(environment, executor, std::move(request));
    case Verb::kDelete: return std::make_unique<DeleteCommand>(environment, executor, std::move(request));
    case Verb::kTouch: return std::make_unique<TouchCommand>(environment, executor, std::move(request));
    case Verb::kFlushAll: return std::make_unique<FlushCommand>(environment, executor, std::move(request));
    case Verb::kStats: return std::make_unique<StatsCommand>(environment, executor, std::move(request));
    default: return std::make_unique<FixedCommand>(environment, executor, std::move(request));
  }
}

}  // namespace ebla::gateway::memcached
