// tests/chaos/gateways/locks_subject.h
// Locks as in Redis's documentation: SET with NX and PX, released by a script that compares and deletes. A holder draws
// a number (a fencing token), and raises the guarded number by a read and a write, with a pause between in which the
// lease may expire. Scripts refuse a caller with an older token than one seen before. Judged by verdicts/leases.h, and
// verdicts/counting.h for the tokens and the guarded number.
// Threads: see subject.h.
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
