// common/process/bounded_flag.h
// Flags that hold numbers. DEFINE_BOUNDED makes a flag and enters its least value, its greatest value and its unit in
// one table, which help, errors, POST /flags and tests read.
// Place:      beside the code that reads the flag. InitProcess refuses to start a program that has a number without
//             bounds.
// Invariants: 1. A flag never holds a value outside of its bounds; nan is outside of all bounds.
//             2. Bounds are exact: all lie within 2^53.
// Errors:     INVALID_ARGUMENT names the flag, the value and the bounds.
// Threads:    defined before main; Get() and functions from any thread.
#pragma once

#include <gflags/gflags.h>

#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "common/base/status.h"

namespace ebla::process {

struct FlagBounds {
  double least, most;     // both are allowed
  const char* unit = "";  // "ms", "threads"
  bool whole = true;      // no fractions

  bool Hold(double value) const { return value >= least && value <= most; }
  std::string ToString() const;  // "1 to 1024 threads"
};

// None: the flag holds no number, or belongs to a library.
std::optional<FlagBounds> BoundsOf(const std::string& flag);

// OK where the flag of gflags' type `type` takes `value`.
Status CheckFlagValue(const gflags::CommandLineFlagInfo& flag, const std::string& value);

class BoundedFlagBase {
 public:
  BoundedFlagBase(const char* name, FlagBounds bounds);
  BoundedFlagBase(const BoundedFlagBase&) = delete;
  BoundedFlagBase& operator=(const BoundedFlagBase&) = delete;

  const FlagBounds& bounds() const { return bounds_; }

 protected:
  ~BoundedFlagBase() = default;
  static BoundedFlagBase& Named(const char* name);

 private:
  const FlagBounds bounds_;
};

template <class T>
class BoundedFlag final : public BoundedFlagBase {
 public:
  BoundedFlag(const char* name, const T& flag, FlagBounds bounds)
      : BoundedFlagBase(name, {bounds.least, bounds.most, bounds.unit, std::is_integral_v<T>}), value_(flag) {
    gflags::RegisterFlagValidator(&flag, &Take);
  }

  // The value of now, while POST /flags may change the flag.
  T Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  static bool Take(const char* name, T value) {
    auto& self = static_cast<BoundedFlag&>(Named(name));
    if (!self.bounds().Hold(static_cast<double>(value))) return false;
    self.value_.store(value, std::memory_order_relaxed);
    return true;
  }

  std::atomic<T> value_;
};

}  // namespace ebla::process

// DEFINE_BOUNDED(int32, readers, 4, 1, 1024, "threads", "Threads for reads that wait for the disk.");
// `type` is gflags': int32, int64, uint32 or double. bounded_readers.Get() reads the flag while it may change.
#define DEFINE_BOUNDED(type, name, value, least, most, unit, help)                                              \
  DEFINE_##type(name, value, help);                                                                             \
  static_assert((least) <= (value) && (value) <= (most), "the default of --" #name " is out of its bounds");    \
  static_assert(-9007199254740992.0 <= (least) && (most) <= 9007199254740992.0, "a bound is beyond 2^53");      \
  static ::ebla::process::BoundedFlag<std::decay_t<decltype(FLAGS_##name)>> bounded_##name(#name, FLAGS_##name, \
                                                                                           {(least), (most), unit})
