// common/rpc/reply_failure.h
// The error, if any, of a reply of any method. Internal to common/rpc.
// Threads: a function of its arguments.
#pragma once

#include "common/base/status.h"
#include "common/rpc/idl_convert.h"

namespace ebla::rpc {

// Into whichever place the reply's struct has for it.
template <class Reply>
void SetFailure(Reply& reply, const Status& status) {
  if constexpr (requires { reply.header.code; }) {
    reply.header.__set_code(ToIdl(status.code()));
    reply.header.__set_message(status.message());
  } else {
    reply.__set_status(ToIdl(status));
  }
}

// The error of a reply.
template <class Reply>
Status FailureOf(const Reply& reply) {
  if constexpr (requires { reply.header.code; }) {
    return {FromIdl(reply.header.code), reply.header.message};
  } else {
    return FromIdl(reply.status);
  }
}

}  // namespace ebla::rpc
