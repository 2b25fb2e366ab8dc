// gateway/redis/commands/coalesced_commands.h
// Commands of one key that a connection sends one right behind the other, such as sixteen INCR, as one change of the key. Each
// is answered as if they had been done in turn, with nothing between them. A failure is all of theirs.
// Place:   single_command.h has a Coalescer for the batch that its connection forms (protocol.h).
// Threads: Coalescer: one. RunCoalesced: any, as store_commands.h says.
#pragma once

#include <vector>

#include "gateway/redis/commands/store_commands.h"
#include "gateway/store/summed_increments.h"

namespace ebla::gateway::redis {

// Which commands go together: INCR and its kin in one direction, of which the sum is added; and SETs that need not know
// what is there, of which the last is done.
class Coalescer {
 public:
  Coalescer(const CommandInfo& first, const Words& words);

  // False: it does not go with those before it.
  bool Take(const CommandInfo& next, const Words& words);

 private:
  enum class Kind : uint8_t { kNothing, kIncrements, kPuts };
  static Kind KindOf(const CommandInfo& command, const Words& words);

  const Kind kind_;
  SummedIncrements sum_;
};

// What a Coalescer has taken, the first of them, too. Where it cannot be one change, as what is there is no number, they are done
// one after the other, each with as much time.
void RunCoalesced(std::vector<StoreCall> calls);

}  // namespace ebla::gateway::redis
