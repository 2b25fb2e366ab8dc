// A tablet's core through random crashes, fences, disk refusals, checkpoints and retries, over the rig's store. Each
// request increments one shared counter and leaves a marker of its own, in one batch. So at any time:
//   1. the counter equals the number of markers: no batch is half done, none is done twice;
//   2. every acknowledged request's marker is there, at the version that was acknowledged;
//   3. all answers to one request agree; each attempt gets one at most (the rig checks that);
//   4. each key's versions grow (the rig checks that at every apply).
// And once the faults end, every request gets its answer.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

#include "tabletserver/testing/core_rig.h"
#include "tabletserver/testing/pick.h"

namespace ebla::tabletserver {
namespace {

using std::chrono::milliseconds;
using testing::CoreRig;
using testing::Pick;

TabletOptions CrashOptions() {
  TabletOptions options;
  options.tablet = TabletId{9};
  options.self = "ts-1";
  options.unapplied_bytes_max = 20'000;
  options.apply_bytes_max = 300;
  options.dedup_window.bytes_max = 6'000;
  return options;
}

class CrashTest {
 public:
  CrashTest() : rig_(CrashOptions()) { Lead(/*create=*/true); }

  void Step() {
    switch (Pick(0, 20)) {
      case 0: Crash(); break;
      case 1: rig_.Checkpoint(/*truncate_log=*/*rc::gen::arbitrary<bool>()); break;
      case 2: rig_.store().failures.append = Status(Code::kOverloaded, "full"); break;
      case 3: rig_.store().failures.append = {}; break;
      case 4: rig_.store().failures.apply = Status(Code::kOverloaded, "full"); break;
      case 5: rig_.store().failures.apply = {}; break;
      case 6: rig_.HoldFlush(true); break;
      case 7: rig_.HoldFlush(false); break;
      case 8: Lead(/*create=*/false); break;
      case 9:
      case 10: rig_.Tick(milliseconds(Pick(1, 200))); break;
      default: Attempt(Pick<uint64_t>(1, 4));
    }
    Learn();
    Check();
  }

  void Heal() {
    rig_.store().failures.append = {};
    rig_.store().failures.apply = {};
    rig_.HoldFlush(false);
    rig_.Tick(milliseconds(100));
    Lead(/*create=*/false);
    rig_.Tick(std::chrono::seconds(60));  // a restart with a slow clock: what was learnt may be still to come
    for (auto& [client, request] : current_) {
      if (request.sequence == 0 || request.acknowledged) continue;
      Attempt(client);
      Learn();
      RC_ASSERT(request.acknowledged);
    }
    Check();
    RC_ASSERT(rig_.core().waiting() == 0u);
    RC_ASSERT(rig_.core().unapplied_bytes() == 0u);
  }

  size_t acknowledged() const { return acknowledged_.size(); }

 private:
  struct Request {
    uint64_t sequence = 0;
    TabletTime learnt;
    bool acknowledged = false;
    std::vector<RequestToken> attempts;
  };

  static std::string Marker(uint64_t client, uint64_t sequence) {
    return "client " + std::to_string(client) + "." + std::to_string(sequence);
  }

  // Acts as the master: fences the next epoch, then configures it. May fail while the disk refuses; the next try
  // continues.
  void Lead(bool create) {
    ++epoch_;
    if (!create) rig_.Fence(Epoch{epoch_});
    ConfigureReplica configure;
    configure.epoch = Epoch{epoch_};
    configure.primary = "ts-1";
    configure.voters = {"ts-1"};
    configure.created_empty = create;
    configure.fenced = !create;
    rig_.Configure(configure);
  }

  void Crash() {
    rig_.Crash(Pick<size_t>(0, rig_.store().unflushed() + 1), milliseconds(Pick(-5000, 5000)));
    // Requests in flight are lost with their connection.
    for (auto& [client, request] : current_) request.attempts.clear();
    rig_.writes.clear();
    if (Pick(0, 3) != 0) Lead(/*create=*/false);
  }

  void Attempt(uint64_t client) {
    Request& request = current_[client];
    if (request.sequence == 0 || request.acknowledged) {
      request = {request.sequence + 1, rig_.tablet_time(), false, {}};
    }
    if (!request.learnt) request.learnt = rig_.tablet_time();
    WriteRequest write;
    write.client = ClientId{client};
    write.sequence = Sequence{request.sequence};
    write.first_incomplete = Sequence{request.sequence};
    write.learnt = request.learnt;
    write.deadline = rig_.now() + milliseconds(150);
    write.writes = {{.kind = WriteKind::kIncrement, .key = "counter", .delta = 1},
                    {.kind = WriteKind::kPut, .key = Marker(client, request.sequence), .value = std::string(50, 'v')}};
    request.attempts.push_back(rig_.Write(std::move(write)));
  }

  // Takes in the answers to outstanding attempts.
  void Learn() {
    for (auto& [client, request] : current_) {
      std::erase_if(request.attempts, [&](RequestToken token) {
        const std::optional<WriteReply> reply = rig_.ReplyTo(token);
        if (!reply.has_value()) return false;
        if (reply->status.ok()) {
          const std::string marker = Marker(client, request.sequence);
          RC_ASSERT(static_cast<bool>(reply->version));
          const auto [at, first] = acknowledged_.emplace(marker, reply->version);
          RC_ASSERT(at->second == reply->version);
          request.acknowledged = true;
        } else {
          const Code code = reply->status.code();
          RC_ASSERT(code == Code::kNotPrimary || code == Code::kOverloaded || code == Code::kComeAgain ||
                    code == Code::kUnknownOutcome || code == Code::kWrongTablet);
          if (code == Code::kUnknownOutcome) RC_ASSERT(reply->retry_after_ms >= 0);
        }
        return true;
      });
    }
    rig_.writes.clear();
  }

  void Check() {
    const auto& records = rig_.store().records();
    const auto counter = records.find("counter");
    const size_t markers = records.size() - (counter == records.end() ? 0 : 1);
    RC_ASSERT((counter == records.end() ? 0u : std::stoull(counter->second.value)) == markers);
    if (rig_.view->replaying || !rig_.view->barrier_applied) return;
    for (const auto& [marker, version] : acknowledged_) {
      RC_ASSERT(records.contains(marker));
      RC_ASSERT(records.at(marker).version == version);
    }
  }

  CoreRig rig_;
  uint64_t epoch_ = 0;
  std::map<uint64_t, Request> current_;  // by client
  std::map<std::string, Version> acknowledged_;
};

TEST(TabletCrash, NothingIsLostAndNothingDoneTwice) {
  size_t acknowledged = 0;
  EXPECT_TRUE(rc::check("random crashes and retries", [&] {
    CrashTest test;
    for (int i = 0; i < 200; ++i) test.Step();
    test.Heal();
    acknowledged += test.acknowledged();
  }));
  EXPECT_GT(acknowledged, 500u);  // else the runs proved nothing
}

}  // namespace
}  // namespace ebla::tabletserver
