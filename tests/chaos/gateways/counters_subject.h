// tests/chaos/gateways/counters_subject.h
// Counters that clients raise in every way that Redis knows: INCRBY, alone, in pipelines and within MULTI, WATCH with
// EXEC, and scripts, all on the same keys. Judged by verdicts/counting.h.
// Threads: as subject.h says.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/chaos/gateways/subject.h"
#include "tests/chaos/verdicts/counting.h"

namespace ebla::chaos {

class CountersSubject final : public Subject {
 public:
  struct Options {
    int counters = 6;
    int clients = 5;
  };
  CountersSubject(Setting setting, Options options);

  std::string name() const override { return "counters of database " + setting_.database; }
  void Enlist() override;
  Result<std::vector<std::string>> Judge() override;
  std::vector<std::string> Keys() const override;
  size_t told() const override;

 private:
  class Client;
  std::string Key(size_t counter) const;

  const Setting setting_;
  const Options options_;
  std::vector<Counting> counters_;
};

}  // namespace ebla::chaos
