// master/leader/procedure_list.h
// Lists all work of the leading master, for people: intents in the catalog (moves, splits), repairs and failovers,
// draining servers, and the procedures of its runner.
// Ids:     "<kind>-<object>", as "move-7", "drain-ts-3", "create-carts"; determined by the work, so every master gives
//          the same.
// Cancel:  moves until the new replica votes; merges until the catalog has one in the place of two; drains; waiting
//          requests. Each other kind has its reason why it cannot be cancelled.
// Place:   service.h answers with it; cancel_procedure.h cancels by it.
// Threads: the master's executor.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "idl/master_types.h"
#include "master/leader/leader_term.h"

namespace ebla::master {

inline constexpr size_t kProceduresListedMax = 1'000;

// In order of kind, then of what each is about.
std::vector<idl::ProcedureSummary> ListProcedures(const LeaderTerm& leader_term);
// How many there are by kind. Cheap, for metrics: what is repaired is as of the last second.
std::map<std::string, size_t> CountProcedures(const LeaderTerm& leader_term);

}  // namespace ebla::master
