#include "gateway/redis/table_databases.h"

#include "common/base/key_range.h"

namespace ebla::gateway::redis {

TableDatabases::TableDatabases(Client client, std::string table, TableStoreOptions levels)
    : client_(std::move(client)), table_(std::move(table)), levels_(levels) {
  opener_.Start();
}

TableDatabases::~TableDatabases() { opener_.Stop(); }

void TableDatabases::Open(const std::string& name, const Read& read, Ack ack,
                          Callback<Result<std::shared_ptr<Store>>> done) {
  if (auto store = Find(name, read, ack)) return done(std::move(store));
  opener_.Post([this, name, read, ack, done = std::move(done)]() mutable { done(Look(name, read, ack)); });
}

std::string TableDatabases::TableOf(const std::string& name) const {
  if (name == "0") return table_;
  return ToInteger(name) ? table_ + "-" + name : name;
}

std::shared_ptr<Store> TableDatabases::Find(const std::string& name, const Read& read, Ack ack) {
  MutexLock lock(mutex_);
  const auto database = databases_.find(name);
  if (database == databases_.end()) return nullptr;
  std::shared_ptr<Store>& store = database->second.stores[{read.level(), read.bound().count(), ack}];
  if (store == nullptr) {
    store = std::make_shared<TableStore>(
        *database->second.table, TableStoreOptions{.read = read.level() == Read::Level::kDefault ? levels_.read : read,
                                                   .ack = ack == Ack::kDefault ? levels_.ack : ack});
  }
  // A client may have asked for any number of bounds.
  if (database->second.stores.size() > kDatabasesMax) database->second.stores.clear();
  return store;
}

Result<std::shared_ptr<Store>> TableDatabases::Look(const std::string& name, const Read& read, Ack ack) {
  const std::string table = TableOf(name);
  auto opened = client_.OpenTable(table);
  if (!opened && opened.error().code() == Code::kNoSuchTable)
    return Error(Code::kNoSuchTable, "there is no table \"" + EscapeBytes(table) +
                                         "\" for this database: make it with `ebla table create`");
  if (!opened) return Error(std::move(opened.error()));
  {
    MutexLock lock(mutex_);
    if (databases_.size() >= kDatabasesMax) databases_.clear();
    databases_[name] = {std::make_shared<Table>(*std::move(opened)), {}};
  }
  return Find(name, read, ack);
}

}  // namespace ebla::gateway::redis
