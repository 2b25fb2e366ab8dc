// gateway/redis/logins/logins.h
// Users of the cluster as users of a gateway: after a login, a connection does what its user may do, through a client
// of that user.
// Place:    redis_listener.h has one where the gateway knows the cluster's authority (--tls_dir); single_command.h asks
//           it at AUTH and HELLO.
// Bounds:   kUsersMax users at a time, each with one client; kWaitingMax logins that wait, kPatience each.
// Guesses:  kGuessesMax a minute from one address, which then gets no verdict at all. A guess is a password that the
//           cluster rejects, or does not judge after too many failures; and any but the user's latest accepted one,
//           until the cluster accepts it.
// Belief:   a password that the cluster has accepted within kBelievedFor is accepted without asking it again. While the
//           cluster accepts no logins, or none from here, the one that it accepted last is accepted.
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

// A name and the proof of it.
struct Credentials {
  std::string user, password;
};

class Logins {
 public:
  virtual ~Logins() = default;
  // The databases as this user may use them; `done` is called once, on any thread. PERMISSION_DENIED: no such user, or
  // a wrong password. OVERLOADED: too many guesses from the address, or too many logins at a time. Other errors are the
  // cluster's.
  virtual void LogIn(std::string user, std::string password, std::string address,
                     Callback<Result<std::shared_ptr<Databases>>> done) = 0;
};

class ClusterLogins final : public Logins {
 public:
  static constexpr size_t kUsersMax = 64, kWaitingMax = 256;
  static constexpr int64_t kGuessesMax = 10;
  static constexpr std::chrono::seconds kBelievedFor{5}, kPatience{10};
  static constexpr size_t kNameBytesMax = 256, kPasswordBytesMax = 1'024;

  // Client::Connect, except in tests.
  using Connect = std::function<Result<Client>(ClientOptions)>;

  // `options`: of the clients, without user and password. `table`: database 0. `loops`: the connections'.
  ClusterLogins(ClientOptions options, std::string table, TableStoreOptions levels, std::vector<rpc::EventLoop*> loops,
                Connect connect = &Client::Connect);
  ~ClusterLogins() override { Stop(); }

  // Fails the logins that wait. Not from a callback.
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
    bool spent = false;  // it has already counted as a guess
  };
  Result<std::shared_ptr<Databases>> Try(const Attempt& attempt);
  std::string DigestOf(const std::string& user, const std::string& password) const;
  // Null: the user has not shown this password, or not within that time.
  std::shared_ptr<Databases> Believed(const std::string& user, const std::string& digest, Duration within) const;
  // The user has shown another password last.
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
