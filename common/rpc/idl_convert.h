// common/rpc/idl_convert.h
// Between the IDL's structs and the types of common/base: for request handlers and stubs, so cores never see Thrift.
// Errors:  FromIdl of what may be invalid returns a Result; the rest cannot fail.
// Threads: functions.
#pragma once

#include <string>

#include "common/base/ids.h"
#include "common/base/key_range.h"
#include "common/base/split_key.h"
#include "common/base/status.h"
#include "common/rpc/channel.h"
#include "idl/types_types.h"

namespace ebla::rpc {

inline idl::Code::type ToIdl(Code code) { return static_cast<idl::Code::type>(code); }
// A number that this build does not know (a newer peer's) becomes INTERNAL.
Code FromIdl(idl::Code::type code);

idl::Status ToIdl(const Status& status);
Status FromIdl(const idl::Status& status);

idl::Version ToIdl(const Version& version);
Version FromIdl(const idl::Version& version);
idl::LogPosition ToPosition(const Version& version);
Version FromIdl(const idl::LogPosition& position);

idl::KeyRange ToIdl(const KeyRange& range);
KeyGroupRule FromIdl(const idl::KeyGroup& group);
KeyRange FromIdl(const idl::KeyRange& range);
KeyRange FromIdl(idl::KeyRange&& range);

idl::Endpoint ToIdl(const Endpoint& endpoint);
// INVALID_ARGUMENT when the host is empty or the port out of range.
Result<Endpoint> FromIdl(const idl::Endpoint& endpoint);

}  // namespace ebla::rpc
