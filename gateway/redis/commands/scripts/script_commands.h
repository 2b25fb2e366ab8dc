// gateway/redis/commands/scripts/script_commands.h
// EVAL, EVALSHA and their read-only kin, and SCRIPT.
// How:     a run is a transaction of its keys (transaction.h), on one of the gateway's threads for scripts (scripts.h).
//          After a lost race the script runs again. A script that a limit or SCRIPT KILL cuts has no effect. A script
//          that ends with an error keeps its effects until then, as with Redis.
// Errors:  CROSSSLOT: keys of several groups. NOSCRIPT: EVALSHA of an unknown script.
// Source:  Redis 7.0's documentation of each command.
// Threads: any, as store_commands.h says.
#pragma once

#include <memory>

#include "gateway/redis/commands/store_commands.h"

namespace ebla::gateway::redis {

void EvalCommand(std::shared_ptr<StoreCall> call);
void ScriptCommand(std::shared_ptr<StoreCall> call);

}  // namespace ebla::gateway::redis
