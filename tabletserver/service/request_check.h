// tabletserver/service/request_check.h
// Checks a client's request before anything looks at its meaning: keys within limits, ranges not inverted, enums known,
// options given where they are needed. Every refusal names what is wrong and what would be right. A write is checked
// and translated in one, so that a WriteRequest made here is legal whatever the records are. Pure functions over the
// generated types.
// Place:   tablet_service.cc calls these first; what passes can be translated without further thought.
// Errors:  INVALID_ARGUMENT, always.
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/executor.h"
#include "common/base/status.h"
#include "idl/tablet_types.h"
#include "tabletserver/tablet/tablet_types.h"

namespace ebla::tabletserver {

inline constexpr size_t kMultiGetKeysMax = 1000;
inline constexpr int32_t kPageBytesDefault = 1 << 20;
inline constexpr int32_t kPageBytesMax = 8 << 20;
inline constexpr int64_t kBoundedMsMax = 3'600'000;
inline constexpr int32_t kListUnresolvedMax = 1000;
inline constexpr size_t kTokenRangesMax = 64;  // thrift/types.thrift

Status CheckRequest(const idl::GetRequest& request);
Status CheckRequest(const idl::MultiGetRequest& request);  // a key at fault is refused by its own result, not here
Status CheckRequest(const idl::ScanRequest& request);
Status CheckRequest(const idl::CallRequest& request);
// `now` is when the request arrived. Only the times of a delivered write are judged by `clock`
// (common/base/number_limits.h).
Result<WriteRequest> ParseWrite(const idl::WriteRequest& request, MonotonicTime now, const Executor& clock);
Status CheckRequest(const idl::ListKeptRequest& request);
Status CheckRequest(const idl::ForgetKeptRequest& request);
Status CheckRequest(const idl::ChecksumRequest& request);
Status CheckRequest(const idl::SnapshotRequest& request);
Status CheckRequest(const idl::FollowLogRequest& request);
Status CheckProtocolVersion(int16_t version);

}  // namespace ebla::tabletserver
