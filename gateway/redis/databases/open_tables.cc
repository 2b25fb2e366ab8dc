#include "gateway/redis/databases/open_tables.h"

#include "common/base/key_range.h"
#include "gateway/redis/databases/key_codec_store.h"

namespace ebla::gateway::redis {

OpenTables::OpenTables(Client client, std::string table, TableStoreOptions levels, std::vector<rpc::EventLoop*> loops,
                       std::shared_ptr<NumberedTables> tables)
    : client_(std::move(client)),
      table_(std::move(table)),
      levels_(levels),
      loops_(std::move(loops)),
      tables_(std::move(tables)) {}

void OpenTables::Add(const std::string& name, const Table& table) {
  MutexLock lock(mutex_);
  databases_[name] = {std::make_shared<Table>(table), {}};
}

void OpenTables::Stop() {
  std::map<std::string, std::vector<Waiter>> waiting;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    waiting.swap(waiters_);
  }
  for (auto& [name, waiters] : waiting) {
    for (Waiter& waiter : waiters) waiter.done(Error(Code::kUnavailable, "the gateway is stopping"));
  }
}

void OpenTables::Open(const std::string& name, const Read& read, Ack ack,
                      Callback<Result<std::shared_ptr<Store>>> done) {
  std::shared_ptr<Store> store;
  bool waits = false, first = false;
  {
    MutexLock lock(mutex_);
    store = Find(name, read, ack);
    first = !waiters_.contains(name);
    waits = store == nullptr && !stopped_ && (!first || waiters_.size() < kLookedUpMax);
    if (waits) waiters_[name].push_back({read, ack, std::move(done)});
  }
  if (waits) return first ? LookUp(name, Make::kIfAbsent) : void();
  if (store != nullptr) return done(std::move(store));
  done(Error(Code::kOverloaded, "too many databases are being looked up, or the gateway is stopping: try again"));
}

// Channels are those of database 0, whichever is selected.
void OpenTables::MayUse(const ChannelUse& use, Until until, Callback<Status> done) {
  Status known;
  if (grants_ == nullptr || grants_->Knows(use, known)) return done(std::move(known));
  Open("0", Read(), Ack::kDefault,
       [this, use, until, done = std::move(done)](const Result<std::shared_ptr<Store>>& store) mutable {
         if (!store) return done(store.error());
         std::shared_ptr<Store> records = RecordsOf("0");
         if (records == nullptr) return done(Status(Code::kOverloaded, "too many databases are open: try again"));
         grants_->Ask(std::move(records), use, until, std::move(done));
       });
}

// Null: it has been forgotten.
std::shared_ptr<Store> OpenTables::RecordsOf(const std::string& name) {
  MutexLock lock(mutex_);
  const auto found = databases_.find(name);
  return found == databases_.end() ? nullptr : std::make_shared<TableStore>(*found->second.table, levels_);
}

std::shared_ptr<Store> OpenTables::Find(const std::string& name, const Read& read, Ack ack) {
  const auto found = databases_.find(name);
  if (found == databases_.end()) return nullptr;
  auto& [table, stores] = found->second;
  const Levels levels{read.level(), read.bound().count(), ack};
  if (const auto store = stores.find(levels); store != stores.end()) return store->second;
  if (stores.size() >= kStoresMax) stores.clear();
  auto records = std::make_shared<TableStore>(
      *table, TableStoreOptions{.read = read.level() == Read::Level::kDefault ? levels_.read : read,
                                .ack = ack == Ack::kDefault ? levels_.ack : ack});
  return stores[levels] = std::make_shared<KeyCodecStore>(std::make_shared<BatchingStore>(std::move(records), loops_));
}

void OpenTables::LookUp(const std::string& name, Make make) {
  AsyncOpenTable(client_, TableOfDatabase(table_, name), [weak = weak_from_this(), name, make](Result<Table> opened) {
    if (const auto self = weak.lock()) self->OnLookedUp(name, make, std::move(opened));
  });
}

void OpenTables::OnLookedUp(const std::string& name, Make make, Result<Table> opened) {
  const bool absent = !opened && opened.error().code() == Code::kNoSuchTable;
  if (absent && make == Make::kIfAbsent && tables_ != nullptr && tables_->Makes(name)) {
    return tables_->Make(name, [weak = weak_from_this(), name](const Status& made) {
      const auto self = weak.lock();
      if (self == nullptr) return;
      made.ok() ? self->LookUp(name, Make::kNo) : self->OnLookedUp(name, Make::kNo, Error(made));
    });
  }
  std::vector<std::pair<Waiter, Result<std::shared_ptr<Store>>>> answers;
  {
    MutexLock lock(mutex_);
    if (opened) {
      if (databases_.size() >= kDatabasesMax) databases_.clear();
      databases_[name] = {std::make_shared<Table>(*opened), {}};
    } else if (absent) {
      const std::string table = EscapeBytes(TableOfDatabase(table_, name));
      opened = Error(Code::kNoSuchTable, "there is no table \"" + table +
                                             "\" for this database: make it with `ebla table create " + table +
                                             " --key-group '\\x00'`");
    }
    const auto waiting = waiters_.extract(name);
    if (waiting.empty()) return;  // they were told that it stops
    for (Waiter& waiter : waiting.mapped()) {
      Result<std::shared_ptr<Store>> answer =
          opened ? Result<std::shared_ptr<Store>>(Find(name, waiter.read, waiter.ack)) : Error(opened.error());
      answers.emplace_back(std::move(waiter), std::move(answer));
    }
  }
  for (auto& [waiter, answer] : answers) waiter.done(std::move(answer));
}

}  // namespace ebla::gateway::redis
