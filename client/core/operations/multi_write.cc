#include "client/core/operations/multi_write.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "client/core/operations/write_operation.h"
#include "common/base/distinct_keys.h"
#include "common/base/functions.h"

namespace ebla::client {

namespace {

// Limits of one batch of independent parts. In a larger batch the first part would wait for the last.
constexpr size_t kTogetherMax = 256;
constexpr size_t kTogetherBytesMax = 1 << 20;
constexpr size_t kTogetherAnswersMax = kFunctionAnswersBytesMax / 4 * 3;  // some are larger than the average

size_t BytesOf(const idl::Write& write) { return write.key.size() + write.value.size(); }

bool IsPlain(const idl::Write& write) {
  const bool absolute = write.kind == idl::WriteKind::PUT || write.kind == idl::WriteKind::DELETE;
  return absolute && !write.__isset.condition;
}

// Whether no part has happened, so that sending the parts separately finds the refused one. If an attempt may have
// happened, only an evaluation proves that, because the tablet first looks into its dedup window.
bool RefusedForOne(Code code, const WriteOperation& operation) {
  if (code == Code::kConditionFailed) return true;
  const bool nothing_happened = !operation.maybe_happened() || operation.refused_at().has_value();
  return nothing_happened && (code == Code::kInvalidArgument || code == Code::kPermissionDenied);
}

// Removes the indices of repeated keys, and keeps the order of the rest.
std::vector<size_t> TakeRepeated(const std::vector<Batch::Part>& parts, std::vector<size_t>& indices) {
  std::vector<std::string_view> all;
  all.reserve(indices.size());
  for (const size_t index : indices) all.push_back(parts[index].key);
  std::vector<size_t> repeated;
  if (HaveDistinctHashes(all)) return repeated;
  std::set<std::string_view> keys;
  std::erase_if(indices, [&](size_t index) {
    const bool again = !keys.insert(parts[index].key).second;
    if (again) repeated.push_back(index);
    return again;
  });
  return repeated;
}

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
  const size_t size = job->parts_.size();
  std::vector<size_t> indices;
  indices.reserve(size);
  job->kinds_.reserve(size);
  for (size_t i = 0; i < size; ++i) {
    const Batch::Part& part = job->parts_[i];
    job->kinds_.push_back(part.kind);
    if (Status valid = CheckPart(part); valid.ok()) {
      indices.push_back(i);
    } else {
      job->each_(i, Error(std::move(valid)));
    }
  }
  for (const size_t again : TakeRepeated(job->parts_, indices))
    job->each_(again, Error(Code::kInvalidArgument, "an earlier write of the call has its key"));
  std::vector<idl::Write> writes;
  writes.reserve(indices.size());
  for (const size_t index : indices) ToIdl(std::move(job->parts_[index]), writes.emplace_back());
  Spread(job, std::move(indices), std::move(writes));
}

void MultiWriteJob::Spread(const std::shared_ptr<MultiWriteJob>& job, std::vector<size_t> indices,
                           std::vector<idl::Write> writes) {
  std::vector<Together> batches;
  const auto router = job->table_->router();
  const size_t usual_answer = job->table_->answer_bytes();
  PlacePtr place;
  for (size_t i = 0; i < indices.size(); ++i) {
    if (!place || !place->range.Contains(writes[i].key)) place = router->Find(writes[i].key);
    const bool plain = IsPlain(writes[i]);
    const size_t bytes = BytesOf(writes[i]);
    const size_t answer = writes[i].kind == idl::WriteKind::APPLY ? usual_answer : 0;
    const auto fits = [&](const Together& batch) {
      return batch.place == place && batch.plain == plain && batch.indices.size() < kTogetherMax &&
             batch.bytes + bytes <= kTogetherBytesMax && batch.answer_bytes + answer <= kTogetherAnswersMax;
    };
    auto batch = std::ranges::find_if(batches, fits);
    if (batch == batches.end()) {
      batch = batches.insert(batch, Together{.place = place, .plain = plain});
      if (i == 0) batch->indices.reserve(indices.size());
    }
    batch->indices.push_back(i);  // for now, its place here
    batch->bytes += bytes;
    batch->answer_bytes += answer;
  }
  if (batches.size() == 1) {  // as a rule: nothing need be moved
    batches[0].indices = std::move(indices);
    batches[0].writes = std::move(writes);
  } else {
    for (Together& batch : batches) {
      for (size_t& at : batch.indices) {
        batch.writes.push_back(std::move(writes[at]));
        at = indices[at];
      }
    }
  }
  for (Together& batch : batches) Send(job, std::move(batch));
}

void MultiWriteJob::Send(const std::shared_ptr<MultiWriteJob>& job, Together batch) {
  const auto write = std::make_shared<WriteOperation>(job->core_, job->table_, std::exchange(batch.writes, {}),
                                                      job->ack_, job->session_, job->end_ - job->core_.network().Now());
  write->Start({}, [job, operation = write.get(), batch = std::move(batch)](Result<BatchResult> result) mutable {
    const bool alone = batch.indices.size() == 1;
    if (result || alone || !RefusedForOne(result.error().code(), *operation))
      return job->Answer(batch.indices, std::move(result));
    batch.writes = operation->TakeWrites();
    OnRefused(job, std::move(batch), operation->refused_at());
  });
}

void MultiWriteJob::OnRefused(const std::shared_ptr<MultiWriteJob>& job, Together batch,
                              std::optional<size_t> refused_at) {
  // If the batch had no place, at least its first key has one by now.
  const auto router = job->table_->router();
  if (!batch.place && router->Find(batch.writes.front().key) != nullptr)
    return Spread(job, std::move(batch.indices), std::move(batch.writes));
  // The parts before the refused one will probably succeed, because they were evaluated before. More parts behind it
  // may be refused; halves find many of them in few rounds.
  const size_t size = batch.indices.size(), at = refused_at.value_or(size);
  const size_t behind = at < size ? at + 1 : 0;
  size_t begin = 0;
  for (const size_t end : {std::min(at, behind), behind, behind + (size - behind) / 2, size}) {
    if (begin == end) continue;
    Together piece{.place = batch.place, .plain = batch.plain};
    for (; begin < end; ++begin) {
      piece.indices.push_back(batch.indices[begin]);
      piece.writes.push_back(std::move(batch.writes[begin]));
    }
    Send(job, std::move(piece));
  }
}

void MultiWriteJob::Answer(const std::vector<size_t>& indices, Result<BatchResult> result) const {
  size_t counters = 0, answers = 0;
  for (const size_t index : indices) {
    if (!result) {
      each_(index, Error(result.error()));
      continue;
    }
    PartResult part{.version = result->version};
    const bool counts = kinds_[index] == Batch::Kind::kIncrement, answered = kinds_[index] == Batch::Kind::kApply;
    if ((counts && counters == result->counters.size()) || (answered && answers == result->answers.size())) {
      each_(index, Error(Code::kInternal, "the server's reply lacks the result of an increment or a function"));
      continue;
    }
    if (counts) part.counter = result->counters[counters++];
    if (answered) {
      part.answer = std::move(result->answers[answers++]);
      table_->NoteAnswer(part.answer.size());
    }
    each_(index, std::move(part));
  }
}

}  // namespace ebla::client
