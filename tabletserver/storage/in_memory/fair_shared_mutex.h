// tabletserver/storage/in_memory/fair_shared_mutex.h
// A shared mutex whose waiting writer precedes readers that arrive after it. glibc's lets readers overtake, so that a
// constant stream of readers would keep the writer out for ever.
// Place:   in_memory_table.h; held for microseconds, never during a wait for a disk or another process.
// Threads: any. Not recursive.
#pragma once

#include <atomic>

#include "common/base/mutex.h"

namespace ebla::tabletserver {

class EBLA_CAPABILITY("fair_shared_mutex") FairSharedMutex {
 public:
  // Both members are locked and unlocked in different functions, which the analysis cannot follow.
  void Lock() EBLA_ACQUIRE() EBLA_NO_THREAD_SAFETY_ANALYSIS {
    turn_.Lock();
    wanted_.store(true, std::memory_order_release);
    mutex_.Lock();
    wanted_.store(false, std::memory_order_release);
  }
  void Unlock() EBLA_RELEASE() EBLA_NO_THREAD_SAFETY_ANALYSIS {
    mutex_.Unlock();
    turn_.Unlock();
  }
  void LockShared() EBLA_ACQUIRE_SHARED() EBLA_NO_THREAD_SAFETY_ANALYSIS {
    if (wanted_.load(std::memory_order_acquire)) const MutexLock behind_the_writer(turn_);
    mutex_.LockShared();
  }
  void UnlockShared() EBLA_RELEASE_SHARED() EBLA_NO_THREAD_SAFETY_ANALYSIS { mutex_.UnlockShared(); }

 private:
  Mutex turn_;  // a writer's, from when it waits; before mutex_
  std::atomic<bool> wanted_{false};
  SharedMutex mutex_;
};

class EBLA_SCOPED_CAPABILITY TableReaderLock {
 public:
  explicit TableReaderLock(FairSharedMutex& mutex) EBLA_ACQUIRE_SHARED(mutex) : mutex_(mutex) { mutex_.LockShared(); }
  ~TableReaderLock() EBLA_RELEASE() { mutex_.UnlockShared(); }
  TableReaderLock(const TableReaderLock&) = delete;
  TableReaderLock& operator=(const TableReaderLock&) = delete;

 private:
  FairSharedMutex& mutex_;
};

class EBLA_SCOPED_CAPABILITY TableWriterLock {
 public:
  explicit TableWriterLock(FairSharedMutex& mutex) EBLA_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~TableWriterLock() EBLA_RELEASE() { mutex_.Unlock(); }
  TableWriterLock(const TableWriterLock&) = delete;
  TableWriterLock& operator=(const TableWriterLock&) = delete;

 private:
  FairSharedMutex& mutex_;
};

}  // namespace ebla::tabletserver
