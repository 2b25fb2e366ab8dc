// gateway/memcached/text_commands.h
// The commands of the text protocol, and those that need no item.
// Threads: functions; what they make is a CacheCommand.
#pragma once

#include <memory>

#include "gateway/memcached/environment.h"

namespace ebla::gateway::memcached {

// Of any verb but those of meta commands.
std::unique_ptr<Command> MakeTextCommand(Environment& environment, Executor& executor, Request request);

// The value was too large and has been passed over: takes away what the key had, so that nobody is given the old value,
// then says so.
std::unique_ptr<Command> MakeTooLargeCommand(Environment& environment, Executor& executor, Request request);

}  // namespace ebla::gateway::memcached
