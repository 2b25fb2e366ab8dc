#include "tests/chaos/gateways/items_subject.h"

#include <utility>

namespace ebla::chaos {
namespace {

using sim::Outcome;
using sim::WritePart;

WritePart ItemPut(std::string value, bool if_absent) {
  WritePart part;
  part.value = std::move(value);
  if (if_absent) part.condition = WritePart::Condition::kAbsent;
  return part;
}

WritePart ItemIsThere() {
  WritePart part;
  part.kind = WritePart::Kind::kCheck;
  part.condition = WritePart::Condition::kExists;
  return part;
}

}  // namespace

class ItemsSubject::Client final : public Caller {
 public:
  Client(ItemsSubject& subject, int number)
      : Caller(subject.setting_, 500 + static_cast<uint64_t>(number)),
        subject_(subject),
        name_("i" + std::to_string(number)),
        memcached_(subject.setting_.gateways, OptionsAt(number)) {}

 protected:
  void Ask() override {
    item_ = static_cast<size_t>(random_.Below(static_cast<uint64_t>(subject_.options_.items)));
    if (random_.Below(8) == 0) return Add();
    const auto found = Look();
    if (!found) return;
    if (!*found) return Add();
    if (random_.Below(2) == 0) Change(**found);
  }

 private:
  using Parts = std::vector<WritePart>;

  ConnectionOptions OptionsAt(int number) const {
    ConnectionOptions options = Options(static_cast<uint64_t>(number));
    options.listener = &GatewayListeners::memcached;
    return options;
  }
  std::string NewValue() { return name_ + "." + std::to_string(++values_); }

  size_t Begin(Parts wants) {
    sim::Operation operation;
    operation.client = name_;
    operation.group = static_cast<int>(item_);
    operation.parts = std::move(wants);
    return subject_.registers_.Begin(std::move(operation));
  }
  void End(size_t number, Outcome outcome, Parts did) {
    subject_.registers_.End(number, outcome, std::move(did));
    Ended("", Status());
  }
  void Failed(size_t number, const char* what, const Status& status) {
    subject_.registers_.End(number, NothingHappened(status) ? Outcome::kNotExecuted : Outcome::kUnknown);
    Ended(what, status);
  }

  // None within: it is not there. An error has been told.
  Result<std::optional<MemcachedItem>> Look() {
    const size_t number = Begin({});
    const EventNumber invoked = NextEvent();
    auto found = memcached_.Gets(subject_.Key(item_));
    if (!found && found.error().code() != Code::kNotFound) {
      Failed(number, "gets", found.error());
      return Error(found.error());
    }
    if (!found) {
      End(number, Outcome::kOk, {Registers::Is(0, std::nullopt)});
      return std::nullopt;
    }
    subject_.cases_[item_].Told({invoked, NextEvent()}, 0, static_cast<int64_t>(found->cas));
    End(number, Outcome::kOk, {Registers::Is(0, found->value)});
    return *std::move(found);
  }

  void Add() {
    const std::string value = NewValue();
    const size_t number = Begin({ItemPut(value, true)});
    const Status added = memcached_.AddNew(subject_.Key(item_), value);
    if (added.ok()) return End(number, Outcome::kOk, {ItemPut(value, true)});
    if (added.code() == Code::kConditionFailed) return End(number, Outcome::kOk, {ItemIsThere()});
    Failed(number, "add", added);
  }

  // Values are unique to this client, so a reader of the value has read its cas number with it.
  void Change(const MemcachedItem& found) {
    const WritePart as_it_was = Registers::Is(0, found.value), put = ItemPut(NewValue(), false);
    const size_t number = Begin({as_it_was, put});
    const Status changed = memcached_.Cas(subject_.Key(item_), put.value, found.cas);
    if (changed.ok()) return End(number, Outcome::kOk, {as_it_was, put});
    if (changed.code() == Code::kConditionFailed) return End(number, Outcome::kRefused, {as_it_was});
    if (changed.code() == Code::kNotFound) return End(number, Outcome::kOk, {Registers::Is(0, std::nullopt)});
    Failed(number, "cas", changed);
  }

  ItemsSubject& subject_;
  const std::string name_;
  MemcachedClient memcached_;
  size_t item_ = 0;
  uint64_t values_ = 0;
};

ItemsSubject::ItemsSubject(Setting setting, Options options)
    : setting_(std::move(setting)),
      options_(options),
      registers_(options.items, /*forgets=*/true),
      cases_(static_cast<size_t>(options.items)) {}

std::string ItemsSubject::Key(size_t item) const { return "item" + std::to_string(item) + "-" + setting_.round; }

std::vector<std::string> ItemsSubject::Keys() const {
  std::vector<std::string> keys;
  for (size_t i = 0; i < cases_.size(); ++i) keys.push_back(Key(i));
  return keys;
}

void ItemsSubject::Enlist() {
  for (int i = 0; i < options_.clients; ++i) setting_.workers.Add(std::make_unique<Client>(*this, i));
}

Result<std::vector<std::string>> ItemsSubject::Judge() {
  ConnectionOptions options = JudgesOptions();
  options.listener = &GatewayListeners::memcached;
  MemcachedClient memcached(setting_.gateways, options);
  std::vector<std::string> problems;
  for (size_t i = 0; i < cases_.size(); ++i) {
    sim::Operation last;
    last.client = "judge";
    last.group = static_cast<int>(i);
    const size_t number = registers_.Begin(last);
    const auto found = memcached.Gets(Key(i));
    if (!found && found.error().code() != Code::kNotFound) return Error(found.error());
    registers_.End(number, Outcome::kOk, {Registers::Is(0, found ? std::optional(found->value) : std::nullopt)});
    const auto cas = found ? std::optional(static_cast<int64_t>(found->cas)) : std::nullopt;
    for (const std::string& problem : cases_[i].JudgeReads(cas))
      problems.push_back(Key(i) + ", cas number: " + problem);
  }
  Registers::Verdict verdict = registers_.Judge();
  forgotten_ = static_cast<size_t>(verdict.forgotten);
  problems.insert(problems.end(), verdict.problems.begin(), verdict.problems.end());
  for (std::string& item : verdict.undecided) problems.push_back("cannot be judged: " + std::move(item));
  return problems;
}

}  // namespace ebla::chaos
