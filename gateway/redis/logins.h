// Users of the cluster as users of a gateway: who logs in does what that user may do, through a client of its own.
// Place:    redis_door.h has one where the gateway knows the cluster's authority (--tls_dir); single_command.h asks it at
//           AUTH and HELLO.
// Bounds:   kUsersMax users at a time, each with one client; kGuessesMax wrong passwords a minute from one address;
//           kWaitingMax logins that wait, kPatience each.
// Belief:   who has shown his password within kBelievedFor is believed without asking the cluster; and while the cluster
//           takes no logins, whoever shows the one that it took last.
// Threads:  LogIn from any. Passwords are tried on a thread of its own, one at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "common/base/mutex.h"
#include "common/rpc/event_loop.h"
#include "common/security/host_budget.h"
#include "ebla/client.h"
#include "gateway/redis/table_databases.h"

namespace ebla::gateway::redis {

// Who somebody says to be.
struct Credentials {
  std::string user, password;
};

class Logins {
 public:
  virtual ~Logins() = default;
  // The databases as this user may use them; `done` is called once, on any thread. PERMISSION_DENIED: there is no such user,
  // or the password is another. OVERLOADED: too many guesses from there, or too many logins at a time. Others: of the cluster.
  virtual void LogIn(std::string user, std::string password, std::string address,
                     Callback<Result<std::shared_ptr<Databases>>> done) = 0;
};

class ClusterLogins final : public Logins {
 public:
  static constexpr size_t kUsersMax = 64, kWaitingMax = 256;
  static constexpr int64_t kGuessesMax = 10;
  static constexpr std::chrono::seconds kBelievedFor{5}, kPatience{10};
  static constexpr size_t kNameBytesMax = 256, kPasswordBytesMax = 1'024;

  // `options`: of the clients, but for user and password. `table`: database 0. `loops`: the connections'.
  ClusterLogins(ClientOptions options, std::string table, TableStoreOptions levels, std::vector<rpc::EventLoop*> loops);
  ~ClusterLogins() override { Stop(); }

  // Who waits is told so. Not from a callback.
  void Stop();
  void LogIn(std::string user, std::string password, std::string address,
             Callback<Result<std::shared_ptr<Databases>>> done) override;

 private:
  struct User {
    std::string digest;  // of the password, with salt_
    std::shared_ptr<Databases> databases;
    MonotonicTime shown;
  };

  Result<std::shared_ptr<Databases>> Try(const std::string& user, const std::string& password,
                                         const std::string& address);
  std::string DigestOf(const std::string& user, const std::string& password) const;
  // Null: it has not shown this password, or not within that time.
  std::shared_ptr<Databases> Believed(const std::string& user, const std::string& digest, Duration within) const;
  std::shared_ptr<Databases> Remember(const std::string& user, const std::string& digest, Client client);

  const ClientOptions options_;
  const std::string table_;
  const TableStoreOptions levels_;
  const std::vector<rpc::EventLoop*> loops_;
  const std::string salt_;
  mutable Mutex mutex_;
  std::map<std::string, User> users_ EBLA_GUARDED_BY(mutex_);
  security::HostBudget guesses_{kGuessesMax, std::chrono::minutes(1)};
  std::atomic<size_t> waiting_ = 0;
  std::atomic<bool> stopped_ = false;
  rpc::EventLoop loop_{"redis-logins"};
};

}  // namespace ebla::gateway::redis
