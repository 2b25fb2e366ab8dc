#include "gateway/testing/memory_store.h"

#include <charconv>
#include <utility>

namespace ebla::gateway {

using std::chrono::milliseconds;

namespace {

Condition ConditionOf(const BatchOptions& options) {
  if (options.if_version) return Condition::Is(*options.if_version);
  return options.if_absent ? Condition::Absent() : options.if_exists ? Condition::Exists() : Condition::None();
}

}  // namespace

void MemoryStore::SetFault(Fault fault) {
  MutexLock lock(mutex_);
  fault_ = std::move(fault);
}

void MemoryStore::Hold() {
  MutexLock lock(mutex_);
  holding_ = true;
}

size_t MemoryStore::Release(size_t most) {
  size_t released = 0;
  for (; released < most; ++released) {
    Held call;
    {
      MutexLock lock(mutex_);
      if (held_.empty()) break;
      call = std::move(held_.front());
      held_.pop_front();
    }
    call();
  }
  if (most == SIZE_MAX) {
    MutexLock lock(mutex_);
    holding_ = false;
  }
  return released;
}

size_t MemoryStore::held() const {
  MutexLock lock(mutex_);
  return held_.size();
}

void MemoryStore::Advance(milliseconds by) {
  MutexLock lock(mutex_);
  now_ms_ += by.count();
}

void MemoryStore::SetSkew(milliseconds skew) {
  MutexLock lock(mutex_);
  skew_ms_ = skew.count();
}

void MemoryStore::SetFunctions(std::shared_ptr<const Functions> functions) {
  MutexLock lock(mutex_);
  functions_ = std::move(functions);
}

Version MemoryStore::Write(const std::string& key, const std::string& value) {
  MutexLock lock(mutex_);
  const Version version{Epoch{1}, Lsn{++lsn_}};
  records_[key] = {value, version, {}};
  return version;
}

std::optional<Record> MemoryStore::Read(const std::string& key) const {
  MutexLock lock(mutex_);
  const auto found = records_.find(key);
  if (found == records_.end()) return std::nullopt;
  return found->second;
}

void MemoryStore::RunOrHold(Held call) {
  {
    MutexLock lock(mutex_);
    if (holding_) {
      held_.push_back(std::move(call));
      return;
    }
  }
  call();
}

Status MemoryStore::Meet(const std::string& operation, const std::string& key) {
  Fault fault;
  {
    MutexLock lock(mutex_);
    fault = fault_;
  }
  return fault ? fault(operation, key) : Status();
}

Record* MemoryStore::Find(const std::string& key) {
  const auto found = records_.find(key);
  if (found == records_.end()) return nullptr;
  if (found->second.expires && found->second.expires->time_since_epoch().count() <= now_ms_) {
    records_.erase(found);
    return nullptr;
  }
  return &found->second;
}

namespace {

Lifetime LifetimeOf(const BatchOptions& options) {
  if (options.expires) return Lifetime::Until(options.expires->time_since_epoch().count());
  return options.ttl.value_or(milliseconds(0)).count() > 0 ? Lifetime::For(*options.ttl) : Lifetime::Forever();
}

}  // namespace

Status MemoryStore::Check(const std::string& key, const Condition& condition) {
  const Record* record = Find(key);
  const bool holds =
      condition.kind == Condition::Kind::kNone || (condition.kind == Condition::Kind::kAbsent && record == nullptr) ||
      (condition.kind == Condition::Kind::kExists && record != nullptr) ||
      (condition.kind == Condition::Kind::kVersionIs && record != nullptr && record->version == condition.version);
  return holds ? Status() : Status(Code::kConditionFailed, "the condition does not hold");
}

void MemoryStore::Set(const std::string& key, const std::string& value, const Lifetime& lifetime) {
  Record& record = records_[key];
  record = {value, {Epoch{1}, Lsn{++lsn_}}, {}};
  if (const auto end_ms = lifetime.EndFrom(now_ms_)) record.expires = Expiry(milliseconds(*end_ms));
}

Result<Record> MemoryStore::GetNow(const std::string& key) {
  EBLA_TRY(Meet("get", key));
  MutexLock lock(mutex_);
  const Record* record = Find(key);
  if (record == nullptr) return Error(Code::kNotFound, "no such key");
  return *record;
}

void MemoryStore::Get(std::string key, Freshness freshness, Until, Callback<Result<Record>> done) {
  {
    MutexLock lock(mutex_);
    freshness_ = freshness;
  }
  RunOrHold([this, key = std::string(key), done = std::move(done)]() mutable { done(GetNow(key)); });
}

void MemoryStore::MultiGet(std::vector<std::string> keys, Freshness, Until,
                           Callback<std::vector<Result<Record>>> done) {
  RunOrHold([this, keys = std::move(keys), done = std::move(done)]() mutable {
    std::vector<Result<Record>> records;
    for (const std::string& key : keys) records.push_back(GetNow(key));
    done(std::move(records));
  });
}

void MemoryStore::Put(std::string key, std::string value, Lifetime lifetime, Condition condition, Until,
                      Callback<Result<Version>> done) {
  RunOrHold(
      [this, key = std::string(key), value = std::move(value), lifetime, condition, done = std::move(done)]() mutable {
        const auto put = [&]() -> Result<Version> {
          EBLA_TRY(Meet("put", key));
          MutexLock lock(mutex_);
          EBLA_TRY(Check(key, condition));
          Set(key, value, lifetime);
          return records_[key].version;
        };
        done(put());
      });
}

void MemoryStore::Delete(std::string key, Condition condition, Until, Callback<Status> done) {
  RunOrHold([this, key = std::string(key), condition, done = std::move(done)]() mutable {
    const auto remove = [&]() -> Status {
      EBLA_TRY(Meet("delete", key));
      MutexLock lock(mutex_);
      EBLA_TRY(Check(key, condition));
      records_.erase(key);
      return {};
    };
    done(remove());
  });
}

Result<int64_t> MemoryStore::IncrementNow(const std::string& key, int64_t delta, IfNone if_none) {
  EBLA_TRY(Meet("increment", key));
  MutexLock lock(mutex_);
  if (if_none == IfNone::kRefuse) EBLA_TRY(Check(key, Condition::Exists()));
  const Record* const record = Find(key);
  int64_t number = 0;
  if (record != nullptr) {
    const char* end = record->value.data() + record->value.size();
    const auto parsed = std::from_chars(record->value.data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end)
      return Error(Code::kInvalidArgument, "not a decimal 64-bit integer");
  }
  if (__builtin_add_overflow(number, delta, &number)) return Error(Code::kInvalidArgument, "the sum overflows");
  const auto expires = record == nullptr ? std::nullopt : record->expires;
  records_[key] = {std::to_string(number), {Epoch{1}, Lsn{++lsn_}}, expires};
  return number;
}

void MemoryStore::Increment(std::string key, int64_t delta, IfNone if_none, Until, Callback<Result<int64_t>> done) {
  RunOrHold([this, key = std::string(key), delta, if_none, done = std::move(done)]() mutable {
    done(IncrementNow(key, delta, if_none));
  });
}

Result<PartResult> MemoryStore::ApplyNow(const std::string& key, const std::string& function,
                                         const std::string& arguments) {
  EBLA_TRY(Meet("apply", key));
  MutexLock lock(mutex_);
  const Function* const found = functions_ == nullptr ? nullptr : functions_->Find(function);
  if (found == nullptr) return Error(Code::kInvalidArgument, "no such function");
  const Record* const record = Find(key);
  const auto expires = record == nullptr ? std::nullopt : record->expires;
  FunctionInput input{.arguments = arguments, .now_ms = now_ms_, .record = std::nullopt};
  if (record != nullptr)
    input.record.emplace(
        FunctionInput::Record{.value = record->value, .version = record->version, .expires_ms = std::nullopt});
  if (expires) input.record->expires_ms = expires->time_since_epoch().count();
  EBLA_ASSIGN(FunctionResult result, found->run(input));
  if (result.change == FunctionResult::Change::kDelete) {
    records_.erase(key);
    ++lsn_;
  }
  if (result.change == FunctionResult::Change::kPut) {
    Set(key, result.value, Lifetime::Forever());
    records_[key].expires = expires;
    if (const auto& expires_ms = result.expires_ms)
      records_[key].expires = *expires_ms == 0 ? std::nullopt : std::optional(Expiry(milliseconds(*expires_ms)));
  }
  const bool changes = result.change != FunctionResult::Change::kNone;
  return PartResult{.version = changes ? Version{Epoch{1}, Lsn{lsn_}} : Version(), .answer = std::move(result.answer)};
}

void MemoryStore::Apply(std::string key, std::string_view function, std::string arguments, Until,
                        Callback<Result<PartResult>> done) {
  RunOrHold([this, key = std::string(key), function = std::string(function), arguments = std::move(arguments),
             done = std::move(done)]() mutable { done(ApplyNow(key, function, arguments)); });
}

void MemoryStore::Commit(std::vector<Batch::Part> parts, Until, Callback<Status> done) {
  RunOrHold([this, parts = std::move(parts), done = std::move(done)]() mutable {
    const auto commit = [&]() -> Status {
      for (const Batch::Part& part : parts) EBLA_TRY(Meet("commit", part.key));
      MutexLock lock(mutex_);
      for (const Batch::Part& part : parts) EBLA_TRY(Check(part.key, ConditionOf(part.options)));
      for (const Batch::Part& part : parts) {
        if (part.kind == Batch::Kind::kPut) Set(part.key, part.value, LifetimeOf(part.options));
        if (part.kind == Batch::Kind::kDelete) records_.erase(part.key);
      }
      return {};
    };
    done(commit());
  });
}

Result<PartResult> MemoryStore::WriteNow(const Batch::Part& part) {
  if (part.kind == Batch::Kind::kApply) return ApplyNow(part.key, part.function, part.value);
  if (part.kind == Batch::Kind::kIncrement) {
    EBLA_ASSIGN(const int64_t sum,
                IncrementNow(part.key, part.delta, part.options.if_exists ? IfNone::kRefuse : IfNone::kMake));
    return PartResult{.version = Read(part.key)->version, .counter = sum};
  }
  EBLA_TRY(Meet(part.kind == Batch::Kind::kPut ? "put" : "delete", part.key));
  MutexLock lock(mutex_);
  EBLA_TRY(Check(part.key, ConditionOf(part.options)));
  if (part.kind == Batch::Kind::kPut) Set(part.key, part.value, LifetimeOf(part.options));
  if (part.kind == Batch::Kind::kDelete) records_.erase(part.key);
  return PartResult{.version = {Epoch{1}, Lsn{lsn_}}};
}

void MemoryStore::GetEach(std::vector<std::string> keys, Freshness freshness, Until,
                          EachCallback<Result<Record>> each) {
  {
    MutexLock lock(mutex_);
    freshness_ = freshness;
  }
  RunOrHold([this, keys = std::move(keys), each = std::move(each)]() mutable {
    for (size_t i = 0; i < keys.size(); ++i) each(i, GetNow(keys[i]));
  });
}

void MemoryStore::WriteEach(std::vector<Batch::Part> parts, Until, EachCallback<Result<PartResult>> each) {
  RunOrHold([this, parts = std::move(parts), each = std::move(each)]() mutable {
    for (size_t i = 0; i < parts.size(); ++i) each(i, WriteNow(parts[i]));
  });
}

void MemoryStore::ScanKeys(KeyRange range, uint64_t limit, Until, Callback<Result<ScanPage>> done) {
  RunOrHold([this, range = std::move(range), limit, done = std::move(done)]() mutable {
    const auto scan = [&]() -> Result<ScanPage> {
      EBLA_TRY(Meet("scan", range.start));
      MutexLock lock(mutex_);
      ScanPage page{.rows = {}, .remaining = range, .done = true};
      for (auto it = records_.lower_bound(range.start); it != records_.end() && range.Contains(it->first); ++it) {
        if (page.rows.size() == limit) {
          page.remaining.start = it->first;
          page.done = false;
          break;
        }
        page.rows.push_back({it->first, {.value = "", .version = it->second.version, .expires = it->second.expires}});
      }
      return page;
    };
    done(scan());
  });
}

Freshness MemoryStore::freshness() const {
  MutexLock lock(mutex_);
  return freshness_;
}

int64_t MemoryStore::NowMs() const {
  MutexLock lock(mutex_);
  return now_ms_ - skew_ms_;
}

}  // namespace ebla::gateway
