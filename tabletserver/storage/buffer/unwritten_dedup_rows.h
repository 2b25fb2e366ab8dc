// tabletserver/storage/buffer/unwritten_dedup_rows.h
// Changes of a tablet's dedup window that its table does not have yet. A row that is put and erased here never reaches
// the table.
// Threads: thread-compatible.
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "tabletserver/storage/records/replica_state.h"

namespace ebla::tabletserver {

struct UnwrittenDedupRow {
  std::optional<DedupRow> row;  // none: to be removed
  bool in_table = true;         // the table may have another
};

class UnwrittenDedupRows : public std::map<std::pair<ClientId, Sequence>, UnwrittenDedupRow> {
 public:
  using RowId = key_type;

  // A sequence is executed once: a row that is not here is not in the table either.
  void Put(const DedupRow& row) {
    try_emplace({row.client, row.sequence}, UnwrittenDedupRow{.row = {}, .in_table = false}).first->second.row = row;
  }
  void Erase(const RowId& id) {
    const auto [at, absent] = try_emplace(id);
    if (!absent && !at->second.in_table) {
      erase(at);
    } else {
      at->second.row.reset();
    }
  }
};

}  // namespace ebla::tabletserver
