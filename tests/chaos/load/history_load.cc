#include "tests/chaos/load/history_load.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <utility>

#include "tools/ycsb/generators.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
using sim::Operation;
using sim::Outcome;
using sim::WritePart;

constexpr char kCellNames[] = {'a', 'b', 'n', 't'};
static_assert(std::size(kCellNames) == sim::kCellsPerGroup);
constexpr auto kProbePause = 15ms;

// The SDK promises that nothing was executed.
bool NotExecuted(Code code) {
  return code == Code::kUnavailable || code == Code::kDeadlineExceeded || code == Code::kOverloaded;
}

bool IsStrong(const Operation& operation) {
  return operation.is_read ? operation.read.level() == Read::Level::kStrong : operation.ack == Ack::kMajority;
}

BatchOptions Conditions(const WritePart& part) {
  BatchOptions options;
  options.if_absent = part.condition == WritePart::Condition::kAbsent;
  options.if_exists = part.condition == WritePart::Condition::kExists;
  if (part.condition == WritePart::Condition::kVersionIs) options.if_version = part.version;
  return options;
}

}  // namespace

// One thread's work: draws operations, makes them, and tells the recorder.
class HistoryLoad::Worker : public load::Worker {
 public:
  Worker(HistoryLoad& load, int number)
      : load_(load),
        options_(load.options_),
        name_("c" + std::to_string(number)),
        table_(load.tables_[static_cast<size_t>(number) % load.tables_.size()]),
        session_(load.clients_[static_cast<size_t>(number) % load.clients_.size()].NewSession()),
        session_number_(static_cast<uint64_t>(number) + 1),
        random_(options_.seed * 1000 + static_cast<uint64_t>(number)),
        popular_(0, static_cast<uint64_t>(options_.tablets * (options_.groups_per_tablet - 1) - 1)) {}

  bool Work() override {
    const uint64_t choice = random_.Below(100);
    if (choice < 42) {
      (void)ReadOne(DrawGroup(), DrawCell(), DrawRead());
    } else if (choice < 48) {
      Scan();
    } else {
      WriteSome();
    }
    return true;
  }
  std::chrono::nanoseconds Rest() override {
    const auto most = static_cast<uint64_t>(std::chrono::microseconds(options_.think_max).count());
    return std::chrono::microseconds(random_.Below(most + 1));
  }

  // Every cell of one group.
  Status ReadGroup(int group) {
    Status status;
    for (int cell = 0; cell < sim::kCellsPerGroup && status.ok(); ++cell) status = ReadOne(group, cell, Read::Strong());
    return status;
  }

 protected:
  // Failures are noted where they happen.
  Status ReadOne(int group, int cell, Read read) {
    Operation operation = New(group);
    operation.is_read = true;
    operation.read = read;
    operation.cell = cell;
    const auto asked = WallClock::now();
    const size_t number = load_.recorder_.Begin(operation);
    const Result<Record> record =
        table_.Get(Key(group, cell), {.read = read, .session = session(), .deadline = options_.deadline});
    const Code code = record ? Code::kOk : record.error().code();
    if (code != Code::kOk && code != Code::kNotFound) {
      load_.recorder_.End(number, Outcome::kNotExecuted);
      load_.Failed(operation, record.error());
      return record.error();
    }
    std::optional<sim::Cell> found;
    if (record) found = {record->value, record->version};
    if (record && IsStrong(operation)) seen_[{group, cell}] = record->version;
    load_.recorder_.End(number, Outcome::kOk, std::move(found));
    Answered(operation, asked);
    return Status::Ok();
  }

  void WriteParts(int group, std::vector<WritePart> parts, Ack ack) {
    Operation operation = New(group);
    operation.parts = std::move(parts);
    operation.ack = ack;
    const auto asked = WallClock::now();
    const size_t number = load_.recorder_.Begin(operation);
    Written written = operation.parts.size() == 1 ? WriteOne(group, operation.parts.front(), ack)
                                                  : WriteBatch(group, operation.parts, ack);
    const Code code = written.status.code();
    if (code == Code::kOk) {
      if (written.version)
        for (const WritePart& part : operation.parts) seen_[{group, part.cell}] = written.version;
      load_.recorder_.End(number, Outcome::kOk, {}, written.version, std::move(written.counters));
    } else if (code == Code::kConditionFailed) {
      load_.recorder_.End(number, Outcome::kRefused);
    } else {
      load_.recorder_.End(number, NotExecuted(code) ? Outcome::kNotExecuted : Outcome::kUnknown);
      load_.Failed(operation, written.status);
      return;
    }
    Answered(operation, asked);
  }

