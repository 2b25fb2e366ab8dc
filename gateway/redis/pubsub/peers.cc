#include "gateway/redis/pubsub/peers.h"

#include <glog/logging.h>

#include <algorithm>
#include <future>
#include <optional>

#include "common/base/key_range.h"
#include "common/rpc/socket.h"
#include "gateway/redis/databases/key_codec.h"
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
constexpr size_t kHeldBytesMax = 64 << 20;  // for all of them

// \1 and \5: no key of Redis is there (key_codec.h).
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
  ~Answers() { done(subscribers); }
  int64_t subscribers = 0;
  Publisher::Done done;
};

struct FirstLook {
  ~FirstLook() { done.set_value(); }
  std::promise<void> done;
};

// In the system's form, so that one address is one gateway. None: the host is not numeric, or the record holds no
// address.
std::optional<rpc::Endpoint> AddressIn(const std::string& record) {
  const auto said = rpc::Endpoint::Parse(record);
  const auto numeric = said ? rpc::SocketAddress::FromNumeric(*said) : std::nullopt;
  if (numeric) return numeric->ToEndpoint();
  LOG_EVERY_T(WARNING, 10) << "messages do not reach the gateway at " << EscapeBytes(record.substr(0, 100))
                           << ": its address is no number";
  return std::nullopt;
}

}  // namespace

Peers::Peers(std::shared_ptr<Channels> channels, std::shared_ptr<Store> records,
             std::shared_ptr<security::TlsCredentials> tls, Credentials login)
    : Publisher(std::move(channels)),
      records_(std::move(records)),
      tls_(std::move(tls)),
      login_(std::move(login)),
      buffers_{.socket = std::vector<char>(64 * 1024), .plain = {}} {}

void Peers::Start(const rpc::Endpoint& own) {
  const auto numeric = rpc::SocketAddress::FromNumeric(own);
  own_ = (numeric ? numeric->ToEndpoint() : own).ToString();
  auto first_look = std::make_shared<FirstLook>();
  const std::future<void> first = first_look->done.get_future();
  first_look_ = std::move(first_look);
  {
    MutexLock lock(alive_->mutex);
    alive_->peers = this;
  }
  loop_.Start();
  started_ = true;
  loop_.Post([this] { LookAgain(); });
  if (first.wait_for(seconds(1)) != std::future_status::ready)
    LOG(WARNING) << "not all other gateways are reached yet, so messages do not reach all subscribers there";
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

// ---- finding them ---------------------------------------------------------------------------------------------------

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
    std::map<std::string, rpc::Endpoint> found;
    for (const Row& row : page->rows) {
      if (const auto address = AddressIn(row.key.substr(RecordsPrefix().size()))) found[address->ToString()] = *address;
    }
    found.erase(own_);
    // A gateway that answers exists, with or without its record, because others may have failed to write theirs.
    std::erase_if(by_address_, [&](const auto& entry) {
      const auto& [address, client] = entry;
      if (!client->up() && !found.contains(address)) client->Close();
      return client->gone();
    });
    for (const auto& [address, endpoint] : found) {
      if (by_address_.contains(address)) continue;
      const auto client = std::make_shared<PeerClient>(loop_, endpoint, tls_, buffers_);
      by_address_[address] = client;
      client->Start({own_, login_}, first_look_);
    }
  } else {
    LOG_EVERY_T(WARNING, 10) << "cannot look for other gateways: " << page.error();
  }
  peers_ = by_address_.size();
  first_look_ = nullptr;
}

// ---- messages -------------------------------------------------------------------------------------------------------

void Peers::Publish(ChannelKind kind, const std::string& channel, const std::string& message, Done done) {
  const int64_t here = channels().Deliver(kind, channel, message);
  if (peers_ == 0 || !started_) return done(here);
  auto answers = std::make_shared<Answers>(here, std::move(done));
  loop_.Post([this, request = DeliverRequest(kind, channel, message), answers = std::move(answers)] {
    for (const auto& [address, client] : by_address_)
      client->Send(request, [answers](int64_t subscribers) { answers->subscribers += subscribers; });
    LetGoOfTheSlowest();
  });
}

// Closes the clients that hold most, while all together hold too much.
void Peers::LetGoOfTheSlowest() {
  const auto held = [](const auto& entry) { return entry.second->held_bytes(); };
  size_t all = 0;
  for (const auto& entry : by_address_) all += held(entry);
  while (all > kHeldBytesMax) {
    const auto& slowest = *std::ranges::max_element(by_address_, {}, held);
    all -= held(slowest);
    slowest.second->Fail("it takes messages more slowly than they come");
  }
}

}  // namespace ebla::gateway::redis
