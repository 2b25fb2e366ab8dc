#include "client/core/operations/multi_write.h"

#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>

#include "client/core/operations/write_operation.h"

namespace ebla::client {

namespace {

// Of one batch of parts that have nothing to do with each other: more would hold up the first for the last.
constexpr size_t kTogetherMax = 256;
constexpr size_t kTogetherBytesMax = 1 << 20;

size_t BytesOf(const Batch::Part& part) { return part.key.size() + part.value.size(); }

// Nothing has happened, and alone each part learns whether it was it.
bool RefusedForOne(Code code) { return code == Code::kConditionFailed || code == Code::kInvalidArgument; }

}  // namespace

MultiWriteJob::MultiWriteJob(ClientCore& core, TablePtr table, std::vector<Batch::Part> parts,
                             const WriteOptions& options, EachCallback<Result<PartResult>> each)
    : core_(core),
      table_(std::move(table)),
      parts_(std::move(parts)),
      ack_(options.ack),
      session_(SessionAccess::Get(options.session)),
      end_(core.network().Now() + core.DeadlineOr(options.deadline)),
      each_(std::move(each)) {}

void MultiWriteJob::Start(const std::shared_ptr<MultiWriteJob>& job) {
  std::vector<Together> batches;
  std::unordered_set<std::string> keys;
  const auto router = job->table_->router();
  for (size_t i = 0; i < job->parts_.size(); ++i) {
    Batch::Part& part = job->parts_[i];
    job->increments_.push_back(part.kind == Batch::Kind::kIncrement);
    Status valid = CheckPart(part);
    if (valid.ok() && !keys.insert(part.key).second)
      valid = Error(Code::kInvalidArgument, "an earlier write of the call has its key");
    if (!valid.ok()) {
      job->each_(i, Error(std::move(valid)));
      continue;
    }
    const size_t bytes = BytesOf(part);
    const auto fits = [&](const Together& batch) {
      return batch.place && batch.place->range.Contains(part.key) && batch.indices.size() < kTogetherMax &&
             batch.bytes + bytes <= kTogetherBytesMax;
    };
    auto batch = std::ranges::find_if(batches, fits);
    if (batch == batches.end()) batch = batches.insert(batch, {router->Find(part.key), {}, {}, 0});
    batch->indices.push_back(i);
    batch->writes.push_back(ToIdl(std::move(part)));
    batch->bytes += bytes;
  }
  for (Together& batch : batches) Send(job, std::move(batch.indices), std::move(batch.writes));
}

void MultiWriteJob::Send(const std::shared_ptr<MultiWriteJob>& job, std::vector<size_t> indices,
                         std::vector<idl::Write> writes) {
  const auto operation = std::make_shared<WriteOperation*>(nullptr);
  const auto write = std::make_shared<WriteOperation>(
      job->core_, job->table_, std::move(writes), job->ack_, job->session_, job->end_ - job->core_.network().Now(),
      [job, operation, indices = std::move(indices)](Result<BatchResult> result) {
        if (result || indices.size() == 1 || !RefusedForOne(result.error().code())) return job->Answer(indices, result);
        std::vector<idl::Write> again = (*operation)->TakeWrites();
        for (size_t i = 0; i < indices.size(); ++i) {
          std::vector<idl::Write> one;
          one.push_back(std::move(again[i]));
          Send(job, {indices[i]}, std::move(one));
        }
      });
  *operation = write.get();
  write->Start({});
}

void MultiWriteJob::Answer(const std::vector<size_t>& indices, const Result<BatchResult>& result) const {
  size_t counters = 0;
  for (const size_t index : indices) {
    if (!result) {
      each_(index, Error(result.error()));
    } else if (!increments_[index]) {
      each_(index, PartResult{.version = result->version});
    } else if (counters < result->counters.size()) {
      each_(index, PartResult{.version = result->version, .counter = result->counters[counters++]});
    } else {
      each_(index, Error(Code::kInternal, "the server's reply to an increment holds no sum"));
    }
  }
}

}  // namespace ebla::client
