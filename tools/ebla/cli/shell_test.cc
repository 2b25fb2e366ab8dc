// The shell in this process against a pretended cluster on real sockets, and the program itself at a pseudo-terminal.
#include "tools/ebla/cli/shell.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <sstream>
#include <thread>
#include <utility>

#include "common/rpc/socket.h"
#include "common/security/certificates.h"
#include "test_paths.h"
#include "tools/ebla/cli/shell_fixture.h"

namespace ebla::shell {
namespace {

using ::testing::HasSubstr;

TEST_F(ShellTest, ATableInUseNeedNotBeNamed) {
  MakeTable();
  EXPECT_THAT(Run("use cartz"), HasSubstr("no table \"cartz\", did you mean \"carts\"? [1]"));
  EXPECT_THAT(Run("use carts"), HasSubstr("OK"));
  EXPECT_THAT(Run("put k v"), HasSubstr("OK  version"));
  EXPECT_EQ(Run("get k"), "v");
  EXPECT_EQ(Run("scan --prefix k"), "k\tv");
  EXPECT_THAT(Run("get carts k"), HasSubstr("\"k\" is one argument too many; table carts is in use"));
  EXPECT_THAT(Run("table describe carts"), HasSubstr("schema version")) << "verbs on tables name theirs";
  EXPECT_EQ(Run("use"), "OK  no table is in use");
  EXPECT_EQ(Run("get carts k"), "v");
}

TEST_F(ShellTest, APersonIsAskedBeforeDanger) {
  MakeTable();
  std::string asked;
  bool answer = false;
  shell_.AskWith([&](const std::string& question) {
    asked = question;
    return answer;
  });
  EXPECT_EQ(Run("table drop carts"), "CONDITION_FAILED: the answer was not yes; nothing was changed [1]");
  EXPECT_EQ(asked, "This drops table carts with all its records for good. Type yes to do it: ");
  EXPECT_THAT(Run("tablet recover 17"), HasSubstr("nothing was changed [1]"));
  EXPECT_THAT(asked, HasSubstr("gives tablet 17 to ts-3 alone (four entries)"));
  EXPECT_THAT(Run("table list"), HasSubstr("carts"));
  answer = true;
  EXPECT_EQ(Run("table drop carts"), "OK");
  EXPECT_EQ(Run("table list"), "there are no tables");
}

TEST_F(ShellTest, WhoAsksDeadMastersLearnsItSoon) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(Run("--masters 127.0.0.1:1,127.0.0.1:2 table list"),
              ::testing::AllOf(HasSubstr("UNAVAILABLE: no master answers: 127.0.0.1:1: "), HasSubstr("; 127.0.0.1:2: "),
                               HasSubstr("(name them with --masters or EBLA_MASTERS) [3]")));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4)) << "of the five of the deadline";
}

// A server that requires certificates closes the connection of a client without TLS.
TEST_F(ShellTest, WhoIsHungUpOnInTheClearIsToldOfCertificates) {
  const Result<int> listener = rpc::Listen({"127.0.0.1", 0});
  ASSERT_TRUE(listener.has_value()) << listener.error();
  const auto at = rpc::LocalAddress(*listener);
  std::jthread server([fd = *listener] {
    while (true) {
      pollfd waiting{fd, POLLIN, 0};
      poll(&waiting, 1, -1);
      const int one = accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
      if (one < 0) return;
      close(one);
    }
  });
  EXPECT_THAT(Run("--deadline 1s --masters " + at->ToString() + " table list"),
              ::testing::AllOf(HasSubstr("--tls-dir or EBLA_TLS_DIR"), HasSubstr("[3]")));
  shutdown(*listener, SHUT_RDWR);
  server.join();
  close(*listener);
}

TEST_F(ShellTest, WhatIsWrongWithItsOwnCertificatesIsNoMatterOfMasters) {
  ASSERT_TRUE(security::CreateAuthority(directory_ + "/ca", 10).ok());
  ASSERT_TRUE(security::CreateCertificate(directory_ + "/ca", directory_ + "/late", {.name = "ada", .days = -1}).ok());
  for (const char* verb : {"table list", "health"}) {
    const std::string shown = Run("--tls-dir " + directory_ + "/late " + verb);
    EXPECT_THAT(shown, ::testing::AllOf(HasSubstr("client.crt has expired"), HasSubstr("[2]"))) << verb;
    EXPECT_THAT(shown, ::testing::Not(HasSubstr("--masters"))) << verb;
  }
}

TEST_F(ShellTest, AScriptEndsWhereItLeaves) {
  MakeTable();
  std::istringstream script("put carts a 1\nexit\nget carts none\n");
  EXPECT_EQ(shell_.RunScript(script), 0);
}

