// common/redis/dump_commands.h
// DUMP and RESTORE, of strings.
// Source:  Redis 7.0's documentation of each command.
// Threads: functions of their arguments.
#pragma once

#include "common/redis/update.h"

namespace ebla::redis {

void Dump(Update& update);
void Restore(Update& update);

}  // namespace ebla::redis
