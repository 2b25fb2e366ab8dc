// tests/chaos/gateways/locks_subject.h
// Locks as Redis's documentation makes them: SET with NX and PX, given back by a script that compares and deletes. Who
// has one draws a number (a fencing token), and raises what the lock guards by a read and a write, with a pause between
// in which the lease may run out: scripts refuse who comes with an older number than was seen. Judged by
// verdicts/leases.h, and verdicts/counting.h for the numbers and for what is guarded.
// Threads: as subject.h says.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/chaos/gateways/subject.h"
#include "tests/chaos/verdicts/counting.h"
#include "tests/chaos/verdicts/leases.h"

namespace ebla::chaos {

class LocksSubject final : public Subject {
 public:
  struct Options {
    int locks = 2;
    int clients = 5;
  };
  LocksSubject(Setting setting, Options options);

  std::string name() const override { return "locks of database " + setting_.database; }
  void Enlist() override;
  Result<std::vector<std::string>> Judge() override;
  std::vector<std::string> Keys() const override;
  size_t told() const override;

 private:
  class Client;
  struct Lock {
    Leases leases;
    Counting fence;
    Counting guarded;
  };
  std::string Key(size_t lock, const std::string& name) const;

  const Setting setting_;
  const Options options_;
  std::vector<Lock> locks_;
};

}  // namespace ebla::chaos
