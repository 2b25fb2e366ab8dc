// tests/chaos/namespaces/user_namespace.h
// Makes this process root where it is not, of a user namespace of its own, so that it may mount a small disk (disk.cc)
// and make networks (network_namespaces.h). Outside it remains who it was. Its mounts are its own from now on, and go
// with it.
// Threads: to be called before there is a second one, as a process enters a user namespace alone.
#pragma once

#include "common/base/status.h"

namespace ebla::chaos {

// OK where it is root already, or is so from now on. UNAVAILABLE where the system allows neither.
Status BecomeRoot();

}  // namespace ebla::chaos
