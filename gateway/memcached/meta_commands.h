// gateway/memcached/meta_commands.h
// The meta commands: mg, ms, md, ma, me. (mn needs no item: text_commands.h.)
// Left out:  h and l of mg, and la, fetch and cls of me. They tell of the reads before, and each read would take a write.
//            The flags are taken, and nothing is answered to them.
// Threads:   functions; what they make is a CacheCommand.
#pragma once

#include <memory>

#include "gateway/memcached/environment.h"

namespace ebla::gateway::memcached {

std::unique_ptr<Command> MakeMetaCommand(Environment& environment, Executor& executor, Request request);

}  // namespace ebla::gateway::memcached
