#include "ebla/table.h"

#include <utility>

#include "client/core/calls/collect.h"
#include "client/sdk/runtime.h"

namespace ebla {

namespace {

template <class Options>
WriteOptions Whole(const Options& options) {
  return {.ack = options.ack, .session = options.session, .deadline = options.deadline};
}

Batch PutBatch(std::string_view key, std::string_view value, const PutOptions& options) {
  return std::move(Batch().Put(key, value,
                               {.ttl = options.ttl,
                                .expires = options.expires,
                                .if_version = options.if_version,
                                .if_absent = options.if_absent,
                                .if_exists = options.if_exists}));
}

Batch DeleteBatch(std::string_view key, const DeleteOptions& options) {
  return std::move(Batch().Delete(key, {.ttl = {},
                                        .ttl_if_new = {},
                                        .if_version = options.if_version,
                                        .if_absent = false,
                                        .if_exists = options.if_exists}));
}

Batch IncrementBatch(std::string_view key, int64_t delta, const IncrementOptions& options) {
  return std::move(Batch().Increment(key, delta,
                                     {.ttl = options.ttl,
                                      .ttl_if_new = options.ttl_if_new,
                                      .if_version = options.if_version,
                                      .if_absent = options.if_absent,
                                      .if_exists = options.if_exists}));
}

Result<Version> ToVersion(Result<BatchResult> result) {
  if (!result) return Error(std::move(result.error()));
  return result->version;
}

Status ToStatus(Result<BatchResult> result) { return result ? Status() : std::move(result.error()); }

Result<int64_t> ToCounter(Result<BatchResult> result) {
  if (!result) return Error(std::move(result.error()));
  if (result->counters.empty()) return Error(Code::kInternal, "the server's reply to an increment holds no sum");
  return result->counters.front();
}

}  // namespace

Table::Table(std::shared_ptr<client::TableHandle> handle) : handle_(std::move(handle)) {}
Table::~Table() = default;

const std::string& Table::name() const { return handle_->table()->name(); }

Result<Record> Table::Get(std::string_view key, GetOptions options) const {
  return handle_->runtime().Wait<Result<Record>>(
      [&](Callback<Result<Record>> done) { AsyncGet(key, options, std::move(done)); });
}

Result<std::string> Table::Call(std::string_view key, std::string_view function, std::string arguments,
                                GetOptions options) const {
  return handle_->runtime().Wait<Result<std::string>>([&](Callback<Result<std::string>> done) {
    AsyncCall(key, function, std::move(arguments), options, std::move(done));
  });
}

std::vector<Result<Record>> Table::MultiGet(std::vector<std::string> keys, GetOptions options) const {
  using Records = std::vector<Result<Record>>;
  if (handle_->runtime().OnOwnThread()) {
    return Records(keys.size(), std::unexpected(client::Runtime::BlockedStatus()));
  }
  return client::Runtime::WaitFor<Records>(
      [&](Callback<Records> done) { AsyncMultiGet(std::move(keys), options, std::move(done)); });
}

Result<Version> Table::Put(std::string_view key, std::string_view value, PutOptions options) const {
  return ToVersion(Write(PutBatch(key, value, options), Whole(options)));
}

Status Table::Delete(std::string_view key, DeleteOptions options) const {
  return ToStatus(Write(DeleteBatch(key, options), Whole(options)));
}

Result<int64_t> Table::Increment(std::string_view key, int64_t delta, IncrementOptions options) const {
  return ToCounter(Write(IncrementBatch(key, delta, options), Whole(options)));
}

Result<BatchResult> Table::Write(Batch batch, WriteOptions options) const {
  return handle_->runtime().Wait<Result<BatchResult>>(
      [&](Callback<Result<BatchResult>> done) { AsyncWrite(std::move(batch), options, std::move(done)); });
}

std::vector<Result<PartResult>> Table::MultiWrite(std::vector<Batch::Part> parts, WriteOptions options) const {
  using Results = std::vector<Result<PartResult>>;
  if (handle_->runtime().OnOwnThread()) return Results(parts.size(), std::unexpected(client::Runtime::BlockedStatus()));
  return client::Runtime::WaitFor<Results>(
      [&](Callback<Results> done) { AsyncMultiWrite(std::move(parts), options, std::move(done)); });
}

Scanner Table::Scan(ScanOptions options) const { return Scanner(handle_, std::move(options)); }

void Table::AsyncGet(std::string_view key, GetOptions options, Callback<Result<Record>> done) const {
  handle_->core().Get(handle_->table(), key, options, std::move(done));
}

void Table::AsyncCall(std::string_view key, std::string_view function, std::string arguments, GetOptions options,
                      Callback<Result<std::string>> done) const {
  handle_->core().Call(handle_->table(), key, function, std::move(arguments), options, std::move(done));
}

void Table::AsyncMultiGet(std::vector<std::string> keys, GetOptions options,
                          Callback<std::vector<Result<Record>>> done) const {
  const size_t count = keys.size();
  AsyncGetEach(std::move(keys), options, client::Collect<Result<Record>>(count, std::move(done)));
}

void Table::AsyncGetEach(std::vector<std::string> keys, GetOptions options, EachCallback<Result<Record>> each) const {
  handle_->core().GetEach(handle_->table(), std::move(keys), options, std::move(each));
}

void Table::AsyncPut(std::string_view key, std::string_view value, PutOptions options,
                     Callback<Result<Version>> done) const {
  AsyncWrite(PutBatch(key, value, options), Whole(options),
             [done = std::move(done)](Result<BatchResult> result) mutable { done(ToVersion(std::move(result))); });
}

void Table::AsyncDelete(std::string_view key, DeleteOptions options, Callback<Status> done) const {
  AsyncWrite(DeleteBatch(key, options), Whole(options),
             [done = std::move(done)](Result<BatchResult> result) mutable { done(ToStatus(std::move(result))); });
}

void Table::AsyncIncrement(std::string_view key, int64_t delta, IncrementOptions options,
                           Callback<Result<int64_t>> done) const {
  AsyncWrite(IncrementBatch(key, delta, options), Whole(options),
             [done = std::move(done)](Result<BatchResult> result) mutable { done(ToCounter(std::move(result))); });
}

void Table::AsyncWrite(Batch batch, WriteOptions options, Callback<Result<BatchResult>> done) const {
  handle_->core().Write(handle_->table(), std::move(batch), options, std::move(done));
}

void Table::AsyncMultiWrite(std::vector<Batch::Part> parts, WriteOptions options,
                            Callback<std::vector<Result<PartResult>>> done) const {
  const size_t count = parts.size();
  AsyncWriteEach(std::move(parts), options, client::Collect<Result<PartResult>>(count, std::move(done)));
}

void Table::AsyncWriteEach(std::vector<Batch::Part> parts, WriteOptions options,
                           EachCallback<Result<PartResult>> each) const {
  handle_->core().WriteEach(handle_->table(), std::move(parts), options, std::move(each));
}

void Table::AsyncScanPage(ScanOptions options, Callback<Result<ScanPage>> done) const {
  handle_->core().ScanPage(handle_->table(), std::move(options), std::move(done));
}

}  // namespace ebla
