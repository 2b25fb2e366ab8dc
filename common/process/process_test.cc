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
#include <regex>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

#include "common/process/addresses.h"
#include "common/process/log_files.h"

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
  EXPECT_TRUE(
      Output().ends_with("--log_days_max cannot be \"lots\": it takes a whole number from 1 to 36500 days\n"
                         "(--help lists the flags)\n"))
      << Output();
  EXPECT_EQ(Run({"-linger", "--data_dir"}), 2);
  EXPECT_TRUE(Output().ends_with("--data_dir takes a value: --data_dir=VALUE\n(--help lists the flags)\n")) << Output();
}

TEST_F(ProcessTest, NamesTheFlagNearestToAnUnknownOne) {
  for (const auto& [typed, meant] : {std::pair("--lingr", "--linger"),
                                     {"--data-dirr=x", "--data_dir"},
                                     {"--flagfiles=x", "--flagfile"},
                                     {"--log_days=3", "--log_days_max"}}) {
    EXPECT_EQ(Run({typed}), 2);
    EXPECT_TRUE(Output().ends_with(std::string(", did you mean \"") + meant + "\"?\n(--help lists the flags)\n"))
        << Output();
  }
}

TEST_F(ProcessTest, ANumberIsWithinItsBounds) {
  EXPECT_EQ(Run({"--help"}), 0);
  EXPECT_TRUE(Output().contains("  --flood=0\n      How many lines it logs at one place. From 0 to 1000000 lines.\n"));
  EXPECT_TRUE(Output().contains("  --part=0.7\n      A part of something. From 0 to 1.\n")) << Output();
  const std::string two_to_63 = "9223372036854775808";
  for (const std::string& value : {std::string("-1"), std::string("1000001"), std::string("4294967296"), two_to_63,
                                   "-" + two_to_63, std::string("1e3"), std::string("nan"), std::string(""),
                                   std::string(" "), std::string("7 "), std::string("0x")}) {
    for (const std::string flag : {"flood", "needs_files"}) {
      EXPECT_EQ(Run({"--" + flag + "=" + value, "--version"}), 2) << flag << "=" << value;
      EXPECT_TRUE(Output().contains("--" + flag + " cannot be \"" + value + "\": it takes a whole number from 0 to " +
                                    "1000000 " + (flag == "flood" ? "lines\n" : "files\n")))
          << Output();
    }
  }
  for (const std::string value : {"nan", "-nan", "inf", "-inf", "-0.1", "1.1", "1e300", "", "half"}) {
    EXPECT_EQ(Run({"--part=" + value, "--version"}), 2) << value;
    EXPECT_TRUE(Output().contains("--part cannot be \"" + value + "\": it takes a number from 0 to 1\n")) << Output();
  }
  for (const char* fine :
       {"--flood=0", "--flood=1000000", "--flood=+1", "--flood=0x10", "--part=0", "--part=1", "--part=1e-3"}) {
    EXPECT_EQ(Run({fine, "--version"}), 0) << fine << Output();
  }
}

TEST_F(ProcessTest, WrongUsageMakesNoDirectoryAndNoLog) {
  const fs::path data = dir_ / "data", logs = dir_ / "logs";
  const std::vector<std::string> there = {"--data_dir=" + data.string(), "--logs_dir=" + logs.string()};
  for (const char* wrong : {"--contradiction", "--part=2", "--no_such_flag"}) {
    EXPECT_EQ(Run({there[0], there[1], wrong}), 2);
    EXPECT_FALSE(fs::exists(data)) << wrong;
    EXPECT_FALSE(fs::exists(logs)) << wrong;
  }
  EXPECT_TRUE(Output().starts_with("ebla-test: --contradiction excludes all others\n")) << Output();
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
  EXPECT_EQ(Run({"--flagfile=" + dir_.string()}), 2);
  EXPECT_TRUE(Output().contains("cannot read the flag file " + dir_.string() + ": it is a directory\n")) << Output();
  const std::string itself = "--flagfile=" + (dir_ / "itself").string();
  std::ofstream(dir_ / "itself") << itself << "\n";
  EXPECT_EQ(Run({itself}), 2);
  EXPECT_TRUE(Output().contains("flag files name each other")) << Output();
}

