#include "tests/chaos/gateways/gateways.h"

#include <signal.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <tuple>

#include "common/testing/eventually.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;

constexpr auto kStartTimeMax = 60s;
constexpr auto kEndTimeMax = 40s;

std::string ReadOutput(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

// In "ebla-gateway serves memcached at 127.0.0.1:41231, redis at ..., http at ...\n".
int PortIn(const std::string& text, const std::string& listener, const std::string& host) {
  const std::string before = listener + " at " + host + ":";
  const size_t found = text.find(before);
  return found == std::string::npos ? 0 : std::atoi(text.c_str() + found + before.size());
}

}  // namespace

Gateways::~Gateways() {
  for (Member& member : members_) {
    if (!member.process) continue;
    std::ignore = cluster::Signal(member.process, SIGKILL);
    cluster::WaitForExit(member.process, 10s);
  }
}

Status Gateways::Start(size_t count) {
  members_.resize(count);
  for (size_t i = 0; i < count; ++i) EBLA_TRY(Restart(i));
  return Status::Ok();
}

std::string Gateways::OutputOf(size_t gateway) const {
  return options_.dir + "/" + Name(gateway) + "." + std::to_string(members_[gateway].starts) + ".log";
}

void Gateways::Shut(size_t gateway) {
  MutexLock lock(mutex_);
  members_[gateway].listeners.reset();
}

Status Gateways::Kill(size_t gateway) {
  Shut(gateway);
  EBLA_TRY(cluster::Signal(members_[gateway].process, SIGKILL));
  if (cluster::WaitForExit(members_[gateway].process, kEndTimeMax)) return Status::Ok();
  return Error(Code::kInternal, "a gateway outlives SIGKILL");
}

Status Gateways::End(size_t gateway) {
  Shut(gateway);
  const cluster::ProcessId process = members_[gateway].process;
  EBLA_TRY(cluster::Signal(process, SIGTERM));
  EBLA_ASSIGN(const int code, cluster::ExitCode(process, kEndTimeMax));
  if (code == 0) return Status::Ok();
  return Error(Code::kInternal, "a gateway ended with " + std::to_string(code) + ": " + ReadOutput(OutputOf(gateway)));
}

Status Gateways::Signal(size_t gateway, int signal) { return cluster::Signal(members_[gateway].process, signal); }

Status Gateways::Restart(size_t gateway) {
  Member& member = members_[gateway];
  ++member.starts;
  const std::string output = OutputOf(gateway);
  const cluster::LaunchContext context =
      options_.launch_context ? options_.launch_context(Name(gateway)) : cluster::LaunchContext{};
  std::vector<std::string> command = context.command_prefix;
  command.insert(command.end(), {options_.program, "--masters=" + options_.masters, "--insecure"});
  for (const char* listener : {"redis", "memcached", "http"})
    command.push_back("--" + std::string(listener) + "_listen=" + context.host + ":0");
  command.insert(command.end(), options_.flags.begin(), options_.flags.end());
  EBLA_ASSIGN(member.process, cluster::Spawn({.command = std::move(command),
                                              .working_dir = options_.dir,
                                              .output_file = output,
                                              .die_with_parent = true}));
  std::string text;
  const auto told = [&] {
    text = ReadOutput(output);
    return PortIn(text, "http", context.host) != 0 || !cluster::IsAlive(member.process);
  };
  if (!testing::Eventually(told, kStartTimeMax) || PortIn(text, "http", context.host) == 0)
    return Error(Code::kUnavailable, "a gateway does not start: " + text);
  MutexLock lock(mutex_);
  member.listeners = GatewayListeners{.host = context.host,
                                      .redis = PortIn(text, "redis", context.host),
                                      .memcached = PortIn(text, "memcached", context.host)};
  return Status::Ok();
}

std::optional<GatewayListeners> Gateways::Listeners(size_t gateway) const {
  MutexLock lock(mutex_);
  return members_[gateway].listeners;
}

}  // namespace ebla::chaos
