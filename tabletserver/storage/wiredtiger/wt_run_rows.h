// tabletserver/storage/wiredtiger/wt_run_rows.h
// Rows of the table `runs`: the sorted tables of a store, and the runs of each. A checkpoint makes them durable.
//
//   key                                      value
//   table, 0                                 1 format (1); 1 TableCompression
//   table, number of a run                   Run (runs/run.h), without holes
//   table, number of a run, part from 1 on   a part of the run's filter
//   table, number of a run, 2^64 - 1         its holes, as a Run that has nothing else
//
//   Numbers in keys are 8 bytes, big-endian.
// Errors:  WiredTiger's numbers; damage of the table is the store's end (OfSystemTable).
// Threads: those of the sessions.
#pragma once

#include <vector>

#include "tabletserver/storage/records/record_store.h"
#include "tabletserver/storage/runs/run_set.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

// Inside the caller's transaction.
int WriteTableRow(WtSession& session, TableId table, TableCompression compression);
int WriteRunRows(WtSession& session, TableId table, const RunOfTable& run, std::string_view filter);
int WriteHoles(WtSession& session, TableId table, const RunOfTable& run);
int RemoveRunRows(WtSession& session, TableId table, RunFileId run);

struct RunTable {
  TableId table;
  TableCompression compression = TableCompression::kNone;
  RunSet runs;
};
Result<std::vector<RunTable>> ReadRunTables(WtSessions& sessions, WtSession& session);

}  // namespace ebla::tabletserver
