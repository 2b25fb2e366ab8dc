#include "tests/sim/clients/workload.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>
#include <utility>

#include "client/core/calls/collect.h"

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;

constexpr char kCellNames[] = {'a', 'b', 'n', 't'};
constexpr size_t kTokensMax = 8;
// Makes a value large. Histories keep only the text before it.
constexpr char kPadding = '#';
constexpr size_t kLarge = 300'000;

// Faults that may pass; the SDK promises that the operation was not executed.
bool NotExecuted(Code code) {
  return code == Code::kUnavailable || code == Code::kDeadlineExceeded || code == Code::kOverloaded;
}

bool IsStrong(const Read& read) {
  return read.level() == Read::Level::kStrong || read.level() == Read::Level::kDefault;
}

std::string_view LevelName(const Read& read) {
  switch (read.level()) {
    case Read::Level::kSession: return "session";
    case Read::Level::kBounded: return "bounded";
    case Read::Level::kEventual: return "eventual";
    default: return "strong";
  }
}

std::string_view LevelName(Ack ack) {
  return ack == Ack::kAll ? "all" : ack == Ack::kPrimary ? "primary" : ack == Ack::kAny ? "any" : "majority";
}

std::string_view PartName(const WritePart& part) {
  constexpr std::array<std::string_view, 4> kNames = {"put", "delete", "increment", "check"};
  return kNames[static_cast<size_t>(part.kind)];
}

// ALL needs every voter, so there is less of it.
Ack DrawAck(uint64_t choice) {
  if (choice == 0) return Ack::kDefault;
  if (choice == 1) return Ack::kAll;
  return choice < 4 ? Ack::kPrimary : Ack::kMajority;
}

// Makes the drawn parts fit for ANY, which takes only puts and deletes without conditions.
void MakePlain(std::vector<WritePart>& parts) {
  for (WritePart& part : parts) {
    part.condition = WritePart::Condition::kNone;
    part.version = {};
    if (part.kind != WritePart::Kind::kPut) part.kind = WritePart::Kind::kDelete;
  }
}

Batch ToBatch(int group, const std::vector<WritePart>& parts, bool large) {
  Batch batch;
  for (const WritePart& part : parts) {
    BatchOptions options;
    options.if_absent = part.condition == WritePart::Condition::kAbsent;
    options.if_exists = part.condition == WritePart::Condition::kExists;
    if (part.condition == WritePart::Condition::kVersionIs) options.if_version = part.version;
    if (part.ttl.count() > 0) options.ttl = part.ttl;
    const std::string key = KeyName(group, part.cell);
    switch (part.kind) {
      case WritePart::Kind::kPut: batch.Put(key, large ? Padded(part.value) : part.value, options); break;
      case WritePart::Kind::kDelete: batch.Delete(key, options); break;
      case WritePart::Kind::kIncrement: batch.Increment(key, part.delta, options); break;
      case WritePart::Kind::kCheck: batch.Check(key, options); break;
    }
  }
  return batch;
}

}  // namespace

std::string GroupPrefix(int group) {
  char prefix[16];
  std::snprintf(prefix, sizeof prefix, "g%02d/", group);
  return prefix;
}

std::string KeyName(int group, int cell) { return GroupPrefix(group) + kCellNames[cell]; }

int GroupOf(const std::string& key) {
  int group = -1;
  return std::sscanf(key.c_str(), "g%2d/", &group) == 1 ? group : -1;
}

std::string Padded(std::string value) { return std::move(value) + std::string(kLarge, kPadding); }

std::string Unpadded(std::string value) {
  value.resize(std::min(value.size(), value.find(kPadding)));
  return value;
}

int CellOf(const std::string& key) {
  return static_cast<int>(std::ranges::find(kCellNames, key.back()) - std::begin(kCellNames));
}

SimClient::SimClient(std::string name, Process process, Cluster& cluster, RunRecord& record,
                     const WorkloadOptions& options)
    : ClientProcess(std::move(name), std::move(process), cluster, record), cluster_(cluster), options_(options) {
  node_ = cluster.network().Join(name_, {name_, 1}, nullptr, executor_);
  core_ =
      std::make_unique<client::ClientCore>(std::vector<client::IoContext>{{&executor_, node_.get()}},
                                           client::CoreOptions{cluster.master_endpoints(), std::chrono::seconds(10)});
  admin_ = std::make_unique<client::Admin>(core_->masters(), core_->network(), std::chrono::seconds(10));
  for (int i = 0; i < options_.sessions; ++i) {
    sessions_.push_back(std::make_shared<SimSession>(
        record_.next_session++, client::SessionAccess::Make(std::make_shared<client::SessionState>())));
  }
}

