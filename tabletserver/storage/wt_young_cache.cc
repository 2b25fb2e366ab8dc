#include "tabletserver/storage/wt_young_cache.h"

#include <chrono>
#include <string>
#include <thread>

#include "tabletserver/storage/wt_sessions.h"

namespace ebla::tabletserver {
namespace {

using std::chrono::steady_clock;

constexpr char kScratch[] = "table:scratch";
constexpr int kRows = 150;
constexpr size_t kRowBytes = 1000;
constexpr char kLessThanTheRows[] = "eviction_dirty_target=50KB";
constexpr char kWiredTigersOwn[] = "eviction_dirty_target=5";
constexpr auto kLookAgain = std::chrono::milliseconds(5);
constexpr auto kTakesMax = std::chrono::seconds(2);

// Which stay in memory until the transaction ends.
int WriteRows(WT_SESSION* session) {
  WT_CURSOR* cursor = nullptr;
  int error = session->open_cursor(session, kScratch, nullptr, nullptr, &cursor);
  if (error != 0) return error;
  const std::string value(kRowBytes, '\0');
  for (int row = 0; error == 0 && row < kRows; ++row) {
    WT_ITEM item{};
    item.data = value.data();
    item.size = value.size();
    cursor->set_key(cursor, row);
    cursor->set_value(cursor, &item);
    error = cursor->insert(cursor);
  }
  const int closed = cursor->close(cursor);
  return error != 0 ? error : closed;
}

int AwaitPasses(WT_CONNECTION* connection, WT_SESSION* session) {
  if (const int error = connection->reconfigure(connection, kLessThanTheRows); error != 0) return error;
  const auto until = steady_clock::now() + kTakesMax;
  while (EvictionPasses(session) < kPassesOfOldCache && steady_clock::now() < until) std::this_thread::sleep_for(kLookAgain);
  return connection->reconfigure(connection, kWiredTigersOwn);
}

int MakePasses(WT_CONNECTION* connection, WT_SESSION* session) {
  int error = session->create(session, kScratch, "key_format=i,value_format=u,log=(enabled=false)");
  if (error == 0) error = session->begin_transaction(session, nullptr);
  if (error != 0) return error;
  error = WriteRows(session);
  if (error == 0) error = AwaitPasses(connection, session);
  const int ended = session->rollback_transaction(session, nullptr);
  const int dropped = session->drop(session, kScratch, nullptr);
  return error != 0 ? error : ended != 0 ? ended : dropped;
}

}  // namespace

int64_t EvictionPasses(WT_SESSION* session) {
  return Statistic(session, WT_STAT_CONN_CACHE_EVICTION_QUEUE_EMPTY) +
         Statistic(session, WT_STAT_CONN_CACHE_EVICTION_QUEUE_NOT_EMPTY);
}

int AgeCache(WT_CONNECTION* connection) {
  WT_SESSION* session = nullptr;
  if (const int error = connection->open_session(connection, nullptr, nullptr, &session); error != 0) return error;
  const int error = MakePasses(connection, session);
  const int closed = session->close(session, nullptr);
  return error != 0 ? error : closed;
}

}  // namespace ebla::tabletserver
