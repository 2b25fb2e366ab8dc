// functions/redis/keys/expiry_commands.h
// The expiry of keys: EXPIRE and its kin, TTL and its kin, PERSIST.
// Source:  Redis 7.0's documentation of each command.
// Threads: functions of their arguments.
#pragma once

#include "functions/redis/command/update.h"

namespace ebla::redis {

void Expire(Update& update);    // EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT
void TimeLeft(Update& update);  // TTL, PTTL, EXPIRETIME, PEXPIRETIME
void Persist(Update& update);

}  // namespace ebla::redis