TEST_F(ProcessTest, BlanksAroundALineOfAFlagfileAreNoPartOfAValue) {
  const fs::path data = dir_ / "data";
  std::ofstream(dir_ / "blanks") << "  --data_dir=" << data.string() << " \t\r\n   \n\t# a remark\n";
  Start({"--flagfile=" + (dir_ / "blanks").string()});
  ASSERT_TRUE(WaitFor([&] { return fs::exists(data / "ADDRESS"); })) << Output();
  kill(child_, SIGTERM);
  EXPECT_EQ(Wait(), 0);
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

// Its log stays the one that the running process writes.
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
  EXPECT_TRUE(DirectoryLock::Take(dir, kNoStore).has_value());
  std::ofstream(dir_ / "IDENTITY") << "some server's";
  EXPECT_TRUE(DirectoryLock::Take(dir, kStore).has_value());
  const auto other = DirectoryLock::Take(dir, kNoStore);
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code(), Code::kInvalidArgument);
  EXPECT_TRUE(other.error().message().starts_with(dir + " holds the data of a tablet server or of ebla-standalone"))
      << other.error();
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

TEST_F(ProcessTest, ItEndsWithAFailureWhereItsDataDirectoryIsTakenAway) {
  const fs::path data = dir_ / "data";
  const std::vector<std::string> flags = {"--data_dir=" + data.string(), "--log_to_stderr"};
  for (const bool replaced : {false, true}) {
    Start(flags);
    ASSERT_TRUE(WaitFor([&] { return fs::exists(data / "ADDRESS"); })) << Output();
    fs::rename(data, dir_ / "elsewhere");
    if (replaced) {
      fs::create_directory(data);
      std::ofstream(data / "LOCK") << "another's";
    }
    EXPECT_EQ(Wait(), 1);
    EXPECT_TRUE(Output().ends_with("ebla-test: the data directory " + data.string() +
                                   " was removed or replaced while this process ran: it ends at once\n"))
        << Output();
    fs::remove_all(dir_ / "elsewhere");
  }
}

TEST_F(ProcessTest, TheSecondSignalEndsAtOnce) {
  Start({DataDirFlag(), "--linger"});
  ASSERT_TRUE(WaitFor([&] { return fs::exists(dir_ / "ADDRESS"); }));
  kill(child_, SIGINT);
  ASSERT_TRUE(WaitFor([&] { return fs::exists(dir_ / "lingering"); }));
  kill(child_, SIGTERM);
  EXPECT_EQ(Wait(), 128 + SIGTERM);
}

class LogFilesTest : public ProcessTest {
 protected:
  static constexpr int64_t kNow = 1'790'000'000, kDay = 86'400;

  // Written that many days before kNow.
  fs::path Write(const std::string& name, int days_ago, size_t bytes = 10) {
    const fs::path path = dir_ / name;
    std::ofstream(path) << std::string(bytes, 'x');
    const timespec written{.tv_sec = kNow - days_ago * kDay - 1, .tv_nsec = 0};
    const timespec times[] = {written, written};
    EXPECT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
    return path;
  }
  std::set<std::string> Left() {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir_)) names.insert(entry.path().filename());
    return names;
  }
};

TEST_F(LogFilesTest, OldOnesOfThisProgramAreDeletedAndNoOthers) {
  Write("ebla-x.host.user.log.INFO.20260101-000000.1", 8);
  Write("ebla-x.host.user.log.ERROR.20260101-000000.1", 7);
  const std::set<std::string> left = {
      Write("ebla-x.host.user.log.INFO.20260102-000000.1", 6).filename(),
      Write("ebla-xy.host.user.log.INFO.20260101-000000.1", 90).filename(), Write("ebla-x.INFO", 90).filename(),
      Write("notes.log", 90).filename(),
      // the file that this process writes, however long it has had nothing to say
      Write("ebla-x.host.user.log.INFO.20260101-000000." + std::to_string(getpid()), 90).filename()};
  Write("ebla-x.host.user.log.INFO.20260100-000000." + std::to_string(getpid()), 91);  // its file of before
  DeleteOldLogs({.directory = dir_, .program = "ebla-x", .days_max = 7, .bytes_max = 1 << 20}, kNow);
  EXPECT_EQ(Left(), left);
}

TEST_F(LogFilesTest, TheOldestGoUntilTheRestIsSmallEnough) {
  for (int day = 1; day <= 6; ++day)
    Write("ebla-x.host.user.log.INFO.2026010" + std::to_string(day) + "-0.1", 7 - day, 100);
  DeleteOldLogs({.directory = dir_, .program = "ebla-x", .days_max = 7, .bytes_max = 250}, kNow);
  EXPECT_EQ(Left(), (std::set<std::string>{"ebla-x.host.user.log.INFO.20260105-0.1",
                                           "ebla-x.host.user.log.INFO.20260106-0.1"}));
}

TEST_F(ProcessTest, AProcessDeletesOldLogsWhenItStarts) {
  fs::create_directory(dir_ / "logs");
  const fs::path old = dir_ / "logs" / "process_test_program.host.user.log.INFO.20200101-000000.1";
  std::ofstream(old) << "long ago";
  const timespec times[] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1, .tv_nsec = 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, old.c_str(), times, 0), 0);
  Start({DataDirFlag()});
  ASSERT_TRUE(WaitFor([&] { return fs::exists(dir_ / "ADDRESS"); }));
  EXPECT_FALSE(fs::exists(old));
}

