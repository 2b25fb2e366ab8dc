// tools/ebla/cli/shell_fixture.h
// The shell in this process against a pretended cluster on real sockets: for the tests of verbs.
// Threads: one.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "client/testing/fake_servers.h"
#include "common/testing/temporary_directory.h"
#include "tools/ebla/cli/shell.h"

namespace ebla::shell {

class ShellTest : public ::testing::Test {
 protected:
  ShellTest()
      : shell_({.connection = {.masters = servers_.masters(), .deadline = std::chrono::seconds(5)}}, out_, err_) {}

  // The output of the line, followed by the exit code if it is not 0.
  std::string Run(const std::string& line) {
    out_.str("");
    err_.str("");
    const int code = shell_.RunLine(line);
    std::string text = out_.str() + err_.str();
    while (text.ends_with('\n')) text.pop_back();
    return code == 0 ? text : text + " [" + std::to_string(code) + "]";
  }
  std::string File(const std::string& name, const std::string& content) {
    const std::string path = directory_ + "/" + name;
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  std::string Content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void MakeTable() { servers_.cluster().tables()->Add("carts", {"m"}); }

  client::testing::FakeServers servers_;
  std::ostringstream out_, err_;
  Shell shell_;
  ebla::testing::TemporaryDirectory temporary_;
  const std::string directory_ = temporary_.path();
};

}  // namespace ebla::shell
