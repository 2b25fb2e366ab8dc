#include "gateway/redis/logins/logins.h"

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

Status TooManyGuesses() {
  return {Code::kOverloaded, "too many wrong passwords from this address: try again in a minute"};
}

}  // namespace

ClusterLogins::ClusterLogins(ClientOptions options, std::string table, TableStoreOptions levels,
                             std::vector<rpc::EventLoop*> loops, Connect connect)
    : options_(std::move(options)),
      connect_(std::move(connect)),
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
  // Before anything is compared: else what is remembered could be guessed at without end.
  const MonotonicTime now = loop_.Now();
  if (!guesses_.Left(address, now)) return done(Error(TooManyGuesses()));
  const std::string digest = DigestOf(user, password);
  if (auto believed = Believed(user, digest, kBelievedFor)) return done(std::move(believed));
  // At once, and not when the cluster has answered: many may come together.
  const bool spent = Differs(user, digest);
  if (spent) guesses_.Spend(address, now);
  if (++waiting_ > kWaitingMax || stopped_) {
    --waiting_;
    return done(Error(Code::kOverloaded, "too many logins wait, or the gateway is stopping: try again"));
  }
  auto login = std::make_unique<WaitingLogin>(waiting_, std::move(done));
  Attempt attempt{std::move(user), std::move(password), std::move(address), spent};
  loop_.Post([this, attempt = std::move(attempt), until = now + kPatience, login = std::move(login)] {
    const bool late = loop_.Now() > until;
    std::exchange(login->done,
                  nullptr)(late ? Error(Code::kOverloaded, "too many logins wait: try again") : Try(attempt));
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

bool ClusterLogins::Differs(const std::string& user, const std::string& digest) const {
  MutexLock lock(mutex_);
  const auto known = users_.find(user);
  return known != users_.end() && known->second.digest != digest;
}

std::shared_ptr<Databases> ClusterLogins::Remember(const std::string& user, const std::string& digest, Client client) {
  const MonotonicTime now = loop_.Now();
  std::shared_ptr<Databases> gone;  // without the lock: its client ends
  MutexLock lock(mutex_);
  if (const auto known = users_.find(user); known != users_.end() && known->second.digest == digest) {
    known->second.shown = now;  // the user's client stays in use
    return known->second.databases;
  }
  // Drops a user with a changed password, or the user of the longest absence. Connections keep the clients in use.
  if (users_.size() >= kUsersMax && !users_.contains(user)) {
    const auto oldest = std::min_element(users_.begin(), users_.end(),
                                         [](const auto& a, const auto& b) { return a.second.shown < b.second.shown; });
    gone = std::move(oldest->second.databases);
    users_.erase(oldest);
  }
  User& entry = users_[user];
  auto databases = std::make_shared<OpenTables>(std::move(client), table_, levels_, loops_);
  databases->GuardChannels();
  if (entry.databases != nullptr) gone = std::move(entry.databases);
  entry = {digest, std::move(databases), now};
  return entry.databases;
}

Result<std::shared_ptr<Databases>> ClusterLogins::Try(const Attempt& attempt) {
  // The passwords that were tried meanwhile may have been wrong.
  if (!attempt.spent && !guesses_.Left(attempt.address, loop_.Now())) return Error(TooManyGuesses());
  const std::string digest = DigestOf(attempt.user, attempt.password);
  if (auto believed = Believed(attempt.user, digest, kBelievedFor)) return believed;
  ClientOptions options = options_;
  options.user = attempt.user;
  options.password = attempt.password;
  Result<Client> client = connect_(std::move(options));
  const MonotonicTime now = loop_.Now();
  if (client) {
    if (attempt.spent) guesses_.GiveBack(attempt.address, now);
    return Remember(attempt.user, digest, *std::move(client));
  }
  const Code code = client.error().code();
  const bool wrong = code == Code::kPermissionDenied || code == Code::kInvalidArgument;
  if (!wrong) {
    if (auto believed = Believed(attempt.user, digest, Duration::max())) return believed;
  }
  // OVERLOADED: too many logins have failed at the cluster, and an address that continues causes more.
  if (!attempt.spent && (wrong || code == Code::kOverloaded)) guesses_.Spend(attempt.address, now);
  return Error(client.error());
}

}  // namespace ebla::gateway::redis
