// tools/ebla/cli/shell.h
// Runs command lines: parses a line with the verbs, runs the verb, and shows its outcome. `ebla VERB ...` does so once,
// the interactive shell for each line, and a script for each line of its standard input.
// Threads: one; Interrupt may be called from a signal handler.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ebla/ebla.h"
#include "tools/ebla/format/output.h"
#include "tools/ebla/verbs/verbs.h"

namespace ebla::shell {

class Shell {
 public:
  // The cluster and the user of the shell.
  struct Connection {
    std::vector<std::string> masters;
    std::chrono::milliseconds deadline{10'000};
    std::string tls_dir;
    std::string user;
    std::string password_file;
    bool operator==(const Connection&) const = default;
  };
  struct Settings {
    Connection connection;
    bool json = false;
    std::string version;  // of this program
  };

  Shell(Settings settings, std::ostream& out, std::ostream& err);

  // Runs the words of one line; returns the exit code (see output.h). Options given in the line hold for it alone.
  int Run(const std::vector<std::string>& words);
  // Splits the line first. Empty lines and comments are 0.
  int RunLine(std::string_view line);
  // True for "exit" and "quit".
  static bool Leaves(std::string_view line);
  // Runs each line of `input`, to its end or to a line that leaves. Continues after failures and returns the code of
  // the first.
  int RunScript(std::istream& input);

  void Interrupt() { interrupted_ = true; }
  // Called before a verb that stops on Interrupt. Without it, the reader of the lines catches Ctrl-C, or Ctrl-C kills
  // the process.
  void CatchInterruptsWith(std::function<void()> catch_interrupts) { catch_interrupts_ = std::move(catch_interrupts); }

  // How to ask a person whether a dangerous verb is meant; without it such verbs want --yes.
  void AskWith(std::function<bool(const std::string& question)> ask) { ask_ = std::move(ask); }
  // The first lines for a person: the name of the cluster, and how to get help.
  std::string Banner();
  const std::string& table_in_use() const { return table_in_use_; }

  // The possible words after `words`: verbs, their sub-verbs, options, or names of tables, servers or procedures.
  std::vector<std::string> Complete(const std::vector<std::string>& words, std::string_view prefix);

 private:
  // For completion: of some moments ago.
  struct Names {
    std::vector<std::string> names;
    std::chrono::steady_clock::time_point until{};
  };
  Result<Client> Connected();
  const std::vector<std::string>& NamesOf(const std::string& value);
  // A failure as it is shown: with the table that was probably meant.
  Status Explained(const Status& status, const std::string& table);

  const Settings settings_;
  Output out_;
  std::atomic<bool> interrupted_{false};
  std::optional<Client> client_;
  std::chrono::steady_clock::time_point client_until_{};
  Connection connected_;  // what client_ was made with
  std::optional<Session> session_;
  std::string table_in_use_;
  std::function<bool(const std::string&)> ask_;
  std::function<void()> catch_interrupts_;
  std::map<std::string, Names> names_;  // by what they name, as help calls it
};

}  // namespace ebla::shell
