#include "tabletserver/storage/testing/simulated_disk.h"

#include <glog/logging.h>

#include <algorithm>

#include "tabletserver/storage/log/log_format.h"
#include "tabletserver/storage/row_encoding.h"

namespace ebla::tabletserver {

namespace {

constexpr int kLossesTried = 8;

// The places at which the segment's frames begin, from `first` through `last`, as far as they are whole.
std::vector<int64_t> FramesOf(std::string_view segment, uint64_t number, uint64_t first, uint64_t last) {
  std::vector<int64_t> begins;
  int64_t end = kLogBlock;
  for (uint64_t sequence = first; sequence <= last; ++sequence) {
    std::optional<LogFrame> frame;
    for (const int64_t at : {end, AlignUp(end, kLogBlock)}) {
      frame = DecodeLogFrame(segment, number, at);
      if (frame && frame->header.sequence != sequence) frame.reset();
      if (!frame) continue;
      begins.push_back(at);
      break;
    }
    if (!frame) break;
    end = frame->end;
  }
  return begins;
}

}  // namespace

SimulatedDisk::SimulatedDisk(uint64_t seed) : random_(seed), log_disk_(random_()) {}

SimulatedDisk::~SimulatedDisk() {
  MutexLock lock(mutex_);
  CHECK(!open_) << "a store is open on the disk";
}

// ---- lives -----------------------------------------------------------------------------------------------------------

SharedLog& SimulatedDisk::Open() {
  FailNext({});
  MutexLock lock(mutex_);
  CHECK(!open_) << "one store at a time on a disk";
  if (log_ != nullptr && dead_.ok()) log_->Flush(SharedLog::Depth::kDisk).ok();  // it has ended well
  log_.reset();
  dead_ = {};
  records_fail_ = {};
  refuse_to_apply_ = false;
  begun_.reset();  // the life that had begun it has ended
  remembered_.reset();
  open_ = true;
  auto opened = OpenLog();
  CHECK(opened.has_value()) << opened.error();
  log_ = *std::move(opened);
  NoteExtent();
  return *log_;
}

SharedLogOptions SimulatedDisk::LogOptions() {
  SharedLogOptions options{.segment_bytes = 64 << 10,
                           .tail_bytes = 8 << 10,
                           .moved_below = 0.5,
                           .kept_segments = 2,
                           .new_log_id = 1,
                           .joins_short = true,
                           .before_remove =
                               [this] {
                                 NoteExtent();
                                 return Status();
                               },
                           .progress = nullptr};
  MutexLock lock(noting_);
  options.expected = noted_;
  return options;
}

// As WtStore does: a loss is in the log before the note agrees with what is left, so that the next start tells it, too.
Result<std::unique_ptr<SharedLog>> SimulatedDisk::OpenLog() {
  EBLA_ASSIGN(std::unique_ptr<SharedLog> log, SharedLog::Open(log_disk_, LogOptions()));
  loss_ = log->loss();
  if (loss_) {
    EBLA_TRY(log->Put(kLogLossKey, EncodeLogLoss(*loss_)));
    EBLA_TRY(log->Flush(SharedLog::Depth::kDisk));
    return log;
  }
  EBLA_ASSIGN(const std::optional<std::string> noted, log->Get(kLogLossKey));
  if (noted) {
    EBLA_ASSIGN(loss_, DecodeLogLoss(*noted));
  }
  return log;
}

// A disk that answers a sync before it is done notes nothing: the log would claim what the disk lacks, and the fault is
// to be found by what clients see.
void SimulatedDisk::NoteExtent() {
  if (log_disk_.lies()) return;
  const LogExtent extent = log_->extent();
  MutexLock lock(noting_);
  noted_ = extent;
}

void SimulatedDisk::Close() {
  std::vector<std::pair<Executor*, Task>> parked;  // destroyed without the lock
  MutexLock lock(mutex_);
  open_ = false;
  parked.swap(parked_);
}

void SimulatedDisk::CrashIn(std::move_only_function<void()> work, CrashKind kind) {
  log_disk_.CrashAt(log_disk_.steps() + 1 + static_cast<int64_t>(random_() % 4), kind);
  work();
  log_disk_.CrashNow(kind);
  log_.reset();
  log_disk_.Restart();
}

void SimulatedDisk::Crash(CrashKind kind) {
  FailNext({});
  MutexLock lock(mutex_);
  CHECK(!open_) << "destroy the crashed life's store first";
  const uint64_t doing = random_() % 4;
  CrashIn(
      [&] {
        if (log_ == nullptr) return;
        if (doing == 0) log_->Flush(SharedLog::Depth::kSystem).ok();
        if (doing == 1) log_->Flush(SharedLog::Depth::kDisk).ok();
        if (doing == 2) log_->Clean().ok();
      },
      kind);
  if (random_() % 4 == 0) {
    CrashIn(
        [&] {
          auto opened = OpenLog();
          if (!opened) return;
          log_ = *std::move(opened);
          log_->Clean().ok();
        },
        kind);
  }
  dead_ = {};
  begun_.reset();
  records_ = checkpoint_;
}

bool SimulatedDisk::LoseEnd(Loss loss) {
  MutexLock lock(mutex_);
  CHECK(!open_ && log_ == nullptr) << "a disk loses its end after a crash";
  if (loss == Loss::kAll) return GoBack();
  const SharedLogOptions options = LogOptions();
  if (!options.expected || !log_disk_.Has(options.expected->last_segment)) return false;
  const uint64_t number = options.expected->last_segment;
  const auto file = log_disk_.Open(number);
  const auto whole = (*file)->Read(0, (*file)->Size().value());
  const auto header = DecodeSegmentHeader(std::string_view(*whole).substr(0, kLogBlock));
  if (!header) return false;
  const std::vector<int64_t> frames = FramesOf(*whole, number, header->first_sequence, options.expected->needed);
  // Long ends and short ones. A log that lacks more than its end, because what was moved to it is lost, does not open:
  // that server would stay away.
  for (int i = 0; i < kLossesTried && !frames.empty(); ++i) {
    const size_t most = random_() % 2 == 0 ? frames.size() : std::min<size_t>(frames.size(), 16);
    const int64_t from = frames[frames.size() - 1 - random_() % most];
    const auto lose = [&](SimulatedLogDisk& disk) {
      disk.Lose(number, from, loss);
      for (uint64_t later = number + 1; disk.Has(later); ++later) disk.Forget(later);
    };
    const std::unique_ptr<SimulatedLogDisk> trial = log_disk_.Copy();
    lose(*trial);
    if (!SharedLog::Open(*trial, options).has_value()) continue;
    lose(log_disk_);
    return true;
  }
  return false;
}

void SimulatedDisk::Remember() {
  NoteExtent();
  MutexLock lock(mutex_);
  MutexLock noting(noting_);
  remembered_ = {log_disk_.Copy(), noted_, checkpoint_, tables_};
}

bool SimulatedDisk::GoBack() {
  const std::optional<Remembered> to = std::exchange(remembered_, std::nullopt);
  if (!to) return false;
  log_disk_.GoBackTo(*to->log);
  records_ = checkpoint_ = to->checkpoint;
  tables_ = to->tables;
  MutexLock noting(noting_);
  noted_ = to->noted;
  return true;
}

Status SimulatedDisk::Life::status() const {
  MutexLock lock(disk_.mutex_);
  return disk_.dead_;
}

Status SimulatedDisk::Life::Fail(Status reason) {
  MutexLock lock(disk_.mutex_);
  const bool meant = !disk_.injected_.ok() && !disk_.log_disk_.fails_next();
  if (meant) reason = Status(disk_.injected_.code(), disk_.injected_.message() + ": " + reason.message());
  if (disk_.dead_.ok()) disk_.dead_ = std::move(reason);
  return disk_.dead_;
}

DiskRoom SimulatedDisk::Life::room() const {
  MutexLock lock(disk_.mutex_);
  if (disk_.refuse_ > 0) {
    --disk_.refuse_;
    return DiskRoom::kNone;
  }
  return disk_.full_ ? DiskRoom::kDeletes : DiskRoom::kAll;
}

// ---- time ------------------------------------------------------------------------------------------------------------

Duration SimulatedDisk::Within(Duration min, Duration max) {
  return min + Duration(random_() % (static_cast<uint64_t>((max - min).count()) + 1));
}

void SimulatedDisk::Queue::Post(Task task) {
  Duration latency;
  {
    MutexLock lock(disk_.mutex_);
    latency = disk_.Within(disk_.latency_min_, disk_.latency_max_);
    const bool slow = of_log_ && disk_.slow_one_of_ > 0 && disk_.random_() % disk_.slow_one_of_ == 0;
    if (slow) latency += disk_.Within(disk_.slow_min_, disk_.slow_max_);
  }
  disk_.RunLater(executor_, latency, std::move(task));
}

void SimulatedDisk::Queue::PostEndOfCheckpoint(Task task) {
  Duration latency;
  {
    MutexLock lock(disk_.mutex_);
    latency = disk_.Within(disk_.latency_min_, disk_.latency_max_) + disk_.checkpoint_longer_;
  }
  disk_.RunLater(executor_, latency, std::move(task));
}

void SimulatedDisk::RunLater(Executor& executor, Duration latency, Task task) {
  auto run = [this, &executor, task = std::move(task)]() mutable { RunOrPark(executor, std::move(task)); };
  if (latency == Duration(0)) {
    executor.Post(std::move(run));
  } else {
    executor.After(latency, std::move(run));
  }
}

void SimulatedDisk::RunOrPark(Executor& executor, Task task) {
  {
    MutexLock lock(mutex_);
    if (stalled_) {
      parked_.emplace_back(&executor, std::move(task));
      return;
    }
  }
  task();
}

// ---- faults ----------------------------------------------------------------------------------------------------------

void SimulatedDisk::SetStalled(bool stalled) {
  std::vector<std::pair<Executor*, Task>> parked;
  {
    MutexLock lock(mutex_);
    stalled_ = stalled;
    if (!stalled) parked.swap(parked_);
  }
  for (auto& [executor, task] : parked) {
    executor->Post(
        [this, executor = executor, task = std::move(task)]() mutable { RunOrPark(*executor, std::move(task)); });
  }
}

void SimulatedDisk::FailNext(Status error) {
  using Failure = SimulatedLogDisk::Failure;
  constexpr Failure kFailures[] = {Failure::kSync, Failure::kWrite, Failure::kDamagedRead};
  MutexLock lock(mutex_);
  log_disk_.FailNext(error.ok() ? Failure::kNone : kFailures[random_() % std::size(kFailures)]);
  injected_ = std::move(error);
}

void SimulatedDisk::RefuseAppends(int count) {
  MutexLock lock(mutex_);
  refuse_ = count;
}

void SimulatedDisk::RefuseToApply(bool refuse) {
  MutexLock lock(mutex_);
  refuse_to_apply_ = refuse;
}

void SimulatedDisk::FailRecords(Status error) {
  MutexLock lock(mutex_);
  records_fail_ = std::move(error);
}

void SimulatedDisk::SetFull(bool full) {
  MutexLock lock(mutex_);
  full_ = full;
}

void SimulatedDisk::SetLatency(Duration min, Duration max) {
  MutexLock lock(mutex_);
  latency_min_ = min;
  latency_max_ = std::max(min, max);
}

void SimulatedDisk::SetSlowFlushes(uint64_t one_of, Duration min, Duration max) {
  MutexLock lock(mutex_);
  slow_one_of_ = one_of;
  slow_min_ = min;
  slow_max_ = std::max(min, max);
}

void SimulatedDisk::SetCheckpointTime(Duration longer) {
  MutexLock lock(mutex_);
  checkpoint_longer_ = longer;
}

int64_t SimulatedDisk::checkpoints() const {
  MutexLock lock(mutex_);
  return checkpoints_;
}

bool SimulatedDisk::checkpointing() const {
  MutexLock lock(mutex_);
  return begun_.has_value();
}

}  // namespace ebla::tabletserver
