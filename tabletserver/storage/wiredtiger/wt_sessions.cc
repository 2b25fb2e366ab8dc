#include "tabletserver/storage/wiredtiger/wt_sessions.h"

#include <glog/logging.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "common/base/mutex.h"
#include "tabletserver/storage/wiredtiger/wt_checkpoint_blocks.h"

namespace ebla::tabletserver {

// A thread's sessions, one for each store that it has used.
struct ThreadSlots {
  struct Slot {
    uint64_t pool_id;
    std::weak_ptr<WtSessions> pool;
    WtSession* session;
  };
  std::vector<Slot> slots;

  ~ThreadSlots() {
    for (Slot& slot : slots) {
      if (auto pool = slot.pool.lock()) pool->ThreadEnded(slot.session);
    }
  }
};

namespace {

thread_local ThreadSlots thread_slots;

uint64_t NextPoolId() {
  static std::atomic<uint64_t> next{1};
  return next.fetch_add(1);
}

}  // namespace

std::string SystemTableUri(SystemTable table) {
  switch (table) {
    case SystemTable::kApplied: return "table:applied";
    case SystemTable::kWindow: return "table:window";
    case SystemTable::kRuns: return "table:runs";
  }
  return {};
}

std::string DataTableUri(TableId table) { return "file:data_" + std::to_string(table.value) + ".wt"; }

std::string RunFileName(RunFileId file) { return "run_" + std::to_string(file.number) + ".wt"; }

std::string RunFileUri(RunFileId file) { return "file:" + RunFileName(file); }

std::optional<int64_t> Statistic(WT_SESSION* session, int key) {
  WT_CURSOR* cursor = nullptr;
  if (session->open_cursor(session, "statistics:", nullptr, nullptr, &cursor) != 0) return std::nullopt;
  const char* description = nullptr;
  const char* text = nullptr;
  int64_t value = 0;
  cursor->set_key(cursor, key);
  const bool read = cursor->search(cursor) == 0 && cursor->get_value(cursor, &description, &text, &value) == 0;
  cursor->close(cursor);
  return read ? std::optional(value) : std::nullopt;
}

int WtSession::Cursor(SystemTable table, WT_CURSOR** cursor) {
  mutex_.AssertHeld();  // Use holds it
  WT_CURSOR*& slot = system_[static_cast<size_t>(table)];
  if (slot == nullptr) {
    if (const int error = session_->open_cursor(session_, SystemTableUri(table).c_str(), nullptr, nullptr, &slot)) {
      slot = nullptr;
      return error;
    }
  }
  *cursor = slot;
  return 0;
}

int WtSession::DataCursor(TableId table, WT_CURSOR** cursor) {
  mutex_.AssertHeld();  // Use holds it
  if (damaged_ != nullptr && damaged_->IsLost(table)) return kDamagedBlock;
  if (const auto found = data_.find(table); found != data_.end()) {
    *cursor = found->second;
    return 0;
  }
  if (const int error = session_->open_cursor(session_, DataTableUri(table).c_str(), nullptr, nullptr, cursor)) {
    *cursor = nullptr;
    return error == WT_ERROR ? kDamagedBlock : error;  // of the file's first block
  }
  data_.emplace(table, *cursor);
  return 0;
}

int WtSession::RunCursor(RunFileId file, PageUse use, WT_CURSOR** cursor) {
  mutex_.AssertHeld();  // Use holds it
  if (runs_session_ == nullptr) {
    WT_CONNECTION* const connection = session_->connection;
    if (const int error = connection->open_session(connection, nullptr, "isolation=read-uncommitted", &runs_session_))
      return error;
  }
  if (damaged_ != nullptr && damaged_->IsLostRun(file.number)) return kDamagedBlock;
  WT_CURSOR*& slot = runs_[file.number][static_cast<size_t>(use)];
  if (slot == nullptr) {
    const char* const config = use == PageUse::kOnce ? "read_once=true" : nullptr;
    if (const int error = runs_session_->open_cursor(runs_session_, RunFileUri(file).c_str(), nullptr, config, &slot)) {
      slot = nullptr;
      // A damaged first block is WT_ERROR.
      return error == WT_ERROR || error == ENOENT || IsBarred(error) ? kDamagedBlock : error;
    }
  }
  *cursor = slot;
  return 0;
}

void WtSession::Close() {
  if (runs_session_ != nullptr) runs_session_->close(runs_session_, nullptr);
  session_->close(session_, nullptr);
}

void WtSession::CloseCursor(RunFileId file) {
  const auto found = runs_.find(file.number);
  if (found == runs_.end()) return;
  for (WT_CURSOR* const cursor : found->second) {
    if (cursor != nullptr) cursor->close(cursor);
  }
  runs_.erase(found);
}

void WtSession::CloseCursor(TableId table) {
  const auto found = data_.find(table);
  if (found == data_.end()) return;
  found->second->close(found->second);
  data_.erase(found);
}

int WtCursor::SeekAtOrAfter(std::string_view key) {
  if (key.empty()) return cursor_->next(cursor_);
  SetKey(key);
  int order = 0;
  if (const int error = cursor_->search_near(cursor_, &order)) return error;
  return order < 0 ? cursor_->next(cursor_) : 0;
}

int WtCursor::SeekBefore(std::string_view key) {
  if (key.empty()) return cursor_->prev(cursor_);
  SetKey(key);
  int order = 0;
  if (const int error = cursor_->search_near(cursor_, &order)) return error;
  return order >= 0 ? cursor_->prev(cursor_) : 0;
}

WtSessions::WtSessions(WtConnection& connection, int sessions_max)
    : connection_(connection), sessions_max_(static_cast<size_t>(sessions_max)), id_(NextPoolId()) {}

WtSessions::~WtSessions() { Close(); }

std::string WtSessions::PathOf(const std::string& uri) const {
  WT_CONNECTION* const connection = connection_.get();
  return std::string(connection->get_home(connection)) + "/" + FileOfTable(uri);
}

// Other causes have WiredTiger's errors for damage, too.
bool WtSessions::CannotOpen(int error, TableId table) const {
  if (error == kOtherFile || IsBarred(error)) return true;
  return (error == ENOENT || error == WT_ERROR) && in_place_.Has(table) &&
         CheckTableFile(PathOf(DataTableUri(table))) == kDamagedBlock;
}

Status WtSessions::CheckTable(int error, TableId table, std::string_view doing) {
  const bool cannot_open = CannotOpen(error, table);
  if (error == kDamagedBlock || cannot_open) {
    const bool known = !damaged_.Note(table);
    if (cannot_open || (!known && in_place_.Has(table) && IsCutShort(PathOf(DataTableUri(table)))))
      damaged_.NoteLost(table);
    if (!known) {
      LOG(ERROR) << doing << ": the file of table " << table
                 << " is damaged on this server's disk; its replicas here are to be made anew"
                 << connection_.LastMessages();
    }
    if (cannot_open && !in_place_.Has(table)) damaged_.Forget(table);  // dropped just now
    return Error(Code::kUnavailable, "the file of table " + std::to_string(table.value) + " is damaged on this server");
  }
  if (IsShortage(error)) return ShortageError(error, doing);
  if (error != ENOENT) return Check(error, doing);
  return Error(Code::kNoSuchTable, "no table with id " + std::to_string(table.value) + " on this server");
}

bool WtSessions::NoteIfDamaged(WtSession& session, TableId table, const std::string& file, bool only_to_read) {
  const int error = CheckCheckpointBlocks(session, file, only_to_read);
  if (error == 0 || IsShortage(error)) return false;
  (void)CheckTable(kDamagedBlock, table, PathOf(file) + " " + DescribeDamage(error));
  return true;
}

// The lock travels in the object, from ForThisThread() to here: the analysis follows none that does.
WtSessions::Use::~Use() EBLA_NO_THREAD_SAFETY_ANALYSIS {
  if (session_ == nullptr) return;
  session_->in_use_ = false;
  session_->mutex_.Unlock();
}

Result<WtSessions::Use> WtSessions::ForThisThread() EBLA_NO_THREAD_SAFETY_ANALYSIS {  // as ~Use()
  if (connection_.failed()) return Error(connection_.status());
  WtSession* session = nullptr;
  for (const ThreadSlots::Slot& slot : thread_slots.slots) {
    if (slot.pool_id == id_) session = slot.session;
  }
  if (session == nullptr) {
    EBLA_ASSIGN(session, Open());
  }
  CHECK(!session->in_use_) << "a visitor calls the store";
  session->in_use_ = true;
  session->mutex_.Lock();
  session->CloseWanted();
  return Use(session);
}

Result<WtSession*> WtSessions::Open() {
  WtSession* opened = nullptr;
  {
    MutexLock lock(mutex_);
    if (sessions_.size() >= sessions_max_) {
      return Error(Code::kOverloaded, "too many threads use the store: raise sessions_max");
    }
    WT_SESSION* raw = nullptr;
    WT_CONNECTION* connection = connection_.get();
    const int error = connection->open_session(connection, nullptr, "isolation=snapshot", &raw);
    EBLA_TRY(connection_.Check(error, "opening a session"));
    opened = sessions_.emplace_back(std::make_unique<WtSession>(raw, &damaged_)).get();
  }
  auto& slots = thread_slots.slots;
  std::erase_if(slots, [](const ThreadSlots::Slot& slot) { return slot.pool.expired(); });
  slots.push_back({id_, weak_from_this(), opened});
  return opened;
}

void WtSessions::ThreadEnded(WtSession* session) {
  MutexLock lock(mutex_);
  const auto found = std::find_if(sessions_.begin(), sessions_.end(),
                                  [session](const auto& candidate) { return candidate.get() == session; });
  if (found == sessions_.end()) return;  // closed with the pool
  if (!connection_.failed()) session->Close();
  sessions_.erase(found);
}

void WtSessions::CloseCursors(ToClose closed) {
  MutexLock lock(mutex_);
  for (const auto& session : sessions_) {
    {
      const MutexLock closing(session->closing_mutex_);
      session->closing_.push_back(closed);
      session->closes_ = true;
    }
    if (!session->mutex_.TryLock()) continue;
    session->CloseWanted();
    session->mutex_.Unlock();
  }
}

void WtSession::CloseWanted() {
  if (!closes_.exchange(false)) return;
  std::vector<std::variant<TableId, RunFileId>> closing;
  {
    const MutexLock lock(closing_mutex_);
    closing.swap(closing_);
  }
  for (const auto& one : closing) std::visit([this](const auto& id) EBLA_REQUIRES(mutex_) { CloseCursor(id); }, one);
}

void WtSessions::Close() {
  MutexLock lock(mutex_);
  if (sessions_.empty()) return;  // closed before; the connection may be gone
  if (!connection_.failed()) {
    for (const auto& session : sessions_) session->Close();
  }
  sessions_.clear();
}

size_t WtSessions::count() const {
  MutexLock lock(mutex_);
  return sessions_.size();
}

bool Patience::WaitAfter(int error) {
  constexpr auto kLimit = std::chrono::seconds(10);
  if (!WtConnection::IsTransient(error)) return false;
  const auto now = std::chrono::steady_clock::now();
  if (attempts_ == 0) start_ = now;
  if (now - start_ > kLimit) return false;
  const int micros = std::min(50 << std::min(attempts_++, 8), 10'000);
  std::this_thread::sleep_for(std::chrono::microseconds(micros));
  return true;
}

int TruncateRows(WtSession& session, SystemTable table, std::string_view first, std::string_view last) {
  WT_SESSION* const raw = session.get();
  WtCursor start(session, table);
  if (const int error = start.error()) return error;
  WtCursor stop(session, SystemTableUri(table), nullptr);
  if (const int error = stop.error()) return error;
  const int error = RunTransaction(session, [&]() -> int {
    start.SetKey(first);
    stop.SetKey(last);
    return raw->truncate(raw, nullptr, start.get(), stop.get(), nullptr);
  });
  return error == WT_NOTFOUND ? 0 : error;
}

int RemoveRowsWith(WtCursor& rows, std::string_view prefix) {
  int error = rows.SeekAtOrAfter(prefix);
  while (error == 0) {
    std::string_view key;
    if (const int failed = rows.GetKey(&key)) return failed;
    if (!key.starts_with(prefix)) return 0;
    const std::string row(key);
    if (const int failed = rows.Remove(row)) return failed;
    error = rows.SeekAtOrAfter(row);
  }
  return error == WT_NOTFOUND ? 0 : error;
}

}  // namespace ebla::tabletserver
