// tabletserver/storage/log/rules.h
// The log's part of docs/design/replication-rules.md. common/base/rule.h says how rules are used.
// Threads: any.
#pragma once

#include "common/base/rule.h"

namespace ebla::rules {

// PROTOCOL 5: a log that ends before what its disk had has lost something, however whole its end looks.
EBLA_RULE(KnownEndIsDemanded, end_is_believed)

}  // namespace ebla::rules
