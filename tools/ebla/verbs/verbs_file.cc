// Verbs between tables and files: load, dump.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "common/base/clocks.h"
#include "common/base/count.h"
#include "common/base/mutex.h"
#include "tools/ebla/format/record_lines.h"
#include "tools/ebla/reports/progress.h"
#include "tools/ebla/verbs/arguments.h"
#include "tools/ebla/verbs/skip_damaged.h"

namespace ebla::shell {

namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kErrorsShown = 5;

// On the error stream, once a second at most, when a person is watching.
class Progress {
 public:
  explicit Progress(Output& out) : out_(out), watched_(isatty(STDERR_FILENO) == 1) {}

  // `part` gives the part of the whole that is done.
  template <class Part>
  void Done(uint64_t records, Part part) {
    if (!watched_ || Clock::now() < next_) return;
    next_ = Clock::now() + std::chrono::seconds(1);
    out_.Note(ProgressText(records, Elapsed(), part()));
  }
  std::string Rate(uint64_t records) const { return ProgressText(records, Elapsed()); }

 private:
  std::chrono::milliseconds Elapsed() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start_);
  }

  Output& out_;
  const bool watched_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point next_ = start_ + std::chrono::seconds(1);
};

// Puts under way at the same time, at most so many; counts how they end.
// Threads: Enter and Drain from the reader of the file; Leave from the client's threads.
class Flight {
 public:
  explicit Flight(size_t most) : most_(most) {}

  void Enter() {
    MutexLock lock(mutex_);
    while (under_way_ >= most_) room_.Wait(mutex_);
    ++under_way_;
  }
  void Leave(uint64_t line, const Status& status) {
    MutexLock lock(mutex_);
    --under_way_;
    if (status.ok()) {
      ++written_;
    } else {
      FailLocked(line, status);
    }
    room_.NotifyAll();
  }
  void Fail(uint64_t line, const Status& status) {
    MutexLock lock(mutex_);
    FailLocked(line, status);
  }
  void Drain() {
    MutexLock lock(mutex_);
    while (under_way_ > 0) room_.Wait(mutex_);
  }
  uint64_t written() {
    MutexLock lock(mutex_);
    return written_;
  }
  uint64_t failed() {
    MutexLock lock(mutex_);
    return failed_;
  }
  std::vector<Status> shown() {
    MutexLock lock(mutex_);
    return shown_;
  }

 private:
  void FailLocked(uint64_t line, const Status& status) EBLA_REQUIRES(mutex_) {
    if (failed_++ < kErrorsShown) {
      shown_.push_back({status.code(), "line " + std::to_string(line) + ": " + status.message()});
    }
  }

  const size_t most_;
  Mutex mutex_;
  CondVar room_;
  size_t under_way_ EBLA_GUARDED_BY(mutex_) = 0;
  uint64_t written_ EBLA_GUARDED_BY(mutex_) = 0;
  uint64_t failed_ EBLA_GUARDED_BY(mutex_) = 0;
  std::vector<Status> shown_ EBLA_GUARDED_BY(mutex_);
};

struct LoadArguments {
  TableArgument table;
  std::string file, format;
  WriteArguments write;
  size_t parallel = 256;
};

// Starts the put of one record, or notes why there is none.
void LoadOne(const Table& table, const Result<LoadedRecord>& record, uint64_t line, PutOptions options,
             Flight& flight) {
  if (!record) return flight.Fail(line, record.error());
  if (record->expires) {
    if (HasPassed(*record->expires)) return;  // it has expired meanwhile
    options.ttl.reset();
    options.expires = record->expires;
  }
  flight.Enter();
  table.AsyncPut(record->key, record->value, options, [&flight, line](Result<Version> version) {
    flight.Leave(line, version ? Status() : version.error());
  });
}

// None: it has no size, as standard input or a pipe.
std::optional<double> SizeOf(const std::string& path) {
  std::error_code failed;
  const uintmax_t size = std::filesystem::file_size(path, failed);
  return failed || size == 0 ? std::nullopt : std::optional(static_cast<double>(size));
}

