// common/base/mutex.h
// Mutexes whose guard a compiler checks: clang's -Wthread-safety knows which member needs which mutex.
// Place:      every lock of the tree is one of these; tests/tidy lets no other file name std::mutex.
// Use:        Mutex mutex_; int count_ EBLA_GUARDED_BY(mutex_) = 0; and MutexLock lock(mutex_); A function that expects
//             the lock is marked EBLA_REQUIRES(mutex_), one that takes it may be marked EBLA_EXCLUDES(mutex_).
// Waits:      CondVar takes no predicate: clang checks a lambda as a function of its own, which holds nothing.
//             Write the loop:  while (!ready_) changed_.Wait(mutex_);
// Cost:       that of the standard's own types, to which every call is inlined. gcc sees empty macros.
// Threads:    any. No lock is recursive. Hold none across IO or an RPC, nor while a callback runs, unless the header
//             says why.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>

#if defined(__clang__)
#define EBLA_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define EBLA_THREAD_ATTRIBUTE(x)
#endif

// Attributes of types.
#define EBLA_CAPABILITY(name) EBLA_THREAD_ATTRIBUTE(capability(name))
#define EBLA_SCOPED_CAPABILITY EBLA_THREAD_ATTRIBUTE(scoped_lockable)

// Of members: the member itself, or what the pointer points at, is touched only under the mutex.
#define EBLA_GUARDED_BY(mutex) EBLA_THREAD_ATTRIBUTE(guarded_by(mutex))
#define EBLA_PT_GUARDED_BY(mutex) EBLA_THREAD_ATTRIBUTE(pt_guarded_by(mutex))
// Of mutexes: the order in which they are taken.
#define EBLA_ACQUIRED_BEFORE(...) EBLA_THREAD_ATTRIBUTE(acquired_before(__VA_ARGS__))
#define EBLA_ACQUIRED_AFTER(...) EBLA_THREAD_ATTRIBUTE(acquired_after(__VA_ARGS__))

// Of functions: the caller holds the mutex; the caller does not.
#define EBLA_REQUIRES(...) EBLA_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define EBLA_REQUIRES_SHARED(...) EBLA_THREAD_ATTRIBUTE(requires_shared_capability(__VA_ARGS__))
#define EBLA_EXCLUDES(...) EBLA_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
// Of functions: they take or give back the mutex, or tell that it is held.
#define EBLA_ACQUIRE(...) EBLA_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define EBLA_ACQUIRE_SHARED(...) EBLA_THREAD_ATTRIBUTE(acquire_shared_capability(__VA_ARGS__))
#define EBLA_RELEASE(...) EBLA_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define EBLA_RELEASE_SHARED(...) EBLA_THREAD_ATTRIBUTE(release_shared_capability(__VA_ARGS__))
#define EBLA_TRY_ACQUIRE(...) EBLA_THREAD_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define EBLA_ASSERT_HELD(...) EBLA_THREAD_ATTRIBUTE(assert_capability(__VA_ARGS__))
#define EBLA_RETURN_CAPABILITY(mutex) EBLA_THREAD_ATTRIBUTE(lock_returned(mutex))
// The last resort: a comment beside it gives the reason why the analysis cannot follow.
#define EBLA_NO_THREAD_SAFETY_ANALYSIS EBLA_THREAD_ATTRIBUTE(no_thread_safety_analysis)

namespace ebla {

class EBLA_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() EBLA_ACQUIRE() { mutex_.lock(); }
  void Unlock() EBLA_RELEASE() { mutex_.unlock(); }
  [[nodiscard]] bool TryLock() EBLA_TRY_ACQUIRE(true) { return mutex_.try_lock(); }

  // Tells the analysis, and checks nothing: for a callback that runs only while its caller holds the mutex.
  void AssertHeld() const EBLA_ASSERT_HELD() {}

 private:
  friend class CondVar;

  std::mutex mutex_;
};

class EBLA_CAPABILITY("shared_mutex") SharedMutex {
 public:
  SharedMutex() = default;
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  void Lock() EBLA_ACQUIRE() { mutex_.lock(); }
  void Unlock() EBLA_RELEASE() { mutex_.unlock(); }
  void LockShared() EBLA_ACQUIRE_SHARED() { mutex_.lock_shared(); }
  void UnlockShared() EBLA_RELEASE_SHARED() { mutex_.unlock_shared(); }

 private:
  std::shared_mutex mutex_;
};

// Holds a mutex for a scope.
class EBLA_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) EBLA_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  // Takes charge of a mutex that TryLock() has locked.
  MutexLock(Mutex& mutex, std::adopt_lock_t /*held*/) EBLA_REQUIRES(mutex) : mutex_(mutex) {}
  ~MutexLock() EBLA_RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Holds a shared mutex for a scope, beside other readers.
class EBLA_SCOPED_CAPABILITY ReaderLock {
 public:
  explicit ReaderLock(SharedMutex& mutex) EBLA_ACQUIRE_SHARED(mutex) : mutex_(mutex) { mutex_.LockShared(); }
  ~ReaderLock() EBLA_RELEASE() { mutex_.UnlockShared(); }
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;

 private:
  SharedMutex& mutex_;
};

// Holds a shared mutex for a scope, alone.
class EBLA_SCOPED_CAPABILITY WriterLock {
 public:
  explicit WriterLock(SharedMutex& mutex) EBLA_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~WriterLock() EBLA_RELEASE() { mutex_.Unlock(); }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  SharedMutex& mutex_;
};

// A condition variable. A wait may end for no reason: ask for the condition again, in a loop.
class CondVar {
 public:
  CondVar() = default;
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  void Wait(Mutex& mutex) EBLA_REQUIRES(mutex) {
    Held held(mutex);
    condition_.wait(held.lock);
  }
  // False when the time is over.
  template <typename Rep, typename Period>
  bool WaitFor(Mutex& mutex, std::chrono::duration<Rep, Period> time) EBLA_REQUIRES(mutex) {
    Held held(mutex);
    return condition_.wait_for(held.lock, time) == std::cv_status::no_timeout;
  }
  template <typename Clock, typename Duration>
  bool WaitUntil(Mutex& mutex, std::chrono::time_point<Clock, Duration> deadline) EBLA_REQUIRES(mutex) {
    Held held(mutex);
    return condition_.wait_until(held.lock, deadline) == std::cv_status::no_timeout;
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  // Lends the standard's condition variable a mutex that stays the caller's.
  struct Held {
    explicit Held(Mutex& mutex) : lock(mutex.mutex_, std::adopt_lock) {}
    ~Held() { (void)lock.release(); }
    std::unique_lock<std::mutex> lock;
  };

  std::condition_variable condition_;
};

}  // namespace ebla
