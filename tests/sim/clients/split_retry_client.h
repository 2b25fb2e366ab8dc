// tests/sim/clients/split_retry_client.h
// A client that repeats its requests after a split, because both halves inherit the tablet's dedup window (PROTOCOL 18,
// 20). Its session continues by the route from before the split (PROTOCOL 17). The client repeats:
//   - a plain write of the right half, which the dedup window forgets when a crowd of other clients sends requests;
//   - a write of the right half whose condition fails at first, and would hold at the time of the retry;
//   - a batch over both halves.
// Place:          a scenario (split_scenarios.h) decides when.
// Judged at once: a retry gets its first answer, or UNKNOWN_OUTCOME; a session that writes at MAJORITY alone loses
//                 nothing. The history has this client's writes, like those of all clients.
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

  // Sends the requests to this group and the next one, which lie in one tablet. `then` gets a function that repeats
  // them.
  void Ask(TableId table, int group, std::function<void(Then again)> then);
  // A new session writes in the group, by the route that is known since Ask, until an answer has a position beyond
  // `beyond`. Then the session reads in the next group.
  void Wander(int group, Lsn beyond);

 private:
  struct Part {
    int group = 0;
    WritePart write;
  };
  struct Step {
    std::vector<Part> parts;  // of one request; empty: a step of the crowd
    bool again = false;
  };
  // A write with its answer. Without `answered` there was no final answer.
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
    Session session;      // copies share one state
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
