#include "master/planner/leads.h"

#include <gtest/gtest.h>

namespace ebla::master {
namespace {

std::string Plan(std::map<ServerName, size_t> primaries, const std::vector<LedTablet>& candidates, size_t most = 100) {
  std::string plan;
  for (const LeadMove& move : PlanLeads(std::move(primaries), candidates, most)) {
    plan += std::to_string(move.tablet.value) + ">" + move.to + " ";
  }
  return plan;
}

std::vector<LedTablet> Led(const ServerName& by, uint64_t first, uint64_t last, std::vector<ServerName> voters) {
  std::vector<LedTablet> tablets;
  for (uint64_t id = first; id <= last; ++id) tablets.push_back({TabletId{id}, by, voters});
  return tablets;
}

TEST(LeadsTest, WhoLeadsTooMuchGivesToWhoLeadsLeast) {
  const auto led = Led("a", 1, 8, {"a", "b", "c"});
  EXPECT_EQ(Plan({{"a", 8}, {"b", 2}, {"c", 0}}, led), "1>c 2>c 3>b 4>c ") << "until nobody leads one more than the mean";
  EXPECT_EQ(Plan({{"a", 8}, {"b", 2}, {"c", 0}}, led, 1), "1>c ");
}

TEST(LeadsTest, SmallDifferencesAreLeftAlone) {
  const auto led = Led("a", 1, 4, {"a", "b", "c"});
  EXPECT_EQ(Plan({{"a", 4}, {"b", 3}, {"c", 3}}, led), "");
  EXPECT_EQ(Plan({{"a", 105}, {"b", 95}, {"c", 100}}, led), "");
  EXPECT_TRUE(OverMean({{"a", 4}, {"b", 3}, {"c", 3}}).empty());
  EXPECT_EQ(OverMean({{"a", 5}, {"b", 1}, {"c", 0}}), std::vector<ServerName>{"a"});
}

TEST(LeadsTest, OnlyVotersThatMayLeadAreChosen) {
  EXPECT_EQ(Plan({{"a", 6}, {"b", 0}}, Led("a", 1, 6, {"a", "x"})), "");
  EXPECT_EQ(Plan({{"a", 6}, {"b", 0}, {"c", 0}}, Led("a", 1, 6, {"a", "c"})), "1>c 2>c ") << "c is then at the mean";
}

}  // namespace
}  // namespace ebla::master
