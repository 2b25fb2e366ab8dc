#include "gateway/redis/logins.h"

#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <utility>

namespace ebla::gateway::redis {
namespace {

std::string NewSalt() {
  std::string salt(16, '\0');
  RAND_bytes(reinterpret_cast<unsigned char*>(salt.data()), static_cast<int>(salt.size()));
  return salt;
}

// Ends with an answer, also where its task is destroyed unrun.
struct WaitingLogin {
  ~WaitingLogin() {
    --waiting;
    if (done) done(Error(Code::kUnavailable, "the gateway is stopping"));
  }
  std::atomic<size_t>& waiting;
  Callback<Result<std::shared_ptr<Databases>>> done;
};

}  // namespace

ClusterLogins::ClusterLogins(ClientOptions options, std::string table, TableStoreOptions levels,
                             std::vector<rpc::EventLoop*> loops)
    : options_(std::move(options)),
      table_(std::move(table)),
      levels_(levels),
      loops_(std::move(loops)),
      salt_(NewSalt()) {
  loop_.Start();
}

void ClusterLogins::Stop() {
  stopped_ = true;
  loop_.Stop();
  std::map<std::string, User> gone;  // without the lock: their clients end
  MutexLock lock(mutex_);
  gone.swap(users_);
}

void ClusterLogins::LogIn(std::string user, std::string password, std::string address,
                          Callback<Result<std::shared_ptr<Databases>>> done) {
  if (user.empty() || password.empty() || user.size() > kNameBytesMax || password.size() > kPasswordBytesMax)
    return done(Error(Code::kPermissionDenied, "no user has such a name or password"));
  if (auto believed = Believed(user, DigestOf(user, password), kBelievedFor)) return done(std::move(believed));
  if (++waiting_ > kWaitingMax || stopped_) {
    --waiting_;
    return done(Error(Code::kOverloaded, "too many logins wait, or the gateway is stopping: try again"));
  }
  auto login = std::make_unique<WaitingLogin>(waiting_, std::move(done));
  loop_.Post([this, user = std::move(user), password = std::move(password), address = std::move(address),
              until = loop_.Now() + kPatience, login = std::move(login)] {
    const bool late = loop_.Now() > until;
    std::exchange(login->done, nullptr)(late ? Error(Code::kOverloaded, "too many logins wait: try again")
                                             : Try(user, password, address));
  });
}

std::string ClusterLogins::DigestOf(const std::string& user, const std::string& password) const {
  const std::string text = salt_ + user + '\0' + password;
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

std::shared_ptr<Databases> ClusterLogins::Believed(const std::string& user, const std::string& digest,
                                                   Duration within) const {
  MutexLock lock(mutex_);
  const auto known = users_.find(user);
  const bool same = known != users_.end() && known->second.digest == digest;
  return same && loop_.Now() - known->second.shown < within ? known->second.databases : nullptr;
}

std::shared_ptr<Databases> ClusterLogins::Remember(const std::string& user, const std::string& digest, Client client) {
  const MonotonicTime now = loop_.Now();
  std::shared_ptr<Databases> gone;  // without the lock: its client ends
  MutexLock lock(mutex_);
  if (const auto known = users_.find(user); known != users_.end() && known->second.digest == digest) {
    known->second.shown = now;  // its client goes on
    return known->second.databases;
  }
  // Whose password was changed, or who has not been here for longest, makes room: connections hold on to what they use.
  if (users_.size() >= kUsersMax && !users_.contains(user)) {
    const auto oldest = std::min_element(users_.begin(), users_.end(),
                                         [](const auto& a, const auto& b) { return a.second.shown < b.second.shown; });
    gone = std::move(oldest->second.databases);
    users_.erase(oldest);
  }
  User& entry = users_[user];
  auto databases = std::make_shared<TableDatabases>(std::move(client), table_, levels_, loops_);
  databases->GuardChannels();
  if (entry.databases != nullptr) gone = std::move(entry.databases);
  entry = {digest, std::move(databases), now};
  return entry.databases;
}

Result<std::shared_ptr<Databases>> ClusterLogins::Try(const std::string& user, const std::string& password,
                                                      const std::string& address) {
  const std::string digest = DigestOf(user, password);
  if (auto believed = Believed(user, digest, kBelievedFor)) return believed;
  const MonotonicTime now = loop_.Now();
  if (!guesses_.Left(address, now))
    return Error(Code::kOverloaded, "too many wrong passwords came from this address: try again in a minute");
  ClientOptions options = options_;
  options.user = user;
  options.password = password;
  Result<Client> client = Client::Connect(std::move(options));
  if (client) return Remember(user, digest, *std::move(client));
  if (client.error().code() == Code::kPermissionDenied || client.error().code() == Code::kInvalidArgument) {
    guesses_.Spend(address, now);
    return Error(client.error());
  }
  if (auto believed = Believed(user, digest, Duration::max())) return believed;
  return Error(client.error());
}

}  // namespace ebla::gateway::redis
