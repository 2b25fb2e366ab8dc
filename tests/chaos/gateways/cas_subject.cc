#include "tests/chaos/gateways/cas_subject.h"

#include <charconv>
#include <utility>

namespace ebla::chaos {
namespace {

Result<int64_t> NumberIn(const MemcachedItem& item) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(item.value.data(), item.value.data() + item.value.size(), number);
  if (error != std::errc() || end != item.value.data() + item.value.size())
    return Error(Code::kInternal, "not a number: " + item.value);
  return number;
}

}  // namespace

class CasSubject::Client final : public Caller {
 public:
  Client(CasSubject& subject, int number)
      : Caller(subject.setting_, 400 + static_cast<uint64_t>(number)),
        subject_(subject),
        memcached_(subject.setting_.gateways, OptionsAt(number)) {}

 protected:
  void Ask() override {
    const auto number = static_cast<size_t>(random_.Below(subject_.items_.size()));
    key_ = subject_.Key(number);
    item_ = &subject_.items_[number];
    delta_ = 1 + static_cast<int64_t>(random_.Below(3));
    if (random_.Below(4) == 0) return Increase();
    const EventNumber invoked = NextEvent();
    const auto found = memcached_.Gets(key_);
    if (!found && found.error().code() == Code::kNotFound) return Begin(invoked);
    Ended("gets", found ? Status() : found.error());
    if (!found) return;
    const Span span{invoked, NextEvent()};
    const auto before = NumberIn(*found);
    if (!before) return Ended("gets", before.error());
    item_->value.Told(span, 0, *before);
    item_->cas.Told(span, 0, static_cast<int64_t>(found->cas));
    const EventNumber asked = NextEvent();
    Changed("cas", asked, memcached_.Cas(key_, std::to_string(*before + delta_), found->cas), *before + delta_);
  }

 private:
  ConnectionOptions OptionsAt(int number) const {
    ConnectionOptions options = Options(static_cast<uint64_t>(number));
    options.listener = &GatewayListeners::memcached;
    return options;
  }

  // There is none yet, which is a number of 0.
  void Begin(EventNumber invoked) {
    item_->value.Told({invoked, NextEvent()}, 0, 0);
    const EventNumber asked = NextEvent();
    Changed("add", asked, memcached_.AddNew(key_, std::to_string(delta_)), delta_);
  }
  void Changed(const char* what, EventNumber asked, const Status& status, int64_t sum) {
    const bool lost_the_race = status.code() == Code::kConditionFailed;
    if (status.ok()) item_->value.Told({asked, NextEvent()}, delta_, sum);
    if (status.code() == Code::kUnknownOutcome) item_->value.Unknown(delta_);
    Ended(what, lost_the_race ? Status() : status);
  }
  void Increase() {
    const EventNumber asked = NextEvent();
    const auto sum = memcached_.Increase(key_, delta_);
    if (!sum && sum.error().code() == Code::kNotFound) return item_->value.Told({asked, NextEvent()}, 0, 0);
    Changed("incr", asked, sum ? Status() : sum.error(), sum.value_or(0));
  }

  CasSubject& subject_;
  MemcachedClient memcached_;
  std::string key_;
  Item* item_ = nullptr;
  int64_t delta_ = 0;
};

CasSubject::CasSubject(Setting setting, Options options)
    : setting_(std::move(setting)), options_(options), items_(static_cast<size_t>(options.items)) {}

std::string CasSubject::Key(size_t item) const { return "item" + std::to_string(item) + "-" + setting_.round; }

std::vector<std::string> CasSubject::Keys() const {
  std::vector<std::string> keys;
  for (size_t i = 0; i < items_.size(); ++i) keys.push_back(Key(i));
  return keys;
}

size_t CasSubject::told() const {
  size_t sum = 0;
  for (const Item& item : items_) sum += item.value.told();
  return sum;
}

void CasSubject::Enlist() {
  for (int i = 0; i < options_.clients; ++i) setting_.workers.Add(std::make_unique<Client>(*this, i));
}

Result<std::vector<std::string>> CasSubject::Judge() {
  ConnectionOptions options = JudgesOptions();
  options.listener = &GatewayListeners::memcached;
  MemcachedClient memcached(setting_.gateways, options);
  std::vector<std::string> problems;
  for (size_t i = 0; i < items_.size(); ++i) {
    const auto last = memcached.Gets(Key(i));
    if (!last && last.error().code() != Code::kNotFound) return Error(last.error());
    EBLA_ASSIGN(const int64_t value, last ? NumberIn(*last) : 0);
    for (const std::string& problem : items_[i].value.Judge(value)) problems.push_back(Key(i) + ": " + problem);
    const auto cas = last ? static_cast<int64_t>(last->cas) : 0;
    for (const std::string& problem : items_[i].cas.JudgeReads(cas))
      problems.push_back(Key(i) + ", cas number: " + problem);
  }
  return problems;
}

}  // namespace ebla::chaos
