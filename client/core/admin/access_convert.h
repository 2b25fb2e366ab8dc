// client/core/admin/access_convert.h
// Between the IDL's users, roles and grants and the SDK's.
// Threads: functions.
#pragma once

#include <vector>

#include "common/base/status.h"
#include "ebla/access.h"
#include "idl/master_types.h"

namespace ebla::client {

// INVALID_ARGUMENT: a password that cannot be.
Result<idl::ChangeAccessRequest> ToIdl(const std::vector<AccessChange>& changes);
AccessInfo FromIdl(const idl::ListAccessReply& reply);

}  // namespace ebla::client
