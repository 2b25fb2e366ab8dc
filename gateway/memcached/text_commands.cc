#include "gateway/memcached/text_commands.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "functions/memcached/numbers.h"
#include "gateway/memcached/operations.h"
#include "gateway/memcached/stats.h"
#include "gateway/store/items.h"
#include "gateway/store/read_keys.h"

namespace ebla::gateway::memcached {
namespace {

constexpr size_t kKeysAtATime = 64;        // that are touched
constexpr size_t kGetBytesMax = 64 << 20;  // of one reply
// The most that the increments of a batch add together. A number that so small a sum wraps around has twenty digits
// before, so it keeps this length, with blanks, whichever increment of the batch wraps it.
constexpr uint64_t kBatchedDeltaMax = uint64_t{1} << 32;
constexpr std::string_view kNotNumeric = "CLIENT_ERROR cannot increment or decrement non-numeric value";

// The values of a get in the form of its reply, key by key. A fault of one key leaves out no other value. Once the
// values exceed the bound together, the rest are left out.
class Values {
 public:
  // The part of the reply for one key; empty if the key was not found.
  struct Span {
    size_t begin = 0, size = 0;
    bool found = false, faulty = false;
  };

  Values(bool with_cas, Reply& reply) : with_cas_(with_cas), reply_(reply) {}

  Span Add(const std::string& key, const std::optional<FoundItem>& found) {
    if (!found) {
      ++reply_.misses;
      return {};
    }
    ++reply_.hits;
    std::string& out = reply_.bytes;
    const Item& item = found->item;
    const std::optional<uint64_t> cas = CasOf(found->version);
    if (with_cas_ && !cas)
      return Fail({Code::kInternal, "the version " + found->version.ToString() + " does not fit into a cas number"});
    if (!HasRoom(item.value.size())) return {.faulty = true};
    const size_t begin = out.size();
    out.append("VALUE ").append(key).append(" ").append(std::to_string(item.flags));
    out.append(" ").append(std::to_string(item.value.size()));
    if (with_cas_) out.append(" ").append(std::to_string(*cas));
    out.append("\r\n").append(item.value).append("\r\n");
    return {.begin = begin, .size = out.size() - begin, .found = true};
  }
  void Add(const std::string& key, Result<Record> record) {
    const Result<std::optional<FoundItem>> found = ItemIn(std::move(record));
    found.has_value() ? Add(key, *found) : Fail(found.error());
  }
  // The key is named again.
  void AddAgain(const Span& span) {
    if (span.faulty) return;
    ++(span.found ? reply_.hits : reply_.misses);
    if (HasRoom(span.size)) reply_.bytes.append(reply_.bytes, span.begin, span.size);
  }
  Span Fail(const Status& status) {
    if (fault_.ok()) fault_ = status;
    return {.faulty = true};
  }
  bool full() const { return full_; }
  // The values that were found precede an error.
  void End() {
    reply_.error = !fault_.ok();
    reply_.bytes.append(fault_.ok() ? "END" : ServerError(fault_)).append("\r\n");
  }

 private:
  bool HasRoom(size_t bytes) {
    if (!full_ && reply_.bytes.size() + bytes <= kGetBytesMax) return true;
    full_ = true;
    Fail({Code::kInvalidArgument, "the values are larger than 64 MiB together: ask for fewer keys at a time"});
    return false;
  }

  const bool with_cas_;
  Reply& reply_;
  Status fault_;
  bool full_ = false;
};

class GetCommand final : public CacheCommand {
 public:
  using CacheCommand::CacheCommand;

 protected:
  void Begin() override {
    if (request_.keys.empty()) return Finish();
    if (request_.keys.size() > 1) return GetMany();
    environment_.store.Get(request_.keys[0], Freshness::kAsConfigured, until_, [this](Result<Record> record) {
      values_.Add(request_.keys[0], std::move(record));
      Finish();
    });
  }

 private:
  void GetMany() {
    auto take = [this](const std::string& key, Result<Record> record) {
      values_.Add(key, std::move(record));
      return !values_.full();
    };
    ReadKeys(environment_.store, request_.keys, Freshness::kAsConfigured, until_, std::move(take),
             [this] { Finish(); });
  }
  void Finish() {
    values_.End();
    AnswerBytes(std::move(reply_));
  }

  Reply reply_;
  Values values_{request_.verb == Verb::kGets, reply_};
};

// Each key takes a write of its own: so many keys at the same time. The values are sent in the order of the keys; a key
// that is named again is touched once, and has its value sent again.
class GetAndTouchCommand final : public CacheCommand {
 public:
  using CacheCommand::CacheCommand;

 protected:
  void Begin() override {
    for (const std::string& key : request_.keys) {
      if (index_of_.emplace(key, distinct_.size()).second) distinct_.push_back(&key);
    }
    TouchSome();
  }

 private:
  void TouchSome() {
    const size_t count = std::min(distinct_.size() - done_, kKeysAtATime);
    if (count == 0 || values_.full()) return Finish();
    touched_.assign(count, Finding());
    left_ = count + 1;
    for (size_t i = 0; i < count; ++i) {
      ItemOrder order{.verb = ItemOrder::Verb::kTouch, .new_ttl = request_.exptime, .value_wanted = true};
      RunOrder({environment_.store, executor_, until_}, *distinct_[done_ + i], std::move(order),
               [this, i](Result<Finding> finding) {
                 touched_[i] = std::move(finding);
                 CountOne();
               });
    }
    CountOne();
  }

