// tests/chaos/damage/case_run.h
// Runs one case in a copy of its shape's directory, and judges from outside (verdict.h).
//
//   standalone  starts, reads, is scrubbed, starts again, reads
//   three       ts-1 is damaged and starts with the sound two: all is right, and whole within a minute
//   one away    ts-1 is damaged and starts with ts-3, which lacks what was written while it was away: all is right, or
//               refused by name; then ts-2, which is sound, starts: as above
//
// A running server is damaged after it has served. Then it is written to, scrubbed and read, is killed, and starts
// again as a stopped one does.
// Threads: one, which must outlive it.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "tests/chaos/damage/harm.h"
#include "tests/chaos/damage/prepared.h"
#include "tests/chaos/damage/verdict.h"

namespace ebla::chaos {

struct CaseRunOptions {
  Case one;
  uint64_t seed = 1;
  std::string dir;  // to be made, and to be removed by the caller
  std::string bin_dir;
};

class CaseRun {
 public:
  CaseRun(const Prepared& prepared, CaseRunOptions options);
  Outcome Run();

 private:
  // None: the case is not decided yet.
  using Decided = std::optional<Verdict>;

  Decided Standalone();
  Decided Cluster();
  // The steps of both. Each decides only the bad, and what ends a case early.
  Decided Damage();
  Decided DamageRunning();
  Decided Launch(const std::string& server);
  // Starts the victim and waits until it serves or ends. An end without a name is decided.
  Decided StartVictim();
  // Reads until all is right, or for so long. Decides what is false, and refusals without a name.
  Decided ReadAll(std::chrono::milliseconds limit);
  // Has the victim search its files, and waits until it has.
  void Scrub();
  // Until health and check find nothing; a failed store is restarted once.
  Decided AwaitMended();
  Decided Decide(Verdict verdict, std::string why);

  // Notes damage that the victim has found, and servers whose replicas are being made again.
  void LookForMends();
  bool StoreFailed() const;
  bool Names(const Reading& reading);

  const Prepared& prepared_;
  const CaseRunOptions options_;
  const bool standalone_;
  const std::string victim_;
  Site site_;
  DamageRecords records_;
  std::optional<Client> client_;
  Outcome outcome_;
  std::string older_;             // a copy that the case has made; else the prepared one
  Reading last_;                  // of ReadAll()
  bool disturbed_ = false;        // something was refused, found damaged or made again
  bool refused_ = false;          // the victim's start
  std::set<std::string> remade_;  // servers whose replicas were
};

}  // namespace ebla::chaos
