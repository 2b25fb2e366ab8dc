// tests/sim/clients/split_retry_client.h
// A client that asks again, after a tablet was split, what it had asked before: all that both halves inherit of exactly
// once (PROTOCOL 18, 20). And one with a session that goes on by the route it had (PROTOCOL 17). What it asks is:
//   - a plain write of the right half, which the tablet forgets when a crowd of other clients comes;
//   - a write of the right half whose condition fails, and would hold by the time it is asked again;
//   - a batch over both halves.
// Place:          a scenario (split_scenarios.h) says when.
// Judged at once: a retry gets its first answer, or UNKNOWN_OUTCOME; a session that writes at MAJORITY alone loses
// nothing. Its writes are in the history like everybody's.
// Threads:        one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/core/operations/client_core.h"
#include "ebla/session.h"
#include "idl/TabletService.h"
#include "tests/sim/clients/client_process.h"
#include "tests/sim/clients/raw_writer.h"
#include "tests/sim/clients/workload.h"

namespace ebla::sim {

class SplitRetryClient : private ClientProcess {
 public:
  using Then = std::function<void()>;

  SplitRetryClient(std::string name, Process process, Cluster& cluster, RunRecord& record);
  ~SplitRetryClient();

  // In this group and the next one, which lie in one tablet. `then` gets what asks all of it again.
  void Ask(TableId table, int group, std::function<void(Then again)> then);
  // A new session writes in the group, by the route that is known since Ask, until it is answered with a position
  // beyond that; then it reads in the next group.
  void Wander(int group, Lsn beyond);

 private:
  struct Part {
    int group = 0;
    WritePart write;
  };
  struct Step {
    std::vector<Part> parts;  // of one request; none: the crowd comes
    bool again = false;
  };
  // A write with what it was told; no code: nothing for good.
  struct Asked {
    idl::WriteRequest request;
    idl::WriteReply reply;
    bool answered = false;
  };
  struct Errand;
  struct Walk {
    int group = 0;
    Lsn beyond;
    uint64_t number = 0;  // of the session
    Session session;      // copies are the same one
  };

  void Go(const std::shared_ptr<Errand>& errand);
  std::shared_ptr<Asked> Write(TableId table, const std::vector<Part>& parts, Then then);
  void Answer(const std::vector<size_t>& indexes, const idl::WriteReply* reply);
  void Crowd(TableId table, int group, Then then);
  void Again(const std::shared_ptr<Asked>& asked);
  idl::WriteRequest NewRequest(TableId table);
  Part Text(int group, int cell);
  size_t Begin(const Part& part);
  void LearnRoute(int group);
  void WriteOn(const Walk& walk, int left);
  void Look(const Walk& walk);

  RawWriter writer_;
  std::shared_ptr<Network::Node> node_;  // the session's
  std::unique_ptr<client::ClientCore> core_;
  client::TablePtr table_;
  bool dead_ = false;
};

}  // namespace ebla::sim
