// common/coordination/conformance.h
// The conformance suite's requirements of each implementation: clients, time that passes, and faults if it has them.
// Place:   test code only; conformance.cc makes the three, *_test.cc run over all of them.
// Threads: the test's.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/coordination/coordinator.h"

namespace ebla::coordination {

class Harness {
 public:
  virtual ~Harness() = default;
  virtual std::unique_ptr<Coordinator> NewClient() = 0;
  virtual Executor& executor() = 0;
  virtual bool RunUntil(const std::function<bool()>& done, Duration limit = std::chrono::seconds(20)) = 0;

  virtual bool has_faults() const { return true; }
  // The client's connection breaks, and is kept broken until Mend.
  virtual void Cut(Coordinator& client) {}
  virtual void Mend(Coordinator& client) {}
};

// "ZooKeeper", "Embedded", "Simulated".
std::unique_ptr<Harness> MakeHarness(const std::string& name);

// A test over one implementation, with calls that wait for their result.
class Conformance : public ::testing::TestWithParam<std::string> {
 protected:
  Conformance() : harness_(MakeHarness(GetParam())), a_(harness_->NewClient()), b_(harness_->NewClient()) {}

  template <class T>
  T Wait(const std::function<void(std::function<void(T)>)>& start) {
    auto result = std::make_shared<std::optional<T>>();
    start([result](T value) { *result = std::move(value); });
    const bool came = harness_->RunUntil([&] { return result->has_value(); });
    EXPECT_TRUE(came) << "no answer";
    return came ? **result : T();
  }
  Result<Node> Get(Coordinator& client, const std::string& path, Coordinator::Watch watch = nullptr);
  Result<bool> Exists(Coordinator& client, const std::string& path, Coordinator::Watch watch = nullptr);
  Result<std::vector<std::string>> Children(Coordinator& client, const std::string& path,
                                            Coordinator::Watch watch = nullptr);
  std::expected<MultiResult, MultiError> Multi(Coordinator& client, std::vector<Op> ops);
  // A Multi of one op that must succeed.
  void Do(Coordinator& client, Op op);
  bool RunUntil(const std::function<bool()>& done) { return harness_->RunUntil(done); }
  void AwaitConnected(Coordinator& client);
  // Cuts the client off until `observer` sees its session end, and waits until it has a new one.
  void ExpireSession(Coordinator& client, Coordinator& observer);

  std::unique_ptr<Harness> harness_;
  std::unique_ptr<Coordinator> a_;
  std::unique_ptr<Coordinator> b_;
};

}  // namespace ebla::coordination

#define EBLA_OVER_ALL_COORDINATORS(suite)                                                                          \
  INSTANTIATE_TEST_SUITE_P(                                                                                        \
      Over, suite, ::testing::Values(std::string("ZooKeeper"), std::string("Embedded"), std::string("Simulated")), \
      [](const auto& info) { return info.param; })
