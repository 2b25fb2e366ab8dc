#include "gateway/store/table_store.h"

#include <utility>

#include "common/base/clocks.h"
#include "ebla/level_names.h"

namespace ebla::gateway {
namespace {

using std::chrono::milliseconds;

milliseconds Left(Until until) {
  const auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
  return std::max(left, milliseconds(1));
}

template <class Options>
void SetCondition(Options& options, const Condition& condition) {
  if (condition.kind == Condition::Kind::kExists) options.if_exists = true;
  if (condition.kind == Condition::Kind::kVersionIs) options.if_version = condition.version;
}

}  // namespace

void TableStore::Get(std::string key, Freshness freshness, Until until, Callback<Result<Record>> done) {
  const Read read = freshness == Freshness::kLatest ? Read::Strong() : options_.read;
  table_.AsyncGet(key, {.read = read, .deadline = Left(until)}, std::move(done));
}

void TableStore::MultiGet(std::vector<std::string> keys, Freshness freshness, Until until,
                          Callback<std::vector<Result<Record>>> done) {
  const Read read = freshness == Freshness::kLatest ? Read::Strong() : options_.read;
  table_.AsyncMultiGet(std::move(keys), {.read = read, .deadline = Left(until)}, std::move(done));
}

void TableStore::Put(std::string key, std::string value, Lifetime lifetime, Condition condition, Until until,
                     Callback<Result<Version>> done) {
  PutOptions options{.ack = options_.ack, .ttl = {}, .deadline = Left(until)};
  SetLifetime(options, lifetime);
  SetCondition(options, condition);
  options.if_absent = condition.kind == Condition::Kind::kAbsent;
  table_.AsyncPut(key, value, options, std::move(done));
}

void TableStore::Delete(std::string key, Condition condition, Until until, Callback<Status> done) {
  DeleteOptions options{.ack = options_.ack, .deadline = Left(until)};
  SetCondition(options, condition);
  table_.AsyncDelete(key, options, std::move(done));
}

void TableStore::Increment(std::string key, int64_t delta, IfNone if_none, Until until,
                           Callback<Result<int64_t>> done) {
  table_.AsyncIncrement(key, delta,
                        {.ack = options_.ack,
                         .ttl = {},
                         .ttl_if_new = milliseconds(0),
                         .if_version = {},
                         .if_absent = false,
                         .if_exists = if_none == IfNone::kRefuse,
                         .deadline = Left(until)},
                        std::move(done));
}

void TableStore::Apply(std::string key, std::string_view function, std::string arguments, Until until,
                       Callback<Result<PartResult>> done) {
  table_.AsyncWrite(std::move(Batch().Apply(key, function, arguments)), {.ack = options_.ack, .deadline = Left(until)},
                    [done = std::move(done)](Result<BatchResult> result) mutable {
                      if (!result) return done(Error(std::move(result.error())));
                      if (result->answers.empty()) return done(Error(Code::kInternal, "a function returned no answer"));
                      done(PartResult{.version = result->version, .answer = std::move(result->answers.front())});
                    });
}

void TableStore::GetEach(std::vector<std::string> keys, Freshness freshness, Until until,
                         EachCallback<Result<Record>> each) {
  const Read read = freshness == Freshness::kLatest ? Read::Strong() : options_.read;
  table_.AsyncGetEach(std::move(keys), {.read = read, .deadline = Left(until)}, std::move(each));
}

void TableStore::WriteEach(std::vector<Batch::Part> parts, Until until, EachCallback<Result<PartResult>> each) {
  table_.AsyncWriteEach(std::move(parts), {.ack = options_.ack, .deadline = Left(until)}, std::move(each));
}

void TableStore::Commit(std::vector<Batch::Part> parts, Until until, Callback<Status> done) {
  Batch batch;
  for (Batch::Part& part : parts) batch.Add(std::move(part));
  table_.AsyncWrite(std::move(batch), {.ack = options_.ack, .deadline = Left(until)},
                    [done = std::move(done)](const Result<BatchResult>& result) mutable {
                      done(result ? Status() : result.error());
                    });
}

void TableStore::ScanKeys(KeyRange range, uint64_t limit, Until until, Callback<Result<ScanPage>> done) {
  ScanOptions options;
  options.range = std::move(range);
  options.limit = limit;
  options.keys_only = true;
  options.read = Read::Strong();
  options.deadline = Left(until);
  table_.AsyncScanPage(std::move(options), std::move(done));
}

int64_t TableStore::NowMs() const { return TimeOfDayMs(); }

Status TableIsReadable(const Table& table) {
  constexpr std::chrono::seconds kPatience{1};
  const auto got = table.Get("ebla-gateway:ready", {.deadline = kPatience});
  return got || got.error().code() == Code::kNotFound ? Status() : got.error();
}

Result<Read> ParseReadLevel(std::string_view text) {
  const auto read = ReadNamed(text);
  if (read && read->level() != Read::Level::kSession) return *read;
  return Error(Code::kInvalidArgument, "\"" + std::string(text) +
                                           "\" is not a read level: write default, strong, eventual, or bounded= and "
                                           "an age of at most an hour, for example bounded=500ms or bounded=2s");
}

Result<Ack> ParseAckLevel(std::string_view text) {
  const auto ack = AckNamed(text);
  if (ack && *ack != Ack::kAny) return *ack;
  return Error(Code::kInvalidArgument,
               "\"" + std::string(text) + "\" is not a write level: write default, majority, all or primary");
}

}  // namespace ebla::gateway
