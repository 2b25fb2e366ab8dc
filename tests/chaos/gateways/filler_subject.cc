#include "tests/chaos/gateways/filler_subject.h"

#include <deque>
#include <utility>

namespace ebla::chaos {
namespace {

constexpr int kFillsAtOnce = 6;
constexpr size_t kFillsRemembered = 2'000;

std::string FillValue(const std::string& key, uint64_t bytes) {
  std::string value = key + "=";
  value.append(bytes, static_cast<char>('a' + bytes % 26));
  return value;
}

}  // namespace

class FillerSubject::Client final : public Caller {
 public:
  Client(FillerSubject& subject, int number)
      : Caller(subject.setting_, 600 + static_cast<uint64_t>(number)),
        subject_(subject),
        name_("f" + std::to_string(number)),
        memcached_(subject.setting_.gateways, OptionsAt(number)) {}

 protected:
  void Ask() override {
    if (!written_.empty() && random_.Below(4) == 0) return Look();
    subject_.options_.memcached ? Add() : Set();
  }

 private:
  struct Fill {
    std::string key;
    uint64_t bytes = 0;
    bool gone = false;
  };

  ConnectionOptions OptionsAt(int number) const {
    ConnectionOptions options = Options(static_cast<uint64_t>(number));
    options.listener = &GatewayListeners::memcached;
    return options;
  }
  // Beside registers' groups and items, in whatever tablets these are.
  Fill Next() {
    const std::string number = std::to_string(random_.Below(100));
    const std::string rest = "-" + name_ + "." + std::to_string(++fills_) + "-" + setting_.round;
    return {.key = subject_.options_.memcached ? "item" + number + rest : "fill:{g" + number + rest + "}",
            .bytes = random_.Below(subject_.options_.bytes_max)};
  }
  void Remember(Fill fill) {
    ++subject_.written_;
    written_.push_back(std::move(fill));
    if (written_.size() > kFillsRemembered) written_.pop_front();
  }

  void Set() {
    std::vector<Fill> fills;
    std::vector<RedisClient::Words> commands;
    for (int i = 0; i < kFillsAtOnce; ++i) {
      fills.push_back(Next());
      commands.push_back({"SET", fills.back().key, FillValue(fills.back().key, fills.back().bytes)});
    }
    const auto answers = redis_.Pipeline(commands);
    for (size_t i = 0; i < fills.size(); ++i) {
      if (answers[i]) Remember(std::move(fills[i]));
      Ended("SET", answers[i] ? Status() : answers[i].error());
    }
  }
  void Add() {
    Fill fill = Next();
    const Status added = memcached_.AddNew(fill.key, FillValue(fill.key, fill.bytes));
    if (added.ok()) Remember(std::move(fill));
    Ended("add", added);
  }

  // None within: it is not there.
  Result<std::optional<std::string>> Read(const std::string& key) {
    if (subject_.options_.memcached) {
      auto item = memcached_.Gets(key);
      if (item) return std::move(item->value);
      if (item.error().code() == Code::kNotFound) return std::nullopt;
      return Error(item.error());
    }
    EBLA_ASSIGN(const RedisValue value, redis_.Call({"GET", key}));
    return value.AsText();
  }
  void Look() {
    Fill& fill = written_[random_.Below(written_.size())];
    const auto found = Read(fill.key);
    Ended("GET", found ? Status() : found.error());
    if (!found) return;
    if (!*found) {
      subject_.gone_ += fill.gone ? 0 : 1;
      fill.gone = true;
    } else if (fill.gone) {
      setting_.workers.Failed(fill.key + " was gone, and is back");
    } else if (**found != FillValue(fill.key, fill.bytes)) {
      setting_.workers.Failed(fill.key + " is not what was written: " + (*found)->substr(0, 60));
    }
  }

  FillerSubject& subject_;
  const std::string name_;
  MemcachedClient memcached_;
  std::deque<Fill> written_;
  uint64_t fills_ = 0;
};

void FillerSubject::Enlist() {
  for (int i = 0; i < options_.clients; ++i) setting_.workers.Add(std::make_unique<Client>(*this, i));
}

}  // namespace ebla::chaos
