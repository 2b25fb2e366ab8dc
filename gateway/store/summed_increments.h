// gateway/store/summed_increments.h
// Successive increments of one number, as their sum.
// Threads: thread-compatible.
#pragma once

#include <absl/container/inlined_vector.h>

#include <cstddef>
#include <cstdint>

namespace ebla::gateway {

class SummedIncrements {
 public:
  // False, and nothing is added: the sum, or an intermediate one, might overflow. Increments in one direction have no
  // intermediate sum beyond their last.
  bool Add(int64_t by) {
    int64_t sum = 0;
    if ((this->sum() < 0 && by > 0) || (this->sum() > 0 && by < 0) || __builtin_add_overflow(this->sum(), by, &sum))
      return false;
    through_.push_back(sum);
    return true;
  }

  size_t size() const { return through_.size(); }
  int64_t sum() const { return through_.empty() ? 0 : through_.back(); }
  int64_t by(size_t at) const { return through_[at] - (at == 0 ? 0 : through_[at - 1]); }
  // The number after that increment, if it is `whole` after all of them.
  int64_t After(size_t at, int64_t whole) const { return whole - sum() + through_[at]; }

 private:
  absl::InlinedVector<int64_t, 1> through_;  // for each increment, the sum up to and with it
};

}  // namespace ebla::gateway
