#include "gateway/redis/commands/store_commands.h"

#include <glog/logging.h>

#include <algorithm>

#include "functions/redis/bits/bit_commands.h"
#include "functions/redis/record_function.h"
#include "functions/redis/strings/string_commands.h"
#include "gateway/store/apply_function.h"
#include "gateway/store/items.h"

namespace ebla::gateway::redis {
namespace {

bool MayBeBlind(const CommandInfo& command, const Words& words) {
  return command.runner.update == SetEx || (command.runner.update == Set && IsBlindSet(words));
}

// A command of one key on its way.
class UpdateRun : public std::enable_shared_from_this<UpdateRun> {
 public:
  explicit UpdateRun(StoreCall&& call) : call_(std::move(call)) {}

  void Start() {
    if (OnlyReads()) return Read();
    if (call_.command.runner.update == Increment && StartIncrement()) return;
    if (const std::optional<bool> present = PresentIfPut()) return PutAt(*present);
    if (MayBeBlind(call_.command, call_.words) && PutBlindly()) return;
    Apply();
  }

 private:
  bool OnlyReads() const {
    return call_.command.Is(kReadOnly) || (call_.command.runner.update == BitField && redis::OnlyReads(call_.words));
  }
  void Read() {
    call_.store->Get(key_, Freshness::kAsConfigured, call_.until,
                     [self = shared_from_this()](Result<Record> record) { self->OnRead(std::move(record)); });
  }
  void OnRead(Result<Record> record) {
    auto found = ItemIn(std::move(record));
    if (!found) return call_.Fail(found.error());
    Update update = Evaluate(ToValue(*std::move(found)));
    call_.Answer(update.reply);
  }

  // `spent`: as update.h says.
  Update Evaluate(std::optional<Value> old, Words* spent = nullptr) {
    old_ = std::move(old);  // which the update refers to
    Update update(call_.words, old_, call_.store->NowMs(), call_.protocol);
    update.spent = spent;
    call_.command.runner.update(update);
    return update;
  }

  // ---- changes ------------------------------------------------------------------------------------------------------

  // By the command's function.
  void Apply() {
    const bool changes = call_.command.runner.update != GetEx || call_.words.size() > 2;
    FunctionCall function{.name = kFunctionName, .arguments = {}, .run = {}};
    if (changes && FunctionOf(call_.command.name) != nullptr)
      function.arguments = EncodeCommand(call_.protocol, call_.words);
    function.run = [self = shared_from_this()](const FunctionInput& input) {
      const StoreCall& call = self->call_;
      return ExecuteCommand(call.command.runner.update, call.words, call.protocol, input, /*others_wait=*/false);
    };
    ApplyFunction(*call_.store, call_.executor(), key_, std::move(function), call_.until,
                  [self = shared_from_this()](Result<PartResult> result) {
                    result ? self->call_.done(std::move(result->answer)) : self->call_.Fail(result.error());
                  });
  }

  // INCR and its kin, of a value that the store reads as a number.
  bool StartIncrement() {
    const std::optional<int64_t> by = IncrementBy(call_.words);
    if (!by) return false;
    call_.store->Increment(key_, *by, IfNone::kMake, call_.until, [self = shared_from_this()](Result<int64_t> sum) {
      if (sum) return self->call_.Number(*sum);
      if (sum.error().code() == Code::kInvalidArgument) return self->Apply();
      self->call_.Fail(sum.error());
    });
    return true;
  }

  // A put that takes effect only if the key has a value (true) or only if it has none (false). It requires no grant to
  // read.
  std::optional<bool> PresentIfPut() const {
    if (call_.command.runner.update == SetNx) return false;
    return call_.command.runner.update == Set ? SetCondition(call_.words) : std::nullopt;
  }
  void PutAt(bool present) {
    const auto old = [](bool is) { return is ? std::optional(Value()) : std::nullopt; };
    Update update = Evaluate(old(present));
    if (update.change != Update::Change::kPut) return Apply();
    Put(update, present ? Condition::Exists() : Condition::Absent(),
        [self = shared_from_this(), reply = std::move(update.reply),
         otherwise = old(!present)](Result<Version> put) mutable {
          if (!put && put.error().code() != Code::kConditionFailed) return self->call_.Fail(put.error());
          if (!put) reply = self->Evaluate(otherwise).reply;
          self->call_.Answer(reply);
        });
  }

  bool PutBlindly() {
    Update update = Evaluate({}, call_.spendable);
    if (update.change != Update::Change::kPut) return false;
    Put(update, Condition::None(),
        [self = shared_from_this(), reply = std::move(update.reply)](const Result<Version>& put) mutable {
          put ? self->call_.Answer(reply) : self->call_.Fail(put.error());
        });
    return true;
  }
  void Put(Update& update, Condition condition, Callback<Result<Version>> done) {
    PutItem(*call_.store, key_, update.TakeStep(), condition, call_.until, std::move(done));
  }

  StoreCall call_;
  const std::string& key_ = call_.words[1];
  std::optional<Value> old_;
};

}  // namespace

std::string FailureText(const Status& status) {
  const auto with = [&](std::string_view code) { return std::string(code) + " " + status.message(); };
  switch (status.code()) {
    case Code::kPermissionDenied: return with("NOPERM");
    case Code::kOverloaded: return with("OOM");
    case Code::kUnavailable:
    case Code::kDeadlineExceeded: return with("CLUSTERDOWN");
    case Code::kUnknownOutcome: return with("UNKNOWNOUTCOME");
    default: return with("ERR");
  }
}

void StoreCall::Fail(const Status& status) {
  if (fault != nullptr) *fault = status;
  Fail(FailureText(status));
}

bool WritesBlindly(const CommandInfo& command, const Words& words, int64_t now_ms) {
  if (command.name == "mset") return true;
  if (!MayBeBlind(command, words)) return false;
  // Its time may be over before it runs: then it is a delete.
  if (std::ranges::any_of(words, [](const auto& word) { return IsWord(word, "EXAT") || IsWord(word, "PXAT"); }))
    return false;
  const std::optional<Value> none;
  Update update(words, none, now_ms, 2);
  command.runner.update(update);
  return update.change == Update::Change::kPut;
}

void RunStoreCommand(StoreCall&& call) {
  if (call.command.runner.update != nullptr) return std::make_shared<UpdateRun>(std::move(call))->Start();
  CHECK(call.command.runner.run != nullptr) << call.command.name;
  call.command.runner.run(std::make_shared<StoreCall>(std::move(call)));
}

std::optional<std::string> RunAtOnce(StoreContext context, const CommandInfo& command, const Words& words) {
  const auto reply = std::make_shared<std::optional<std::string>>();
  StoreCall call{std::move(context), command, words};
  call.done = [reply](std::string bytes) { *reply = std::move(bytes); };
  RunStoreCommand(std::move(call));
  return std::move(*reply);
}

}  // namespace ebla::gateway::redis
