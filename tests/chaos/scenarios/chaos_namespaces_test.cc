// The chaos scenarios that need a separate disk or network, briefly. If this process neither is root nor may become it
// in a namespace, none of them runs, and the whole test counts as skipped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "tests/chaos/namespaces/user_namespace.h"
#include "tests/chaos/scenarios/scenarios.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;

constexpr int kSkipped = 77;  // as CMakeLists.txt tells ctest

TEST(Chaos, AFullDiskStopsNobodyElse) {
  const ScenarioReport report = FullDisk({.rounds = 1, .length = 2s, .seed = 7});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(Chaos, ACutNetworkLosesNothingAndTheMajorityGoesOn) {
  const ScenarioReport report = Partition({.rounds = 3, .length = 3s, .seed = 8});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(Chaos, AnIsolatedPrimaryServesItsClientsWhatItMay) {
  const ScenarioReport report = IsolatedPrimary({.length = 4s, .seed = 9});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

// The first harms, which are in turn, include a cut of a server, of a gateway and of a random set.
TEST(LongChaos, ClientsOfGatewaysAreToldTheTruthWhateverIsCutOffAndForgotten) {
  const ScenarioReport report = HarmGateways(
      {.length = 25s, .round = 25s, .tables = GatewayTables::kEvicting, .network = true, .each = false, .seed = 10});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

int Main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  if (const Status status = BecomeRoot(); !status.ok()) {
    std::cout << "SKIPPED, all of it: " << status << std::endl;
    return kSkipped;
  }
  return RUN_ALL_TESTS();
}

}  // namespace
}  // namespace ebla::chaos

int main(int argc, char** argv) { return ebla::chaos::Main(argc, argv); }
