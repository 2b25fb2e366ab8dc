// client/core/session/rules.h
// The client's part of docs/design/replication-rules.md. common/base/rule.h says how rules are used.
// Threads: any.
#pragma once

#include "common/base/rule.h"

namespace ebla::rules {

// ---- Session tokens -------------------------------------------------------------------------------------------------

// PROTOCOL 17: an applied position takes the place of its own epoch's PRIMARY versions alone.
EBLA_RULE(TokenKeepsPendingWrites, token_forgets_pending)

}  // namespace ebla::rules
