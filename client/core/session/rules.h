// client/core/session/rules.h
// What a client must keep of docs/design/replication-rules.md. common/base/rule.h says how they are used.
// Threads: any.
#pragma once

#include "common/base/rule.h"

namespace ebla::rules {

// ---- Session tokens -------------------------------------------------------------------------------------------------

// PROTOCOL 17: an applied position takes the place of its own epoch's PRIMARY versions alone.
EBLA_RULE(TokenKeepsPendingWrites, token_forgets_pending)

}  // namespace ebla::rules