TEST_F(ShellTest, BashIsOfferedWhatMayFollow) {
  MakeTable();
  const std::string masters = servers_.masters()[0] + "," + servers_.masters()[1];
  const std::string script =
      "export PATH=" + std::string(kBinaryDir) + "/bin:$PATH EBLA_MASTERS=" + masters +
      "; eval \"$(ebla completion bash)\"; "
      "offer() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _ebla; echo \"${COMPREPLY[*]}\"; }; "
      "offer ebla tab; offer ebla get \"\"; offer ebla scan carts --re; offer ebla put carts k \"\"";
  FILE* const bash = popen(("bash -c '" + script + "'").c_str(), "r");
  ASSERT_NE(bash, nullptr);
  std::string shown;
  for (int c = fgetc(bash); c != EOF; c = fgetc(bash)) shown.push_back(static_cast<char>(c));
  EXPECT_EQ(pclose(bash), 0);
  EXPECT_EQ(shown, "table tablet\ncarts\n--read --reverse\n\n");
}

TEST_F(ShellTest, AScriptGoesOnAndReturnsTheFirstFailure) {
  MakeTable();
  std::istringstream script("put carts a 1\nget carts none\nfrob\n# done\nget carts a\n");
  EXPECT_EQ(shell_.RunScript(script), 1);
  EXPECT_TRUE(out_.str().ends_with("1\n"));
}

// The program at a terminal of its own: what it shows is read until it has shown what is expected.
class Terminal {
 public:
  Terminal(const std::string& masters, const std::string& home) {
    pid_ = forkpty(&fd_, nullptr, nullptr, nullptr);
    if (pid_ == 0) {
      setenv("HOME", home.c_str(), 1);
      setenv("TERM", "dumb", 1);
      setenv("EBLA_MASTERS", masters.c_str(), 1);
      const std::string program = std::string(kBinaryDir) + "/bin/ebla";
      execl(program.c_str(), "ebla", nullptr);
      _exit(127);
    }
  }
  ~Terminal() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(fd_);
  }
  void Type(const std::string& text) {
    ASSERT_EQ(write(fd_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // True once `text` has been shown after what was found before.
  bool Shows(const std::string& text) {
    while (true) {
      if (const size_t at = shown_.find(text, seen_); at != std::string::npos) {
        seen_ = at + text.size();
        return true;
      }
      pollfd ready{fd_, POLLIN, 0};
      char buffer[4096];
      if (poll(&ready, 1, 20'000) <= 0) break;
      const ssize_t got = read(fd_, buffer, sizeof buffer);
      if (got <= 0) break;
      shown_.append(buffer, static_cast<size_t>(got));
    }
    ADD_FAILURE() << "never shown: " << text << "\nwhat was: " << shown_;
    return false;
  }
  int ExitCode() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
  int fd_ = -1;
  std::string shown_;
  size_t seen_ = 0;
};

TEST_F(ShellTest, AtATerminal) {
  MakeTable();
  Terminal terminal(servers_.masters()[0] + "," + servers_.masters()[1], directory_);
  ASSERT_TRUE(terminal.Shows("servers live, 1 table. \"help\" lists the verbs")) << "which cluster, and what next";
  ASSERT_TRUE(terminal.Shows("ebla> "));
  terminal.Type("put carts user42 'a b'\n");
  ASSERT_TRUE(terminal.Shows("OK  version 1."));
  ASSERT_TRUE(terminal.Shows("ebla> "));
  terminal.Type("get car\tuser42\n");  // completion of the table's name
  ASSERT_TRUE(terminal.Shows("a b"));
  ASSERT_TRUE(terminal.Shows("ebla> "));
  terminal.Type("put carts half a line");
  ASSERT_TRUE(terminal.Shows("half a line"));
  terminal.Type("\x03");  // Ctrl-C drops it, and the shell lives
  ASSERT_TRUE(terminal.Shows("^C"));
  terminal.Type("get carts half\n");
  ASSERT_TRUE(terminal.Shows("NOT_FOUND"));
  ASSERT_TRUE(terminal.Shows("ebla> "));
  terminal.Type("\x10\x10 again");  // a line that is recalled and changed stays as it was, where Ctrl-C drops it
  ASSERT_TRUE(terminal.Shows("again"));
  terminal.Type("\x03");
  ASSERT_TRUE(terminal.Shows("^C"));
  terminal.Type("\x10\x10\n");
  ASSERT_TRUE(terminal.Shows("a b"));
  ASSERT_TRUE(terminal.Shows("ebla> "));
  terminal.Type("use carts\n");
  ASSERT_TRUE(terminal.Shows("ebla carts> "));
  terminal.Type("history 2\n");
  ASSERT_TRUE(terminal.Shows("  use carts"));
  terminal.Type("table drop carts\n");
  ASSERT_TRUE(terminal.Shows("Type yes to do it: "));
  terminal.Type("no\n");
  ASSERT_TRUE(terminal.Shows("the answer was not yes"));
  ASSERT_TRUE(terminal.Shows("ebla carts> "));
  terminal.Type("exit\n");
  EXPECT_EQ(terminal.ExitCode(), 1) << "of the last command";
  EXPECT_THAT(Content(directory_ + "/.ebla_history"), HasSubstr("put carts user42 'a b'"));
}

}  // namespace
}  // namespace ebla::shell
