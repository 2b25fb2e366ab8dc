#include "tabletserver/maintenance/compactor.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/base/mutex.h"

namespace ebla::tabletserver {
namespace {

constexpr Duration kSlice = std::chrono::seconds(10);

}  // namespace

Status Compactor::Begin(TableId table, Duration limit) {
  if (limit <= Duration{0} || limit > kCompactionMax) {
    return Error(Code::kInvalidArgument, "a compaction may take from one second to a day");
  }
  EBLA_ASSIGN(const int64_t bytes, ports_.file_bytes(table));
  MutexLock lock(mutex_);
  const auto known = runs_.find(table);
  if (known != runs_.end() && known->second.running) return {};
  runs_[table] = {.begun = executor_.Now(), .limit = limit, .bytes_before = bytes, .bytes_after = bytes};
  waiting_.push_back(table);
  if (waiting_.size() == 1) executor_.Post([this] { Slice(); });
  return {};
}

std::optional<Compactor::State> Compactor::Latest(TableId table) const {
  MutexLock lock(mutex_);
  const auto found = runs_.find(table);
  if (found == runs_.end()) return std::nullopt;
  const Run& run = found->second;
  State state{
      .running = run.running, .bytes_before = run.bytes_before, .bytes_after = run.bytes_after, .outcome = run.outcome};
  state.age = std::chrono::duration_cast<std::chrono::milliseconds>(executor_.Now() - run.begun);
  return state;
}

void Compactor::Slice() {
  TableId table;
  Duration slice{};
  {
    MutexLock lock(mutex_);
    table = waiting_.front();
    Run& run = runs_.at(table);
    const MonotonicTime now = executor_.Now();
    if (run.until == MonotonicTime{}) run.until = now + run.limit;
    slice = std::min<Duration>(kSlice, run.until - now);
  }
  bool more = false;
  Status status = CompactFor(table, slice, more);
  const Result<int64_t> bytes = status.ok() ? ports_.file_bytes(table) : Result<int64_t>(0);
  MutexLock lock(mutex_);
  Run& run = runs_.at(table);
  if (status.ok() && bytes) run.bytes_after = *bytes;
  if (more && executor_.Now() >= run.until) {
    more = false;
    status = Error(Code::kDeadlineExceeded, "its time limit passed; a further compaction goes on from there");
  }
  if (!more) {
    run.running = false;
    run.outcome = status;
    LOG(INFO) << "compaction of table " << table << ": " << (run.bytes_before >> 20) << " MiB before, "
              << (run.bytes_after >> 20) << " MiB after; " << (status.ok() ? "done" : status.ToString());
    waiting_.pop_front();
  }
  if (!waiting_.empty()) executor_.Post([this] { Slice(); });
}

Status Compactor::CompactFor(TableId table, Duration slice, bool& more) {
  if (slice <= Duration{0}) {
    more = true;
    return {};
  }
  EBLA_ASSIGN(const bool done, ports_.compact(table, slice));
  more = !done;
  return {};
}

}  // namespace ebla::tabletserver