Status Load(const LoadArguments& args, Context& context) {
  const LineFormat format = ChooseFormat(args.format, args.file);
  PutOptions options{.deadline = context.deadline};
  args.write.Fill(options);
  std::ifstream file;
  if (args.file != "-") {
    file.open(args.file, std::ios::binary);
    if (!file) return Error(Code::kInvalidArgument, "cannot read the file " + args.file);
  }
  std::istream& input = args.file == "-" ? std::cin : file;
  EBLA_ASSIGN(const Table table, args.table.Open(context));

  Progress progress(context.out);
  const std::optional<double> size = SizeOf(args.file);
  const auto part = [&] {
    const auto at = static_cast<double>(file.tellg());  // -1 at the end
    return size ? std::optional(at < 0 ? 1.0 : at / *size) : std::nullopt;
  };
  Flight flight(args.parallel);
  RecordReader reader(input, format);
  EBLA_TRY(reader.Begin());
  while (!context.interrupted) {
    const auto record = reader.Next();
    if (!record) break;
    LoadOne(table, *record, reader.line(), options, flight);
    progress.Done(flight.written(), part);
  }
  flight.Drain();

  const uint64_t failed = flight.failed();
  for (const Status& status : flight.shown()) context.out.Note(status.ToString());
  if (failed > 0) {
    return Error(flight.shown().front().code(),
                 Count(failed, "line") + " failed, " + Count(flight.written(), "record") + " written");
  }
  if (context.interrupted) {
    return Error(Code::kUnavailable, "interrupted after " + Count(flight.written(), "record"));
  }
  context.out.Ok(progress.Rate(flight.written()), {{"records", flight.written()}});
  return {};
}

struct DumpArguments {
  TableArgument table;
  std::string file, format;
  RangeArguments range;
  ReadArguments read;
  bool skip_damaged = false;
};

// Writes the records of a range, and what it cannot read of it to `context.out`.
class Dumper {
 public:
  // `expected`: an estimate of the number of records, where there is one.
  Dumper(std::ostream& output, LineFormat format, std::optional<double> expected, Context& context)
      : output_(output), format_(format), expected_(expected), context_(context), progress_(context.out) {}

  Status Run(const Table& table, ScanOptions options, bool skip_damaged) {
    output_ << FileHead(format_);
    for (;;) {
      Scanner scan = table.Scan(options);
      EBLA_TRY(Write(scan, options.range.start));
      if (scan.status().ok()) break;
      // A server that salvages gives this code for damage, and waits for nothing.
      if (!skip_damaged || scan.status().code() != Code::kInternal) return scan.status();
      EBLA_ASSIGN(const std::string end,
                  EndOfDamage(options.range, [&](const std::string& key) { return IsReadable(table, options, key); }));
      context_.out.Note("cannot be read: " + KeyRange{options.range.start, end}.ToString() + ": " +
                        scan.status().message());
      ++damaged_;
      if (end == options.range.end) break;
      options.range.start = end;
    }
    output_.flush();
    return Written();
  }
  uint64_t records() const { return records_; }
  uint64_t damaged_ranges() const { return damaged_; }

 private:
  Status Written() const {
    return output_ ? Status() : Error(Code::kInternal, "the file cannot be written: is its disk full?");
  }

  // `next`: the place behind the last record.
  Status Write(Scanner& scan, std::string& next) {
    while (scan.Next()) {
      if (context_.interrupted) {
        return Error(Code::kUnavailable,
                     "interrupted after " + Count(records_, "record") + "; the file is not complete");
      }
      output_ << FormatRecord(scan.row(), format_);
      EBLA_TRY(Written());
      ++records_;
      next = KeyAfter(scan.key());
      progress_.Done(records_, [&] {
        return expected_ ? std::optional(static_cast<double>(records_) / *expected_) : std::nullopt;
      });
    }
    return {};
  }

  static Result<bool> IsReadable(const Table& table, ScanOptions options, const std::string& key) {
    options.range.start = key;
    options.limit = 1;
    options.keys_only = true;
    Scanner scan = table.Scan(options);
    if (scan.Next() || scan.status().ok()) return true;
    if (scan.status().code() == Code::kInternal) return false;
    return Error(scan.status());
  }

  std::ostream& output_;
  const LineFormat format_;
  const std::optional<double> expected_;
  Context& context_;
  Progress progress_;
  uint64_t records_ = 0;
  uint64_t damaged_ = 0;  // ranges
};

