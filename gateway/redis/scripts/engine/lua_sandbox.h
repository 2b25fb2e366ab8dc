// gateway/redis/scripts/engine/lua_sandbox.h
// The world of a script has Lua's libraries without access to files, other scripts or the process, and without loops
// that look at no clock. Tables of functions and the globals are read-only, with Redis's errors.
// Read-only: stock Lua has no such tables. A script gets an empty table whose metatable points to the real one, and the
// functions that look into tables without metatables (next, rawget and so on) know of it. A way past these would change
// only its own run's state.
// Threads:   those of the run.
#pragma once

#include <lua.hpp>

namespace ebla::gateway::redis {

// Makes the globals of a fresh state. Takes the script's keys and arguments off the stack, as two tables, the
// arguments' on top. May raise errors.
void OpenSandbox(lua_State* lua);

// The table on top of the stack becomes one that cannot be changed.
void MakeReadOnly(lua_State* lua);

// ---- the parts ------------------------------------------------------------------------------------------------------

void AddBaseFunctions(lua_State* lua);    // into the table on top of the stack
void AddStringFunctions(lua_State* lua);  // likewise
void AddTableFunctions(lua_State* lua);
void AddRandomFunctions(lua_State* lua);
void AddJson(lua_State* lua);         // pushes the table cjson
void AddMessagePack(lua_State* lua);  // pushes the table cmsgpack
void AddStruct(lua_State* lua);       // pushes the table struct
void AddRedisApi(lua_State* lua);     // pushes the table redis

// How table.sort compares two elements where no function of a script does.
int LessWithClock(lua_State* lua);

// If the value at `index` is a read-only table, the real one takes its place, and the result is true.
bool UnwrapReadOnly(lua_State* lua, int index);
[[noreturn]] void RaiseReadOnly(lua_State* lua);
// Nothing but true and false of a table that is looked at.
bool IsReadOnly(lua_State* lua, int index);

}  // namespace ebla::gateway::redis