TEST_F(ProcessTest, AFloodAtOnePlaceIsCutAndCounted) {
  Start({DataDirFlag(), "--flood=30000", "--log_lines_per_second_max=20"});
  ASSERT_TRUE(WaitFor([&] { return fs::exists(dir_ / "ADDRESS"); }));
  // Both files that have the lines count them; a flood of two seconds is cut in each.
  for (const std::string severity : {"INFO", "WARNING"}) {
    const fs::path log = dir_ / "logs" / ("process_test_program." + severity);
    size_t written = 0, counted = 0;
    const auto all_are_told = [&] {
      written = counted = 0;
      std::istringstream text(ReadFile(log));
      for (std::string line; std::getline(text, line);) {
        written += line.ends_with("] a line of a flood");
        const size_t at = line.find("] ");
        if (!line.contains(" more lines of process_test_program.cc:")) continue;
        EXPECT_TRUE(
            std::regex_match(line, std::regex(R"(W\d{8} \d\d:\d\d:\d\d\.000000 +\d+ log_files\.cc:\d+\] \d+ .*)")))
            << line;
        counted += std::stoul(line.substr(at + 2));
      }
      return written + counted == 30000;
    };
    EXPECT_TRUE(WaitFor(all_are_told)) << severity << ": " << written << " and " << counted;
    EXPECT_GE(written, 20u);
    EXPECT_LT(written, 3000u);
  }
  EXPECT_TRUE(Logged("a line for the log"));
}

TEST(AddressesTest, ARefusalNamesTheFlag) {
  EXPECT_EQ(EndpointFlag("listen", "127.0.0.1:7400")->port, 7400);
  EXPECT_EQ(EndpointFlag("listen", "here").error().message().find("--listen: \"here\" is not an address"), 0u);
}

TEST(AddressesTest, AHostThatDoesNotResolveIsToldSo) {
  const auto refused = ListenFlag("redis_listen", "nosuchhost.invalid:1");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message().starts_with(
      "--redis_listen=nosuchhost.invalid:1: the host \"nosuchhost.invalid\" does not resolve ("))
      << refused.error();
  EXPECT_EQ(ListenFlag("listen", "0.0.0.0:0")->host, "0.0.0.0");
  EXPECT_EQ(ListenFlag("listen", "localhost:80")->port, 80);
}

TEST(AddressesTest, OthersReachAProcessAtOneAddress) {
  const rpc::Endpoint here{"127.0.0.1", 7410};
  EXPECT_EQ(*AdvertisedAddress("", here), here);
  EXPECT_EQ(*AdvertisedAddress("", {"127.0.0.1", 0}), (rpc::Endpoint{"127.0.0.1", 0}));
  EXPECT_EQ(*AdvertisedAddress("10.0.0.7:7", {"0.0.0.0", 7410}), (rpc::Endpoint{"10.0.0.7", 7}));
  for (const char* wildcard : {"0.0.0.0", "::", "0", "::0", "::ffff:0.0.0.0"}) {
    const auto refused = AdvertisedAddress("", {wildcard, 7410});
    ASSERT_FALSE(refused) << wildcard;
    EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
    EXPECT_TRUE(refused.error().message().contains("name one with --advertise=HOST:PORT")) << refused.error();
  }
  EXPECT_TRUE(
      AdvertisedAddress("0.0.0.0:1", here).error().message().starts_with("--advertise=0.0.0.0:1 stands for every"));
  EXPECT_TRUE(AdvertisedAddress("127.0.0.1:0", here).error().message().contains("port 0"));
  EXPECT_TRUE(AdvertisedAddress("nosuchhost.invalid:1", here).error().message().contains("does not resolve"));
  EXPECT_FALSE(AdvertisedAddress("host\nname:1", here));
}

TEST(AddressesTest, ANameThatLooksLikeThisMachinesIsNot) {
  for (const char* own : {"127.0.0.1", "127.8.9.1", "::1", "localhost"}) EXPECT_TRUE(IsLoopback({own, 1})) << own;
  for (const char* other : {"127.example.com", "0.0.0.0", "::", "10.0.0.1"})
    EXPECT_FALSE(IsLoopback({other, 1})) << other;
  for (const char* all : {"0.0.0.0", "::", "0:0::0", "::ffff:0.0.0.0"}) EXPECT_TRUE(IsWildcard({all, 1})) << all;
  for (const char* single : {"127.0.0.1", "::1", "0.0.0.0.example.com"})
    EXPECT_FALSE(IsWildcard({single, 1})) << single;
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
