// gateway/redis/logins/logins.h
// Users of the cluster as users of a gateway: who logs in does what that user may do, through a client of its own.
// Place:    redis_listener.h has one where the gateway knows the cluster's authority (--tls_dir); single_command.h asks
//           it at AUTH and HELLO.
// Bounds:   kUsersMax users at a time, each with one client; kWaitingMax logins that wait, kPatience each.
// Guesses:  kGuessesMax a minute from one address, which is then told nothing at all. One is a password that the cluster
//           does not take, or does not judge as too many have failed there; and any but the one that a user has shown
//           last, until the cluster takes it.
// Belief:   who has shown his password within kBelievedFor is believed without asking the cluster; and while the cluster
//           takes no logins, or none from here, whoever shows the one that it took last.
// Threads:  LogIn from any. Passwords are tried on a thread of its own, one at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/base/mutex.h"
#include "common/rpc/event_loop.h"
#include "common/security/host_budget.h"
#include "ebla/client.h"
#include "gateway/redis/databases/open_tables.h"

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

  // Asks the cluster: Client::Connect, but for tests.
  using Connect = std::function<Result<Client>(ClientOptions)>;

  // `options`: of the clients, but for user and password. `table`: database 0. `loops`: the connections'.
  ClusterLogins(ClientOptions options, std::string table, TableStoreOptions levels, std::vector<rpc::EventLoop*> loops,
                Connect connect = &Client::Connect);
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

  struct Attempt {
    std::string user, password, address;
    bool spent = false;  // it counts as a guess already
  };
  Result<std::shared_ptr<Databases>> Try(const Attempt& attempt);
  std::string DigestOf(const std::string& user, const std::string& password) const;
  // Null: it has not shown this password, or not within that time.
  std::shared_ptr<Databases> Believed(const std::string& user, const std::string& digest, Duration within) const;
  // It has shown another one last.
  bool Differs(const std::string& user, const std::string& digest) const;
  std::shared_ptr<Databases> Remember(const std::string& user, const std::string& digest, Client client);

  const ClientOptions options_;
  const Connect connect_;
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
