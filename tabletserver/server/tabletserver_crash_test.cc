// A whole tablet server through random crashes of process and machine, fences, a full or stalled disk, checkpoints that
// cut the log, and clients that retry; in virtual time, several tablets on one shard. Each request increments its
// tablet's counter and leaves a marker of its own, in one batch, so a lost, doubled or half-done write shows:
//   1. a tablet's counter equals the number of its markers, in each STRONG scan;
//   2. every acknowledged marker is there, at the version that was acknowledged;
//   3. all answers to one request agree, and each attempt is answered once.
// A failure prints its seed: EBLA_SEED=n runs that one alone.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "tabletserver/testing/host_fixture.h"

namespace ebla::tabletserver {
namespace {

class ServerCrashTest : public HostFixture, public ::testing::WithParamInterface<uint64_t> {
 protected:
  static constexpr int kTablets = 3;

  void SetUp() override {
    const char* seed = std::getenv("EBLA_SEED");
    seed_ = seed != nullptr ? std::stoull(seed) : GetParam();
    random_.seed(seed_);
    SCOPED_TRACE("EBLA_SEED=" + std::to_string(seed_));
    options_.checkpoint = {.period = 300ms, .log_bytes = 20'000, .look_every = 50ms};
    options_.shard.unapplied_bytes_max = 20'000;
    disk_.SetLatency(0ms, 5ms);
    StartServer();
    Lead();
  }

  uint64_t Pick(uint64_t bound) { return random_() % bound; }

  // Leads like the master, after each start and at random times.
  void Lead() {
    disk_.SetStalled(false);
    ++epoch_;
    for (int i = 0; i < kTablets; ++i) {
      if (epoch_ > 1) {
        ASSERT_EQ(Fence(100 + i, epoch_).results.at(0).status.code, idl::Code::OK);
      }
      const auto reply =
          Configure({NewTablet(100 + i, std::string(1, Prefix(i)), std::string(1, Prefix(i + 1)), epoch_)});
      ASSERT_EQ(reply.results.at(0).status.code, idl::Code::OK) << reply.results.at(0).status.message;
    }
  }

  void Crash() {
    // Calls in flight are lost with their connection.
    ++life_;
    for (auto& [id, client] : clients_) client.in_flight = 0;
    CrashServer(Pick(2) == 0 ? SimulatedDisk::CrashKind::kProcess : SimulatedDisk::CrashKind::kMachine);
    StartServer();
    Lead();
  }

  void RandomStep() {
    switch (Pick(40)) {
      case 0: return Crash();
      case 1: return disk_.SetFull(true);
      case 2:
      case 3: return disk_.SetFull(false);
      case 4: return disk_.SetStalled(true);
      case 5:
      case 6: return disk_.SetStalled(false);
      case 7: return Lead();
      case 8: return CheckTablet(static_cast<int>(Pick(kTablets)));
      default: break;
    }
    if (Pick(3) == 0) return scheduler_.RunFor(std::chrono::milliseconds(Pick(30)));
    Attempt(static_cast<int64_t>(1 + Pick(6)));
  }

  // No faults any more: every client gets its answer, and the tablets hold what they should.
  void Heal() {
    disk_.SetFull(false);
    disk_.SetLatency(0ms, 0ms);
    Lead();
    for (auto& [id, client] : clients_) {
      for (int tries = 0; !client.answered && tries < 2000; ++tries) {
        if (client.in_flight == 0) Attempt(id);
        scheduler_.RunFor(10ms);
      }
      ASSERT_TRUE(client.answered) << "client " << id << ": " << client.last;
    }
    for (int i = 0; i < kTablets; ++i) CheckTablet(i);
  }

  size_t acknowledged() const { return acknowledged_.size(); }
  uint64_t seed_ = 0;

 private:
  struct Client {
    idl::WriteRequest request;
    std::string marker;
    bool answered = true;
    int in_flight = 0;
    std::string last;  // refusal
  };

  static char Prefix(int tablet) { return static_cast<char>('a' + tablet); }

  // A new request when the last has its answer, else another attempt at it, even while others are under way.
  void Attempt(int64_t id) {
    Client& client = clients_[id];
    if (client.answered && client.in_flight == 0) {
      const std::string tablet(1, Prefix(static_cast<int>(Pick(kTablets))));
      idl::WriteRequest& request = client.request;
      request.header = Header();
      request.header.deadlineMs = static_cast<int32_t>(20 + Pick(300));
      request.clientId = id;
      request.firstIncomplete = ++request.sequence;
      client.marker = tablet + "/" + std::to_string(id) + "." + std::to_string(request.sequence);
      request.writes = {IncrementOf(tablet + " counter", 1), PutOf(client.marker, std::string(Pick(200), 'v'))};
      client.answered = false;
    }
    if (client.answered) return;
    // Nothing was executed without a time, so it may still be learnt.
    if (client.request.header.tabletTimeMs == 0) client.request.header.__set_tabletTimeMs(learnt_ms_);
    ++client.in_flight;
    const int life = life_;
    auto once = std::make_shared<bool>(false);
    server_->tablet_service()->write(
        [this, id, life, once, marker = client.marker](const idl::WriteReply& reply) {
          ASSERT_FALSE(std::exchange(*once, true)) << "answered twice";
          ASSERT_EQ(life, life_);
          --clients_[id].in_flight;
          Learn(clients_[id], marker, reply);
        },
        client.request);
  }

  void Learn(Client& client, const std::string& marker, const idl::WriteReply& reply) {
    if (reply.header.__isset.tabletTimeMs) learnt_ms_ = std::max(learnt_ms_, reply.header.tabletTimeMs);
    if (reply.header.code == idl::Code::OK) {
      const Version version{Epoch{static_cast<uint64_t>(reply.version.epoch)},
                            Lsn{static_cast<uint64_t>(reply.version.lsn)}};
      const auto [at, first] = acknowledged_.emplace(marker, version);
      EXPECT_EQ(at->second, version) << marker;
      client.answered = true;
      return;
    }
    client.last = reply.header.message;
    const std::set<idl::Code::type> passing{idl::Code::NOT_PRIMARY, idl::Code::COME_AGAIN, idl::Code::OVERLOADED,
                                            idl::Code::DEADLINE_EXCEEDED, idl::Code::UNKNOWN_OUTCOME};
    EXPECT_TRUE(passing.contains(reply.header.code)) << reply.header.message;
    EXPECT_TRUE(reply.header.code != idl::Code::UNKNOWN_OUTCOME || reply.header.__isset.retryAfterMs);
  }

  void CheckTablet(int tablet) {
    idl::ScanRequest request;
    request.range.startKey = std::string(1, Prefix(tablet));
    request.range.endKey = std::string(1, Prefix(tablet + 1));
    request.pageBytes = 8 << 20;
    request.options.level = idl::ReadLevel::STRONG;
    request.__isset.options = true;
    // The scan must show every write that was acknowledged before it begins.
    const std::map<std::string, Version> expected = acknowledged_;
    const idl::ScanReply reply = Scan(request);
    if (reply.header.code != idl::Code::OK) {
      EXPECT_EQ(reply.header.code, idl::Code::COME_AGAIN) << reply.header.message;
      return;
    }
    ASSERT_TRUE(reply.done);
    std::map<std::string, Version> markers;
    size_t counter = 0;
    for (const idl::ScanRecord& one : reply.records) {
      if (one.key[1] == '/') {
        markers[one.key] = {Epoch{static_cast<uint64_t>(one.record.version.epoch)},
                            Lsn{static_cast<uint64_t>(one.record.version.lsn)}};
      } else {
        counter = std::stoull(one.record.value);
      }
    }
    EXPECT_EQ(counter, markers.size());
    for (const auto& [marker, version] : expected) {
      if (marker[0] != Prefix(tablet)) continue;
      ASSERT_TRUE(markers.contains(marker)) << marker << " was acknowledged at " << version << " and is lost";
      EXPECT_EQ(markers[marker], version) << marker;
    }
  }

  std::mt19937_64 random_;
  int64_t epoch_ = 0;
  int life_ = 0;
  std::map<int64_t, Client> clients_;
  std::map<std::string, Version> acknowledged_;
};

TEST_P(ServerCrashTest, NothingAcknowledgedIsLostNothingIsDoneTwice) {
  SCOPED_TRACE("EBLA_SEED=" + std::to_string(seed_));
  for (int i = 0; i < 1500 && !HasFailure(); ++i) RandomStep();
  if (!HasFailure()) Heal();
  EXPECT_GT(acknowledged(), 30u) << "too little happened to prove anything";
}

INSTANTIATE_TEST_SUITE_P(Seeds, ServerCrashTest, ::testing::Range<uint64_t>(1, 21));

}  // namespace
}  // namespace ebla::tabletserver
