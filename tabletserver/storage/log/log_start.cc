#include "tabletserver/storage/log/log_start.h"

#include "common/base/iso_time.h"
#include "tabletserver/storage/log/log_scan.h"
#include "tabletserver/storage/log/rules.h"

namespace ebla::tabletserver {

namespace {

Error Gone(const std::string& name) {
  return {Code::kInternal, name + " is missing, and the log needs it: put it back"};
}

Status CheckNumbers(const LogDisk& disk, const std::vector<uint64_t>& numbers, const LogExtent& had) {
  if (numbers.empty() || numbers.front() > had.first_segment) return Gone(disk.Name(had.first_segment));
  if (numbers.back() < had.last_segment) return Gone(disk.Name(had.last_segment));
  return {};
}

// From now on the file gives what the disk has. True: that is less.
Result<bool> ReadPastCache(LogFile& file) {
  const Result<std::string> cached = ReadWhole(file);
  EBLA_TRY(file.Sync());
  EBLA_ASSIGN(const int64_t size, file.Size());
  file.DropCached(0, size);
  const Result<std::string> whole = ReadWhole(file);
  return cached && whole && *whole != *cached;
}

}  // namespace

Result<std::string> ReadWhole(LogFile& file) {
  EBLA_ASSIGN(const int64_t size, file.Size());
  return file.Read(0, size);
}

Result<std::vector<FoundSegment>> FindSegments(LogDisk& disk, const std::optional<LogExtent>& had) {
  EBLA_ASSIGN(const std::vector<uint64_t> numbers, disk.List());
  if (had) EBLA_TRY(CheckNumbers(disk, numbers, *had));
  std::vector<FoundSegment> found;
  for (const uint64_t number : numbers) {
    const std::string name = disk.Name(number);
    if (number != numbers.front() + found.size()) return Gone(disk.Name(numbers.front() + found.size()));
    EBLA_ASSIGN(std::shared_ptr<LogFile> file, disk.Open(number));
    bool shrank = false;
    if (found.size() + 2 >= numbers.size()) {
      EBLA_ASSIGN(shrank, ReadPastCache(*file));
    }
    EBLA_ASSIGN(const std::string block, file->Read(0, kLogBlock));
    std::optional<SegmentHeader> header = DecodeSegmentHeader(block);
    if (header && header->number != number) header.reset();
    // The first segment's header alone names the log. No extent tells of a segment whose beginning a crash interrupted.
    const bool may_lack = number == numbers.back() && !(had && number == numbers.front());
    if (!header && !may_lack) return LogDamage(name, 0, "its header is not whole");
    const uint64_t log = had ? had->log : found.empty() || !header ? 0 : found.front().header->log;
    if (header && log != 0 && header->log != log)
      return Error(Code::kInternal, name + " is of another log: this directory was put together from several");
    found.push_back({number, name, std::move(file), header, shrank});
  }
  return found;
}

Result<std::optional<LogLoss>> CheckEnd(const LogEnd& end, const std::optional<LogExtent>& had, bool joins_short) {
  if (!had || end.next_sequence > had->needed || !rules::KnownEndIsDemanded()) return std::nullopt;
  LogLoss loss{.file = end.file,
               .offset = end.offset,
               .from = end.next_sequence,
               .through = had->needed,
               .marked_ms = had->told_ms};
  if (!joins_short) return Error(Code::kInternal, Describe(loss));
  return loss;
}

std::string Describe(const LogLoss& loss) {
  const std::string when = loss.marked_ms == 0 ? "" : " at " + IsoTime(loss.marked_ms);
  if (loss.through == 0) return loss.file + " may lack its end: nothing is left that tells where it was";
  return loss.file + " ends at byte " + std::to_string(loss.offset) + " before frame " + std::to_string(loss.from) +
         ", and the disk had frames up to " + std::to_string(loss.through) + when +
         ": the disk has lost what was acknowledged";
}

}  // namespace ebla::tabletserver
