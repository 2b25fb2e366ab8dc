// gateway/redis/scripts/engine/lua_patterns.h
// string.find, match, gmatch and gsub of Lua 5.1, written anew: Lua's own may take a time that grows exponentially with
// the pattern, and a depth of the stack that grows with it. These look at the clock (lua_run.h), and refuse what needs
// more than some thousand items at a time.
// Source:  Lua 5.1's reference manual, 5.4.1; and its own functions, with which script_fuzz_test.cc compares them.
// Threads: those of the run.
#pragma once

#include <lua.hpp>

namespace ebla::gateway::redis {

// Puts them into the table on top of the stack.
void AddPatternFunctions(lua_State* lua);

}  // namespace ebla::gateway::redis
