#include "tabletserver/storage/testing/simulated_log_disk.h"

#include <algorithm>

namespace ebla::tabletserver {

struct SimulatedLogDisk::Contents {
  std::string begun;  // as it was then
  std::string durable;
  std::string seen;  // with what was written since
  std::vector<std::pair<size_t, std::string>> unsynced;
  size_t told = 0;  // of a disk that lies: the first so many of them are said to be synced

  void Write(std::string& into, size_t offset, std::string_view bytes) {
    if (into.size() < offset + bytes.size()) into.resize(offset + bytes.size());
    into.replace(offset, bytes.size(), bytes);
  }
  void WriteUnsynced(std::string& into) {
    for (const auto& [offset, bytes] : unsynced) Write(into, offset, bytes);
  }
};

class SimulatedLogDisk::File final : public LogFile {
 public:
  File(SimulatedLogDisk& disk, std::shared_ptr<Contents> contents) : disk_(disk), contents_(std::move(contents)) {}

  Status Write(int64_t offset, std::string_view bytes) override {
    MutexLock lock(disk_.mutex_);
    EBLA_ASSIGN(const bool crashes, disk_.Step());
    if (disk_.Fails(Failure::kWrite)) return Error(Code::kInternal, "the disk says no");
    const std::string_view done = crashes ? bytes.substr(0, disk_.random_() % (bytes.size() + 1)) : bytes;
    contents_->Write(contents_->seen, static_cast<size_t>(offset), done);
    contents_->unsynced.emplace_back(offset, done);
    if (crashes) disk_.Crash(disk_.kind_);
    return Outcome(crashes);
  }

  Status Sync() override {
    MutexLock lock(disk_.mutex_);
    EBLA_ASSIGN(const bool crashes, disk_.Step());
    if (crashes) {
      disk_.Crash(disk_.kind_);
    } else if (disk_.Fails(Failure::kSync)) {
      return Error(Code::kInternal, "the disk says no");
    } else if (disk_.Fails(Failure::kLostSync)) {
      std::erase_if(contents_->unsynced, [this](const auto&) {
        disk_.mutex_.AssertHeld();
        return disk_.Coin();
      });
      contents_->WriteUnsynced(contents_->durable);
      contents_->unsynced.clear();
      contents_->told = 0;
      return Error(Code::kInternal, "the disk says no");
    } else {
      const size_t synced = disk_.lies_ ? contents_->told : contents_->unsynced.size();
      for (size_t i = 0; i < synced; ++i) {
        const auto& [offset, bytes] = contents_->unsynced[i];
        contents_->Write(contents_->durable, offset, bytes);
      }
      contents_->unsynced.erase(contents_->unsynced.begin(),
                                contents_->unsynced.begin() + static_cast<ptrdiff_t>(synced));
      contents_->told = contents_->unsynced.size();
    }
    return Outcome(crashes);
  }

  Result<std::string> Read(int64_t offset, int64_t size) override {
    MutexLock lock(disk_.mutex_);
    if (offset >= std::ssize(contents_->seen)) return std::string();
    std::string bytes = contents_->seen.substr(static_cast<size_t>(offset), static_cast<size_t>(size));
    if (disk_.Fails(Failure::kDamagedRead)) bytes[disk_.random_() % bytes.size()] ^= 0x10;
    return bytes;
  }

  Result<int64_t> Size() override {
    MutexLock lock(disk_.mutex_);
    return std::ssize(contents_->seen);
  }

  void DropCached(int64_t, int64_t) override {
    MutexLock lock(disk_.mutex_);
    contents_->seen = contents_->durable;
    contents_->WriteUnsynced(contents_->seen);
  }

 private:
  static Status Outcome(bool crashes) { return crashes ? Status(Code::kInternal, "the disk has crashed") : Status(); }

