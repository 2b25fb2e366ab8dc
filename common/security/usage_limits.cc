#include "common/security/usage_limits.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/base/key_range.h"

namespace ebla::security {
namespace {

constexpr Duration kBurst = std::chrono::seconds(1);

}  // namespace

class Allowance {
  // The admission by a rate. Any thread.
  class Rate {
   public:
    void Set(int64_t per_second) { per_second_.store(per_second, std::memory_order_relaxed); }
    int64_t per_second() const { return per_second_.load(std::memory_order_relaxed); }
    bool Admits(MonotonicTime now) const {
      return per_second() == 0 || paid_until_.load() < (now + kBurst).since_boot.count();
    }
    // Later calls wait until it is paid for.
    void Pay(int64_t amount, MonotonicTime now) {
      const int64_t rate = per_second();
      if (rate == 0 || amount <= 0) return;
      // No single call can cause a debt of more than a minute, so the rate was lowered meanwhile.
      constexpr double kDebtMax = 60e9;
      const auto cost =
          static_cast<int64_t>(std::min(kDebtMax, static_cast<double>(amount) * 1e9 / static_cast<double>(rate)));
      int64_t paid = paid_until_.load();
      while (!paid_until_.compare_exchange_weak(paid, std::max(paid, now.since_boot.count()) + cost)) {
      }
    }

   private:
    std::atomic<int64_t> per_second_{0};
    std::atomic<int64_t> paid_until_{0};  // ns
  };

  // The present count, and its limit. Any thread.
  class Held {
   public:
    void Set(int64_t most) { most_.store(most, std::memory_order_relaxed); }
    int64_t most() const { return most_.load(std::memory_order_relaxed); }
    bool Take() {
      const int64_t most = this->most();
      if (held_.fetch_add(1) < most || most == 0) return true;
      GiveBack();
      return false;
    }
    void GiveBack() { held_.fetch_sub(1); }

   private:
    std::atomic<int64_t> most_{0};
    std::atomic<int64_t> held_{0};
  };

 public:
  explicit Allowance(std::string whose) : whose_(std::move(whose)) {}

  void Set(const idl::Limits& limits) {
    operations_.Set(limits.operationsPerSecond);
    bytes_.Set(limits.bytesPerSecond);
    connections_.Set(limits.connections);
    in_flight_.Set(limits.inFlight);
  }

  Status Connect() {
    return connections_.Take() ? Status() : Refusal(connections_.most(), "connections to this server");
  }
  void Disconnect() { connections_.GiveBack(); }

  Status Take(const CallCost& cost, MonotonicTime now) {
    if (!operations_.Admits(now)) return Refusal(operations_.per_second(), "operations a second at this server");
    if (!bytes_.Admits(now)) return Refusal(bytes_.per_second(), "bytes a second at this server");
    if (!in_flight_.Take()) return Refusal(in_flight_.most(), "calls in flight at this server");
    operations_.Pay(cost.operations, now);
    bytes_.Pay(cost.bytes, now);
    return {};
  }
  void GiveBack() { in_flight_.GiveBack(); }
  void Pay(int64_t bytes, MonotonicTime now) { bytes_.Pay(bytes, now); }

 private:
  Status Refusal(int64_t limit, const char* of_what) const {
    return {Code::kOverloaded, whose_ + " has reached its limit of " + std::to_string(limit) + " " + of_what};
  }

