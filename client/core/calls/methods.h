// client/core/calls/methods.h
// The method's name on the wire and the reply of each request, as the IDL lists them.
// Threads: constants.
#pragma once

#include "idl/master_types.h"
#include "idl/methods.h"
#include "idl/tablet_types.h"

namespace ebla::client {

template <class Request>
struct MethodOf;
#define EBLA_METHOD_OF(name, Request, AnsweredBy) \
  template <>                                     \
  struct MethodOf<idl::Request> {                 \
    using Reply = idl::AnsweredBy;                \
    static constexpr const char* kName = #name;   \
  };
EBLA_TABLET_METHODS(EBLA_METHOD_OF)
EBLA_MASTER_METHODS(EBLA_METHOD_OF)
#undef EBLA_METHOD_OF

template <class Request>
using ReplyTo = MethodOf<Request>::Reply;

}  // namespace ebla::client
