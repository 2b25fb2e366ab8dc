// tests/chaos/gateways/items_subject.h
// Items at the Memcached listeners, in a table that evicts. Clients read them by gets, and write unique values by add
// and by cas. An item may vanish, and be added again. But the value over which a cas was stored is the one that was
// read, and cas numbers only grow, even over an item's ends. Judged by verdicts/registers.h and verdicts/counting.h.
// Threads: see subject.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/chaos/gateways/memcached_client.h"
#include "tests/chaos/gateways/subject.h"
#include "tests/chaos/verdicts/counting.h"
#include "tests/chaos/verdicts/registers.h"

namespace ebla::chaos {

class ItemsSubject final : public Subject {
 public:
  struct Options {
    int items = 250;
    int clients = 5;
  };
  ItemsSubject(Setting setting, Options options);

  std::string name() const override { return "items of memcached that may be evicted"; }
  void Enlist() override;
  Result<std::vector<std::string>> Judge() override;
  std::vector<std::string> Keys() const override;
  size_t told() const override { return registers_.size(); }
  size_t forgotten() const override { return forgotten_; }

 private:
  class Client;
  std::string Key(size_t item) const;

  const Setting setting_;
  const Options options_;
  Registers registers_;          // a group for each item, of which one cell is used
  std::vector<Counting> cases_;  // by item: cas numbers that were read
  size_t forgotten_ = 0;
};

}  // namespace ebla::chaos
