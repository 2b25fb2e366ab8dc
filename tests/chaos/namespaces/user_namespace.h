// tests/chaos/namespaces/user_namespace.h
// Makes this process root of a new user namespace if it is not root, so that it may mount a small disk (disk.cc) and
// make networks (network_namespaces.h). Outside it remains the same user. From then on its mounts are private, and end
// with it.
// Threads: to be called before there is a second one, because a process enters a user namespace alone.
#pragma once

#include "common/base/status.h"

namespace ebla::chaos {

// OK where it is root already, or is so from now on. UNAVAILABLE where the system allows neither.
Status BecomeRoot();

}  // namespace ebla::chaos
