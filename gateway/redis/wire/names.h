// gateway/redis/wire/names.h
// What servers know of Redis, too (functions/redis), goes by this folder's names.
#pragma once

#include "functions/redis/command/update.h"

namespace ebla::gateway::redis {

using namespace ebla::redis;
using ebla::redis::Reply;  // not ebla::gateway::Reply

}  // namespace ebla::gateway::redis
