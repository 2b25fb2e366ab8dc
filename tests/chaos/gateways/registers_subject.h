// tests/chaos/gateways/registers_subject.h
// Groups of four keys with one tag, which clients read and write alone and together: GET, SET with its options, INCRBY,
// DEL, GETDEL, MULTI with a command for each of some cells, WATCH and EXEC, and scripts. Judged by
// verdicts/registers.h. Threads: as subject.h says.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/chaos/gateways/subject.h"
#include "tests/chaos/verdicts/registers.h"

namespace ebla::chaos {

class RegistersSubject final : public Subject {
 public:
  struct Options {
    int groups = 40;
    int clients = 6;
    bool forgets = false;  // the table evicts
  };
  RegistersSubject(Setting setting, Options options);

  std::string name() const override { return "registers of database " + setting_.database; }
  void Enlist() override;
  Result<std::vector<std::string>> Judge() override;
  std::vector<std::string> Keys() const override;
  size_t told() const override { return registers_.size(); }
  size_t forgotten() const override { return forgotten_; }

 private:
  class Client;
  std::string Key(int group, int cell) const;

  const Setting setting_;
  const Options options_;
  Registers registers_;
  size_t forgotten_ = 0;
};

}  // namespace ebla::chaos
