// tests/chaos/damage/case_run.h
// Runs one case in a copy of its shape's directory, and judges from outside (verdict.h).
//
//   standalone  starts, reads, is scrubbed, starts again, reads
//   three       ts-1 is damaged and starts with the sound two: all is right, and whole within a minute
//   one away    ts-1 is damaged and starts with ts-3, which lacks what was written while it was away: all is right, or
//               refused by name; then ts-2, which is sound, starts: as above
//   exchanged   ts-1 and ts-2 have each other's: all is right, or refused by name
//
// A running server is damaged after it has served. Then it is written to, scrubbed and read, is killed, and starts
// again as a stopped one does. Damage that can be undone is undone at the end: then all is whole, whatever was seen.
// Threads: one, which must outlive it.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/chaos/damage/harm.h"
#include "tests/chaos/damage/prepared.h"
#include "tests/chaos/damage/verdict.h"
#include "tests/chaos/damage/vouched.h"

namespace ebla::chaos {

struct CaseRunOptions {
  Case one;
  uint64_t seed = 1;
  std::string dir;  // to be made, and to be removed by the caller
  std::string bin_dir;
  Trees* trees = nullptr;  // of a standalone none
};

class CaseRun {
 public:
  CaseRun(const Prepared& prepared, CaseRunOptions options);
  ~CaseRun();
  Outcome Run();

 private:
  // None: the case is not decided yet.
  using Decided = std::optional<Verdict>;

  Status Begin();
  Decided Standalone();
  Decided Cluster();
  // The steps of both. Each decides only the bad, and what ends a case early.
  Decided HarmFiles();
  Decided DamageRunning();
  // Has the older copy be one of this life, so that the file is one that this life has written.
  Decided KeepOlder();
  Decided Launch(const std::string& server);
  // Starts nothing: waits until the server serves or ends. An end without a name is decided.
  Decided AwaitStart(const std::string& server);
  // Reads until all is right, or for so long. Decides what is false, and refusals without a name.
  Decided ReadAll(std::chrono::milliseconds limit);
  // Has the victim search its files, and waits until it has.
  Decided Scrub();
  // Until health and check find nothing; a failed store is restarted a few times.
  Decided AwaitMended();
  Decided StoreStaysFailed();
  // Undoes the damage: then all must be whole, and the verdict is the one that there was.
  Decided Undone(Decided before);
  // Reads everything, and has the cluster be whole, but for a server that has refused its start.
  Decided AllRight();
  Decided Decide(Verdict verdict, std::string why);

  // Notes damage that the victim has found, and servers whose replicas are being made again.
  void LookForMends();
  bool StoreFailed() const;
  bool Names(const Reading& reading);
  // Nothing more can be expected of a standalone that refuses these.
  bool IsFinal(const Reading& reading) const;
  Result<Harm> HarmOf(const KindFacts& facts) const;

  const Prepared& prepared_;
  const CaseRunOptions options_;
  const bool standalone_;
  const std::string victim_;
  const std::string root_;  // in ZooKeeper
  const KindFacts& facts_;
  Site site_;
  DamageRecords records_;
  std::optional<Client> client_;
  Outcome outcome_;
  std::vector<Harm> done_;
  std::string older_;             // a copy that the case has made; else the prepared one
  Reading last_;                  // of ReadAll()
  bool disturbed_ = false;        // something was refused, found damaged or made again
  bool refused_ = false;          // a victim's start
  bool undone_ = false;           // the damage is there no more
  std::set<std::string> remade_;  // servers whose replicas were
};

}  // namespace ebla::chaos
