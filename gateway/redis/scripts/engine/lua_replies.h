// gateway/redis/scripts/engine/lua_replies.h
// Replies of commands as a script sees them, and what a script returns as a reply.
// Source:  Redis's manual, "Lua API reference", data type conversion; a redis-server 7.0.15 to compare with.
// Threads: those of the run.
#pragma once

#include <lua.hpp>
#include <string>
#include <string_view>

namespace ebla::gateway::redis {

// Pushes the value of LuaRun::reply, the bytes of one reply. True: it is an error. May raise errors.
bool PushReply(lua_State* lua);

// Pushes the table that stands for an error: of a text such as "ERR no such key", "-ERR no such key" or "no such key".
void PushError(lua_State* lua, const char* text, size_t size);

// Writes the value on top of the stack to `made`, as a reply in `protocol`. May raise errors of Lua: `made` has to
// outlive them.
void WriteReply(lua_State* lua, int protocol, std::string& made);

}  // namespace ebla::gateway::redis
