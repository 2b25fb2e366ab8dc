#include "client/core/calls/call.h"

#include <utility>

#include "common/rpc/typed_call.h"
#include "idl/MasterService.h"
#include "idl/TabletService.h"
#include "idl/methods.h"

namespace ebla::client {

template <class Request>
void Call(rpc::Channel& channel, const Request& request, Duration timeout,
          std::move_only_function<void(Result<ReplyTo<Request>>)> done) {
  rpc::TypedCall<ReplyTo<Request>>(channel, MethodOf<Request>::kName, request, timeout, std::move(done));
}

#define EBLA_CLIENT_METHOD(name, Request, Reply) \
  template void Call(rpc::Channel&, const idl::Request&, Duration, std::move_only_function<void(Result<idl::Reply>)>);
EBLA_TABLET_METHODS(EBLA_CLIENT_METHOD)
EBLA_MASTER_METHODS(EBLA_CLIENT_METHOD)
#undef EBLA_CLIENT_METHOD

}  // namespace ebla::client
