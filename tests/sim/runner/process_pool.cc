#include "tests/sim/runner/process_pool.h"

#include <glog/logging.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <deque>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace ebla::sim {
namespace {

constexpr unsigned kSecondsMax = 300;    // of one run, by the wall's clock; then it hangs
constexpr size_t kLastWordsMax = 1'500;  // of the errors that a run printed before it died

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

struct Child {
  RunOptions options;
  pid_t pid = 0;
  int pipe = -1;                                // reads its report; -1: it has ended
  std::unique_ptr<std::FILE, FileCloser> said;  // its standard error
  std::string text;
  RunReport report;
};

// A report as lines: a letter, then the text with its line breaks replaced.
std::string Encode(const RunReport& report) {
  std::ostringstream out;
  const auto line = [&](char letter, std::string text) {
    std::ranges::replace(text, '\n', '\x1f');
    out << letter << text << '\n';
  };
  for (const std::string& problem : report.problems) line('P', problem);
  line('S', report.summary);
  for (const auto& [kind, count] : report.kinds) line('K', std::to_string(count) + " " + kind);
  line('D', std::to_string(report.digest));
  return out.str();
}

// False: it is not whole.
bool Decode(const std::string& text, RunReport& report) {
  std::istringstream in(text);
  bool whole = false;
  for (std::string line; std::getline(in, line);) {
    const char letter = line.empty() ? ' ' : line[0];
    std::string rest = line.empty() ? "" : line.substr(1);
    std::ranges::replace(rest, '\x1f', '\n');
    const size_t space = rest.find(' ');
    if (letter == 'P') report.problems.push_back(rest);
    if (letter == 'S') report.summary = rest;
    if (letter == 'K' && space != std::string::npos) report.kinds[rest.substr(space + 1)] = std::stoull(rest);
    if (letter == 'D') {
      report.digest = std::stoull(rest);
      whole = true;
    }
  }
  return whole;
}

Child Begin(RunOptions options) {
  Child child;
  child.options = std::move(options);
  child.said.reset(std::tmpfile());
  int ends[2];
  PCHECK(child.said != nullptr && pipe(ends) == 0) << "cannot begin a run";
  std::fflush(stdout);
  child.pid = fork();
  PCHECK(child.pid >= 0) << "cannot begin a run";
  child.pipe = ends[0];
  if (child.pid > 0) {
    close(ends[1]);
    return child;
  }
  close(ends[0]);
  dup2(fileno(child.said.get()), STDERR_FILENO);
  alarm(kSecondsMax);
  const std::string text = Encode(RunOnce(child.options));
  for (size_t written = 0; written < text.size();) {
    const ssize_t count = write(ends[1], text.data() + written, text.size() - written);
    if (count <= 0) _exit(3);
    written += static_cast<size_t>(count);
  }
  _exit(0);
}

std::string LastWords(std::FILE* said) {
  std::string text(kLastWordsMax, '\0');
  if (std::fseek(said, 0, SEEK_SET) != 0) return "";
  text.resize(std::fread(text.data(), 1, text.size(), said));
  return text;
}

void End(Child& child) {
  close(std::exchange(child.pipe, -1));
  int status = 0;
  waitpid(child.pid, &status, 0);
  child.report.seed = child.options.seed;
  if (Decode(child.text, child.report) && WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  child.report.problems.push_back((WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "hangs"
                                   : WIFSIGNALED(status) ? "died of signal " + std::to_string(WTERMSIG(status))
                                                         : "ended with " + std::to_string(WEXITSTATUS(status))) +
                                  ": " + LastWords(child.said.get()));
}

// Waits until some run has said something.
void Listen(std::deque<Child>& children) {
  std::vector<pollfd> pipes;
  std::vector<Child*> whose;
  for (Child& child : children) {
    if (child.pipe < 0) continue;
    pipes.push_back({child.pipe, POLLIN, 0});
    whose.push_back(&child);
  }
  if (poll(pipes.data(), pipes.size(), -1) < 0) return;
  for (size_t i = 0; i < pipes.size(); ++i) {
    if (pipes[i].revents == 0) continue;
    char buffer[16'384];
    const ssize_t count = read(pipes[i].fd, buffer, sizeof buffer);
    if (count > 0) {
      whose[i]->text.append(buffer, static_cast<size_t>(count));
    } else {
      End(*whose[i]);
    }
  }
}

}  // namespace

void RunInProcesses(const Pool& pool) {
  std::deque<Child> children;  // in the order of their beginning
  const auto running = [&] {
    return std::ranges::count_if(children, [](const Child& child) { return child.pipe >= 0; });
  };
  bool more = true;
  while (true) {
    while (more && running() < pool.jobs && children.size() < 64) {
      std::optional<RunOptions> options = pool.next();
      more = options.has_value();
      if (more) children.push_back(Begin(*std::move(options)));
    }
    if (children.empty()) return;
    Listen(children);
    while (!children.empty() && children.front().pipe < 0) {
      Child child = std::move(children.front());
      children.pop_front();
      if (pool.done(child.options, std::move(child.report))) continue;
      for (Child& rest : children) {
        if (rest.pipe < 0) continue;
        kill(rest.pid, SIGKILL);
        End(rest);
      }
      return;
    }
  }
}

}  // namespace ebla::sim
