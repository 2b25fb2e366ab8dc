#include "common/process/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

namespace ebla::process {
namespace {

namespace fs = std::filesystem;

bool WaitFor(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    usleep(1000);
  }
  return true;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class ProcessTest : public ::testing::Test {
 protected:
  ProcessTest() {
    char name[] = "/tmp/ebla_process_test_XXXXXX";
    dir_ = mkdtemp(name);
  }
  ~ProcessTest() override {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    fs::remove_all(dir_);
  }

  void Start(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), PROCESS_TEST_PROGRAM);
    child_ = fork();
    if (child_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // should the test itself be killed
    if (files_.rlim_max > 0) setrlimit(RLIMIT_NOFILE, &files_);
    umask(022);
    const int out = open((dir_ / "output").c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    dup2(out, 1);
    dup2(out, 2);
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    execv(pointers[0], pointers.data());
    _exit(127);
  }
  // How it ended: its exit status, or 128 + signal.
  int Wait() {
    int status = 0;
    waitpid(std::exchange(child_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  int Run(std::vector<std::string> arguments) {
    Start(std::move(arguments));
    return Wait();
  }
  std::string Output() { return ReadFile(dir_ / "output"); }
  bool Logged(std::string_view text) {
    for (const auto& entry : fs::directory_iterator(dir_ / "logs")) {
      if (ReadFile(entry.path()).contains(text)) return true;
    }
    return false;
  }
  std::string DataDirFlag() { return "--data_dir=" + dir_.string(); }

  fs::path dir_;
  pid_t child_ = 0;
  rlimit files_{};  // of the child, if any is set
};

TEST_F(ProcessTest, HelpShowsOwnFlagsOnly) {
  EXPECT_EQ(Run({"--help"}), 0);
  const std::string text = Output();
  EXPECT_NE(text.find("A program for tests."), std::string::npos) << text;
  EXPECT_NE(text.find("--data_dir"), std::string::npos) << text;
  EXPECT_NE(text.find("--log_to_stderr"), std::string::npos) << text;
  EXPECT_NE(text.find("--share=0.1\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("--vmodule"), std::string::npos) << text;
  EXPECT_EQ(text.find("--tab_completion"), std::string::npos) << text;
}

TEST_F(ProcessTest, VersionIsTheBuilds) {
  EXPECT_EQ(Run({"--version"}), 0);
  EXPECT_EQ(Output(), "test " + std::string(BuildVersion()) + "\n");
}

TEST_F(ProcessTest, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(Run({"--no_such_flag=1"}), 2);
  EXPECT_EQ(Output(), "there is no flag --no_such_flag\n(--help lists the flags)\n");
  EXPECT_EQ(Run({"surplus"}), 2);
  EXPECT_NE(Output().find("\"surplus\""), std::string::npos) << Output();
  EXPECT_EQ(Run({"--linger=perhaps"}), 2);
  EXPECT_TRUE(Output().ends_with("--linger cannot be \"perhaps\": it takes true or false\n(--help lists the flags)\n"))
      << Output();
  EXPECT_EQ(Run({"--log-days-max=lots"}), 2);
  EXPECT_TRUE(Output().contains("--log_days_max cannot be \"lots\": it takes a whole number (int32)\n")) << Output();
}

TEST_F(ProcessTest, RefusesABadFlagfile) {
  EXPECT_EQ(Run({"--flagfile=" + (dir_ / "missing").string()}), 2);
  EXPECT_NE(Output().find("missing"), std::string::npos) << Output();
  std::ofstream(dir_ / "bad") << "# fine\n--no_such_flag_in_file=1\n";
  EXPECT_EQ(Run({"--flagfile", (dir_ / "bad").string()}), 2);
  EXPECT_NE(Output().find("bad, line 2: there is no flag --no_such_flag_in_file"), std::string::npos) << Output();
  std::ofstream(dir_ / "value") << "--linger=perhaps\n";
  EXPECT_EQ(Run({"--flagfile=" + (dir_ / "value").string()}), 2);
  EXPECT_NE(Output().find("value, line 1: --linger cannot be \"perhaps\""), std::string::npos) << Output();
}

TEST_F(ProcessTest, ReadsAFlagfileLogsAndWritesItsAddress) {
  std::ofstream(dir_ / "good") << "# where things are\n" << DataDirFlag() << "\n";
  Start({"--flagfile=" + (dir_ / "good").string()});
  const pid_t child = child_;
  ASSERT_TRUE(WaitFor([&] { return fs::exists(dir_ / "ADDRESS"); }));
  EXPECT_EQ(ReadFile(dir_ / "ADDRESS"), "thrift 127.0.0.1:1\nhttp 127.0.0.1:2\npid " + std::to_string(child) + "\n");
  kill(child_, SIGTERM);
  EXPECT_EQ(Wait(), 0);
  EXPECT_TRUE(Logged("a line for the log"));
}

TEST_F(ProcessTest, MakesItsDataDirectoryWhereLogsGoToStderr) {
  const fs::path missing = dir_ / "not" / "there";
  Start({"--log_to_stderr", "--data_dir=" + missing.string()});
  ASSERT_TRUE(WaitFor([&] { return fs::exists(missing / "ADDRESS"); })) << Output();
  kill(child_, SIGTERM);
  EXPECT_EQ(Wait(), 0);
  EXPECT_FALSE(fs::exists(missing / "logs"));
}

TEST_F(ProcessTest, LogsWhereTheFlagSays) {
  const fs::path logs = dir_ / "elsewhere";
  Start({DataDirFlag(), "--logs_dir=" + logs.string()});
  ASSERT_TRUE(WaitFor([&] { return fs::exists(dir_ / "ADDRESS"); })) << Output();
  kill(child_, SIGTERM);
  EXPECT_EQ(Wait(), 0);
  EXPECT_FALSE(fs::exists(dir_ / "logs"));
  EXPECT_FALSE(fs::is_empty(logs));
}

TEST_F(ProcessTest, SaysWhichDirectoryCannotBeMade) {
  std::ofstream(dir_ / "file") << "in the way";
  const std::string impossible = (dir_ / "file" / "data").string();
  EXPECT_EQ(Run({"--data_dir=" + impossible}), 1);
  EXPECT_EQ(Output(), "ebla-test: cannot make the data directory " + impossible +
                          ": Not a directory; name another with --data_dir\n");
}

// Its log goes on being the one that the running process writes.
TEST_F(ProcessTest, ASecondProcessOnItsDirectoryIsRefusedAndTouchesNoLog) {
  Start({DataDirFlag()});
  ASSERT_TRUE(WaitFor([&] { return fs::exists(dir_ / "ADDRESS"); }));
  const auto logs = [&] {
    std::set<std::string> files;
    for (const auto& entry : fs::directory_iterator(dir_ / "logs")) {
      files.insert(entry.path().string() + (entry.is_symlink() ? " to " + fs::read_symlink(entry).string() : ""));
    }
    return files;
  };
  const std::set<std::string> before = logs();
  const pid_t first = child_;
  EXPECT_EQ(Run({DataDirFlag()}), 1);
  child_ = first;
  EXPECT_EQ(Output(), "ebla-test: " + dir_.string() +
                          " is in use by another process; stop that one or name another --data_dir\n");
  EXPECT_EQ(logs(), before);
  kill(child_, SIGTERM);
  EXPECT_EQ(Wait(), 0);
  EXPECT_EQ(Run({"--help", DataDirFlag()}), 0);
}

TEST_F(ProcessTest, ADirectoryOfSomebodyElsesIsNotTakenForAStore) {
  using enum DirectoryLock::Content;
  const std::string dir = dir_.string();
  for (const std::string made : {"lost+found", "logs"}) fs::create_directory(dir_ / made);
  EXPECT_TRUE(DirectoryLock::Take(dir, kStore).has_value());
  fs::remove(dir_ / "LOCK");
  std::ofstream(dir_ / "letter.txt") << "Dear Ann";
  const auto refused = DirectoryLock::Take(dir, kStore);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  EXPECT_TRUE(refused.error().message().contains(dir + " holds \"letter.txt\" and is no data directory of Ebla"))
      << refused.error();
  EXPECT_FALSE(fs::exists(dir_ / "LOCK"));
  EXPECT_TRUE(DirectoryLock::Take(dir, kAny).has_value());
  std::ofstream(dir_ / "IDENTITY") << "some server's";
  EXPECT_TRUE(DirectoryLock::Take(dir, kStore).has_value());
}

TEST_F(ProcessTest, WhatWasLoggedBeforeACrashIsInTheFile) {
  Start({DataDirFlag()});
  ASSERT_TRUE(WaitFor([&] { return fs::exists(dir_ / "ADDRESS"); }));
  kill(child_, SIGKILL);
  EXPECT_EQ(Wait(), 128 + SIGKILL);
  EXPECT_TRUE(Logged("a line for the log"));
}

TEST_F(ProcessTest, SaysOnceForEachReasonWhyItIsNotReady) {
  const std::string beginning = "ebla-test: not ready yet: ",
                    end = " (--linger=false); log: " + dir_.string() + "/logs\n";
  std::string expected;
  for (const std::string why : {"no coordinator", "no cluster"}) {
    std::ofstream(dir_ / "why.new") << why;
    fs::rename(dir_ / "why.new", dir_ / "why");
    if (child_ == 0) Start({DataDirFlag()});
    expected += beginning + why + end;
    ASSERT_TRUE(WaitFor([&] { return Output() == expected; })) << Output();
  }
  fs::remove(dir_ / "why");
  expected += "ebla-test: ready\n";
  ASSERT_TRUE(WaitFor([&] { return Output() == expected; })) << Output();
  kill(child_, SIGTERM);
  EXPECT_EQ(Wait(), 0);
  EXPECT_EQ(Output(), expected);
}

TEST_F(ProcessTest, MayOpenAllFilesThatItIsLetAndSaysWhereTheyAreTooFew) {
  files_ = {.rlim_cur = 64, .rlim_max = 128};
  Start({DataDirFlag(), "--needs_files=128"});
  ASSERT_TRUE(WaitFor([&] { return fs::exists(dir_ / "ADDRESS"); })) << Output();
  kill(child_, SIGTERM);
  EXPECT_EQ(Wait(), 0);
  EXPECT_FALSE(Logged("this process may open"));
  fs::remove(dir_ / "ADDRESS");
  Start({DataDirFlag(), "--needs_files=1000"});
  ASSERT_TRUE(WaitFor([&] { return fs::exists(dir_ / "ADDRESS"); })) << Output();
  kill(child_, SIGTERM);
  EXPECT_EQ(Wait(), 0);
  EXPECT_TRUE(Logged("this process may open 128 files, and may come to need 1000"));
}

TEST_F(ProcessTest, WhatItMakesIsItsUsersAlone) {
  const fs::path data = dir_ / "data";
  Start({"--data_dir=" + data.string()});
  ASSERT_TRUE(WaitFor([&] { return fs::exists(data / "ADDRESS"); })) << Output();
  kill(child_, SIGTERM);
  EXPECT_EQ(Wait(), 0);
  constexpr auto kOthers = fs::perms::group_all | fs::perms::others_all;
  EXPECT_EQ(fs::status(data).permissions() & kOthers, fs::perms::none);
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(data)) {
    ++files;
    EXPECT_EQ(entry.status().permissions() & kOthers, fs::perms::none) << entry.path();
  }
  EXPECT_GE(files, 4) << "ADDRESS, LOCK and logs";
}

TEST_F(ProcessTest, TheSecondSignalEndsAtOnce) {
  Start({DataDirFlag(), "--linger"});
  ASSERT_TRUE(WaitFor([&] { return fs::exists(dir_ / "ADDRESS"); }));
  kill(child_, SIGINT);
  ASSERT_TRUE(WaitFor([&] { return fs::exists(dir_ / "lingering"); }));
  kill(child_, SIGTERM);
  EXPECT_EQ(Wait(), 128 + SIGTERM);
}

TEST(EndpointFlagTest, ARefusalNamesTheFlag) {
  EXPECT_EQ(EndpointFlag("listen", "127.0.0.1:7400")->port, 7400);
  EXPECT_EQ(EndpointFlag("listen", "here").error().message().find("--listen: \"here\" is not an address"), 0u);
}

TEST(ProcessNumbersTest, IdsDifferAndUsageGrows) {
  std::set<uint64_t> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(RandomId());
  EXPECT_EQ(ids.size(), 1000u);
  EXPECT_EQ(ids.count(0), 0u);
  EXPECT_LE(*ids.rbegin(), static_cast<uint64_t>(INT64_MAX));
  const Usage before = ReadUsage();
  EXPECT_GT(before.resident_bytes, 1u << 20);
  EXPECT_TRUE(WaitFor([&] { return ReadUsage().cpu_seconds > before.cpu_seconds; }));
}

}  // namespace
}  // namespace ebla::process
