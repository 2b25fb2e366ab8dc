#include "client/core/operations/read_operations.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/rpc/idl_convert.h"

namespace ebla::client {

namespace {

Record FromIdl(idl::Record&& record) {
  Record out;
  out.value = std::move(record.value);
  out.version = rpc::FromIdl(record.version);
  if (record.__isset.expiresAtMs) out.expires = Expiry(std::chrono::milliseconds(record.expiresAtMs));
  return out;
}

Error NoRecord(std::string_view key) { return Error(Code::kNotFound, "no record under \"" + EscapeBytes(key) + "\""); }

// One key's answer that holds no record.
Error WithoutRecord(Code code, std::string_view key) {
  if (code == Code::kNotFound) return NoRecord(key);
  if (code == Code::kOk) return Error(Code::kInternal, "the answer for \"" + EscapeBytes(key) + "\" holds no record");
  return Error(code, "the server gives no reason for \"" + EscapeBytes(key) + "\"");
}

}  // namespace

// ---- get

GetOperation::GetOperation(ClientCore& core, TablePtr table, std::string_view key, const GetOptions& options,
                           Callback<Result<Record>> done)
    : Operation(core, std::move(table), Kind::kRead, core.DeadlineOr(options.deadline)), done_(std::move(done)) {
  request_.key = key;
  SetRead(options.read);
  tokens().Join(SessionAccess::Get(options.session));
}

void GetOperation::Start() {
  if (Status valid = CheckKey(request_.key); !valid.ok()) return Finish(std::move(valid));
  if (Status valid = CheckRead(); !valid.ok()) return Finish(std::move(valid));
  Run();
}

void GetOperation::Send(rpc::Channel& channel) {
  FillHeader(request_.header);
  FillRead(request_);
  Ask(channel, request_, reply_);
}

void GetOperation::Finish(Status status) {
  if (!status.ok() && status.code() != Code::kNotFound) return done_(Error(std::move(status)));
  if (!status.ok() || !reply_.__isset.record) return done_(NoRecord(request_.key));
  done_(FromIdl(std::move(reply_.record)));
}

// ---- call

CallOperation::CallOperation(ClientCore& core, TablePtr table, std::string_view key, std::string_view function,
                             std::string arguments, const GetOptions& options, Callback<Result<std::string>> done)
    : Operation(core, std::move(table), Kind::kRead, core.DeadlineOr(options.deadline)), done_(std::move(done)) {
  request_.key = key;
  request_.functionName = function;
  request_.arguments = std::move(arguments);
  SetRead(options.read);
  tokens().Join(SessionAccess::Get(options.session));
}

void CallOperation::Start() {
  if (Status valid = CheckKey(request_.key); !valid.ok()) return Finish(std::move(valid));
  if (Status valid = CheckRead(); !valid.ok()) return Finish(std::move(valid));
  Run();
}

void CallOperation::Send(rpc::Channel& channel) {
  FillHeader(request_.header);
  FillRead(request_);
  Ask(channel, request_, reply_);
}

void CallOperation::Finish(Status status) {
  if (!status.ok()) return done_(Error(std::move(status)));
  done_(std::move(reply_.answer));
}

// ---- multiGet

MultiGetJob::MultiGetJob(ClientCore& core, TablePtr table, std::vector<std::string> keys, const GetOptions& options,
                         EachCallback<Result<Record>> each)
    : core_(core),
      table_(std::move(table)),
      keys_(std::move(keys)),
      options_(options),
      session_(SessionAccess::Get(options.session)),
      answered_(keys_.size()),
      each_(std::move(each)) {}

MultiGetJob::~MultiGetJob() {
  for (size_t i = 0; i < keys_.size(); ++i) {
    if (answered_[i] == 0) each_(i, Error(ClosedStatus()));
  }
}

void MultiGetJob::Start(const std::shared_ptr<MultiGetJob>& job) {
  std::vector<size_t> indices;
  for (size_t i = 0; i < job->keys_.size(); ++i) {
    if (Status valid = CheckKey(job->keys_[i]); !valid.ok()) {
      job->Answer(i, Error(std::move(valid)));
    } else {
      indices.push_back(i);
    }
  }
  // A key that is named twice keeps its order, also where only some fit into a reply.
  std::ranges::stable_sort(indices, {}, [&](size_t index) -> const std::string& { return job->keys_[index]; });
  Spread(job, std::move(indices), job->core_.network().Now() + job->core_.DeadlineOr(job->options_.deadline));
}

void MultiGetJob::Spread(const std::shared_ptr<MultiGetJob>& job, std::vector<size_t> indices, MonotonicTime end) {
  const auto router = job->table_->router();
  const Duration allowed = end - job->core_.network().Now();
  std::vector<std::shared_ptr<MultiGetGroup>> groups;
  for (size_t begin = 0; begin < indices.size();) {
    const PlacePtr place = router->Find(job->key(indices[begin]));
    size_t past = begin + 1;
    while (past < indices.size() && past - begin < kMultiGetKeysMax &&
           (place ? place->range.Contains(job->key(indices[past])) : !router->Find(job->key(indices[past])))) {
      ++past;
    }
    const auto at = [&](size_t i) { return indices.begin() + static_cast<ptrdiff_t>(i); };
    groups.push_back(std::make_shared<MultiGetGroup>(job->core_, job->table_, job,
                                                     std::vector<size_t>(at(begin), at(past)), allowed));
    begin = past;
  }
  for (const auto& group : groups) group->Start();
}

MultiGetGroup::MultiGetGroup(ClientCore& core, TablePtr table, std::shared_ptr<MultiGetJob> job,
                             std::vector<size_t> indices, Duration allowed)
    : Operation(core, std::move(table), Kind::kRead, allowed), job_(std::move(job)), indices_(std::move(indices)) {
  SetRead(job_->options().read);
  tokens().Join(job_->session());
}

void MultiGetGroup::Start() {
  if (Status valid = CheckRead(); !valid.ok()) return Finish(std::move(valid));
  Run();
}

Status MultiGetGroup::Prepare(const Place& place) {
  const auto outside = std::ranges::find_if(indices_, [&](size_t i) { return !place.range.Contains(job_->key(i)); });
  if (outside == indices_.end()) return {};
  std::vector<size_t> rest(outside, indices_.end());
  indices_.erase(outside, indices_.end());
  MultiGetJob::Spread(job_, std::move(rest), end());
  return {};
}

void MultiGetGroup::Send(rpc::Channel& channel) {
  FillHeader(request_.header);
  FillRead(request_);
  request_.keys.clear();
  for (const size_t index : indices_) request_.keys.push_back(job_->key(index));
  Ask(channel, request_, reply_);
}

Status MultiGetGroup::Complete() {
  if (reply_.results.size() != indices_.size()) {
    return Error(Code::kInternal, "a multiGet of " + std::to_string(indices_.size()) + " keys was answered with " +
                                      std::to_string(reply_.results.size()) + " results");
  }
  std::vector<size_t> again;
  Code why = Code::kOk;
  for (size_t i = 0; i < indices_.size(); ++i) {
    idl::MultiGetResult& result = reply_.results[i];
    const Code code = rpc::FromIdl(result.code);
    if (code == Code::kOk && result.__isset.record) {
      job_->Answer(indices_[i], FromIdl(std::move(result.record)));
    } else if (code == Code::kWrongTablet || code == Code::kOverloaded) {
      again.push_back(indices_[i]);
      why = code;
    } else {
      job_->Answer(indices_[i], WithoutRecord(code, job_->key(indices_[i])));
    }
  }
  const bool progress = again.size() < indices_.size();
  indices_ = std::move(again);
  if (indices_.empty()) return {};
  if (!progress || why == Code::kWrongTablet) {
    return Error(why,
                 why == Code::kOverloaded ? "no key's record fitted into the reply" : "its keys are served elsewhere");
  }
  // The reply was full: the rest is asked for at once, with a policy that has forgotten nothing it should remember.
  MultiGetJob::Spread(job_, std::exchange(indices_, {}), end());
  return {};
}

void MultiGetGroup::Finish(Status status) {
  // One of them is not to be read by this caller, or cannot be: alone each learns whether it is that.
  const bool for_one = status.code() == Code::kPermissionDenied || status.code() == Code::kInternal;
  if (for_one && indices_.size() > 1) {
    const Duration allowed = end() - core().network().Now();
    for (const size_t index : std::exchange(indices_, {}))
      std::make_shared<MultiGetGroup>(core(), table(), job_, std::vector{index}, allowed)->Start();
    return;
  }
  for (const size_t index : indices_) job_->Answer(index, Error(status));
  indices_.clear();
}

// ---- scan

ScanOperation::ScanOperation(ClientCore& core, TablePtr table, ScanOptions options,
                             Callback<Result<ebla::ScanPage>> done)
    : Operation(core, std::move(table), Kind::kRead, core.DeadlineOr(options.deadline)),
      options_(std::move(options)),
      done_(std::move(done)) {
  SetRead(options_.read);
  tokens().Join(SessionAccess::Get(options_.session));
  routing_key_ = options_.range.start;
  if (options_.reverse) routing_key_ = std::max(routing_key_, KeyNearBelow(options_.range.end));
  request_.range = rpc::ToIdl(options_.range);
  request_.reverse = options_.reverse;
  request_.limit = static_cast<int32_t>(std::min<uint64_t>(options_.limit, INT32_MAX));
  request_.keysOnly = options_.keys_only;
  request_.pageBytes = static_cast<int32_t>(std::min<uint32_t>(options_.page_bytes, 8 << 20));
}

void ScanOperation::Start() {
  const KeyRange& range = options_.range;
  if (!range.end.empty() && range.start > range.end) {
    return Finish(
        Error(Code::kInvalidArgument, "the range " + range.ToString() + " is inverted: its start lies after its end"));
  }
  if (std::max(range.start.size(), range.end.size()) > kKeyBytesMax + 1) {
    return Finish(Error(Code::kInvalidArgument, "a bound of the range is longer than any key (4096 bytes)"));
  }
  if (Status valid = CheckRead(); !valid.ok()) return Finish(std::move(valid));
  if (range.Empty()) {
    reply_.done = true;
    return Finish({});
  }
  Run();
}

void ScanOperation::Send(rpc::Channel& channel) {
  FillHeader(request_.header);
  FillRead(request_);
  Ask(channel, request_, reply_);
}

Status ScanOperation::Complete() {
  if (reply_.done || reply_.remaining != request_.range) return {};
  return Error(Code::kInternal, "a page of the scan of " + options_.range.ToString() + " made no progress");
}

void ScanOperation::Finish(Status status) {
  if (!status.ok()) return done_(Error(std::move(status)));
  ebla::ScanPage page;
  page.done = reply_.done;
  if (!page.done) page.remaining = rpc::FromIdl(std::move(reply_.remaining));
  page.rows.reserve(reply_.records.size());
  for (idl::ScanRecord& row : reply_.records) page.rows.push_back({std::move(row.key), FromIdl(std::move(row.record))});
  done_(std::move(page));
}

}  // namespace ebla::client
