// tabletserver/storage/testing/hooked_log_disk.h
// A LogDisk that hands everything on to another one, and lets a test come in between: something happens while a sync is
// under way, or a part of a segment cannot be read.
// Threads: as the disk behind it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tabletserver/storage/log/log_disk.h"

namespace ebla::tabletserver {

class HookedLogDisk final : public LogDisk {
 public:
  explicit HookedLogDisk(LogDisk& disk) : disk_(disk) {}

  std::function<void()> on_write, on_sync;  // each, before it
  // The byte that no read may touch, in this segment; none: all of it can be read.
  uint64_t unreadable_segment = 0;
  int64_t unreadable_at = 0;
  int64_t bytes_read = 0;
  int64_t bytes_dropped = 0;  // that were to come from the disk itself

  Result<std::vector<uint64_t>> List() override { return disk_.List(); }
  Result<std::shared_ptr<LogFile>> Create(uint64_t number, int64_t bytes) override {
    return Hooked(number, disk_.Create(number, bytes));
  }
  Result<std::shared_ptr<LogFile>> Open(uint64_t number) override { return Hooked(number, disk_.Open(number)); }
  Status Remove(uint64_t number) override { return disk_.Remove(number); }
  std::string Name(uint64_t number) const override { return disk_.Name(number); }

 private:
  class File final : public LogFile {
   public:
    File(HookedLogDisk& hooks, uint64_t number, std::shared_ptr<LogFile> file)
        : hooks_(hooks), number_(number), file_(std::move(file)) {}
    Status Write(int64_t offset, std::string_view bytes) override {
      if (hooks_.on_write) hooks_.on_write();
      return file_->Write(offset, bytes);
    }
    Status Sync() override {
      if (hooks_.on_sync) hooks_.on_sync();
      return file_->Sync();
    }
    void StartWriting() override { file_->StartWriting(); }
    Result<std::string> Read(int64_t offset, int64_t size) override {
      const int64_t at = hooks_.unreadable_at;
      if (number_ == hooks_.unreadable_segment && offset <= at && at < offset + size)
        return Error(Code::kInternal, "cannot read " + hooks_.Name(number_));
      hooks_.bytes_read += size;
      return file_->Read(offset, size);
    }
    Result<int64_t> Size() override { return file_->Size(); }
    void DropCached(int64_t offset, int64_t size) override {
      hooks_.bytes_dropped += size;
      file_->DropCached(offset, size);
    }

   private:
    HookedLogDisk& hooks_;
    const uint64_t number_;
    const std::shared_ptr<LogFile> file_;
  };
  Result<std::shared_ptr<LogFile>> Hooked(uint64_t number, Result<std::shared_ptr<LogFile>> file) {
    if (!file) return file;
    return std::make_shared<File>(*this, number, *std::move(file));
  }

  LogDisk& disk_;
};

}  // namespace ebla::tabletserver