SimClient::~SimClient() {
  dead_ = true;
  core_->Close();
  node_->Leave();
  process_.Halt();
  table_.reset();
  lww_table_.reset();
  admin_.reset();
  core_.reset();
}

void SimClient::OpenThen(std::function<void(Status)> then) {
  Open(kTable, table_, [this, then](Status opened) {
    if (!opened.ok() || options_.lww_groups == 0) return then(opened);
    Open(kLwwTable, lww_table_, then);
  });
}

void SimClient::Open(const char* name, client::TablePtr& table, std::function<void(Status)> then) {
  core_->OpenTable(
      name, client::OnceCallback<Result<client::TablePtr>>([this, name, &table, then](Result<client::TablePtr> opened) {
        if (dead_) return;
        if (opened.has_value()) {
          table = *std::move(opened);
          return then(Status::Ok());
        }
        if (NotExecuted(opened.error().code())) {  // no master for long: try again
          executor_.After(milliseconds(100), [this, name, &table, then] { Open(name, table, then); });
          return;
        }
        record_.problems.push_back(name_ + " cannot open the table: " + opened.error().ToString());
        then(opened.error());
      }));
}

void SimClient::Work(bool reads_only) {
  reads_only_ = reads_only;
  ++busy_;
  OpenThen([this](Status opened) {
    --busy_;
    for (int i = 0; opened.ok() && i < options_.in_flight; ++i) {
      ++busy_;
      Again();
    }
  });
}

void SimClient::Again() {
  const auto think = Duration(static_cast<int64_t>(Random(static_cast<uint64_t>(options_.think_max.count()) + 1)));
  executor_.After(think, [this] { Next(); });
}

void SimClient::Next() {
  if (finishing_) {
    --busy_;
    return;
  }
  if (Random(60) == 0) HandOn();
  if (Random(60) == 0) TakeOver();
  const uint64_t choice = Random(reads_only_ ? 42 : 100);
  if (choice < 25) {
    GetOptions options;
    options.deadline = DrawDeadline();
    const uint64_t session = DrawRead(options);
    ReadOne(DrawGroup(), static_cast<int>(Random(kCellsPerGroup)), options, session, [this](Status) { Again(); });
  } else if (choice < 35) {
    ReadMany();
  } else if (choice < 42) {
    ScanSome();
  } else {
    WriteSome();
  }
}

// The lower groups are met more often: contention is where order shows.
int SimClient::DrawGroup() {
  if (options_.lww_groups > 0 && Random(4) == 0) {
    return options_.groups + static_cast<int>(Random(static_cast<uint64_t>(options_.lww_groups)));
  }
  const auto groups = static_cast<uint64_t>(options_.groups);
  return static_cast<int>(std::min(Random(groups), Random(groups)));
}

// Short ones leave writes of unknown outcome, long ones are retried across crashes.
milliseconds SimClient::DrawDeadline() {
  const uint64_t choice = Random(4);
  if (choice == 0) return milliseconds(50 + Random(500));
  return choice == 1 ? std::chrono::seconds(5) : std::chrono::seconds(30);
}

uint64_t SimClient::DrawSession(Session*& session) {
  if (sessions_.empty()) return 0;
  SimSession& drawn = *sessions_[Random(sessions_.size())];
  session = &drawn.session;
  return drawn.number;
}

// Offers this session's token to other clients. The session itself continues, too.
void SimClient::HandOn() {
  const SimSession& drawn = *sessions_[Random(sessions_.size())];
  if (record_.tokens.size() == kTokensMax) record_.tokens.erase(record_.tokens.begin());
  record_.tokens.push_back({drawn.number, record_.history.Event(scheduler_.Now()), drawn.session.Token()});
}

