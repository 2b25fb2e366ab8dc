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
int PortIn(const std::string& text, const std::string& door) {
  const std::string before = door + " at 127.0.0.1:";
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
  return options_.dir + "/gateway-" + std::to_string(gateway + 1) + "." + std::to_string(members_[gateway].starts) +
         ".log";
}

void Gateways::Shut(size_t gateway) {
  MutexLock lock(mutex_);
  members_[gateway].doors.reset();
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
  std::vector<std::string> command = {options_.program, "--masters=" + options_.masters, "--redis_listen=127.0.0.1:0",
                                      "--memcached_listen=127.0.0.1:0", "--http_listen=127.0.0.1:0"};
  command.insert(command.end(), options_.flags.begin(), options_.flags.end());
  EBLA_ASSIGN(member.process, cluster::Spawn({.command = std::move(command),
                                              .working_dir = options_.dir,
                                              .output_file = output,
                                              .die_with_parent = true}));
  std::string text;
  const auto told = [&] {
    text = ReadOutput(output);
    return PortIn(text, "http") != 0 || !cluster::IsAlive(member.process);
  };
  if (!testing::Eventually(told, kStartTimeMax) || PortIn(text, "http") == 0)
    return Error(Code::kUnavailable, "a gateway does not start: " + text);
  MutexLock lock(mutex_);
  member.doors = GatewayDoors{.redis = PortIn(text, "redis"), .memcached = PortIn(text, "memcached")};
  return Status::Ok();
}

std::optional<GatewayDoors> Gateways::Doors(size_t gateway) const {
  MutexLock lock(mutex_);
  return members_[gateway].doors;
}

}  // namespace ebla::chaos
