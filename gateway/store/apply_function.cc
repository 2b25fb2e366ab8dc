#include "gateway/store/apply_function.h"

#include <memory>
#include <utility>

#include "gateway/store/lost_race.h"

namespace ebla::gateway {
namespace {

using std::chrono::milliseconds;

std::optional<int64_t> ExpiryMsOf(const Record& record) {
  if (!record.expires) return std::nullopt;
  return record.expires->time_since_epoch().count();
}

// A time that the function counted from now is counted anew by the server, whose clock may differ.
Lifetime LifetimeOf(const FunctionResult& result, int64_t now_ms, const std::optional<Record>& before) {
  if (!result.expires_ms) return Lifetime::Until(before ? ExpiryMsOf(*before) : std::nullopt);
  if (*result.expires_ms == 0) return Lifetime::Forever();
  return result.expires_after ? Lifetime::For(milliseconds(*result.expires_ms - now_ms))
                              : Lifetime::Until(*result.expires_ms);
}

class FunctionRun : public std::enable_shared_from_this<FunctionRun> {
 public:
  FunctionRun(Store& store, Executor& executor, std::string key, FunctionCall call, Until until,
              Callback<Result<PartResult>> done)
      : store_(store),
        executor_(executor),
        key_(std::move(key)),
        call_(std::move(call)),
        until_(until),
        done_(std::move(done)) {}

  void Start() {
    if (!call_.arguments || call_.arguments->size() > kValueBytesMax) return ReadAndWrite();
    store_.Apply(key_, call_.name, *std::exchange(call_.arguments, {}), until_,
                 [self = shared_from_this()](Result<PartResult> result) {
                   const bool refused = !result && result.error().code() == Code::kInvalidArgument;
                   refused ? self->ReadAndWrite() : self->done_(std::move(result));
                 });
  }

 private:
  void ReadAndWrite() {
    store_.Get(key_, Freshness::kLatest, until_,
               [self = shared_from_this()](Result<Record> record) { self->OnRead(std::move(record)); });
  }

  void OnRead(Result<Record> read) {
    if (!read && read.error().code() != Code::kNotFound) return done_(Error(std::move(read.error())));
    const std::optional<Record> before = read ? std::optional(*std::move(read)) : std::nullopt;
    FunctionInput input{.arguments = {}, .now_ms = store_.NowMs(), .record = std::nullopt};
    if (before)
      input.record =
          FunctionInput::Record{.value = before->value, .version = before->version, .expires_ms = ExpiryMsOf(*before)};
    Result<FunctionResult> result = call_.run(input);
    if (!result) return done_(Error(std::move(result.error())));
    answer_ = std::move(result->answer);
    Write(*std::move(result), input.now_ms, before);
  }

  void Write(FunctionResult result, int64_t now_ms, const std::optional<Record>& before) {
    using Change = FunctionResult::Change;
    const Condition unchanged = before ? Condition::Is(before->version) : Condition::Absent();
    if (result.change == Change::kNone || (result.change == Change::kDelete && !before)) return End(Version());
    if (result.change == Change::kDelete) {
      return store_.Delete(key_, unchanged, until_, [self = shared_from_this()](Status status) {
        status.ok() ? self->End(Version()) : self->End(Error(std::move(status)));
      });
    }
    store_.Put(key_, std::move(result.value), LifetimeOf(result, now_ms, before), unchanged, until_,
               [self = shared_from_this()](Result<Version> version) { self->End(std::move(version)); });
  }

  void End(Result<Version> version) {
    if (version) return done_(PartResult{.version = *version, .answer = std::move(answer_)});
    if (version.error().code() != Code::kConditionFailed) return done_(Error(std::move(version.error())));
    if (std::chrono::steady_clock::now() >= until_)
      return done_(Error(Code::kDeadlineExceeded, "other clients changed the key before each attempt of this one"));
    RetryAfterLosing(++attempts_, executor_, [self = shared_from_this()] { self->ReadAndWrite(); });
  }

  Store& store_;
  Executor& executor_;
  const std::string key_;
  FunctionCall call_;
  const Until until_;
  Callback<Result<PartResult>> done_;
  std::string answer_;  // of the last run
  int attempts_ = 0;
};

}  // namespace

void ApplyFunction(Store& store, Executor& executor, std::string key, FunctionCall call, Until until,
                   Callback<Result<PartResult>> done) {
  std::make_shared<FunctionRun>(store, executor, std::move(key), std::move(call), until, std::move(done))->Start();
}

}  // namespace ebla::gateway