  std::string NewValue() { return name_ + "." + std::to_string(++values_); }

 private:
  // Popular groups are spread over all tablets; the last of each is the probes'.
  int DrawGroup() {
    const auto drawn = static_cast<int>(popular_.Next(random_));
    const int each = options_.groups_per_tablet - 1;
    return drawn / each * options_.groups_per_tablet + drawn % each;
  }
  int DrawCell() { return static_cast<int>(random_.Below(sim::kCellsPerGroup)); }

  Read DrawRead() {
    if (random_.Below(100) >= options_.weak_percent) return Read::Strong();
    switch (random_.Below(options_.sessions && !load_.avoid_pending_ ? 3 : 2)) {
      case 0: return Read::Eventual();
      case 1: return Read::Bounded(std::chrono::milliseconds(50 + random_.Below(1500)));
      default: return Read::InSession();
    }
  }

  Ack DrawAck() {
    const uint64_t choice = random_.Below(100);
    if (choice < options_.all_percent) return Ack::kAll;
    const bool primary = choice < options_.all_percent + options_.primary_percent && !load_.avoid_pending_;
    return primary ? Ack::kPrimary : Ack::kMajority;
  }

  WritePart DrawPart(int group, int cell) {
    WritePart part;
    part.cell = cell;
    if (random_.Below(12) == 0) {
      part.kind = WritePart::Kind::kDelete;
    } else if (cell == sim::kCounterCell) {
      part.kind = WritePart::Kind::kIncrement;
      part.delta = 1 + static_cast<int64_t>(random_.Below(9));
    } else {
      part.value = NewValue();
    }
    const auto seen = seen_.find({group, cell});
    switch (random_.Below(8)) {
      case 0: part.condition = WritePart::Condition::kAbsent; break;
      case 1: part.condition = WritePart::Condition::kExists; break;
      case 2:
        if (seen == seen_.end()) break;
        part.condition = WritePart::Condition::kVersionIs;
        part.version = seen->second;
        break;
      default: break;
    }
    // The SDK's call for a single delete knows no if_absent.
    if (part.kind == WritePart::Kind::kDelete && part.condition == WritePart::Condition::kAbsent) part.condition = {};
    return part;
  }

  void WriteSome() {
    const int group = DrawGroup();
    std::vector<WritePart> parts;
    const bool batch = random_.Below(4) == 0;
    for (int cell = 0; batch && cell < sim::kCellsPerGroup; ++cell)
      if (random_.Below(3) != 0) parts.push_back(DrawPart(group, cell));
    if (parts.empty()) parts.push_back(DrawPart(group, DrawCell()));
    WriteParts(group, std::move(parts), DrawAck());
  }

  Operation New(int group) const {
    Operation operation;
    operation.client = name_;
    operation.group = group;
    operation.session = options_.sessions ? session_number_ : 0;
    return operation;
  }
  Session* session() { return options_.sessions ? &session_ : nullptr; }

  // A scan read each key of its range at some moment between its call and its end.
  void Scan() {
    const int first = DrawGroup();
    const int last = std::min(first + static_cast<int>(random_.Below(4)), load_.groups() - 1);
    Operation operation = New(first);
    operation.is_read = true;
    operation.read = DrawRead();
    std::map<std::string, size_t> reads;
    for (operation.group = first; operation.group <= last; ++operation.group)
      for (operation.cell = 0; operation.cell < sim::kCellsPerGroup; ++operation.cell)
        reads[Key(operation.group, operation.cell)] = load_.recorder_.Begin(operation);
    auto scan = table_.Scan({.range = {GroupName(first), PrefixEnd(GroupName(last))},
                             .reverse = random_.Below(2) == 0,
                             .read = operation.read,
                             .session = session(),
                             .page_bytes = random_.Below(2) == 0 ? 0U : 60U,
                             .deadline = options_.deadline});
    std::map<std::string, sim::Cell> rows;
    while (scan.Next()) rows[scan.key()] = {scan.record().value, scan.record().version};
    for (const auto& [key, number] : reads) {
      const auto row = rows.find(key);
      if (!scan.status().ok())
        load_.recorder_.End(number, Outcome::kNotExecuted);
      else
        load_.recorder_.End(number, Outcome::kOk, row == rows.end() ? std::nullopt : std::optional(row->second));
    }
    operation.group = first;
    operation.cell = 0;
    if (!scan.status().ok()) load_.Failed(operation, scan.status());
  }

