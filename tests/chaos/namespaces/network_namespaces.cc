#include "tests/chaos/namespaces/network_namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "common/base/system_error.h"

namespace ebla::chaos {
namespace {

constexpr char kNsenter[] = "/usr/bin/nsenter";

Result<int> OpenOwn() {
  const int fd = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return SystemError(Code::kUnavailable, "cannot open this thread's network namespace");
  return fd;
}

Result<int> EnterNew() {
  if (::unshare(CLONE_NEWNET) != 0)
    return SystemError(Code::kUnavailable, "cannot make a network namespace (are you root?)");
  return OpenOwn();
}

// The namespace's path for other processes.
std::string PathOf(int ns) { return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(ns); }

// Runs it in the calling thread's namespace.
Status Run(const std::string& command) {
  const int status = std::system((command + " >/dev/null").c_str());
  if (status == 0) return Status::Ok();
  return Error(Code::kUnavailable, "failed: " + command);
}

}  // namespace

Result<std::unique_ptr<NetworkNamespaces>> NetworkNamespaces::Make(const std::vector<std::string>& names) {
  std::unique_ptr<NetworkNamespaces> made(new NetworkNamespaces);
  EBLA_ASSIGN(made->outside_, OpenOwn());
  int number = 0;
  for (const std::string& name : names) {
    EBLA_ASSIGN(const int ns, EnterNew());
    made->namespaces_[name] = {++number, ns};
  }
  EBLA_ASSIGN(made->router_, EnterNew());
  EBLA_TRY(Run("ip link set lo up && echo 1 | tee /proc/sys/net/ipv4/ip_forward"));
  for (const auto& [name, entry] : made->namespaces_) EBLA_TRY(made->Connect(entry));
  return made;
}

NetworkNamespaces::~NetworkNamespaces() {
  if (outside_ >= 0) (void)::setns(outside_, CLONE_NEWNET);
  for (const auto& [name, entry] : namespaces_) ::close(entry.ns);
  for (const int fd : {router_, outside_})
    if (fd >= 0) ::close(fd);
}

Status NetworkNamespaces::Connect(const Namespace& entry) const {
  const std::string number = std::to_string(entry.number), net = "10.77." + number;
  EBLA_TRY(Run("ip link add r" + number + " type veth peer name eth0 netns " + PathOf(entry.ns) + " && ip addr add " +
               net + ".1/24 dev r" + number + " && ip link set r" + number + " up"));
  return Run(std::string(kNsenter) + " --net=" + PathOf(entry.ns) + " sh -c 'ip link set lo up && ip addr add " + net +
             ".2/24 dev eth0 && ip link set eth0 up && ip route add default via " + net + ".1'");
}

std::string NetworkNamespaces::Address(const std::string& name) const {
  return "10.77." + std::to_string(namespaces_.at(name).number) + ".2";
}

cluster::LaunchContext NetworkNamespaces::LaunchContextOf(const std::string& name) const {
  return {Address(name), {kNsenter, "--net=" + PathOf(namespaces_.at(name).ns)}};
}

Status NetworkNamespaces::Enter(const std::string& name) const {
  if (::setns(name.empty() ? router_ : namespaces_.at(name).ns, CLONE_NEWNET) != 0)
    return SystemError(Code::kUnavailable, "cannot enter " + name);
  return Status::Ok();
}

Status NetworkNamespaces::Cut(const std::vector<std::string>& from, const std::vector<std::string>& to) {
  for (const std::string& one : from)
    for (const std::string& other : to) {
      const auto way = std::pair(Address(one), Address(other));
      if (!cuts_.insert(way).second) continue;
      EBLA_TRY(Run("ip rule add from " + way.first + " to " + way.second + " blackhole"));
    }
  return Status::Ok();
}

Status NetworkNamespaces::CutBoth(const std::vector<std::string>& some, const std::vector<std::string>& others) {
  EBLA_TRY(Cut(some, others));
  return Cut(others, some);
}

Status NetworkNamespaces::Cut(const NetworkCut& cut) {
  return cut.both_ways ? CutBoth(cut.some, cut.others) : Cut(cut.some, cut.others);
}

Status NetworkNamespaces::HealAll() {
  for (const auto& [from, to] : cuts_) EBLA_TRY(Run("ip rule del from " + from + " to " + to + " blackhole"));
  cuts_.clear();
  return Status::Ok();
}

}  // namespace ebla::chaos
