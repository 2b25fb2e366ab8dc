// tests/sim/clients/raw_client.h
// A client without the SDK's promises. The client repeats writes long after their answers and at other levels, uses
// their sequence numbers for other writes, and names times and sequences that no client may name yet (PROTOCOL 18-20).
// Judged at once: a tablet refuses each write that it must refuse; a retry gets the first answer, or none. The history
//                 has this client's writes, like those of all clients.
// Threads:        one.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "idl/TabletService.h"
#include "tests/sim/clients/client_process.h"
#include "tests/sim/clients/raw_writer.h"
#include "tests/sim/clients/workload.h"

namespace ebla::sim {

class RawClient : private ClientProcess {
 public:
  RawClient(std::string name, Process process, Cluster& cluster, RunRecord& record, const WorkloadOptions& options);
  ~RawClient();

  void Work(TableId table);
  void Finish() { finishing_ = true; }
  bool idle() const { return !busy_; }

 private:
  using Answered = RawWriter::Answered;

  void Next();
  void Trick(size_t index);
  void Again(size_t index, Duration later, bool finished);
  void Another();
  void Impossible();
  idl::WriteRequest NewRequest(int group, const std::string& value, int cell);
  void Send(Duration patience, Answered answered) {
    writer_.Send(request_, patience, impossible_, std::move(answered));
  }
  void Problem(const std::string& what, const idl::WriteReply& reply);

  const WorkloadOptions options_;
  const uint64_t id_;
  RawWriter writer_;
  TableId table_;
  uint64_t sequence_ = 0;
  bool impossible_ = false;    // the request under way must be refused, so COME_AGAIN is final, too
  idl::WriteRequest request_;  // under way
  std::optional<std::pair<idl::WriteRequest, size_t>> finished_;  // to be repeated after later writes
  bool busy_ = false;
  bool finishing_ = false;
};

}  // namespace ebla::sim
