#include "tabletserver/storage/wiredtiger/wt_checkpoints.h"

#include <algorithm>
#include <tuple>

#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/wiredtiger/wt_files.h"

namespace ebla::tabletserver {

Status WtCheckpoints::Open() {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  WtCursor rows(*session, SystemTable::kApplied);
  EBLA_TRY(sessions_.Check(rows.error(), "opening a cursor"));
  const int error = rows.Search(kCheckpointKey);
  if (error == WT_NOTFOUND) return {};
  std::string_view row;
  EBLA_TRY(sessions_.Check(error != 0 ? error : rows.GetValue(&row), "reading the checkpoint's number"));
  EBLA_ASSIGN(const uint64_t number, DecodeCheckpointNumber(row));
  number_ = number;
  return {};
}

int WtCheckpoints::PutNumber(WtSession& session) {
  const uint64_t number = number_ + 1;
  const int error = RunTransaction(session, [&]() -> int {
    WtCursor rows(session, SystemTable::kApplied);
    if (const int error = rows.error()) return OfSystemTable(error);
    return OfSystemTable(rows.Insert(kCheckpointKey, EncodeCheckpointNumber(number)));
  });
  if (error == 0) number_ = number;
  return error;
}

Status WtCheckpoints::Take() {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  const auto through = dedup_rows_.WriteThrough(*session);
  if (!through) return sessions_.Check(through.error(), "writing out dedup windows");
  EBLA_TRY(sessions_.Check(PutNumber(*session), "numbering a checkpoint"));
  WT_SESSION* const raw = session->get();
  const PacedSyncs paced([this] { return Hurried(); });
  EBLA_TRY(sessions_.Check(RunRead([raw] { return raw->checkpoint(raw, nullptr); }), "taking a checkpoint"));
  return taken_ ? taken_(number_) : Status();
}

// A store that has failed, too, has applied what must not reach the disk without its dedup rows.
Status WtCheckpoints::PrepareLast(WtConnection& connection) {
  WT_SESSION* raw = nullptr;
  int error = connection.get()->open_session(connection.get(), nullptr, "isolation=snapshot", &raw);
  if (error == 0) {
    WtSession session(raw);
    error = dedup_rows_.WriteOut(session);
    if (error == 0) std::ignore = PutNumber(session);  // a number less is no harm
    raw->close(raw, nullptr);
  }
  if (error == 0) return {};
  connection.Abandon();
  return Error(Code::kInternal, std::string("writing out dedup windows: ") + wiredtiger_strerror(error) +
                                    "; the store remains as its last checkpoint has it");
}

Result<bool> WtCheckpoints::Compact(TableId table, Duration limit) {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  WT_SESSION* const raw = session->get();
  const auto seconds = std::max<int64_t>(1, std::chrono::duration_cast<std::chrono::seconds>(limit).count());
  const auto through = dedup_rows_.WriteThrough(*session);
  if (!through) return std::unexpected(sessions_.Check(through.error(), "writing out dedup windows"));
  const std::string config = "timeout=" + std::to_string(seconds);
  const PacedSyncs paced([this] { return Hurried(); }, limit / 4);
  const int error = raw->compact(raw, DataTableUri(table).c_str(), config.c_str());
  if (error == ETIMEDOUT) return false;
  if (error == EBUSY)
    return Error(Code::kComeAgain,
                 "table " + std::to_string(table.value) + " cannot be compacted at present: try again");
  EBLA_TRY(sessions_.CheckTable(error, table, "compacting a table"));
  return true;
}

}  // namespace ebla::tabletserver
