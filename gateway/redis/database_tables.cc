#include "gateway/redis/database_tables.h"

#include <optional>
#include <utility>
#include <vector>

#include "gateway/redis/options.h"
#include "gateway/redis/wire/names.h"

namespace ebla::gateway::redis {

std::string TableOfDatabase(const std::string& first, const std::string& name) {
  if (name == "0") return first;
  return ToInteger(name) ? first + "-" + name : name;
}

DatabaseTables::DatabaseTables(Client client, std::string first, bool makes)
    : client_(std::move(client)), first_(std::move(first)), makes_(makes) {}

void DatabaseTables::Start() {
  thread_.Start();
  thread_.Post([this] { Count(); });
}

void DatabaseTables::Stop() {
  stopped_ = true;
  thread_.Stop();
}

bool DatabaseTables::Makes(const std::string& name) const {
  const std::optional<int64_t> number = ToInteger(name);
  return makes_ && number && IsDatabase(*number);
}

void DatabaseTables::Make(const std::string& name, Callback<Status> done) {
  thread_.Post([this, name, until = thread_.Now() + kPatience, done = std::move(done)]() mutable {
    const bool late = stopped_ || thread_.Now() > until;
    done(late
             ? Status(Code::kOverloaded, "tables of other databases are being made, or the masters are slow: try again")
             : MakeNow(name));
  });
}

Status DatabaseTables::MakeNow(const std::string& name) const {
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

std::map<int, int64_t> DatabaseTables::Records() const {
  MutexLock lock(mutex_);
  return records_;
}

// Where no master answers it is not known any more.
void DatabaseTables::Count() {
  if (stopped_) return;
  const Result<std::vector<TableInfo>> tables = client_.ListTables();
  std::map<int, int64_t> records;
  for (int number = 0; tables && number < kDatabases; ++number) {
    const std::string table = TableOfDatabase(first_, std::to_string(number));
    for (const TableInfo& one : *tables) {
      if (one.name == table && one.records > 0) records[number] = one.records;
    }
  }
  {
    MutexLock lock(mutex_);
    records_ = std::move(records);
  }
  thread_.After(kCountEvery, [this] { Count(); });
}

}  // namespace ebla::gateway::redis
