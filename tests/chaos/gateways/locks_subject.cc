#include "tests/chaos/gateways/locks_subject.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace ebla::chaos {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// The holder of the lock draws the next number; a former holder gets 0.
constexpr char kDraw[] =
    "if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end return redis.call('incr', KEYS[2])";
// The guarded number, for a caller whose token is the newest so far; -1 for other callers.
constexpr char kReadGuarded[] =
    "if tonumber(redis.call('get', KEYS[1]) or '0') > tonumber(ARGV[1]) then return -1 end "
    "redis.call('set', KEYS[1], ARGV[1]) return tonumber(redis.call('get', KEYS[2]) or '0')";
constexpr char kWriteGuarded[] =
    "if tonumber(redis.call('get', KEYS[1]) or '0') > tonumber(ARGV[1]) then return -1 end "
    "redis.call('set', KEYS[1], ARGV[1]) redis.call('set', KEYS[2], ARGV[2]) return 1";
constexpr char kGiveBack[] =
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0";

}  // namespace

class LocksSubject::Client final : public Caller {
 public:
  Client(LocksSubject& subject, int number)
      : Caller(subject.setting_, 300 + static_cast<uint64_t>(number)),
        subject_(subject),
        name_("h" + std::to_string(number)) {}

 protected:
  void Ask() override {
    number_ = static_cast<size_t>(random_.Below(subject_.locks_.size()));
    hold_ = {.client = name_, .lease = milliseconds(200 + random_.Below(1'300))};
    token_ = name_ + "." + std::to_string(++tokens_);
    hold_.asked = steady_clock::now();
    const auto got = redis_.Call({"SET", Key("lock"), token_, "NX", "PX", std::to_string(hold_.lease.count())});
    hold_.acquired = steady_clock::now();
    Ended("SET", got ? Status() : got.error());
    if (!got || got->kind == RedisValue::Kind::kNil) return;
    UseLock();
    if (random_.Below(5) != 0) GiveBack();
    lock().leases.Held(hold_);
  }

 private:
  Lock& lock() { return subject_.locks_[number_]; }
  std::string Key(const char* name) const { return subject_.Key(number_, name); }

  Result<int64_t> Run(const char* what, const RedisClient::Words& words) {
    const auto answer = redis_.Call(words);
    Result<int64_t> number = answer ? answer->AsNumber() : Error(answer.error());
    Ended(what, number ? Status() : number.error());
    return number;
  }

  void UseLock() {
    const EventNumber drawn = NextEvent();
    const auto fence = Run("draw", {"EVAL", kDraw, "2", Key("lock"), Key("fence"), token_});
    if (!fence && fence.error().code() == Code::kUnknownOutcome) lock().fence.Unknown(1);
    if (fence && *fence == 0) hold_.lost = std::min(hold_.lost, steady_clock::now());
    if (!fence || *fence == 0) return;
    lock().fence.Told({drawn, NextEvent()}, 1, *fence);

    const EventNumber read = NextEvent();
    const std::string number = std::to_string(*fence);
    const auto found = Run("read", {"EVAL", kReadGuarded, "2", Key("seen"), Key("guarded"), number});
    if (!found || *found < 0) return;
    lock().guarded.Told({read, NextEvent()}, 0, *found);
    // Sometimes longer than its lease.
    std::this_thread::sleep_for(milliseconds(random_.Below(random_.Below(4) == 0 ? 2'000 : 60)));

    const EventNumber written = NextEvent();
    const auto wrote =
        Run("write", {"EVAL", kWriteGuarded, "2", Key("seen"), Key("guarded"), number, std::to_string(*found + 1)});
    if (!wrote && wrote.error().code() == Code::kUnknownOutcome) lock().guarded.Unknown(1);
    if (wrote && *wrote == 1) lock().guarded.Told({written, NextEvent()}, 1, *found + 1);
  }

  void GiveBack() {
    hold_.given_back = steady_clock::now();
    const auto given = Run("give back", {"EVAL", kGiveBack, "1", Key("lock"), token_});
    if (given && *given == 0) hold_.lost = std::min(hold_.lost, steady_clock::now());
  }

  LocksSubject& subject_;
  const std::string name_;
  std::string token_;
  uint64_t tokens_ = 0;
  size_t number_ = 0;
  Hold hold_;
};

LocksSubject::LocksSubject(Setting setting, Options options)
    : setting_(std::move(setting)), options_(options), locks_(static_cast<size_t>(options.locks)) {}

std::string LocksSubject::Key(size_t lock, const std::string& name) const {
  return name + ":{lock" + std::to_string(lock) + "-" + setting_.round + "}";
}

std::vector<std::string> LocksSubject::Keys() const {
  std::vector<std::string> keys;
  for (size_t i = 0; i < locks_.size(); ++i) keys.push_back(Key(i, "lock"));
  return keys;
}

size_t LocksSubject::told() const {
  size_t sum = 0;
  for (const Lock& lock : locks_) sum += lock.guarded.told();
  return sum;
}

void LocksSubject::Enlist() {
  for (int i = 0; i < options_.clients; ++i) setting_.workers.Add(std::make_unique<Client>(*this, i));
}

Result<std::vector<std::string>> LocksSubject::Judge() {
  RedisClient redis = JudgesClient(setting_);
  std::vector<std::string> problems;
  for (size_t i = 0; i < locks_.size(); ++i) {
    const auto judge = [&](const Counting& counting, const char* name) -> Status {
      EBLA_ASSIGN(const RedisValue value, redis.Call({"GET", Key(i, name)}));
      EBLA_ASSIGN(const int64_t last, value.AsNumber());
      for (const std::string& problem : counting.Judge(last)) problems.push_back(Key(i, name) + ": " + problem);
      return Status::Ok();
    };
    EBLA_TRY(judge(locks_[i].fence, "fence"));
    EBLA_TRY(judge(locks_[i].guarded, "guarded"));
    for (const std::string& problem : locks_[i].leases.Judge()) problems.push_back(Key(i, "lock") + ": " + problem);
  }
  return problems;
}

}  // namespace ebla::chaos
