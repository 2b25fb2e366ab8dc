// master/procedures/request_origin.h
// The origin, reason and time of a request, for people who list procedures under way. The catalog stores it beside
// long-lived intents, so that the next master still knows it.
// Tests:   master/leader/procedure_list_test.cc
// Threads: values.
#pragma once

#include <string>

#include "idl/master_types.h"

namespace ebla::master {

struct RequestOrigin {
  idl::AskedBy::type by = idl::AskedBy::UNKNOWN;
  std::string reason;    // the planner's, in numbers; empty: none
  int64_t since_ms = 0;  // time of day; 0: not known
};

inline constexpr size_t kReasonBytesMax = 300;  // kept in the catalog

// Into an intent of the catalog.
template <class Intent>
void Put(const RequestOrigin& origin, Intent& intent) {
  intent.askedBy = origin.by;
  intent.reason = origin.reason.substr(0, kReasonBytesMax);
  intent.sinceMs = origin.since_ms;
}

}  // namespace ebla::master
