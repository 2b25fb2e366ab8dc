// master/catalog/table_rules.h
// Checks a table's options, with their defaults, and its split points. Pure.
// Errors:  INVALID_ARGUMENT naming what is wrong and what to do instead.
// Threads: functions of their arguments.
#pragma once

#include <string>
#include <vector>

#include "common/base/status.h"
#include "idl/types_types.h"

namespace ebla::master {

inline constexpr size_t kSplitPointsMax = 10'000;
// All split points of one table together: they stand in one znode until the tablets are made.
inline constexpr size_t kSplitPointsBytesMax = 700 * 1024;

inline constexpr int kReplicasMax = 7;

// How many replicas each tablet of the table is to have. There may be fewer for want of servers.
inline size_t ReplicasOf(const idl::TableSchema& schema) { return static_cast<size_t>(schema.options.replicas); }

// Its records live in memory alone, so a server that restarts has lost them (PROTOCOL 5).
inline bool IsInMemory(const idl::TableSchema& schema) {
  return schema.options.__isset.memory && schema.options.memory;
}

// Every field set, unset ones by default, or why the table cannot be as asked.
Result<idl::TableOptions> CompleteOptions(idl::TableOptions asked, int replicas_default);

// `current` with what `change` sets; refuses a change of what is for life.
Result<idl::TableOptions> AlterOptions(const idl::TableOptions& current, const idl::TableOptions& change);

// Ascending, distinct, 1 to 256 bytes each, none within a key group.
Status CheckSplitPoints(const std::vector<std::string>& points, const idl::TableOptions& options);

// True when keys of one group would lie on both sides of the point.
bool CutsKeyGroup(const std::string& point, const idl::KeyGroup& group);

}  // namespace ebla::master
