#include "tests/chaos/load/single_writer_load.h"

#include <charconv>

#include "common/base/mutex.h"

namespace ebla::chaos {

namespace {

constexpr size_t kViolationsMax = 100;
// Makes values about as long as real ones, so that a torn one would show.
constexpr size_t kPadding = 200;

std::string Encode(int64_t number) {
  return std::to_string(number) + ":" + std::string(kPadding, static_cast<char>('a' + number % 26));
}

Result<int64_t> Decode(const std::string& key, const std::string& value) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || (*end != '\0' && value != Encode(number))) {
    return Error(Code::kInternal, key + " holds what nobody wrote: " + EscapeBytes(value.substr(0, 40)));
  }
  return number;
}

}  // namespace

SingleWriterLoad::SingleWriterLoad(Table table, SingleWriterLoadOptions options)
    : table_(std::move(table)), options_(options) {
  for (int writer = 0; writer < options_.writers; ++writer) {
    auto& made = *cells_.emplace_back(std::make_unique<Cells>());
    made.puts = std::vector<Cell>(static_cast<size_t>(options_.keys_per_writer));
    made.batches = std::vector<Cell>(static_cast<size_t>(options_.keys_per_writer));
    made.counters = std::vector<Cell>(static_cast<size_t>(options_.keys_per_writer));
  }
}

// The writer and index come first, so that a batch's two keys stand side by side and the writers spread over tablets.
std::string SingleWriterLoad::Key(char kind, int writer, int index) {
  char text[32];
  std::snprintf(text, sizeof text, "%02d/%05d/%c", writer, index, kind);
  return text;
}

void SingleWriterLoad::Start() {
  for (int writer = 0; writer < options_.writers; ++writer) {
    std::mt19937_64 random(options_.seed * 1000 + static_cast<uint64_t>(writer));
    workers_.Add([this, writer, random]() mutable {
      WriteOnce(writer, random);
      return true;
    });
  }
  const auto read = [this] {
    ReadAll(false);
    return true;
  };
  workers_.Add(read, {.timed = false});
}

void SingleWriterLoad::WriteOnce(int writer, std::mt19937_64& random) {
  const int index = static_cast<int>(random() % static_cast<uint64_t>(options_.keys_per_writer));
  const auto at = static_cast<size_t>(index);
  Cells& mine = *cells_[static_cast<size_t>(writer)];
  Status status;
  switch (random() % 3) {
    case 0: {
      Cell& cell = mine.puts[at];
      const int64_t value = ++cell.attempted;
      auto put = table_.Put(Key('p', writer, index), Encode(value), {.deadline = options_.deadline});
      if (put.has_value())
        cell.acknowledged = value;
      else
        status = put.error();
      break;
    }
    case 1: {
      Cell& cell = mine.batches[at];
      const int64_t value = ++cell.attempted;
      Batch batch;
      batch.Put(Key('x', writer, index), Encode(value)).Put(Key('y', writer, index), Encode(value));
      auto written = table_.Write(std::move(batch), {.deadline = options_.deadline});
      if (written.has_value())
        cell.acknowledged = value;
      else
        status = written.error();
      break;
    }
    default: {
      Cell& cell = mine.counters[at];
      ++cell.attempted;
      auto sum = table_.Increment(Key('i', writer, index), 1, {.deadline = options_.deadline});
      if (sum.has_value())
        ++cell.acknowledged;
      else
        status = sum.error();
      if (sum.has_value() && (*sum < cell.acknowledged || *sum > cell.attempted)) {
        Violation(Key('i', writer, index) + " counted to " + std::to_string(*sum) + " after " +
                  std::to_string(cell.acknowledged) + " acknowledged and " + std::to_string(cell.attempted) +
                  " attempted");
      }
      break;
    }
  }
  if (status.ok()) {
    ++acknowledged_;
  } else {
    if (status.code() == Code::kUnknownOutcome) ++unknown_;
    Note("write", Key('*', writer, index), status);
  }
}

Result<int64_t> SingleWriterLoad::ReadNumber(const std::string& key) {
  ++reads_;
  auto record = table_.Get(key, {.read = Read::Strong(), .deadline = options_.deadline});
  if (record.has_value()) return Decode(key, record->value);
  if (record.error().code() == Code::kNotFound) return 0;
  return std::unexpected(std::move(record.error()));
}

void SingleWriterLoad::CheckNumber(char kind, int writer, int index, const Cell& cell) {
  const std::string key = Key(kind, writer, index);
  const int64_t least = cell.acknowledged;
  auto number = ReadNumber(key);
  const int64_t most = cell.attempted;
  if (!number.has_value()) return Note("read", key, number.error());
  if (*number < least || *number > most) {
    Violation(key + " reads " + std::to_string(*number) + ", acknowledged " + std::to_string(least) + ", attempted " +
              std::to_string(most));
  }
}

void SingleWriterLoad::CheckBatch(int writer, int index) {
  const Cell& cell = cells_[static_cast<size_t>(writer)]->batches[static_cast<size_t>(index)];
  const int64_t least = cell.acknowledged;
  ++reads_;
  // One page of one tablet is one snapshot: the two halves must be of the same batch.
  const std::string first = Key('x', writer, index);
  std::vector<int64_t> halves;
  auto scan = table_.Scan(
      {.range = {first, KeyAfter(Key('y', writer, index))}, .read = Read::Strong(), .deadline = options_.deadline});
  while (scan.Next()) {
    auto number = Decode(scan.key(), scan.record().value);
    if (!number.has_value()) return Violation(number.error().message());
    halves.push_back(*number);
  }
  const int64_t most = cell.attempted;
  if (!scan.status().ok()) return Note("scan", first, scan.status());
  if (halves.empty() && least == 0) return;
  if (halves.size() != 2 || halves[0] != halves[1] || halves[0] < least || halves[0] > most) {
    std::string seen;
    for (const int64_t half : halves) seen += " " + std::to_string(half);
    Violation(first + " and its other half read" + seen + ", acknowledged " + std::to_string(least) + ", attempted " +
              std::to_string(most));
  }
}

void SingleWriterLoad::ReadAll(bool to_the_end) {
  for (int writer = 0; writer < options_.writers; ++writer) {
    const Cells& cells = *cells_[static_cast<size_t>(writer)];
    for (int index = 0; index < options_.keys_per_writer && (to_the_end || !workers_.stopped()); ++index) {
      CheckNumber('p', writer, index, cells.puts[static_cast<size_t>(index)]);
      CheckBatch(writer, index);
      CheckNumber('i', writer, index, cells.counters[static_cast<size_t>(index)]);
    }
  }
}

void SingleWriterLoad::Note(const char* what, const std::string& key, const Status& status) {
  // Directly, or as the cause of an UNKNOWN_OUTCOME.
  if (status.ToString().contains(CodeName(Code::kInternal))) Violation(status.ToString());
  workers_.Failed(std::string(what) + " of " + key + ": " + status.ToString());
}

void SingleWriterLoad::Violation(std::string text) {
  MutexLock lock(mutex_);
  if (violations_.size() < kViolationsMax) violations_.push_back(std::move(text));
}

SingleWriterLoadReport SingleWriterLoad::Finish() {
  workers_.Stop();
  workers_.Join();
  ReadAll(true);
  MutexLock lock(mutex_);
  return {acknowledged_, unknown_, reads_, workers_.TakeLongestWait(), workers_.failures(), violations_};
}

}  // namespace ebla::chaos
