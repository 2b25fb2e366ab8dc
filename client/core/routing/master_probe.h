// client/core/routing/master_probe.h
// Whether a master is there at all: asks every one of them at the same time, again and again until one answers or the
// time is up. A standby's answer is enough, as it names the leader once there is one.
// Place:   Client::Connect, so that a wrong address is told at once and not at the end of the first call's deadline.
// Errors:  UNAVAILABLE names each master and what became of asking it.
// Threads: any. The callback runs on the network's executors.
#pragma once

#include <vector>

#include "client/core/calls/once_callback.h"
#include "client/core/routing/network.h"

namespace ebla::client {

void ProbeMasters(Network& network, const std::vector<rpc::Endpoint>& masters, Duration timeout,
                  OnceCallback<Status> done);

}  // namespace ebla::client