  // Counts the touches of a step, and the step's own start.
  void CountOne() {
    if (left_.fetch_sub(1) > 1) return;
    ShowSome();
    TouchSome();
  }

  // Adds the keys up to the first one that is still untouched. A new one among them was touched just now.
  void ShowSome() {
    for (; shown_ < request_.keys.size(); ++shown_) {
      const std::string& key = request_.keys[shown_];
      const size_t index = index_of_.find(key)->second;
      if (index >= done_ + touched_.size()) break;
      if (index < spans_.size()) {
        values_.AddAgain(spans_[index]);
        continue;
      }
      Result<Finding>& touched = touched_[index - done_];
      spans_.push_back(touched ? values_.Add(key, ItemOf(*std::move(touched))) : values_.Fail(touched.error()));
    }
    done_ += touched_.size();
    touched_.clear();
  }

  static std::optional<FoundItem> ItemOf(Finding finding) {
    if (finding.outcome != Outcome::kDone) return std::nullopt;
    Item item{.value = std::move(finding.value), .flags = finding.flags};
    return FoundItem{.item = std::move(item), .version = finding.version, .expires_ms = std::nullopt};
  }

  void Finish() {
    values_.End();
    AnswerBytes(std::move(reply_));
  }

  Reply reply_;
  Values values_{request_.verb == Verb::kGats, reply_};
  std::unordered_map<std::string_view, size_t> index_of_;  // in distinct_
  std::vector<const std::string*> distinct_;
  size_t done_ = 0;   // of distinct_
  size_t shown_ = 0;  // of the request's keys
  std::vector<Result<Finding>> touched_;
  std::vector<Values::Span> spans_;  // of those of distinct_ that were shown
  std::atomic<size_t> left_{0};
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

  // The sum of several incr is added at once. A decr stops at 0, which a sum would not.
  bool MayBatch(const Command& next) override {
    if (request_.verb != Verb::kIncr || next.kind() != kind() || Late()) return false;
    const uint64_t by = static_cast<const CountCommand&>(next).request_.delta;
    return request_.delta <= kBatchedDeltaMax && by <= kBatchedDeltaMax &&
           request_.delta + batched_delta_ + by <= kBatchedDeltaMax;
  }
  void AddToBatch(Command& next) override {
    auto* const batched = static_cast<CountCommand*>(&next);
    batched_delta_ += batched->request_.delta;
    batched_.push_back(batched);
  }

 protected:
  void Begin() override {
    const auto verb = request_.verb == Verb::kDecr ? ItemOrder::Verb::kDecrement : ItemOrder::Verb::kIncrement;
    Change({.verb = verb, .delta = request_.delta + batched_delta_}, [this](const Finding& counted) {
      uint64_t behind = batched_delta_;
      for (CountCommand* batched : batched_) {
        behind -= batched->request_.delta;
        batched->Answer(counted, behind);
      }
      Answer(counted, batched_delta_);
    });
  }
  void Fail(const Status& status) override {
    for (CountCommand* batched : batched_) batched->Fail(status);
    CacheCommand::Fail(status);
  }

 private:
  // `behind`: what was added after it.
  void Answer(const Finding& counted, uint64_t behind) {
    if (counted.outcome == Outcome::kNotFound) return AnswerLine("NOT_FOUND", {.misses = 1});
    if (counted.outcome != Outcome::kDone) return AnswerError(kNotNumeric);
    AnswerLine(std::to_string(counted.number - behind), {.hits = 1});
  }

  std::vector<CountCommand*> batched_;  // until they are answered; it is answered last, as it may be gone then
  uint64_t batched_delta_ = 0;          // of all of them
};

class DeleteCommand final : public CacheCommand {
 public:
  using CacheCommand::CacheCommand;

 protected:
  void Begin() override {
    RemoveItem({environment_.store, executor_, until_}, request_.keys[0], {}, [this](Result<Outcome> outcome) {
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
    Change({.verb = ItemOrder::Verb::kTouch, .new_ttl = request_.exptime}, [this](Finding touched) {
      if (touched.outcome == Outcome::kNotFound) return AnswerLine("NOT_FOUND", {.misses = 1});
      AnswerLine("TOUCHED", {.hits = 1});
    });
  }
};

class FlushCommand final : public CacheCommand {
 public:
  using CacheCommand::CacheCommand;
  bool alone() const override { return true; }

 protected:
  void Begin() override {
    const int64_t now_ms = environment_.store.NowMs();
    const std::optional<int64_t> at_ms = LifetimeOf(request_.exptime, now_ms).EndFrom(now_ms);
    if (!at_ms) {
      return environment_.flusher.Flush([this](Status status) {
        if (!status.ok()) return Fail(status);
        AnswerLine("OK");
      });
    }
    environment_.flusher.FlushAfter(std::chrono::milliseconds(*at_ms - now_ms), executor_);
    AnswerLine("OK");
  }
};

class StatsCommand final : public CacheCommand {
 public:
  using CacheCommand::CacheCommand;
  bool alone() const override { return true; }  // so that it counts the commands before it

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