  // The answer to a write of any call.
  struct Written {
    Status status;
    Version version;
    std::vector<int64_t> counters;
  };

  // A single write's. (A delete knows no if_absent.)
  template <class Options>
  Options OptionsOf(const WritePart& part, Ack ack) {
    const BatchOptions conditions = Conditions(part);
    Options options;
    options.ack = ack;
    options.if_version = conditions.if_version;
    if constexpr (requires { options.if_absent; }) options.if_absent = conditions.if_absent;
    options.if_exists = conditions.if_exists;
    options.session = session();
    options.deadline = options_.deadline;
    return options;
  }

  Written WriteOne(int group, const WritePart& part, Ack ack) {
    const std::string key = Key(group, part.cell);
    Written written;
    switch (part.kind) {
      case WritePart::Kind::kDelete: written.status = table_.Delete(key, OptionsOf<DeleteOptions>(part, ack)); break;
      case WritePart::Kind::kIncrement: {
        const auto sum = table_.Increment(key, part.delta, OptionsOf<IncrementOptions>(part, ack));
        if (sum)
          written.counters = {*sum};
        else
          written.status = sum.error();
        break;
      }
      default: {
        const auto version = table_.Put(key, part.value, OptionsOf<PutOptions>(part, ack));
        if (version)
          written.version = *version;
        else
          written.status = version.error();
      }
    }
    return written;
  }

  Written WriteBatch(int group, const std::vector<WritePart>& parts, Ack ack) {
    Batch batch;
    for (const WritePart& part : parts) {
      const std::string key = Key(group, part.cell);
      switch (part.kind) {
        case WritePart::Kind::kDelete: batch.Delete(key, Conditions(part)); break;
        case WritePart::Kind::kIncrement: batch.Increment(key, part.delta, Conditions(part)); break;
        default: batch.Put(key, part.value, Conditions(part)); break;
      }
    }
    auto result = table_.Write(std::move(batch), {.ack = ack, .session = session(), .deadline = options_.deadline});
    if (!result) return {result.error(), {}, {}};
    return {Status::Ok(), result->version, std::move(result->counters)};
  }

  void Answered(const Operation& operation, WallClock::time_point asked) {
    if (!IsStrong(operation)) return;
    load_.outages_.Answered(operation.group / options_.groups_per_tablet, !operation.is_read, asked, WallClock::now());
  }

  HistoryLoad& load_;
  const HistoryLoadOptions& options_;
  const std::string name_;
  const Table table_;
  Session session_;
  const uint64_t session_number_;
  ycsb::Random random_;
  ycsb::ScrambledZipfianGenerator popular_;
  uint64_t values_ = 0;
  std::map<std::pair<int, int>, Version> seen_;  // the last version met of each key, for conditions
};

// One of the two that ask a tablet for the same again and again.
class HistoryLoad::Probe : public Worker {
 public:
  Probe(HistoryLoad& load, int number, int tablet, bool write)
      : Worker(load, number), group_(load.ProbeGroup(tablet)), write_(write) {}

  bool Work() override {
    if (write_) {
      WriteParts(group_, {{.cell = 0, .value = NewValue()}}, Ack::kMajority);
    } else {
      (void)ReadOne(group_, 0, Read::Strong());
    }
    return true;
  }
  std::chrono::nanoseconds Rest() override { return kProbePause; }

 private:
  const int group_;
  const bool write_;
};

