// common/security/usage_limits.h
// Limits the use of this process by each user, and by all users of a table together; calls beyond a limit are refused.
// Place:      access_control.h owns one, and tells it each change; the dispatcher asks it before each call for data. A
//             process counts for itself alone: a user of three servers has three times its limits.
// Invariants: 1. Over any time t, no more is admitted than rate * (t + 1 s), and one call that is larger than that.
//             2. A connection, and a call in flight, counts until it ends, whatever the limits have become since.
//             3. A user without limits costs nothing but the check.
// Source:     the rates are virtual scheduling, the generic cell rate algorithm of ITU-T I.371; a reply's bytes are
//             paid for after the fact.
// Errors:     OVERLOADED names the user or table, the limited quantity and the limit.
// Threads:    any; a Member is its connection's.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>

#include "common/base/executor.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/security/access_list.h"

namespace ebla::security {

class Allowance;  // of one user or table

struct CallCost {
  int64_t operations = 1;
  int64_t bytes = 0;
};

class UsageLimits {
 public:
  // One connection's user, counted among that user's connections from its first call on.
  class Member {
   public:
    Member() = default;
    Member(Member&&) noexcept = default;
    Member& operator=(Member&&) noexcept;
    ~Member();

   private:
    friend class UsageLimits;
    void Leave();
    std::string user_;
    int64_t table_ = 0;     // that it asked for last
    uint64_t version_ = 0;  // of the limits that these were looked up in
    std::shared_ptr<Allowance> of_user_, of_table_;
    std::shared_ptr<Allowance> counted_;  // among this one's connections
  };

  // A call that was admitted, until it is answered.
  class Admission {
   public:
    Admission() = default;
    Admission(Admission&&) noexcept = default;
    Admission& operator=(Admission&&) = delete;
    ~Admission();
    void PayReply(int64_t bytes, MonotonicTime now);

   private:
    friend class UsageLimits;
    std::shared_ptr<Allowance> user_, table_;
  };

  UsageLimits();
  ~UsageLimits();

  // Earlier use still counts.
  void Publish(std::shared_ptr<const AccessList> list);
  // Whether there is any limit. Without a limit no check is needed.
  bool any() const { return any_.load(std::memory_order_acquire); }
  // `user`: empty: a process, or an operator's certificate, which only a table's limits hold.
  Result<Admission> Admit(Member& member, const std::string& user, int64_t table, const CallCost& cost,
                          MonotonicTime now);
  // Calls refused since the start.
  uint64_t refusals() const { return refusals_.load(std::memory_order_relaxed); }

 private:
  void LookUp(Member& member, const std::string& user, int64_t table);
  std::shared_ptr<Allowance> OfUser(const std::string& user) EBLA_REQUIRES(mutex_);
  idl::Limits LimitsOf(const std::string& user) const EBLA_REQUIRES(mutex_);

  std::atomic<bool> any_{false};
  std::atomic<uint64_t> version_{1};
  std::atomic<uint64_t> refusals_{0};
  Mutex mutex_;
  std::shared_ptr<const AccessList> list_ EBLA_GUARDED_BY(mutex_);
  // The users with calls or with limits of their own; a user of everybody's limits is added by its first call.
  std::unordered_map<std::string, std::shared_ptr<Allowance>> users_ EBLA_GUARDED_BY(mutex_);
  std::unordered_map<int64_t, std::shared_ptr<Allowance>> tables_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::security
