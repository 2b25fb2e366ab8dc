// tabletserver/reads/published.h
// An immutable value that one thread replaces and many read: each reader holds the value it took for as long as it
// needs it, whatever is published meanwhile.
// Place:      TabletHandle publishes its view with it, TabletDirectory its snapshot.
// Why:        a mutex held for a pointer copy costs about 20 ns uncontended; GCC 12's std::atomic<std::shared_ptr>
//             costs the same and is not understood by ThreadSanitizer.
// Invariants: 1. A replaced value is destroyed outside the lock, by the thread that releases it last.
//             2. generation() grows with each Store, so a caching reader needs no lock while it is unchanged.
// Threads:    any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "common/base/mutex.h"

namespace ebla::tabletserver {

template <class T>
class Published {
 public:
  Published() = default;
  explicit Published(std::shared_ptr<const T> value) : value_(std::move(value)) {}

  std::shared_ptr<const T> Load() const {
    MutexLock lock(mutex_);
    return value_;
  }
  void Store(std::shared_ptr<const T> value) {
    {
      MutexLock lock(mutex_);
      value_.swap(value);
      generation_.fetch_add(1, std::memory_order_release);
    }
  }
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const T> value_ EBLA_GUARDED_BY(mutex_);
  std::atomic<uint64_t> generation_{1};
};

// One thread's cached copy of a Published value that seldom changes. Thread-compatible.
template <class T>
class PublishedReader {
 public:
  explicit PublishedReader(const Published<T>& published) : published_(published) {}

  const T* Get() {
    // A Store between these two lines is seen at the next call: the value may be newer than the generation, never
    // older.
    if (const uint64_t generation = published_.generation(); generation != generation_) {
      value_ = published_.Load();
      generation_ = generation;
    }
    return value_.get();
  }

 private:
  const Published<T>& published_;
  std::shared_ptr<const T> value_;
  uint64_t generation_ = 0;
};

}  // namespace ebla::tabletserver
