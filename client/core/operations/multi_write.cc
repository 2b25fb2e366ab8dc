#include "client/core/operations/multi_write.h"

#include <algorithm>
#include <string_view>
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
                             const WriteOptions& options, Callback<std::vector<Result<PartResult>>> done)
    : core_(core),
      table_(std::move(table)),
      parts_(std::move(parts)),
      ack_(options.ack),
      session_(SessionAccess::Get(options.session)),
      end_(core.network().Now() + core.DeadlineOr(options.deadline)),
      results_(parts_.size(), Error(ClosedStatus())),
      done_(std::move(done)) {}

MultiWriteJob::~MultiWriteJob() { done_(std::move(results_)); }

void MultiWriteJob::Start(const std::shared_ptr<MultiWriteJob>& job) {
  struct Together {
    PlacePtr place;
    std::vector<size_t> indices;
    size_t bytes = 0;
  };
  std::vector<Together> batches;
  std::unordered_set<std::string_view> keys;
  const auto router = job->table_->router();
  for (size_t i = 0; i < job->parts_.size(); ++i) {
    const Batch::Part& part = job->parts_[i];
    Status valid = CheckPart(part);
    if (valid.ok() && !keys.insert(part.key).second)
      valid = Error(Code::kInvalidArgument, "an earlier write of the call has its key");
    if (!valid.ok()) {
      job->results_[i] = Error(std::move(valid));
      continue;
    }
    const size_t bytes = BytesOf(part);
    const auto fits = [&](const Together& batch) {
      return batch.place && batch.place->range.Contains(part.key) && batch.indices.size() < kTogetherMax &&
             batch.bytes + bytes <= kTogetherBytesMax;
    };
    auto batch = std::ranges::find_if(batches, fits);
    if (batch == batches.end()) batch = batches.insert(batch, {router->Find(part.key), {}, 0});
    batch->indices.push_back(i);
    batch->bytes += bytes;
  }
  for (Together& batch : batches) Send(job, std::move(batch.indices));
}

void MultiWriteJob::Send(const std::shared_ptr<MultiWriteJob>& job, std::vector<size_t> indices) {
  Batch batch;
  for (const size_t index : indices) batch.Add(job->parts_[index]);
  const Duration allowed = job->end_ - job->core_.network().Now();
  std::make_shared<WriteOperation>(job->core_, job->table_, std::move(batch), job->ack_, job->session_, allowed,
                                   [job, indices = std::move(indices)](Result<BatchResult> result) {
                                     if (result || indices.size() == 1 || !RefusedForOne(result.error().code()))
                                       return job->Answer(indices, result);
                                     for (const size_t index : indices) Send(job, {index});
                                   })
      ->Start({});
}

void MultiWriteJob::Answer(const std::vector<size_t>& indices, const Result<BatchResult>& result) {
  size_t counters = 0;
  for (const size_t index : indices) {
    if (!result) {
      results_[index] = Error(result.error());
      continue;
    }
    PartResult one{.version = result->version};
    if (parts_[index].kind == Batch::Kind::kIncrement) {
      if (counters == result->counters.size()) {
        results_[index] = Error(Code::kInternal, "the server's reply to an increment holds no sum");
        continue;
      }
      one.counter = result->counters[counters++];
    }
    results_[index] = one;
  }
}

}  // namespace ebla::client
