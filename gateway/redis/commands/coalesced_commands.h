// gateway/redis/commands/coalesced_commands.h
// Makes one change of the successive commands that a connection sends for one key, such as sixteen INCR. Each command
// is answered as if they had run in turn, with nothing between them. A failure is that of all.
// Place:   single_command.h has a Coalescer for the batch that its connection forms (protocol.h).
// Threads: Coalescer: one. RunCoalesced: any, as store_commands.h says.
#pragma once

#include <vector>

#include "gateway/redis/commands/store_commands.h"
#include "gateway/store/summed_increments.h"

namespace ebla::gateway::redis {

// Decides which commands are one change: INCR and its kin in one direction, whose sum is added; or SETs that need no
// old value, of which the last is put.
class Coalescer {
 public:
  Coalescer(const CommandInfo& first, const Words& words);

  // False: the command is not part of that change.
  bool Take(const CommandInfo& next, const Words& words);

 private:
  enum class Kind : uint8_t { kNothing, kIncrements, kPuts };
  static Kind KindOf(const CommandInfo& command, const Words& words);

  const Kind kind_;
  SummedIncrements sum_;
};

// Runs the commands that a Coalescer has taken, with the first. If they cannot be one change, for example because the
// value is no number, they run in turn, each with the whole time.
void RunCoalesced(std::vector<StoreCall> calls);

}  // namespace ebla::gateway::redis
