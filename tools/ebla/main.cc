// tools/ebla/main.cc
// `ebla VERB ...` does one thing, `ebla` at a terminal is a shell, `ebla < script` runs a script.
#include <glog/logging.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "common/process/process.h"
#include "tools/ebla/cli/interactive.h"
#include "tools/ebla/cli/line_parser.h"
#include "tools/ebla/cli/shell.h"
#include "tools/ebla/verbs/syntax.h"

namespace {

using ebla::Status;
using ebla::shell::Shell;

Status TakeMasters(std::string_view text, Shell::Settings& settings) {
  EBLA_ASSIGN(settings.connection.masters, ebla::shell::ParseMasters(text));
  return {};
}

// Takes the options of every verb from where no verb follows them: they then hold for all lines.
Status TakeGlobalOptions(std::vector<std::string>& words, Shell::Settings& settings) {
  while (!words.empty() && words.front().starts_with("--")) {
    std::string name = words.front();
    if (name == "--json") {
      settings.json = true;
      words.erase(words.begin());
      continue;
    }
    std::string value;
    size_t taken = 1;
    if (const size_t equals = name.find('='); equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    } else if (words.size() > 1) {
      value = words[1];
      taken = 2;
    }
    Status status;
    if (name == "--masters") {
      status = TakeMasters(value, settings);
    } else if (name == "--tls-dir") {
      settings.connection.tls_dir = value;
    } else if (name == "--user") {
      settings.connection.user = value;
    } else if (name == "--password-file") {
      settings.connection.password_file = value;
    } else if (name == "--deadline") {
      status = ebla::shell::TakeDuration(settings.connection.deadline, std::chrono::milliseconds(1))(value);
    } else {
      return {};  // the verbs' parser reports the error
    }
    if (!status.ok()) return ebla::Error(status.code(), name + ": " + status.message());
    words.erase(words.begin(), words.begin() + static_cast<ptrdiff_t>(taken));
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = google::GLOG_ERROR;  // the verb's answer reports errors
  signal(SIGPIPE, SIG_IGN);

  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 1 && words.front() == "--version") {
    std::cout << "ebla " << ebla::process::BuildVersion() << std::endl;
    return 0;
  }
  const char* masters = std::getenv("EBLA_MASTERS");
  Shell::Settings settings;
  for (const auto& [variable, setting] : {std::pair{"EBLA_TLS_DIR", &settings.connection.tls_dir},
                                          {"EBLA_USER", &settings.connection.user},
                                          {"EBLA_PASSWORD_FILE", &settings.connection.password_file}}) {
    if (const char* value = std::getenv(variable); value != nullptr) *setting = value;
  }
  settings.version = ebla::process::BuildVersion();
  Status valid = TakeMasters(masters != nullptr && *masters != 0 ? masters : "127.0.0.1:7400", settings);
  if (!valid.ok()) valid = ebla::Error(valid.code(), "EBLA_MASTERS: " + valid.message());
  if (valid.ok()) valid = TakeGlobalOptions(words, settings);
  if (!valid.ok()) {
    std::cerr << valid << std::endl;
    return ebla::shell::ExitCode(valid);
  }

  Shell shell(std::move(settings), std::cout, std::cerr);
  if (words.size() > 2 && words[0] == "completion" && words[1] == "words") {  // the script of `completion bash` asks so
    const std::vector<std::string> before(words.begin() + 2, words.end() - 1);
    for (const std::string& word : shell.Complete(before, words.back())) std::cout << word << '\n';
    return 0;
  }
  if (!words.empty()) {
    shell.CatchInterruptsWith([&shell] { ebla::shell::CatchInterrupts(shell); });
    return shell.Run(words);
  }
  return isatty(STDIN_FILENO) == 1 ? ebla::shell::RunInteractive(shell) : shell.RunScript(std::cin);
}
