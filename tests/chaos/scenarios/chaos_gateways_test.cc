// The chaos scenario of gateways, briefly; ./dev chaos --only gateways runs it at length.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/chaos/scenarios/scenarios.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;

TEST(Chaos, WhateverDiesClientsOfGatewaysAreToldTheTruth) {
  const ScenarioReport report = HarmGateways({.length = 25s, .round = 25s, .each = false, .seed = 8});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

}  // namespace
}  // namespace ebla::chaos
