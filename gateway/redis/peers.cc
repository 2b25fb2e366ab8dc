#include "gateway/redis/peers.h"

#include <glog/logging.h>

#include <future>
#include <set>

#include "gateway/redis/record_key.h"
#include "gateway/redis/wire/names.h"

namespace ebla::gateway::redis {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kLookEvery{1'000};
constexpr milliseconds kLookAgainAfter{100};  // at the earliest, however many say that they are new
constexpr seconds kRecordLives{10};
constexpr int kAnnounceEvery = 3;  // looks
constexpr uint64_t kPeersMax = 1'000;

// \1 and \5: no key of Redis is there (record_key.h).
std::string RecordsPrefix() { return std::string("\1\5gateway") + kGroupDelimiter; }

Until In(milliseconds patience) { return std::chrono::steady_clock::now() + patience; }

std::string DeliverRequest(ChannelKind kind, const std::string& channel, const std::string& message) {
  return Reply()
      .Array(4)
      .Bulk("EBLA.DELIVER")
      .Bulk(kind == ChannelKind::kShard ? "SHARD" : "CHANNEL")
      .Bulk(channel)
      .Bulk(message)
      .Take();
}

// Of one message: it is done once all have answered.
struct Answers {
  ~Answers() { done(listeners); }
  int64_t listeners = 0;
  Publisher::Done done;
};

}  // namespace

Peers::Peers(std::shared_ptr<Channels> channels, std::shared_ptr<Store> records,
             std::shared_ptr<security::TlsCredentials> tls, Credentials login)
    : Publisher(std::move(channels)),
      records_(std::move(records)),
      tls_(std::move(tls)),
      login_(std::move(login)),
      buffers_{.socket = std::vector<char>(64 * 1024), .plain = {}} {}

void Peers::Start(const rpc::Endpoint& own) {
  own_ = own.ToString();
  auto looked = std::make_shared<std::promise<void>>();
  const std::future<void> first = looked->get_future();
  first_look_done_ = [looked] { looked->set_value(); };
  {
    MutexLock lock(alive_->mutex);
    alive_->peers = this;
  }
  loop_.Start();
  started_ = true;
  loop_.Post([this] { LookAgain(); });
  if (first.wait_for(seconds(1)) != std::future_status::ready)
    LOG(WARNING) << "the other gateways are not found yet: messages do not reach who listens there";
}

void Peers::Stop() {
  if (!started_.exchange(false)) return;
  {
    MutexLock lock(alive_->mutex);
    alive_->peers = nullptr;
  }
  std::promise<void> closed;
  loop_.Post([this, &closed] {
    for (auto& [address, client] : by_address_) client->Close();
    by_address_.clear();
    peers_ = 0;
    closed.set_value();
  });
  closed.get_future().wait();
  loop_.Stop();
  // Until it ends by itself, others try to reach it in vain.
  records_->Delete(RecordsPrefix() + own_, Condition::None(), In(seconds(1)), [](const Status&) {});
}

// ---- finding them -----------------------------------------------------------------------------------------------------

void Peers::LookAgain() {
  if (!started_) return;
  if (looks_++ % kAnnounceEvery == 0) Announce();
  Look();
  loop_.After(kLookEvery, [this] { LookAgain(); });
}

void Peers::LookSoon() {
  if (!started_ || look_asked_.exchange(true)) return;
  loop_.After(kLookAgainAfter, [this] {
    look_asked_ = false;
    Look();
  });
}

void Peers::Announce() {
  records_->Put(RecordsPrefix() + own_, "", Lifetime::For(kRecordLives), Condition::None(), In(kLookEvery),
                [](const Result<Version>& put) {
                  if (put) return;
                  LOG_EVERY_T(WARNING, 10) << "other gateways do not find this one: " << put.error();
                });
}

void Peers::Look() {
  records_->ScanKeys(KeyRange::Prefix(RecordsPrefix()), kPeersMax, In(kLookEvery),
                     [alive = alive_](Result<ScanPage> page) {
                       MutexLock lock(alive->mutex);
                       Peers* const peers = alive->peers;
                       if (peers == nullptr) return;
                       peers->loop_.Post([peers, page = std::move(page)] { peers->TakeFound(page); });
                     });
}

void Peers::TakeFound(const Result<ScanPage>& page) {
  if (page) {
    std::set<std::string> found;
    for (const Row& row : page->rows) found.insert(row.key.substr(RecordsPrefix().size()));
    found.erase(own_);
    // Who answers is there, whether or not its record is: others may not have been able to write theirs.
    std::erase_if(by_address_, [&](const auto& entry) {
      const auto& [address, client] = entry;
      if (!client->up() && !found.contains(address)) client->Close();
      return client->gone();
    });
    for (const std::string& address : found) {
      if (by_address_.contains(address)) continue;
      const auto endpoint = rpc::Endpoint::Parse(address);
      if (!endpoint) continue;
      const auto client = std::make_shared<PeerClient>(loop_, *endpoint, tls_, buffers_);
      by_address_[address] = client;
      client->Start(own_, login_.user, login_.password);
    }
  } else {
    LOG_EVERY_T(WARNING, 10) << "cannot look for other gateways: " << page.error();
  }
  peers_ = by_address_.size();
  if (first_look_done_) std::exchange(first_look_done_, nullptr)();
}

// ---- messages ---------------------------------------------------------------------------------------------------------

void Peers::Publish(ChannelKind kind, const std::string& channel, const std::string& message, Done done) {
  const int64_t here = channels().Deliver(kind, channel, message);
  if (peers_ == 0 || !started_) return done(here);
  auto answers = std::make_shared<Answers>(here, std::move(done));
  loop_.Post([this, request = DeliverRequest(kind, channel, message), answers = std::move(answers)] {
    for (const auto& [address, client] : by_address_)
      client->Send(request, [answers](int64_t listeners) { answers->listeners += listeners; });
  });
}

}  // namespace ebla::gateway::redis
