// tools/ebla/verbs/skip_damaged.h
// Finds where a table can be read again behind a place where it cannot.
// Threads: functions of their arguments.
#pragma once

#include <functional>
#include <string>

#include "common/base/key_range.h"
#include "common/base/status.h"

namespace ebla::shell {

// True: the first record from this key on, to the end of the range, can be read, or there is none.
using ReadsFrom = std::function<Result<bool>(const std::string& key)>;

// The end of what cannot be read: records from `range.start` on cannot, and those from the returned key on can.
// `range.end`: none in the range. Asks for keys ever further away first, so that it finds the nearest end as a rule.
Result<std::string> EndOfDamage(const KeyRange& range, const ReadsFrom& readable);

}  // namespace ebla::shell