  const std::string whose_;
  Rate operations_, bytes_;
  Held connections_, in_flight_;
};

// ---- members and admissions -----------------------------------------------------------------------------------------

void UsageLimits::Member::Leave() {
  if (const std::shared_ptr<Allowance> counted = std::exchange(counted_, nullptr)) counted->Disconnect();
}

UsageLimits::Member& UsageLimits::Member::operator=(Member&& other) noexcept {
  Leave();
  user_ = std::move(other.user_);
  table_ = other.table_;
  version_ = std::exchange(other.version_, 0);
  of_user_ = std::move(other.of_user_);
  of_table_ = std::move(other.of_table_);
  counted_ = std::move(other.counted_);
  return *this;
}

UsageLimits::Member::~Member() { Leave(); }

UsageLimits::Admission::~Admission() {
  if (user_ != nullptr) user_->GiveBack();
  if (table_ != nullptr) table_->GiveBack();
}

void UsageLimits::Admission::PayReply(int64_t bytes, MonotonicTime now) {
  if (user_ != nullptr) user_->Pay(bytes, now);
  if (table_ != nullptr) table_->Pay(bytes, now);
}

// ---- limits ---------------------------------------------------------------------------------------------------------

UsageLimits::UsageLimits() = default;
UsageLimits::~UsageLimits() = default;

idl::Limits UsageLimits::LimitsOf(const std::string& user) const {
  const idl::User* known = list_->Find(user);
  return known != nullptr && known->limits != idl::Limits() ? known->limits : list_->every_users_limits();
}

void UsageLimits::Publish(std::shared_ptr<const AccessList> list) {
  const auto& of_tables = list->table_limits();
  MutexLock lock(mutex_);
  list_ = list;
  for (auto at = users_.begin(); at != users_.end();) {
    at->second->Set(LimitsOf(at->first));
    at = at->second.use_count() == 1 ? users_.erase(at) : std::next(at);
  }
  for (auto at = tables_.begin(); at != tables_.end();) {
    if (of_tables.contains(at->first)) {
      ++at;
      continue;
    }
    at->second->Set({});
    at = tables_.erase(at);
  }
  for (const auto& [table, limits] : of_tables) {
    std::shared_ptr<Allowance>& allowance = tables_[table];
    if (allowance == nullptr) allowance = std::make_shared<Allowance>("table " + std::to_string(table));
    allowance->Set(limits);
  }
  any_.store(list->has_limits(), std::memory_order_release);
  version_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<Allowance> UsageLimits::OfUser(const std::string& user) {
  if (user.empty() || list_ == nullptr) return nullptr;
  const idl::Limits limits = LimitsOf(user);
  const auto found = users_.find(user);
  if (found != users_.end()) return found->second;
  if (limits == idl::Limits()) return nullptr;
  const auto made = std::make_shared<Allowance>("user \"" + user + "\"");
  made->Set(limits);
  users_.emplace(user, made);
  return made;
}

void UsageLimits::LookUp(Member& member, const std::string& user, int64_t table) {
  const uint64_t version = version_.load(std::memory_order_acquire);
  if (member.version_ == version && member.user_ == user && member.table_ == table) return;
  MutexLock lock(mutex_);
  member.of_user_ = OfUser(user);
  const auto found = tables_.find(table);
  member.of_table_ = found == tables_.end() ? nullptr : found->second;
  member.user_ = user;
  member.table_ = table;
  member.version_ = version;
}

Result<UsageLimits::Admission> UsageLimits::Admit(Member& member, const std::string& user, int64_t table,
                                                  const CallCost& cost, MonotonicTime now) {
  LookUp(member, user, table);
  const auto refused = [&](Status why) {
    refusals_.fetch_add(1, std::memory_order_relaxed);
    return Error(std::move(why));
  };
  if (member.counted_ != member.of_user_) {
    member.Leave();
    if (member.of_user_ != nullptr) {
      if (Status connected = member.of_user_->Connect(); !connected.ok()) return refused(std::move(connected));
      member.counted_ = member.of_user_;
    }
  }
  Admission admission;
  if (member.of_user_ != nullptr) {
    if (Status taken = member.of_user_->Take(cost, now); !taken.ok()) return refused(std::move(taken));
    admission.user_ = member.of_user_;
  }
  if (member.of_table_ != nullptr) {
    if (Status taken = member.of_table_->Take(cost, now); !taken.ok()) return refused(std::move(taken));
    admission.table_ = member.of_table_;
  }
  return admission;
}

}  // namespace ebla::security