// ---- the load ------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<HistoryLoad>> HistoryLoad::Make(Client observer, std::vector<Client> clients,
                                                       HistoryLoadOptions options) {
  std::unique_ptr<HistoryLoad> load(new HistoryLoad(std::move(observer), std::move(clients), options));
  CreateTableOptions create{.deadline = 30s};
  create.table.replicas = options.replicas;
  for (int tablet = 1; tablet < options.tablets; ++tablet)
    create.split_points.push_back(GroupName(tablet * options.groups_per_tablet));
  if (const auto made = load->observer_.CreateTable(kTable, create); !made) return Error(made.error());
  EBLA_ASSIGN(load->table_, load->observer_.OpenTable(kTable));
  for (const Client& client : load->clients_) {
    EBLA_ASSIGN(Table table, client.OpenTable(kTable));
    load->tables_.push_back(std::move(table));
  }
  return load;
}

HistoryLoad::HistoryLoad(Client observer, std::vector<Client> clients, HistoryLoadOptions options)
    : options_(options),
      observer_(std::move(observer)),
      clients_(std::move(clients)),
      recorder_(groups()),
      outages_(options.tablets) {}

std::string HistoryLoad::GroupName(int group) {
  char text[16];
  std::snprintf(text, sizeof text, "g%04d/", group);
  return text;
}

std::string HistoryLoad::Key(int group, int cell) { return GroupName(group) + kCellNames[cell]; }

std::string HistoryLoad::LastKey(int group) { return Key(group, sim::kCellsPerGroup - 1); }

std::string HistoryLoad::ProbeKey(int tablet) const { return Key(ProbeGroup(tablet), 1); }

void HistoryLoad::Start() {
  for (int i = 0; i < options_.clients; ++i) workers_.Add(std::make_unique<Worker>(*this, i));
  for (int i = 0; i < options_.tablets; ++i)
    for (const bool write : {false, true})
      workers_.Add(std::make_unique<Probe>(*this, 1000 + 2 * i + write, i, write), {.timed = false});
}

Status HistoryLoad::AwaitWhole(std::chrono::milliseconds patience) const {
  for (int tablet = 0; tablet < options_.tablets; ++tablet) {
    const auto put = table().Put(ProbeKey(tablet) + "/whole", "", {.ack = Ack::kAll, .deadline = patience});
    if (!put)
      return Error(Code::kUnavailable,
                   "tablet " + std::to_string(tablet) +
                       " has not all its replicas, though every server is back: " + put.error().ToString());
  }
  return Status::Ok();
}

Result<std::vector<int>> HistoryLoad::LedBy(const ServerName& server) const {
  EBLA_ASSIGN(const auto tablets, observer_.ListTablets(kTable));
  std::vector<int> led;
  for (int tablet = 0; tablet < options_.tablets; ++tablet)
    for (const TabletSummary& summary : tablets)
      if (summary.primary == server && summary.range.Contains(ProbeKey(tablet))) led.push_back(tablet);
  return led;
}

Result<ServerName> HistoryLoad::LeadsMost() const {
  EBLA_ASSIGN(const auto tablets, observer_.ListTablets(kTable));
  std::map<ServerName, int> leads;
  for (const TabletSummary& tablet : tablets)
    if (!tablet.primary.empty()) ++leads[tablet.primary];
  if (leads.empty()) return Error(Code::kUnavailable, "no tablet has a primary");
  return std::ranges::max_element(leads, {}, [](const auto& entry) { return entry.second; })->first;
}

Status HistoryLoad::ReadAll() {
  // By a few threads of its own; they come after everybody else, so the last value of each cell is what they find.
  constexpr int kReaders = 8;
  std::vector<Status> ends(kReaders);
  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i)
    readers.emplace_back([this, i, &ends] {
      Worker worker(*this, 2000 + i);
      for (int group = i; group < groups() && ends[static_cast<size_t>(i)].ok(); group += kReaders)
        ends[static_cast<size_t>(i)] = worker.ReadGroup(group);
    });
  for (std::thread& reader : readers) reader.join();
  for (Status& end : ends) EBLA_TRY(std::move(end));
  return Status::Ok();
}

Result<CutVerdict> HistoryLoad::Judge() {
  workers_.Hold();
  EBLA_TRY(ReadAll());
  CutVerdict verdict = recorder_.Cut();
  outages_.Forget();
  workers_.Resume();
  return verdict;
}

void HistoryLoad::Failed(const Operation& operation, const Status& status) {
  workers_.Failed(operation.ToString() + ": " + status.ToString());
}

}  // namespace ebla::chaos