void SimClient::TakeOver() {
  if (record_.tokens.empty()) return;
  const auto token = record_.tokens.begin() + static_cast<ptrdiff_t>(Random(record_.tokens.size()));
  Result<client::SessionTokens> known = client::DecodeTokens(token->text);
  if (!known) {
    record_.problems.push_back("a session's token cannot be read: " + known.error().ToString());
    return;
  }
  const uint64_t number = record_.next_session++;
  record_.history.handovers[number] = {token->session, token->at};
  auto& replaced = sessions_[Random(sessions_.size())];
  retired_.push_back(std::exchange(
      replaced, std::make_shared<SimSession>(
                    number, client::SessionAccess::Make(std::make_shared<client::SessionState>(*std::move(known))))));
  log_.Add(name_, "s" + std::to_string(number) + " goes on from s" + std::to_string(token->session));
  record_.tokens.erase(token);
  ++record_.kinds["session handed on"];
}

// ---- reads ---------------------------------------------------------------------------------------------------------

template <class Options>
uint64_t SimClient::DrawRead(Options& options) {
  const uint64_t choice = Random(20);
  if (choice < 8) {
    if (choice > 0) options.read = Read::Strong();  // else the table's default
  } else if (choice < 13) {
    options.read = Read::InSession();
    return DrawSession(options.session);
  } else if (choice < 17) {
    options.read = Read::Bounded(milliseconds(20 + Random(Random(4) == 0 ? 5'000 : 800)));
  } else {
    options.read = Read::Eventual();
  }
  return Random(3) == 0 ? DrawSession(options.session) : 0;
}

size_t SimClient::BeginRead(int group, int cell, const Read& read, uint64_t session) {
  const size_t index = Begin(group);
  Operation& operation = Recorded(index);
  operation.is_read = true;
  operation.read = read;
  operation.cell = cell;
  operation.session = session;
  return index;
}

// The only INTERNAL that may happen is the failure of the disk of a server that was asked; a write that met one is
// UNKNOWN_OUTCOME, naming it.
bool SimClient::IsBug(const Status& status, const Operation& operation) const {
  const std::string text = status.ToString();
  if (!text.contains(CodeName(Code::kInternal))) return false;
  const MonotonicTime since = record_.history.moments[operation.invoked];
  return !cluster_.disk_failures().Excuses(
      text, since, [&](const ServerName& server) { return cluster_.network().HasCalled(name_, server, since); });
}

void SimClient::Found(size_t index, std::optional<Cell> cell) {
  Operation& operation = Recorded(index);
  operation.returned = record_.history.Event(scheduler_.Now());
  operation.outcome = Outcome::kOk;
  // Conditions name no version of a weaker read, because the checker searches strong operations alone.
  if (cell && IsStrong(operation.read)) seen_[{operation.group, operation.cell}] = cell->version;
  operation.found = std::move(cell);
  ++record_.answered;
  ++record_.kinds["read " + std::string(LevelName(operation.read))];
  log_.Add(name_, operation.ToString());
}

Status SimClient::Found(size_t index, const Result<Record>& result) {
  if (result.has_value()) {
    Found(index, Cell{Unpadded(result->value), result->version});
    return Status::Ok();
  }
  const Status& status = result.error();
  if (status.code() == Code::kNotFound) {
    Found(index, std::nullopt);
    return Status::Ok();
  }
  Operation& operation = Recorded(index);
  operation.outcome = Outcome::kNotExecuted;
  if (status.code() == Code::kLostWrite && operation.read.level() == Read::Level::kSession) {
    operation.lost_write = true;
    operation.lost = VersionsNamedLost(status.message());
    operation.returned = record_.history.Event(scheduler_.Now());
    ++record_.kinds["lost write told"];
    log_.Add(name_, operation.ToString());
    return status;
  }
  log_.Add(name_, operation.ToString() + " (" + status.ToString() + ")");
  if (IsBug(status, operation) || (!NotExecuted(status.code()) && status.code() != Code::kInternal)) {
    record_.problems.push_back(operation.ToString() + " was answered " + status.ToString());
  }
  ++record_.not_executed;
  return status;
}

void SimClient::ReadOne(int group, int cell, GetOptions options, uint64_t session, std::function<void(Status)> then) {
  const size_t index = BeginRead(group, cell, options.read, session);
  core_->Get(TableOf(group), KeyName(group, cell), options, [this, index, then](Result<Record> result) {
    if (dead_) return;
    then(Found(index, result));
  });
}

void SimClient::ReadMany() {
  std::vector<std::string> keys;
  std::vector<size_t> indexes;
  const uint64_t count = 2 + Random(4);
  std::set<std::pair<int, int>> drawn;
  const int first = DrawGroup();
  while (drawn.size() < count) {
    const int group = DrawGroup();
    if (options_.IsLww(group) != options_.IsLww(first)) continue;  // of one table
    drawn.insert({group, static_cast<int>(Random(kCellsPerGroup))});
  }
  GetOptions options;
  options.deadline = DrawDeadline();
  const uint64_t session = DrawRead(options);
  for (const auto& [group, cell] : drawn) {
    indexes.push_back(BeginRead(group, cell, options.read, session));
    keys.push_back(KeyName(group, cell));
  }
  const auto answered = [this, indexes](const std::vector<Result<Record>>& results) {
    if (dead_) return;
    ++record_.kinds["multi get"];
    for (size_t i = 0; i < results.size(); ++i) (void)Found(indexes[i], results[i]);
    Again();
  };
  core_->GetEach(TableOf(first), std::move(keys), options, client::Collect<Result<Record>>(indexes.size(), answered));
}

void SimClient::ScanSome() {
  const int first = DrawGroup();
  const int end = options_.IsLww(first) ? options_.all_groups() : options_.groups;
  const int last = std::min(end - 1, first + static_cast<int>(Random(3)));
  ScanOptions options;
  options.range = {GroupPrefix(first), PrefixEnd(GroupPrefix(last))};
  options.reverse = Random(2) == 0;
  options.page_bytes = Random(2) == 0 ? 0 : 40;
  options.deadline = DrawDeadline();
  const uint64_t session = DrawRead(options);
  ScanOn(std::move(options), session);
}

// One page: what of the range it covered, it read, each key of its own.
void SimClient::ScanOn(ScanOptions options, uint64_t session) {
  std::map<std::string, size_t> reads;
  for (int group = 0; group < options_.all_groups(); ++group) {
    for (int cell = 0; cell < kCellsPerGroup; ++cell) {
      if (!options.range.Contains(KeyName(group, cell))) continue;
      reads[KeyName(group, cell)] = BeginRead(group, cell, options.read, session);
    }
  }
  core_->ScanPage(
      TableOf(GroupOf(options.range.start)), options, [this, options, session, reads](Result<ScanPage> page) mutable {
        if (dead_) return;
        ++record_.kinds["scan page"];
        if (!page.has_value()) {
          for (const auto& [key, index] : reads) (void)Found(index, Result<Record>(std::unexpected(page.error())));
          return Again();
        }
        std::map<std::string, Cell> rows;
        for (const Row& row : page->rows) {
          if (!rows.emplace(row.key, Cell{Unpadded(row.record.value), row.record.version}).second ||
              !reads.contains(row.key)) {
            record_.problems.push_back(name_ + ": a scan answered key " + row.key + " twice or out of its range");
          }
        }
        for (const auto& [key, index] : reads) {
          if (!page->done && page->remaining.Contains(key)) continue;  // the next page's
          const auto row = rows.find(key);
          Found(index, row == rows.end() ? std::nullopt : std::optional(row->second));
        }
        if (page->done) return Again();
        options.range = page->remaining;
        ScanOn(std::move(options), session);
      });
}

void SimClient::ReadAll(std::function<void(Status)> done) {
  OpenThen([this, done](Status opened) {
    if (!opened.ok()) return done(opened);
    auto left = std::make_shared<int>(options_.all_groups() * kCellsPerGroup);
    auto first_error = std::make_shared<Status>();
    for (int group = 0; group < options_.all_groups(); ++group) {
      for (int cell = 0; cell < kCellsPerGroup; ++cell) {
        GetOptions options;
        options.deadline = std::chrono::seconds(30);
        ReadOne(group, cell, options, 0, [left, first_error, done](Status status) {
          if (!status.ok() && first_error->ok()) *first_error = status;
          if (--*left == 0) done(*first_error);
        });
      }
    }
  });
}

// ---- writes --------------------------------------------------------------------------------------------------------

void SimClient::DrawCondition(int group, WritePart& part) {
  const uint64_t choice = Random(10);
  if (choice == 0) part.condition = WritePart::Condition::kAbsent;
  if (choice == 1) part.condition = WritePart::Condition::kExists;
  if (choice > 3) return;
  const auto seen = seen_.find({group, part.cell});
  if (seen == seen_.end() || choice < 2) return;
  part.condition = WritePart::Condition::kVersionIs;
  part.version = seen->second;
}

WritePart SimClient::DrawPart(int group, int cell) {
  WritePart part;
  part.cell = cell;
  const uint64_t choice = Random(10);
  if (choice == 0) {
    part.kind = WritePart::Kind::kDelete;
  } else if (cell == kCounterCell) {
    part.kind = WritePart::Kind::kIncrement;
    part.delta = 1 + static_cast<int64_t>(Random(9));
  } else {
    part.kind = WritePart::Kind::kPut;
    part.value = name_ + "." + std::to_string(record_.history.operations.size()) + kCellNames[cell];
    if (cell == kMortalCell && Random(8) != 0) part.ttl = milliseconds(100 + Random(Random(2) == 0 ? 800 : 5'000));
  }
  DrawCondition(group, part);
  return part;
}

void SimClient::WriteSome() {
  const int group = DrawGroup();
  const size_t index = Begin(group);
  std::vector<WritePart> parts;
  const bool batch = Random(3) == 0;
  for (int cell = 0; cell < kCellsPerGroup; ++cell) {
    if (batch && Random(4) != 0) parts.push_back(DrawPart(group, cell));
  }
  if (parts.empty()) parts.push_back(DrawPart(group, static_cast<int>(Random(kCellsPerGroup))));
  if (batch && Random(8) == 0 && parts.back().condition != WritePart::Condition::kNone) {
    parts.back().kind = WritePart::Kind::kCheck;
  }
  WriteOptions options;
  options.deadline = DrawDeadline();
  options.ack = DrawAck(Random(8));
  if (options_.IsLww(group) && Random(2) == 0) {
    options.ack = Ack::kAny;
    MakePlain(parts);
  }
  Operation& operation = Recorded(index);
  operation.parts = parts;
  operation.ack = options.ack;
  if (Random(2) == 0) operation.session = DrawSession(options.session);
  const bool large = options_.large && parts.size() == 1 && Random(8) == 0;
  core_->Write(TableOf(group), ToBatch(group, parts, large), options, [this, index](Result<BatchResult> result) {
    if (dead_) return;
    OnWritten(index, std::move(result));
    Again();
  });
}

void SimClient::OnWritten(size_t index, Result<BatchResult> result) {
  Operation& operation = Recorded(index);
  const EventNumber now = record_.history.Event(scheduler_.Now());
  if (result.has_value()) {
    operation.outcome = Outcome::kOk;
    operation.returned = now;
    operation.version = result->version;
    operation.counters = result->counters;
    ++record_.answered;
    ++record_.kinds["write " + std::string(LevelName(operation.ack))];
    if (operation.parts.size() > 1) ++record_.kinds["batch"];
    if (operation.ack == Ack::kAny) {
      ++record_.kinds[operation.parts.size() > 1                            ? "any batch"
                      : operation.parts[0].kind == WritePart::Kind::kDelete ? "any delete"
                                                                            : "any put"];
      if (operation.version) record_.problems.push_back("a version where there is none yet: " + operation.ToString());
    }
    for (const WritePart& part : operation.parts) {
      ++record_.kinds[part.ttl.count() > 0 ? "put with ttl" : std::string(PartName(part))];
      if (result->version) seen_[{operation.group, part.cell}] = result->version;
    }
    return log_.Add(name_, operation.ToString());
  }
  const Status& status = result.error();
  if (status.code() == Code::kConditionFailed) {
    operation.outcome = Outcome::kRefused;
    operation.returned = now;
    ++record_.answered;
    ++record_.kinds["write refused"];
    return log_.Add(name_, operation.ToString());
  }
  const bool unknown = status.code() == Code::kUnknownOutcome;
  if (!unknown) operation.outcome = Outcome::kNotExecuted;
  log_.Add(name_, operation.ToString() + " (" + status.ToString() + ")");
  if (IsBug(status, operation) || (!unknown && !NotExecuted(status.code()))) {
    record_.problems.push_back(operation.ToString() + " was answered " + status.ToString());
  }
  ++(unknown ? record_.unknown : record_.not_executed);
}

}  // namespace ebla::sim
