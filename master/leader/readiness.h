// master/leader/readiness.h
// What a leader may do at present, and why not: whether every server has reported, whether ids may be drawn, whether
// anything may be repaired.
// Place:      the admin classes beside it and the balance driver ask before they change the catalog.
// Invariants: no id is drawn before every server that lives has said what it holds, nor while any is known to hold an
//             id that the catalog never drew (PROTOCOL 24).
// Threads:    the master's executor. Reads only.
#pragma once

#include <optional>
#include <string>

#include "master/procedures/context.h"

namespace ebla::master {

// OK once every server that lives has reported to this master; else UNAVAILABLE.
Status AllReported(const Context& context);
// Whether an id may be drawn. UNAVAILABLE: not at present.
Status MayDraw(const Context& context);
// Whether a table of so many replicas may be made. UNAVAILABLE: not at present.
Status MayCreate(const Context& context, size_t replicas);
// INVALID_ARGUMENT: the cluster has never had as many servers as that.
Status CheckKnown(const Context& context, size_t replicas);
// Why nothing is repaired at present; none: it is.
std::optional<std::string> SafeMode(const Context& context);

}  // namespace ebla::master
