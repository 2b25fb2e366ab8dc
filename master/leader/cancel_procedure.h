// master/leader/cancel_procedure.h
// Ends what is under way by the id under which procedure_list.h lists it, so that everything is as before.
// Threads: the master's executor.
#pragma once

#include <string>

#include "master/leader/leader_term.h"

namespace ebla::master {

// `done` with what becomes of it, for people. NOT_FOUND: nothing has that id; CONDITION_FAILED: it cannot be, or not
// any more, and why.
void CancelProcedure(LeaderTerm& leader_term, const std::string& id, Duration patience,
                     coordination::Callback<Result<std::string>> done);

}  // namespace ebla::master
