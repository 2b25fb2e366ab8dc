// tests/chaos/gateways/filler_subject.h
// Fills a table that evicts, so that records of other subjects are evicted: writes keys once each, among those of other
// subjects, and reads some of them again. A key is found whole, or not at all, and never again once it was missing.
// Threads: see subject.h.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "tests/chaos/gateways/memcached_client.h"
#include "tests/chaos/gateways/subject.h"

namespace ebla::chaos {

class FillerSubject final : public Subject {
 public:
  struct Options {
    bool memcached = false;  // at that listener; else at Redis's
    int clients = 2;
    uint64_t bytes_max = 40'000;
  };
  FillerSubject(Setting setting, Options options) : setting_(std::move(setting)), options_(options) {}

  std::string name() const override { return "values that fill " + setting_.database; }
  void Enlist() override;
  // Its clients have reported the faults already.
  Result<std::vector<std::string>> Judge() override { return std::vector<std::string>(); }
  std::vector<std::string> Keys() const override { return {}; }
  size_t told() const override { return static_cast<size_t>(written_.load()); }
  size_t forgotten() const override { return static_cast<size_t>(gone_.load()); }

 private:
  class Client;

  const Setting setting_;
  const Options options_;
  std::atomic<int64_t> written_{0};
  std::atomic<int64_t> gone_{0};
};

}  // namespace ebla::chaos
