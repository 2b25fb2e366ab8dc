// master/leader/readiness.h
// Decides what a leader may do at present, with the reason against it: whether every server has reported, whether ids
// may be drawn, whether tablets may be repaired.
// Place:      the admin classes beside it and the balance driver ask before they change the catalog.
// Invariants: no id is drawn before every live server has reported its tablets, nor while a server is known to hold an
//             id that the catalog never drew (PROTOCOL 24).
// Threads:    the master's executor. Reads only.
#pragma once

#include <optional>
#include <string>

#include "master/procedures/context.h"

namespace ebla::master {

// OK once every server that lives has reported to this master; else UNAVAILABLE.
Status AllReported(const Context& context);
// Whether those that do not live now have reported to this master, too, so that no server holds what is not known here.
bool IsEachReportKnown(const Context& context);
// Whether an id may be drawn. UNAVAILABLE: not at present.
Status MayDraw(const Context& context);
// Whether a table of so many replicas may be made. UNAVAILABLE: not at present.
Status MayCreate(const Context& context, size_t replicas);
// INVALID_ARGUMENT: the cluster has never had as many servers as that.
Status CheckKnown(const Context& context, size_t replicas);
// Why nothing is repaired at present; none: it is.
std::optional<std::string> SafeMode(const Context& context);

}  // namespace ebla::master
