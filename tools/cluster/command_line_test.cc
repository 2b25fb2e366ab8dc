// The program itself, without a cluster: its messages to a new user.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "test_paths.h"

namespace ebla::cluster {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class CommandLineTest : public ::testing::Test {
 protected:
  CommandLineTest() {
    char name[] = "/tmp/ebla_cluster_line_test.XXXXXX";
    directory_ = mkdtemp(name);
  }
  ~CommandLineTest() override { std::filesystem::remove_all(directory_); }

  // Both outputs, followed by the exit code if it is not 0.
  std::string Run(const std::string& arguments) {
    const std::string command = "cd " + directory_ + " && " + kBinaryDir + "/bin/ebla-cluster " + arguments + " 2>&1";
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) return "popen failed";
    std::string text;
    char buffer[4096];
    for (size_t got = 0; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, got);
    const int status = pclose(pipe);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    while (text.ends_with('\n')) text.pop_back();
    return code == 0 ? text : text + " [" + std::to_string(code) + "]";
  }

  std::string directory_;
};

TEST_F(CommandLineTest, WhereNoClusterIsItSaysWhatToDoAndLeavesNothing) {
  for (const char* command : {"status", "kill ts-2", "restart ts-2", "logs", "add-server", "remove-server ts-1"}) {
    EXPECT_THAT(Run(command), AllOf(HasSubstr("no cluster was started in " + directory_ +
                                              "/.ebla: start one with ebla-cluster start, or name the "
                                              "directory of an earlier one with --dir DIR"),
                                    EndsWith("[1]")))
        << command;
  }
  EXPECT_THAT(Run("stop --dir nowhere"),
              AllOf(HasSubstr("no cluster was started in " + directory_ + "/nowhere"), ::testing::Not(EndsWith("]"))));
  EXPECT_THAT(Run("status --json"), AllOf(HasSubstr("\"processes\": []"), EndsWith("[1]")));
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/nowhere"));
}

TEST_F(CommandLineTest, EveryCommandHasHelpWithAnExample) {
  const std::string all = Run("--help");
  for (const std::string command :
       {"start", "status", "kill", "restart", "logs", "add-server", "remove-server", "stop"}) {
    EXPECT_THAT(all, HasSubstr("\n  " + command + " "));
    EXPECT_THAT(Run(command + " --help"), HasSubstr("\n  ebla-cluster " + command)) << command;
  }
}

TEST_F(CommandLineTest, NonsenseIsNamedWithTheChoices) {
  EXPECT_THAT(Run("stat"), AllOf(HasSubstr("there is no command \"stat\": start, status, kill, restart, logs, stop"),
                                 EndsWith("[2]")));
  EXPECT_THAT(Run("kill"), AllOf(HasSubstr("NAME"), EndsWith("[2]")));
}

}  // namespace
}  // namespace ebla::cluster
