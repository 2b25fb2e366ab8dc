// gateway/redis/wire/names.h
// Names of functions/redis in this component's namespace, because servers share that code.
#pragma once

#include "functions/redis/command/update.h"

namespace ebla::gateway::redis {

using namespace ebla::redis;
using ebla::redis::Reply;  // not ebla::gateway::Reply

}  // namespace ebla::gateway::redis
