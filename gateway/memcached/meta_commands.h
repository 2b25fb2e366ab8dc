// gateway/memcached/meta_commands.h
// The meta commands: mg, ms, md, ma, me. (mn needs no item: text_commands.h.)
// Left out:  h and l of mg, and la, fetch and cls of me. They tell of earlier reads, so each read would have to write.
//            The flags are accepted, and the replies lack them.
// Threads:   functions; they make CacheCommands.
#pragma once

#include <memory>

#include "gateway/memcached/environment.h"

namespace ebla::gateway::memcached {

std::unique_ptr<Command> MakeMetaCommand(Environment& environment, Executor& executor, Request request);

}  // namespace ebla::gateway::memcached
