// tabletserver/service/unresolved_handler.h
// Between thrift/tablet.thrift and the hint delivery, for requests that request_check.h has passed: what this server
// keeps of a table's acknowledged writes (PROTOCOL 22).
// Threads: from any; answers come on the hint delivery's executor.
#pragma once

#include <functional>

#include "idl/tablet_types.h"
#include "tabletserver/hints/hint_delivery.h"

namespace ebla::tabletserver {

void ListUnresolved(HintDelivery& hint_delivery, const idl::ListKeptRequest& request,
                    std::move_only_function<void(idl::ListKeptReply)> done);
void DiscardUnresolved(HintDelivery& hint_delivery, const idl::ForgetKeptRequest& request,
                       std::move_only_function<void(idl::ForgetKeptReply)> done);

}  // namespace ebla::tabletserver
