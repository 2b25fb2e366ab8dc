// Commands of one key that a connection sends one right behind the other, such as sixteen INCR, as one change of the key.
// Nobody can tell: each is answered as if they had been done in turn, with nothing between them.
// Place:   single_command.h, for what its connection hands it (protocol.h, Carry).
// Threads: any, as store_commands.h says.
#pragma once

#include <cstdint>
#include <vector>

#include "gateway/redis/store_commands.h"

namespace ebla::gateway::redis {

enum class Fold : uint8_t {
  kNone,
  kIncrements,  // INCR and its kin: the sum is added
  kPuts,        // SETs that need not know what is there: the last is done
};
Fold FoldOf(const CommandInfo& command, const Words& words);

// At least two of the same Fold and key. Where it cannot be one change, such as of a value that is no number, they are done one
// after the other.
void RunFolded(std::vector<StoreCall> calls);

}  // namespace ebla::gateway::redis
