#include "common/zookeeper/zookeeper_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace ebla::zookeeper {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

std::string NewDir() {
  std::string name = ::testing::TempDir() + "ebla-zookeeper.XXXXXX";
  return ::mkdtemp(name.data());
}

TEST(ZooKeeperCommand, ConfigurationNamesPortAndDirectoryAndTheCommandNamesTheConfiguration) {
  const std::string dir = NewDir();
  const auto command = PrepareServer({.data_dir = dir + "/zk", .port = 2345});
  ASSERT_TRUE(command.has_value()) << command.error();
  EXPECT_EQ(command->back(), dir + "/zk/zoo.cfg");
  EXPECT_THAT(*command, Contains("-Xmx128m"));
  std::ifstream in(dir + "/zk/zoo.cfg");
  const std::string config(std::istreambuf_iterator<char>(in), {});
  EXPECT_THAT(config, HasSubstr("clientPort=2345\n"));
  EXPECT_THAT(config, HasSubstr("dataDir=" + dir + "/zk\n"));
  EXPECT_THAT(config, HasSubstr("clientPortAddress=127.0.0.1\n"));
  std::filesystem::remove_all(dir);
}

TEST(ZooKeeperCommand, RefusesPortZeroAndNamesWhatCannotBeMade) {
  EXPECT_EQ(PrepareServer({.data_dir = "/tmp/unused", .port = 0}).error().code(), Code::kInvalidArgument);
  const auto refused = PrepareServer({.data_dir = "/proc/nowhere/zk", .port = 2345});
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message(), HasSubstr("/proc/nowhere/zk"));
}

TEST(ZooKeeperCommand, NobodyAnswersOnAFreePort) {
  const auto port = PickPort();
  ASSERT_TRUE(port.has_value()) << port.error();
  EXPECT_GT(*port, 0);
  EXPECT_FALSE(Answers(*port));
}

}  // namespace
}  // namespace ebla::zookeeper
