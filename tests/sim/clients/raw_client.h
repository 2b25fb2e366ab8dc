// tests/sim/clients/raw_client.h
// A client that keeps none of the SDK's promises: it repeats writes long after they were answered and at other levels,
// uses their sequence numbers for others, and names times and sequences that nobody may name yet (PROTOCOL 18-20).
// Judged at once: what a tablet must refuse it refuses; a retry gets the first answer, or none. Its writes are in the
// history like everybody's.
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
  bool impossible_ = false;    // what is under way must be refused: COME_AGAIN is final, too
  idl::WriteRequest request_;  // under way
  std::optional<std::pair<idl::WriteRequest, size_t>> finished_;  // to be repeated once others came after it
  bool busy_ = false;
  bool finishing_ = false;
};

}  // namespace ebla::sim
