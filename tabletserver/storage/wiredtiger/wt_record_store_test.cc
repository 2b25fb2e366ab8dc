// Reads of tables in place whose snapshot WiredTiger gives up. A full cache makes WiredTiger do so, but not at a moment
// of the test's choice, so that the test's own functions stand before those of real cursors.
#include "tabletserver/storage/wiredtiger/wt_record_store.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tabletserver/storage/testing/run_merger_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

constexpr TableId kSteppedTable{9};
int steps_left = 0;  // of the table's cursors, the last of which gives up; 0: all succeed
decltype(WT_CONNECTION::open_session) real_open_session;
decltype(WT_SESSION::open_cursor) real_open_cursor;
decltype(WT_CURSOR::search) real_search;
decltype(WT_CURSOR::next) real_next;

int Step(int (*real)(WT_CURSOR*), WT_CURSOR* cursor) {
  return steps_left > 0 && --steps_left == 0 ? WT_ROLLBACK : real(cursor);
}
int SteppedSearch(WT_CURSOR* cursor) { return Step(real_search, cursor); }
int SteppedNext(WT_CURSOR* cursor) { return Step(real_next, cursor); }

int OpenCursor(WT_SESSION* session, const char* uri, WT_CURSOR* copied, const char* config, WT_CURSOR** cursor) {
  const int error = real_open_cursor(session, uri, copied, config, cursor);
  if (error != 0 || uri != DataTableUri(kSteppedTable)) return error;
  real_search = std::exchange((*cursor)->search, SteppedSearch);
  real_next = std::exchange((*cursor)->next, SteppedNext);
  return 0;
}

int OpenSession(WT_CONNECTION* connection, WT_EVENT_HANDLER* handler, const char* config, WT_SESSION** session) {
  const int error = real_open_session(connection, handler, config, session);
  if (error == 0) real_open_cursor = std::exchange((*session)->open_cursor, OpenCursor);
  return error;
}

class LostSnapshotTest : public ::testing::Test {
 protected:
  LostSnapshotTest() {
    steps_left = 0;
    real_open_session = std::exchange(connection_->get()->open_session, OpenSession);
    EXPECT_TRUE(store_.Open().ok());
    EXPECT_TRUE(store_.EnsureTable(kSteppedTable, TableCompression::kNone).ok());
    for (const char* const key : {"a", "b", "c"}) {
      const Effect effect = Put(key, "v");
      ApplyBatch batch{.tablet = kMergedTablet, .table = kSteppedTable, .records = {{&effect, {Epoch{1}, Lsn{1}}}}};
      batch.state.applied = {Epoch{1}, Lsn{1}};
      EXPECT_TRUE(store_.Apply({&batch, 1}).ok());
    }
  }
  static WtStoreOptions Options(const std::string& directory, Executor& executor) {
    WtStoreOptions options = SmallStore(directory, executor, executor);
    options.sorted_tables = false;
    return options;
  }
  // The keys of a scan in which so many steps succeed before one gives up, and how it ends.
  std::string KeysOfScan(int steps) {
    std::string keys;
    steps_left = steps + 1;
    const auto visit = [&](std::string_view key, const StoredRecord&) {
      keys += key;
      return true;
    };
    const Status read = store_.Scan(kSteppedTable, {}, visit, nullptr);
    return keys + (read.code() == Code::kOverloaded ? " overloaded" : read.ok() ? " ok" : read.ToString());
  }

  TemporaryDirectory directory_;
  ebla::testing::ThreadExecutor executor_;
  const WtStoreOptions options_ = Options(directory_ / "store", executor_);
  std::unique_ptr<WtConnection> connection_ = Connect(options_);
  DiskReserve reserve_{options_.directory, options_.disk_reserve_bytes, options_.disk_space};
  WtRecordStore store_{options_, *connection_, reserve_};
};

TEST_F(LostSnapshotTest, ABodyIsCalledAgain) {
  std::string bodies;
  steps_left = 3;
  const Status read = store_.Read(kSteppedTable, nullptr, [&](RecordStore::View& view) -> Status {
    bodies += "(";
    for (const char* const key : {"a", "b", "c"}) {
      EBLA_ASSIGN(const auto record, view.Get(key));
      bodies += record ? key : "-";
    }
    bodies += ")";
    return {};
  });
  EXPECT_EQ(read, Status());
  EXPECT_EQ(bodies, "(ab(abc)");
}

TEST_F(LostSnapshotTest, ABodyThatEndsWellIsNotCalledAgain) {
  int bodies = 0;
  steps_left = 1;
  const Status read = store_.Read(kSteppedTable, nullptr, [&](RecordStore::View& view) -> Status {
    ++bodies;
    EXPECT_EQ(view.Get("a").error().code(), Code::kOverloaded);
    return {};
  });
  EXPECT_EQ(read, Status());
  EXPECT_EQ(bodies, 1);
}

TEST_F(LostSnapshotTest, AScanBeginsAgainUnlessItHasShownARecord) {
  EXPECT_EQ(KeysOfScan(0), "abc ok");
  EXPECT_EQ(KeysOfScan(1), "a overloaded");
  EXPECT_EQ(KeysOfScan(2), "ab overloaded");
  EXPECT_EQ(KeysOfScan(9), "abc ok");
}

}  // namespace
}  // namespace ebla::tabletserver::testing
