// tests/chaos/gateways/bank_subject.h
// Banks: each one group of keys, with accounts between which clients transfer by MULTI and EXEC, by WATCH and EXEC, and
// by scripts. Statements of a whole bank are made by MULTI and by scripts. Judged by verdicts/transfers.h.
// Threads: as subject.h says.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/chaos/gateways/subject.h"
#include "tests/chaos/verdicts/transfers.h"

namespace ebla::chaos {

class BankSubject final : public Subject {
 public:
  static constexpr int kAccounts = 6;
  struct Options {
    int banks = 4;
    int clients = 6;
  };
  BankSubject(Setting setting, Options options);

  std::string name() const override { return "banks of database " + setting_.database; }
  void Enlist() override;
  Result<std::vector<std::string>> Judge() override;
  std::vector<std::string> Keys() const override;
  size_t told() const override;

 private:
  class Client;
  std::string Key(size_t bank, const std::string& name) const;
  std::string Account(size_t bank, int account) const { return Key(bank, "a" + std::to_string(account)); }

  const Setting setting_;
  const Options options_;
  std::vector<std::unique_ptr<Transfers>> banks_;
};

}  // namespace ebla::chaos
