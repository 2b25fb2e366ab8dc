// gateway/redis/scripts/engine/lua_json.h
// Redis's cjson, rewritten, because the library takes memory that no limit of Lua's counts, and ends the process
// without it. A table that holds another one twice, and so on, becomes a text as long as two to the power of its depth.
// Source:  lua-cjson 2.1.0's manual; redis_scripts.txt compares it with a redis-server.
// Stack:   each function has its arguments from 1 on, and the options, as plain bytes, as its upvalue.
#pragma once

#include "gateway/redis/scripts/engine/lua_sandbox.h"

namespace ebla::gateway::redis {

struct JsonOptions {
  enum InvalidNumbers { kRefuse, kWrite, kAsNull };

  int sparse_convert = 0, sparse_ratio = 2, sparse_safe = 10;
  int encode_depth = 1000, decode_depth = 1000;
  int precision = 14;
  int keep_buffer = 1;
  int encode_invalid = kRefuse, decode_invalid = kWrite;
};

inline JsonOptions& JsonOptionsOf(lua_State* lua) {
  return *static_cast<JsonOptions*>(lua_touserdata(lua, lua_upvalueindex(1)));
}

// A value to text; text to a value.
int JsonEncode(lua_State* lua);
int JsonDecode(lua_State* lua);

}  // namespace ebla::gateway::redis
