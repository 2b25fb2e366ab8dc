#include "tests/chaos/gateways/counters_subject.h"

#include <utility>

namespace ebla::chaos {
namespace {

constexpr char kRaise[] =
    "local sum = tonumber(redis.call('get', KEYS[1]) or '0') + tonumber(ARGV[1]) redis.call('set', KEYS[1], sum) "
    "return sum";

}  // namespace

class CountersSubject::Client final : public Caller {
 public:
  Client(CountersSubject& subject, int number)
      : Caller(subject.setting_, 100 + static_cast<uint64_t>(number)), subject_(subject) {}

 protected:
  void Ask() override {
    const auto counter = static_cast<size_t>(random_.Below(subject_.counters_.size()));
    key_ = subject_.Key(counter);
    counting_ = &subject_.counters_[counter];
    delta_ = 1 + static_cast<int64_t>(random_.Below(3));
    switch (random_.Below(6)) {
      case 0: return Look();
      case 1: return Raise("INCRBY", [this] { return Number(redis_.Call({"INCRBY", key_, std::to_string(delta_)})); });
      case 2:
        return Raise("EVAL",
                     [this] { return Number(redis_.Call({"EVAL", kRaise, "1", key_, std::to_string(delta_)})); });
      case 3: return Raise("EXEC", [this] { return Together(); });
      case 4: return Pipeline();
      default: return Watched();
    }
  }

 private:
  static Result<int64_t> Number(const Result<RedisValue>& answer) {
    return answer ? answer->AsNumber() : Error(answer.error());
  }
  template <class Call>
  void Raise(const char* what, Call call) {
    const EventNumber invoked = NextEvent();
    const Result<int64_t> sum = call();
    if (!sum && sum.error().code() == Code::kUnknownOutcome) counting_->Unknown(delta_);
    Told(what, delta_, invoked, sum);
  }
  void Told(const char* what, int64_t delta, EventNumber invoked, const Result<int64_t>& sum) {
    if (sum) counting_->Told({invoked, NextEvent()}, delta, *sum);
    Ended(what, sum ? Status() : sum.error());
  }

  // Commands of one key that are sent at once run one after the other.
  void Pipeline() {
    std::vector<RedisClient::Words> commands;
    for (uint64_t left = 2 + random_.Below(4); left > 0; --left)
      commands.push_back(left % 2 == 0 ? RedisClient::Words{"INCRBY", key_, std::to_string(delta_)}
                                       : RedisClient::Words{"EVAL", kRaise, "1", key_, std::to_string(delta_)});
    const EventNumber invoked = NextEvent();
    const auto answers = redis_.Pipeline(commands);
    int64_t reached = 0;
    for (const Result<RedisValue>& answer : answers) {
      const Result<int64_t> sum = Number(answer);
      if (!sum && sum.error().code() == Code::kUnknownOutcome) counting_->Unknown(delta_);
      Told("pipeline", delta_, invoked, sum);
      if (!sum) continue;
      if (*sum < reached + delta_)
        setting_.workers.Failed("a pipeline's commands of " + key_ + " came to " + std::to_string(reached) +
                                " and then to " + std::to_string(*sum));
      reached = *sum;
    }
  }

  void Look() {
    const EventNumber invoked = NextEvent();
    const Result<int64_t> found = Number(redis_.Call({"GET", key_}));
    Told("GET", 0, invoked, found);
  }

  Result<int64_t> Together() {
    EBLA_ASSIGN(const auto answers, redis_.Transact({{"INCRBY", key_, std::to_string(delta_)}}));
    if (!answers) return Error(Code::kInternal, "nil, where nothing is watched");
    return answers->front().AsNumber();
  }

  void Watched() {
    if (const Status watches = redis_.Watch({key_}); !watches.ok()) return Ended("WATCH", watches);
    const EventNumber invoked = NextEvent();
    const Result<int64_t> before = Number(redis_.Call({"GET", key_}));
    Told("GET", 0, invoked, before);
    if (!before) return redis_.Forget();
    const EventNumber asked = NextEvent();
    const auto answers = redis_.Transact({{"SET", key_, std::to_string(*before + delta_)}});
    if (!answers && answers.error().code() == Code::kUnknownOutcome) counting_->Unknown(delta_);
    if (answers && *answers) counting_->Told({asked, NextEvent()}, delta_, *before + delta_);
    Ended("EXEC", answers ? Status() : answers.error());
  }

  CountersSubject& subject_;
  std::string key_;
  Counting* counting_ = nullptr;
  int64_t delta_ = 0;
};

CountersSubject::CountersSubject(Setting setting, Options options)
    : setting_(std::move(setting)), options_(options), counters_(static_cast<size_t>(options.counters)) {}

// Every other one has a tag.
std::string CountersSubject::Key(size_t counter) const {
  const std::string name = "counter" + std::to_string(counter) + "-" + setting_.round;
  return counter % 2 == 0 ? name : "{" + name + "}";
}

std::vector<std::string> CountersSubject::Keys() const {
  std::vector<std::string> keys;
  for (size_t i = 0; i < counters_.size(); ++i) keys.push_back(Key(i));
  return keys;
}

size_t CountersSubject::told() const {
  size_t sum = 0;
  for (const Counting& counting : counters_) sum += counting.told();
  return sum;
}

void CountersSubject::Enlist() {
  for (int i = 0; i < options_.clients; ++i) setting_.workers.Add(std::make_unique<Client>(*this, i));
}

Result<std::vector<std::string>> CountersSubject::Judge() {
  RedisClient redis = JudgesClient(setting_);
  std::vector<std::string> problems;
  for (size_t i = 0; i < counters_.size(); ++i) {
    EBLA_ASSIGN(const RedisValue value, redis.Call({"GET", Key(i)}));
    EBLA_ASSIGN(const int64_t last, value.AsNumber());
    for (const std::string& problem : counters_[i].Judge(last)) problems.push_back(Key(i) + ": " + problem);
  }
  return problems;
}

}  // namespace ebla::chaos
