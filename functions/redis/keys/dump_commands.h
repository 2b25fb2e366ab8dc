// functions/redis/keys/dump_commands.h
// DUMP and RESTORE, of strings.
// Source:  Redis 7.0's documentation of each command.
// Threads: functions of their arguments.
#pragma once

#include "functions/redis/command/update.h"

namespace ebla::redis {

void Dump(Update& update);
void Restore(Update& update);

}  // namespace ebla::redis
