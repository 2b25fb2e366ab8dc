// At every single step of every procedure a process dies. The leading master dies, once before the step is carried out
// and once after it was but before the master knew. Or the master lives on, and the step or its outcome is lost. Or one
// of the servers dies just then, and restarts soon, or after its tablets were failed over. The next master must
// finish or undo the procedure, and nothing may be lost, half made, led twice, or named by no znode
// (step_procedures.h).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "master/testing/step_procedures.h"

namespace ebla::master::testing {
namespace {

using Strike = std::function<void(MasterRig&, size_t number)>;

class StepsTest {
 protected:
  struct Outcome {
    bool struck = false;  // else the procedure has fewer steps
    std::string wrong;    // empty: nothing
  };
  static Outcome RunWith(const StepProcedure& procedure, size_t number, const Strike& strike, bool kills) {
    MasterRig::Shape shape = procedure.shape;
    shape.seed = number;
    MasterRig cluster(shape);
    if (!cluster.WaitForLeader() || !cluster.WaitForServers()) return {false, "it does not come up"};
    procedure.prepare(cluster);
    strike(cluster, number);
    procedure.act(cluster);
    cluster.RunUntil([&] { return cluster.faults().struck(); }, 3s);
    const bool struck = cluster.faults().struck();
    cluster.faults().Spare();
    const auto wrong = [&] {
      const std::string why = procedure.check(cluster, struck && kills);
      return why.empty() ? Judge(cluster) : why;
    };
    if (!cluster.RunUntil([&] { return cluster.Leader() && wrong().empty(); }, procedure.patience))
      return {struck, wrong()};
    cluster.scheduler().RunFor(20s);
    if (const std::string why = wrong(); !why.empty()) return {struck, "it does not stay so: " + why};
    const auto after = cluster.Create("after");
    return {struck, after.header.code == idl::Code::OK ? "" : "no table can be made any more: " + after.header.message};
  }
  static void EachStep(const StepProcedure& procedure, const Strike& strike, bool kills) {
    size_t number = 1;
    while (true) {
      const Outcome outcome = RunWith(procedure, number, strike, kills);
      ASSERT_EQ(outcome.wrong, "") << "step " << number;
      if (!outcome.struck) break;
      ASSERT_LT(++number, 200u) << "the procedure does not end";
    }
    ::testing::Test::RecordProperty(procedure.name + "Steps", static_cast<int>(number - 1));
    EXPECT_GT(number, procedure.steps_least) << "fewer steps than the procedure has: nothing was proved";
  }
};

template <class T>
std::string NameOf(const T& param, const char* how) {
  return StepProcedures()[std::get<0>(param)].name + how;
}

// ---- masters --------------------------------------------------------------------------------------------------------

class MasterStepsTest : public StepsTest, public ::testing::TestWithParam<std::tuple<size_t, Fault>> {};

TEST_P(MasterStepsTest, IsFinishedOrUndone) {
  const Fault fault = std::get<1>(GetParam());
  const bool dies = fault == Fault::kDieBefore || fault == Fault::kDieAfter;
  EachStep(
      StepProcedures()[std::get<0>(GetParam())],
      [fault](MasterRig& cluster, size_t number) { cluster.faults().StrikeAt(fault, number); }, dies);
}

TEST(StepsJudge, SeesWhatNothingNamesAndWhatWasLedTwice) {
  MasterRig cluster({});
  ASSERT_TRUE(cluster.WaitForLeader());
  EXPECT_EQ(Judge(cluster), "");
  cluster.server(0).mutable_replicas()[99];
  EXPECT_EQ(Judge(cluster), "ts-1 holds tablet 99, which nothing names");
  cluster.server(0).mutable_replicas().clear();
  cluster.ledger().Led(1, 1, "ts-1", {}, true);
  cluster.ledger().Led(1, 1, "ts-2", {}, true);
  EXPECT_NE(Judge(cluster), "");
}

std::string FaultName(const ::testing::TestParamInfo<std::tuple<size_t, Fault>>& info) {
  static constexpr const char* kNames[] = {"None", "DieBefore", "DieAfter", "LoseRequest", "LoseOutcome", "ServerDies"};
  return NameOf(info.param, kNames[static_cast<int>(std::get<1>(info.param))]);
}

INSTANTIATE_TEST_SUITE_P(Each, MasterStepsTest,
                         ::testing::Combine(::testing::Range(size_t{0}, StepProcedures().size()),
                                            ::testing::Values(Fault::kDieBefore, Fault::kDieAfter, Fault::kLoseRequest,
                                                              Fault::kLoseOutcome)),
                         FaultName);

// ---- servers --------------------------------------------------------------------------------------------------------

enum class Back { kSoon, kLate };

class ServerStepsTest : public StepsTest, public ::testing::TestWithParam<std::tuple<size_t, Back>> {};

TEST_P(ServerStepsTest, IsFinishedOrUndone) {
  const StepProcedure& procedure = StepProcedures()[std::get<0>(GetParam())];
  const Duration away = std::get<1>(GetParam()) == Back::kSoon ? Duration(300ms) : Duration(9s);  // a session lasts six
  for (size_t victim = 0; victim < procedure.shape.servers; ++victim) {
    SCOPED_TRACE("ts-" + std::to_string(victim + 1));
    EachStep(
        procedure, [&](MasterRig& cluster, size_t number) { cluster.faults().KillServerAt(victim, number, away); },
        true);
  }
}

std::string BackName(const ::testing::TestParamInfo<std::tuple<size_t, Back>>& info) {
  return NameOf(info.param, std::get<1>(info.param) == Back::kSoon ? "BackSoon" : "BackLate");
}

INSTANTIATE_TEST_SUITE_P(Each, ServerStepsTest,
                         ::testing::Combine(::testing::Range(size_t{0}, StepProcedures().size()),
                                            ::testing::Values(Back::kSoon, Back::kLate)),
                         BackName);

}  // namespace
}  // namespace ebla::master::testing
