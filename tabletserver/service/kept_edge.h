// tabletserver/service/kept_edge.h
// Between thrift/tablet.thrift and the deliverer, for requests that request_check.h has passed: what this server keeps
// of a table's acknowledged writes (PROTOCOL 22).
// Threads: from any; answers come on the deliverer's executor.
#pragma once

#include <functional>

#include "idl/tablet_types.h"
#include "tabletserver/hints/deliverer.h"

namespace ebla::tabletserver {

void ListKept(Deliverer& deliverer, const idl::ListKeptRequest& request,
              std::move_only_function<void(idl::ListKeptReply)> done);
void ForgetKept(Deliverer& deliverer, const idl::ForgetKeptRequest& request,
                std::move_only_function<void(idl::ForgetKeptReply)> done);

}  // namespace ebla::tabletserver
