#include "gateway/store/batched_calls.h"

#include <absl/hash/hash.h>

#include <algorithm>
#include <map>
#include <utility>

namespace ebla::gateway {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kDeadlineTolerance{50};  // deadlines nearer to each other count as one
// In one call: as many as a server reads and writes at a stretch.
constexpr size_t kGetsMax = 128, kWritesMax = 128;
constexpr size_t kWriteBytesMax = 512 << 10;

bool SameDeadline(Until a, Until b) { return std::chrono::abs(a - b) < kDeadlineTolerance; }

}  // namespace

bool BatchedGets::Take(std::string& key, Until until, Callback<Result<Record>>& done) {
  if (gets_.empty()) until_ = until;
  if (!SameDeadline(until, until_)) return false;
  gets_.push_back({std::move(key), std::move(done)});
  return true;
}

void BatchedGets::Send(ManyStore& table) {
  auto gets = std::exchange(gets_, {});
  std::vector<Place> places(gets.size());
  for (size_t i = 0; i < gets.size(); ++i) places[i] = {gets[i].key, i};
  if (gets.size() > kGetsMax) std::ranges::sort(places);
  for (size_t begin = 0; begin < gets.size();) {
    size_t end = std::min(begin + kGetsMax, gets.size());
    // The gets of one key stay together, so that they see the same.
    while (end < gets.size() && places[end].key == places[end - 1].key) ++end;
    SendSome(table, gets, std::span(places).subspan(begin, end - begin));
    begin = end;
  }
}

void BatchedGets::SendSome(ManyStore& table, std::vector<One>& gets, std::span<const Place> places) const {
  if (places.size() == 1) {
    One& one = gets[places[0].index];
    return table.Get(std::move(one.key), freshness_, until_, std::move(one.done));
  }
  std::vector<std::string> keys;
  auto done = std::make_shared<std::vector<Callback<Result<Record>>>>();
  keys.reserve(places.size());
  done->reserve(places.size());
  for (const Place& place : places) {
    keys.push_back(std::move(gets[place.index].key));
    done->push_back(std::move(gets[place.index].done));
  }
  table.GetEach(std::move(keys), freshness_, until_,
                [done](size_t place, Result<Record> record) { (*done)[place](std::move(record)); });
}

// The writes of one call. Each is answered once, on any thread.
struct BatchedWrites::Sent {
  std::shared_ptr<ManyStore> table;
  Until until;
  std::vector<KeyWrite> writes;
  std::map<size_t, std::string> keys;  // of increments that may have to be done one by one

  void Answer(size_t place, Result<PartResult> result) {
    KeyWrite& write = writes[place];
    if (write.put) return AnswerPuts(write, result);
    write.applied ? write.applied(std::move(result)) : AnswerSums(place, write, result);
  }

 private:
  static void AnswerPuts(KeyWrite& write, const Result<PartResult>& result) {
    const auto answer = [&](uint64_t before) -> Result<Version> {
      if (!result) return Error(result.error());
      return Version{result->version.epoch, Lsn{result->version.lsn.value - before}};
    };
    for (auto& put : write.overwritten) put(answer(1));
    write.put(answer(0));
  }
  void AnswerSums(size_t place, KeyWrite& write, const Result<PartResult>& result) {
    // A refusal of the sum need not refuse each increment.
    const bool each = !result && result.error().code() == Code::kInvalidArgument && write.sums.size() > 1;
    for (size_t i = 0; i < write.sums.size(); ++i) {
      if (each) {
        table->Increment(keys.at(place), write.increments.by(i), write.if_none, until, std::move(write.sums[i]));
      } else if (result) {
        write.sums[i](write.increments.After(i, result->counter));
      } else {
        write.sums[i](Error(result.error()));
      }
    }
  }
};

bool BatchedWrites::Full() const { return parts_.size() >= kWritesMax || bytes_ >= kWriteBytesMax; }

bool BatchedWrites::TakePut(std::string& key, std::string& value, const Lifetime& lifetime, Until until,
                            Callback<Result<Version>>& done) {
  if (!Fits(until)) return false;
  const auto [place, added] = PlaceOf(key);
  if (added) {
    Add(Batch::Kind::kPut, std::move(key), std::move(value), until).put = std::move(done);
    SetLifetime(parts_.back().options, lifetime);
    return true;
  }
  Batch::Part& part = parts_[place];
  KeyWrite& write = key_writes_[place];
  if (!write.put || part.key != key) return false;
  bytes_ += value.size() - part.value.size();
  part.value = std::move(value);
  SetLifetime(part.options, lifetime);
  write.overwritten.push_back(std::exchange(write.put, std::move(done)));
  return true;
}

bool BatchedWrites::TakeIncrement(std::string& key, int64_t delta, IfNone if_none, Until until,
                                  Callback<Result<int64_t>>& done) {
  if (!Fits(until)) return false;
  const auto [place, added] = PlaceOf(key);
  if (added) {
    Add(Batch::Kind::kIncrement, std::move(key), {}, until).if_none = if_none;
    BatchOptions& options = parts_.back().options;
    options.ttl_if_new = milliseconds(0);
    options.if_exists = if_none == IfNone::kRefuse;
  }
  Batch::Part& part = parts_[place];
  KeyWrite& write = key_writes_[place];
  const bool joins = added || (part.kind == Batch::Kind::kIncrement && part.key == key && write.if_none == if_none);
  if (!joins || !write.increments.Add(delta)) return false;
  part.delta = write.increments.sum();
  write.sums.push_back(std::move(done));
  return true;
}

bool BatchedWrites::TakeApply(std::string& key, std::string_view function, std::string& arguments, Until until,
                              Callback<Result<PartResult>>& done) {
  if (!Fits(until) || !PlaceOf(key).second) return false;
  Add(Batch::Kind::kApply, std::move(key), std::move(arguments), until).applied = std::move(done);
  parts_.back().function = function;
  return true;
}

void BatchedWrites::Send(const std::shared_ptr<ManyStore>& table) {
  if (parts_.empty()) return;
  usual_ = parts_.size();
  bytes_ = 0;
  at_.clear();
  const auto sent = std::make_shared<Sent>(Sent{table, until_, std::exchange(key_writes_, {}), {}});
  for (size_t i = 0; i < parts_.size(); ++i) {
    if (sent->writes[i].sums.size() > 1) sent->keys.emplace(i, parts_[i].key);
  }
  table->WriteEach(std::exchange(parts_, {}), until_,
                   [sent](size_t place, Result<PartResult> result) { sent->Answer(place, std::move(result)); });
}

bool BatchedWrites::Fits(Until until) const { return parts_.empty() || SameDeadline(until, until_); }

std::pair<size_t, bool> BatchedWrites::PlaceOf(std::string_view key) {
  if (parts_.empty()) at_.reserve(usual_);
  const auto [at, added] = at_.try_emplace(absl::HashOf(key), parts_.size());
  return {at->second, added};
}

BatchedWrites::KeyWrite& BatchedWrites::Add(Batch::Kind kind, std::string key, std::string value, Until until) {
  if (parts_.empty()) {
    until_ = until;
    parts_.reserve(usual_);
    key_writes_.reserve(usual_);
  }
  bytes_ += key.size() + value.size();
  Batch::Part& part = parts_.emplace_back();
  part.kind = kind;
  part.key = std::move(key);
  part.value = std::move(value);
  return key_writes_.emplace_back();
}

}  // namespace ebla::gateway
