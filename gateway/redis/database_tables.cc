#include "gateway/redis/database_tables.h"

#include "gateway/redis/options.h"
#include "gateway/redis/update.h"

namespace ebla::gateway::redis {

std::string TableOfDatabase(const std::string& first, const std::string& name) {
  if (name == "0") return first;
  return ToInteger(name) ? first + "-" + name : name;
}

DatabaseTables::DatabaseTables(Client client, std::string first, bool makes)
    : client_(std::move(client)), first_(std::move(first)), makes_(makes) {}

void DatabaseTables::Start() {
  thread_.Start();
  (void)Records();
}

bool DatabaseTables::Makes(const std::string& name) const {
  const std::optional<int64_t> number = ToInteger(name);
  return makes_ && number && IsDatabase(*number);
}

void DatabaseTables::Make(const std::string& name, Callback<Status> done) {
  thread_.Post([this, name, done = std::move(done)]() mutable { done(MakeNow(name)); });
}

Status DatabaseTables::MakeNow(const std::string& name) const {
  EBLA_ASSIGN(TableInfo first, client_.DescribeTable(first_));
  const Result<TableInfo> made =
      client_.CreateTable(TableOfDatabase(first_, name), {.table = std::move(first.options), .split_points = {}});
  return made || made.error().code() == Code::kTableExists ? Status() : made.error();
}

std::map<int, int64_t> DatabaseTables::Records() {
  const Clock::time_point now = Clock::now();
  MutexLock lock(mutex_);
  if (now - counted_ >= kFreshFor) {
    counted_ = now;
    thread_.Post([this] { Count(); });
  }
  return records_;
}

void DatabaseTables::Count() {
  const Result<std::vector<TableInfo>> tables = client_.ListTables();
  if (!tables) return;  // what was counted last stays
  std::map<int, int64_t> records;
  for (int number = 0; number < kDatabases; ++number) {
    const std::string table = TableOfDatabase(first_, std::to_string(number));
    for (const TableInfo& one : *tables) {
      if (one.name == table && one.records > 0) records[number] = one.records;
    }
  }
  MutexLock lock(mutex_);
  records_ = std::move(records);
}

}  // namespace ebla::gateway::redis
