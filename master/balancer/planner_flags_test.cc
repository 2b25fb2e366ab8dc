// Every flag of the planner arrives in the options; what cannot be is refused by name.
#include "master/balancer/planner_flags.h"

#include <gflags/gflags.h>
#include <gmock/gmock.h>

#include <sstream>

#include "master/balancer/planner/view_json.h"

namespace ebla::master {
namespace {

using ::testing::HasSubstr;

// All that the flags say, as text; or why they are refused.
std::string Taken() {
  MasterOptions options;
  if (const Status status = TakePlannerFlags(options); !status.ok()) return status.ToString();
  std::ostringstream text;
  SaveView(ClusterView(), PlannerMemory(), options.planner, text);
  text << options.balance << options.merges << " " << options.plan_every.count() << " " << options.scale_out_command
       << " " << options.scale_in_command << " " << ScaleCommandLimit().count();
  return text.str();
}

std::string Refusal(const char* flag, const char* value) {
  const gflags::FlagSaver saver;
  EXPECT_NE(gflags::SetCommandLineOption(flag, value), "") << flag;
  MasterOptions options;
  return TakePlannerFlags(options).ToString();
}

// A value that the flag may have, and has not.
std::string Another(const gflags::CommandLineFlagInfo& flag) {
  if (flag.type == "bool") return flag.current_value == "true" ? "false" : "true";
  if (flag.type == "string") return "true";
  if (flag.type == "int32") return std::to_string(std::stoi(flag.current_value) - 1);
  return std::to_string(std::stod(flag.current_value) / 2 + 0.25);
}

TEST(PlannerFlagsTest, EachOneSetsAnOption) {
  std::vector<gflags::CommandLineFlagInfo> flags;
  gflags::GetAllFlags(&flags);
  std::erase_if(flags, [](const auto& flag) { return !flag.filename.ends_with("/planner_flags.cc"); });
  EXPECT_GE(flags.size(), 20u);
  const std::string before = Taken();
  for (const auto& flag : flags) {
    const gflags::FlagSaver saver;
    ASSERT_NE(gflags::SetCommandLineOption(flag.name.c_str(), Another(flag).c_str()), "") << flag.name;
    EXPECT_NE(Taken(), before) << "--" << flag.name << " does nothing";
  }
  EXPECT_EQ(Taken(), before);
}

TEST(PlannerFlagsTest, FlagsThatDoNotGoTogetherAreRefusedByName) {
  EXPECT_THAT(Refusal("servers_max", "2"), HasSubstr("--servers_max=2 is less than --servers_min=3"));
  EXPECT_THAT(Refusal("autoscale", "true"), HasSubstr("--autoscale needs --scale_out_command"));
}

}  // namespace
}  // namespace ebla::master
