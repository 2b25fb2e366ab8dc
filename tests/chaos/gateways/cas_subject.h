// tests/chaos/gateways/cas_subject.h
// Numbers at the Memcached listeners that clients raise by gets and cas, and by incr, on the same keys. Each cas that
// was stored made a step of its own, and cas numbers only grow. Judged by verdicts/counting.h.
// Threads: as subject.h says.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/chaos/gateways/memcached_client.h"
#include "tests/chaos/gateways/subject.h"
#include "tests/chaos/verdicts/counting.h"

namespace ebla::chaos {

class CasSubject final : public Subject {
 public:
  struct Options {
    int items = 4;
    int clients = 5;
  };
  CasSubject(Setting setting, Options options);

  std::string name() const override { return "items of memcached"; }
  void Enlist() override;
  Result<std::vector<std::string>> Judge() override;
  std::vector<std::string> Keys() const override;
  size_t told() const override;

 private:
  class Client;
  struct Item {
    Counting value;
    Counting cas;  // numbers that were read
  };
  std::string Key(size_t item) const;

  const Setting setting_;
  const Options options_;
  std::vector<Item> items_;
};

}  // namespace ebla::chaos
