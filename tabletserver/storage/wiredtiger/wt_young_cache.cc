#include "tabletserver/storage/wiredtiger/wt_young_cache.h"

#include <glog/logging.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <thread>

#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {
namespace {

using std::chrono::steady_clock;

constexpr char kScratch[] = "table:scratch";
constexpr int kProbeRows =
    80;  // more than the bound, and with all that they take less than a fifth of the smallest cache
constexpr size_t kRowBytes = 1000;
constexpr char kLessThanTheRows[] = "eviction_dirty_target=50KB";
constexpr auto kLookAgain = std::chrono::milliseconds(5);
constexpr auto kTakesMax = std::chrono::seconds(5);

// Which stay in memory until the transaction ends.
int WriteRows(WT_SESSION* session) {
  WT_CURSOR* cursor = nullptr;
  int error = session->open_cursor(session, kScratch, nullptr, nullptr, &cursor);
  if (error != 0) return error;
  const std::string value(kRowBytes, '\0');
  for (int row = 0; error == 0 && row < kProbeRows; ++row) {
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
  while (EvictionPasses(session) < kPassesOfOldCache) {
    if (steady_clock::now() >= until) return ETIMEDOUT;
    std::this_thread::sleep_for(kLookAgain);
  }
  return 0;
}

int MakePasses(WT_CONNECTION* connection, WT_SESSION* session) {
  int error = session->create(session, kScratch, "key_format=i,value_format=u,log=(enabled=false)");
  if (error == 0) error = session->begin_transaction(session, nullptr);
  if (error != 0) return error;
  error = WriteRows(session);
  if (error == 0) error = AwaitPasses(connection, session);
  const int ended = session->rollback_transaction(session, nullptr);
  const int dropped = session->drop(session, kScratch, "force=true");
  return error != 0 ? error : ended != 0 ? ended : dropped;
}

}  // namespace

int64_t EvictionPasses(WT_SESSION* session) {
  return Statistic(session, WT_STAT_CONN_CACHE_EVICTION_QUEUE_EMPTY).value_or(0) +
         Statistic(session, WT_STAT_CONN_CACHE_EVICTION_QUEUE_NOT_EMPTY).value_or(0);
}

Status AgeCache(WtConnection& connection, int64_t cache_bytes) {
  WT_CONNECTION* const raw = connection.get();
  WT_SESSION* session = nullptr;
  EBLA_TRY(connection.Check(raw->open_session(raw, nullptr, nullptr, &session), "opening a session"));
  const int error = MakePasses(raw, session);
  session->close(session, nullptr);
  LOG_IF(WARNING, error != 0) << "writes may be slow for a minute, as eviction cannot be made to work: "
                              << wiredtiger_strerror(error);
  const std::string usual = DirtyTarget(cache_bytes);
  return connection.Check(raw->reconfigure(raw, usual.c_str()), "setting what may be changed in the cache");
}

}  // namespace ebla::tabletserver
