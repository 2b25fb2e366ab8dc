// tests/sim/clients/workload.h
// The clients of a run: the production client core over the simulated network, doing every kind of operation at every
// level with unique values, and writing down what they asked and were told (history.h).
// Judged at once: an answer that no client may ever get (an internal code, NOT_PRIMARY, a wrong shape).
// Not executed:   the SDK promises this of writes answered UNAVAILABLE, DEADLINE_EXCEEDED or OVERLOADED. The history
//                 leaves them out, so the checker notices one that was executed.
// Threads:        one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/core/admin/admin.h"
#include "client/core/operations/client_core.h"
#include "tests/sim/checker/history.h"
#include "tests/sim/clients/client_process.h"
#include "tests/sim/cluster/cluster.h"

namespace ebla::sim {

inline constexpr char kTable[] = "carts";
inline constexpr char kLwwTable[] = "views";  // last_write_wins

struct WorkloadOptions {
  int clients = 5;
  int in_flight = 3;   // of each client
  int sessions = 2;    // of each client
  int groups = 8;      // of kTable
  int lww_groups = 0;  // of kLwwTable, numbered after those of kTable
  int readers = 1;     // clients that write nothing
  bool large = false;  // some values are so large that the log is sent in several messages
  Duration think_max = std::chrono::milliseconds(100);

  int all_groups() const { return groups + lww_groups; }
  bool IsLww(int group) const { return group >= groups; }
};

std::string GroupPrefix(int group);        // "g03/"
std::string KeyName(int group, int cell);  // "g03/a", "g03/b", "g03/n", "g03/t"
int GroupOf(const std::string& key);       // -1: of none
int CellOf(const std::string& key);
std::string Padded(std::string value);    // so large that it fills a message of the log
std::string Unpadded(std::string value);  // without what makes it large

// One life of one client process.
class SimClient : private ClientProcess {
 public:
  SimClient(std::string name, Process process, Cluster& cluster, RunRecord& record, const WorkloadOptions& options);
  ~SimClient();  // a crash: what was under way stays of unknown outcome

  // Opens the tables and works until told to stop.
  void Work(bool reads_only);
  void Finish() { finishing_ = true; }
  bool idle() const { return busy_ == 0; }

  // Reads every key of every group once, with patience; `done` with the first error, or OK.
  void ReadAll(std::function<void(Status)> done);

  client::ClientCore& core() { return *core_; }
  client::Admin& admin() { return *admin_; }
  testing::SimExecutor& executor() { return executor_; }

 private:
  void OpenThen(std::function<void(Status)> then);
  void Open(const char* name, client::TablePtr& table, std::function<void(Status)> then);
  const client::TablePtr& TableOf(int group) const { return options_.IsLww(group) ? lww_table_ : table_; }
  void Next();
  void Again();
  void ReadOne(int group, int cell, GetOptions options, uint64_t session, std::function<void(Status)> then);
  void ReadMany();
  void ScanSome();
  void ScanOn(ScanOptions options, uint64_t session);
  void HandOn();
  void TakeOver();
  void WriteSome();
  WritePart DrawPart(int group, int cell);
  void DrawCondition(int group, WritePart& part);
  void OnWritten(size_t index, Result<BatchResult> result);
  size_t BeginRead(int group, int cell, const Read& read, uint64_t session);
  template <class Options>
  uint64_t DrawRead(Options& options);  // sets the level; the session's number, 0: none
  uint64_t DrawSession(Session*& session);
  // Writes down what a read found, or that it was not answered.
  Status Found(size_t index, const Result<Record>& result);
  void Found(size_t index, std::optional<Cell> cell);
  bool IsBug(const Status& status, const Operation& operation) const;
  int DrawGroup();
  std::chrono::milliseconds DrawDeadline();

  Cluster& cluster_;
  const WorkloadOptions options_;
  std::shared_ptr<Network::Node> node_;
  std::unique_ptr<client::ClientCore> core_;
  std::unique_ptr<client::Admin> admin_;
  client::TablePtr table_;
  client::TablePtr lww_table_;
  struct SimSession {
    uint64_t number;
    Session session;
  };
  std::vector<std::shared_ptr<SimSession>> sessions_;
  std::vector<std::shared_ptr<SimSession>> retired_;  // scans under way may still go on in them
  // the last version met of each key, where it may be named in a condition
  std::map<std::pair<int, int>, Version> seen_;
  int busy_ = 0;
  bool reads_only_ = false;
  bool finishing_ = false;
  bool dead_ = false;
};

}  // namespace ebla::sim
