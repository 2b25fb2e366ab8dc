// gateway/memcached/text_commands.h
// The commands of the text protocol, and those that need no item.
// Threads: functions; they make CacheCommands.
#pragma once

#include <memory>

#include "gateway/memcached/environment.h"

namespace ebla::gateway::memcached {

// For each verb except those of meta commands.
std::unique_ptr<Command> MakeTextCommand(Environment& environment, Executor& executor, Request request);

// For a value that was too large and has been skipped: deletes the key, so that no client gets the old value, and then
// answers with the error.
std::unique_ptr<Command> MakeTooLargeCommand(Environment& environment, Executor& executor, Request request);

}  // namespace ebla::gateway::memcached
