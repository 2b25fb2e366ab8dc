// tests/sim/clients/splitter.h
// Has tablets split during the whole run: tablets of the clients' table between two groups of keys, often just below
// the key written last, and tablets of one other table at any key.
// Place:   run.cc starts the splitter with the faults.
// Threads: one.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/clients/workload.h"
#include "tests/sim/cluster/event_log.h"

namespace ebla::sim {

class Splitter {
 public:
  // No tablet of the clients' table is split at a key that is `spared`.
  using Spared = std::function<bool(const std::string& key)>;
  Splitter(SimClient& client, EventLog& log, const RunRecord& record, int groups, Spared spared)
      : client_(client), log_(log), record_(record), groups_(groups), spared_(std::move(spared)) {}

  void Start(std::string table) {
    table_ = std::move(table);
    Next();
  }
  // Has tablets of this table split, too; the table need not exist.
  void Offer(std::string other) { other_ = std::move(other); }
  void Finish() { finishing_ = true; }
  bool idle() const { return !busy_; }
  int made() const { return made_; }

 private:
  void Next();
  void Split(const std::string& table, const std::string& key);
  std::string BelowLastWrite() const;

  SimClient& client_;
  EventLog& log_;
  const RunRecord& record_;
  const int groups_;
  const Spared spared_;
  std::string table_;
  std::string other_;
  int made_ = 0;
  bool finishing_ = false;
  bool busy_ = false;
};

}  // namespace ebla::sim