Status Dump(const DumpArguments& args, Context& context) {
  const LineFormat format = ChooseFormat(args.format, args.file);
  ScanOptions options{.deadline = context.deadline};
  EBLA_ASSIGN(options.range, args.range.Range());
  EBLA_TRY(args.read.Fill(context, options));
  EBLA_ASSIGN(const Table table, args.table.Open(context));
  std::optional<double> expected;
  if (options.range == KeyRange::All()) {
    EBLA_ASSIGN(const Client client, context.connect());
    const Result<TableInfo> info = client.DescribeTable(args.table.table);
    if (info && info->records > 0) expected = static_cast<double>(info->records);
  }
  if (args.file == "-") {
    Dumper dumper(std::cout, format, expected, context);
    EBLA_TRY(dumper.Run(table, options, args.skip_damaged));
    context.exit_code = dumper.damaged_ranges() > 0 ? 1 : 0;
    return {};
  }
  // Under another name until it is whole: a dump that failed never looks like one that did not.
  const std::string unfinished = args.file + ".unfinished";
  std::ofstream file(unfinished, std::ios::binary | std::ios::trunc);
  if (!file) return Error(Code::kInvalidArgument, "cannot write the file " + unfinished);
  Dumper dumper(file, format, expected, context);
  const Status written = dumper.Run(table, options, args.skip_damaged);
  file.close();
  if (!written.ok() || std::rename(unfinished.c_str(), args.file.c_str()) != 0) {
    std::remove(unfinished.c_str());
    return written.ok() ? Error(Code::kInternal, "cannot rename " + unfinished + " to " + args.file) : Error(written);
  }
  const uint64_t records = dumper.records(), damaged = dumper.damaged_ranges();
  context.exit_code = damaged > 0 ? 1 : 0;
  std::string outcome = Count(records, "record") + " in " + args.file;
  if (damaged > 0) outcome += "; " + Count(damaged, "range") + " cannot be read";
  context.out.Ok(outcome, {{"records", records}, {"file", args.file}});
  return {};
}

constexpr const char* kFormatHelp = "json, tsv or csv (as the file's name ends, else json)";
constexpr const char* kFormats =
    "Formats, all of which keep every byte and the time at which a record expires:\n"
    "  json  An object per line: key, key_base64, value, value_base64, expires_at_ms. base64 wins.\n"
    "        load also takes lines with key and value alone (.json, .jsonl, .ndjson).\n"
    "  csv   RFC 4180, with these names in its first line. A field that is no UTF-8 is in its base64 column\n"
    "        only. load follows the first line, and needs only key and value (.csv).\n"
    "  tsv   key TAB value, then TAB expires_at_ms if the record expires. \\xNN is a byte, \\\\ a\n"
    "        backslash (.tsv, .txt).\n"
    "expires_at_ms counts from 1970. load leaves out records that have expired meanwhile.";

}  // namespace

void AddFileVerbs(Verbs& verbs) {
  auto load = std::make_shared<LoadArguments>();
  Verb& load_verb =
      verbs.Add("load", "Puts the records of a file into a table", "load carts carts.jsonl --parallel 512",
                [load](Context& context) { return Load(*load, context); });
  load_verb.StopsOnInterrupt().Argument("TABLE", TakeText(load->table.table)).OnTableInUse();
  load_verb.Argument("FILE", TakeText(load->file), "- is standard input");
  load_verb.Option("--format", "FORMAT", TakeOneOf(load->format, {"json", "tsv", "csv"}), kFormatHelp);
  load_verb.Option("--parallel", "NUMBER", TakeWhole(load->parallel, 1, 100'000),
                   "Puts that run at once; more are faster and load the servers more (256)");
  load->write.AddTo(load_verb, true, true);
  load_verb.Notes(kFormats);

  auto dump = std::make_shared<DumpArguments>();
  Verb& dump_verb = verbs.Add("dump", "Writes the records of a table to a file", "dump carts carts.jsonl --prefix user",
                              [dump](Context& context) { return Dump(*dump, context); });
  dump_verb.StopsOnInterrupt().Argument("TABLE", TakeText(dump->table.table)).OnTableInUse();
  dump_verb.Argument("FILE", TakeText(dump->file), "- is standard output");
  dump_verb.Option("--format", "FORMAT", TakeOneOf(dump->format, {"json", "tsv", "csv"}), kFormatHelp);
  dump->range.AddTo(dump_verb);
  dump->read.AddTo(dump_verb);
  dump_verb.Flag("--skip-damaged", dump->skip_damaged,
                 "Leaves out ranges that cannot be read, names them, and exits with 1. For a server with --salvage");
  dump_verb.Notes(kFormats);
}

}  // namespace ebla::shell
