#include "gateway/redis/databases/numbered_tables.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "gateway/redis/databases/databases.h"
#include "gateway/redis/wire/names.h"

namespace ebla::gateway::redis {
namespace {

std::string_view PolicyOf(TableEviction eviction) {
  switch (eviction) {
    case TableEviction::kNone: return "noeviction";
    case TableEviction::kLru: return "allkeys-lru";
    case TableEviction::kLfu: return "allkeys-lfu";
    case TableEviction::kTtl: return "volatile-ttl";
  }
  return "noeviction";  // one of a later version
}

}  // namespace

std::string TableOfDatabase(const std::string& first, const std::string& name) {
  if (name == "0") return first;
  return ToInteger(name) ? first + "-" + name : name;
}

// A server's own limit may be below the table's: of all that count, the least.
MemoryBounds BoundsOf(const TableInfo& table) {
  if (!table.options.memory.value_or(false)) return {};
  MemoryBounds bounds{.bytes_max = table.options.memory_limit.value_or(0),
                      .policy = PolicyOf(table.options.eviction.value_or(TableEviction::kNone))};
  for (const TableMemory& on_server : table.memory) {
    bounds.evicted += on_server.evicted;
    const auto limit = static_cast<uint64_t>(on_server.limit_bytes);
    if (limit > 0) bounds.bytes_max = bounds.bytes_max == 0 ? limit : std::min(bounds.bytes_max, limit);
  }
  return bounds;
}

NumberedTables::NumberedTables(Client client, std::string first, bool makes)
    : client_(std::move(client)), first_(std::move(first)), makes_(makes) {}

void NumberedTables::Start() {
  thread_.Start();
  thread_.Post([this] { Count(); });
}

void NumberedTables::Stop() {
  stopped_ = true;
  thread_.Stop();
}

bool NumberedTables::Makes(const std::string& name) const {
  const std::optional<int64_t> number = ToInteger(name);
  return makes_ && number && IsDatabase(*number);
}

void NumberedTables::Make(const std::string& name, Callback<Status> done) {
  thread_.Post([this, name, until = thread_.Now() + kPatience, done = std::move(done)]() mutable {
    const bool late = stopped_ || thread_.Now() > until;
    done(late
             ? Status(Code::kOverloaded, "tables of other databases are being made, or the masters are slow: try again")
             : MakeNow(name));
  });
}

Status NumberedTables::MakeNow(const std::string& name) const {
  EBLA_ASSIGN(TableInfo first, client_.DescribeTable(first_));
  const std::string table = TableOfDatabase(first_, name);
  CreateTableOptions options{.table = std::move(first.options), .split_points = {}, .deadline = kForReplicas};
  Result<TableInfo> made = client_.CreateTable(table, options);
  const auto refused = [&](Code code) { return !made && made.error().code() == code; };
  if ((refused(Code::kInvalidArgument) || refused(Code::kUnavailable)) && !stopped_) {
    options.table.replicas = std::nullopt;
    options.deadline = kPatience;
    made = client_.CreateTable(table, options);
  }
  return made || refused(Code::kTableExists) ? Status() : made.error();
}

std::map<int, int64_t> NumberedTables::Records() const {
  MutexLock lock(mutex_);
  return records_;
}

MemoryBounds NumberedTables::Bounds() const {
  MutexLock lock(mutex_);
  return bounds_;
}

// While no master answers, the number of records is unknown. The bounds of a table hardly ever change.
void NumberedTables::Count() {
  if (stopped_) return;
  const Result<std::vector<TableInfo>> tables = client_.ListTables();
  std::map<int, int64_t> records;
  MemoryBounds bounds;
  for (int number = 0; tables && number < kDatabases; ++number) {
    const std::string table = TableOfDatabase(first_, std::to_string(number));
    for (const TableInfo& one : *tables) {
      if (one.name != table) continue;
      if (one.records > 0) records[number] = one.records;
      if (number == 0) bounds = BoundsOf(one);
    }
  }
  {
    MutexLock lock(mutex_);
    records_ = std::move(records);
    if (tables) bounds_ = bounds;
  }
  thread_.After(kCountEvery, [this] { Count(); });
}

}  // namespace ebla::gateway::redis