  SimulatedLogDisk& disk_;
  const std::shared_ptr<Contents> contents_;
};

Result<bool> SimulatedLogDisk::Step() {
  if (crashed_) return Error(Code::kInternal, "the disk has crashed");
  return ++steps_ == crash_at_;
}

bool SimulatedLogDisk::Fails(Failure kind) {
  if (failure_ != kind) return false;
  failure_ = Failure::kNone;
  return true;
}

int64_t SimulatedLogDisk::steps() const {
  MutexLock lock(mutex_);
  return steps_;
}

bool SimulatedLogDisk::crashed() const {
  MutexLock lock(mutex_);
  return crashed_;
}

void SimulatedLogDisk::FailNext(Failure failure) {
  MutexLock lock(mutex_);
  failure_ = failure;
}

bool SimulatedLogDisk::fails_next() const {
  MutexLock lock(mutex_);
  return failure_ != Failure::kNone;
}

void SimulatedLogDisk::Lie() {
  MutexLock lock(mutex_);
  lies_ = true;
}

bool SimulatedLogDisk::lies() const {
  MutexLock lock(mutex_);
  return lies_;
}

bool SimulatedLogDisk::Has(uint64_t number) const {
  MutexLock lock(mutex_);
  return files_.contains(number);
}

void SimulatedLogDisk::CrashAt(int64_t step, CrashKind kind) {
  MutexLock lock(mutex_);
  crash_at_ = step;
  kind_ = kind;
}

void SimulatedLogDisk::CrashNow(CrashKind kind) {
  MutexLock lock(mutex_);
  if (!crashed_) Crash(kind);
}

// When a machine crashes, each unsynced sector keeps its old bytes, has its new bytes, or is spoilt.
void SimulatedLogDisk::Crash(CrashKind kind) {
  crashed_ = true;
  if (kind == CrashKind::kProcess) return;
  for (auto& [number, contents] : files_) {
    for (const auto& [offset, bytes] : contents->unsynced) {
      for (size_t at = offset; at < offset + bytes.size();) {
        const size_t end = std::min((at / kSector + 1) * kSector, offset + bytes.size());
        const uint64_t fate = random_() % 16;
        if (fate == 0) {  // the whole sector is spoilt, older bytes in it too
          contents->Write(contents->durable, at / kSector * kSector, std::string(kSector, '\x5a'));
        } else if (fate < 8) {
          contents->Write(contents->durable, at, std::string_view(bytes).substr(at - offset, end - at));
        }
        at = end;
      }
    }
    contents->unsynced.clear();
    contents->told = 0;
    contents->seen = contents->durable;
  }
}

void SimulatedLogDisk::Restart() {
  MutexLock lock(mutex_);
  crashed_ = false;
  crash_at_ = -1;
}

void SimulatedLogDisk::Damage(uint64_t number, int64_t offset) {
  MutexLock lock(mutex_);
  Contents& contents = *files_.at(number);
  contents.durable.at(static_cast<size_t>(offset)) ^= 0x10;
  contents.seen.at(static_cast<size_t>(offset)) ^= 0x10;
}

void SimulatedLogDisk::Lose(uint64_t number, int64_t offset, Loss loss) {
  MutexLock lock(mutex_);
  Contents& contents = *files_.at(number);
  const auto from = static_cast<size_t>(offset);
  std::string rest;
  if (loss == Loss::kZero && contents.durable.size() > from) rest.resize(contents.durable.size() - from);
  if (loss == Loss::kOlder && contents.begun.size() > from) rest = contents.begun.substr(from);
  contents.durable.resize(from);
  contents.durable += rest;
  contents.seen = contents.durable;
  contents.unsynced.clear();
  contents.told = 0;
}

void SimulatedLogDisk::Forget(uint64_t number) {
  MutexLock lock(mutex_);
  files_.erase(number);
}

std::unique_ptr<SimulatedLogDisk> SimulatedLogDisk::Copy() const {
  MutexLock lock(mutex_);
  auto copy = std::make_unique<SimulatedLogDisk>(1);
  MutexLock of_copy(copy->mutex_);
  for (const auto& [number, contents] : files_) copy->files_[number] = std::make_shared<Contents>(*contents);
  if (removed_) copy->removed_ = std::make_shared<Contents>(*removed_);
  return copy;
}

void SimulatedLogDisk::GoBackTo(const SimulatedLogDisk& copy) {
  const std::unique_ptr<SimulatedLogDisk> before = copy.Copy();
  MutexLock lock(mutex_);
  MutexLock of_copy(before->mutex_);
  files_ = std::move(before->files_);
  removed_ = std::move(before->removed_);
  Crash(CrashKind::kMachine);
  crashed_ = false;
}

Result<std::vector<uint64_t>> SimulatedLogDisk::List() {
  MutexLock lock(mutex_);
  std::vector<uint64_t> numbers;
  for (const auto& [number, contents] : files_) numbers.push_back(number);
  return numbers;
}

Result<std::shared_ptr<LogFile>> SimulatedLogDisk::Create(uint64_t number, int64_t bytes) {
  MutexLock lock(mutex_);
  EBLA_ASSIGN(const bool crashes, Step());
  if (!crashes || Coin()) {
    auto contents = std::make_shared<Contents>();
    if (removed_) contents->durable = removed_->durable;
    contents->durable.resize(std::max(contents->durable.size(), static_cast<size_t>(bytes)));
    contents->begun = contents->seen = contents->durable;
    files_[number] = std::move(contents);
  }
  if (crashes) {
    Crash(kind_);
    return Error(Code::kInternal, "the disk has crashed");
  }
  return std::make_shared<File>(*this, files_.at(number));
}

Result<std::shared_ptr<LogFile>> SimulatedLogDisk::Open(uint64_t number) {
  MutexLock lock(mutex_);
  return std::make_shared<File>(*this, files_.at(number));
}

Status SimulatedLogDisk::Remove(uint64_t number) {
  MutexLock lock(mutex_);
  EBLA_ASSIGN(const bool crashes, Step());
  if (!crashes || Coin()) {
    removed_ = files_.at(number);
    files_.erase(number);
  }
  if (!crashes) return {};
  Crash(kind_);
  return Error(Code::kInternal, "the disk has crashed");
}

}  // namespace ebla::tabletserver
