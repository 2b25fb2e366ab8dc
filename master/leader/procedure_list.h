// master/leader/procedure_list.h
// Everything that the leading master has under way, for people: what stands in the catalog as an intent (moves,
// splits), what it keeps whole by itself (repairs, failovers), servers that drain, and the procedures of its runner.
// Ids:     "<kind>-<what>", as "move-7", "drain-ts-3", "create-carts": made of what it is, so every master gives the
//          same.
// Cancel:  moves until the new replica votes; merges until the catalog has one in the place of two; drains; what waits
//          to be begun. The rest says why it cannot be.
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
