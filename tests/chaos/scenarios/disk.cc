// The scenario of a full disk: scenarios.h says what it proves.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <thread>

#include "common/base/system_error.h"
#include "tests/chaos/scenarios/scenario_run.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;

constexpr char kVictim[] = "ts-2";
constexpr char kReserveFlag[] = "--disk_reserve_mb=48";
constexpr char kDiskOptions[] = "size=512m";
constexpr off_t kLeftFree = 12 << 20;  // less than the reserve
constexpr auto kFullTimeMax = 30s;
constexpr auto kTransferTimeMax = 10s;  // from full until others lead, and writes go on
constexpr int64_t kOperationsPerFill = 300;

// Mounts a small disk for the victim's data. The calling thread and its children see it, and it ends with them.
Status MountDisk(const std::string& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return Error(Code::kInternal, "cannot make " + dir + ": " + error.message());
  if (::unshare(CLONE_NEWNS) != 0)
    return SystemError(Code::kUnavailable, "cannot make a mount namespace (are you root?)");
  // EINVAL means that the root is no mount point, as in a chroot. The mounts are then as private as those of the
  // chroot's parent.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 && errno != EINVAL)
    return SystemError(Code::kUnavailable, "cannot keep mounts private");
  if (::mount("ebla-chaos", dir.c_str(), "tmpfs", 0, kDiskOptions) != 0)
    return SystemError(Code::kUnavailable, "cannot mount " + dir);
  return Status::Ok();
}

// A foreign file, which takes all but `left` of the room.
Status Fill(const std::string& file, off_t left) {
  struct statvfs room{};
  if (::statvfs(std::filesystem::path(file).parent_path().c_str(), &room) != 0)
    return SystemError(Code::kUnavailable, "statvfs");
  const off_t free = static_cast<off_t>(room.f_bavail * room.f_frsize);
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError(Code::kUnavailable, "cannot make " + file);
  const int error = ::posix_fallocate(fd, 0, std::max<off_t>(free - left, 1));
  ::close(fd);
  if (error != 0) return Error(Code::kUnavailable, "cannot fill the disk: " + std::string(std::strerror(error)));
  return Status::Ok();
}

Status AwaitRefusal(ScenarioRun& scenario, bool wanted) {
  const auto deadline = WallClock::now() + kFullTimeMax;
  for (; WallClock::now() < deadline; std::this_thread::sleep_for(50ms)) {
    EBLA_ASSIGN(const auto servers, scenario.load().observer().ListServers());
    const auto victim = std::ranges::find(servers, kVictim, &ServerSummary::name);
    if (victim != servers.end() && victim->live && victim->writes_refused == wanted) return Status::Ok();
  }
  return Error(Code::kUnavailable, std::string(kVictim) + (wanted ? " does not notice that its disk is full"
                                                                  : " does not notice that there is room again"));
}

// Has the victim lead a third of the tablets, as it may not after an earlier round.
Result<std::vector<int>> HaveLead(ScenarioRun& scenario) {
  const HistoryLoad& load = scenario.load();
  for (int tablet = 0; tablet < HistoryLoadOptions().tablets; tablet += 3)
    EBLA_TRY(load.observer().TransferTablet(HistoryLoad::kTable, load.ProbeKey(tablet), kVictim));
  return load.LedBy(kVictim);
}

// The time until other servers are primaries of these tablets, and they have been read and written. All of them are
// read meanwhile.
Result<std::chrono::milliseconds> AwaitTransfer(ScenarioRun& scenario, const std::vector<int>& tablets,
                                                WallClock::time_point full) {
  const HistoryLoad& load = scenario.load();
  for (const auto deadline = full + kTransferTimeMax;;) {
    for (const int tablet : tablets) {
      const auto read = load.table().Get(load.ProbeKey(tablet), {.read = Read::Strong(), .deadline = 5s});
      if (!read && read.error().code() != Code::kNotFound) return Error(read.error());
    }
    EBLA_ASSIGN(const std::vector<int> still, load.LedBy(kVictim));
    if (still.empty()) break;
    if (WallClock::now() >= deadline)
      return Error(Code::kInternal, std::string(kVictim) + " still leads " + std::to_string(still.size()) +
                                        " tablets with its disk full");
  }
  EBLA_TRY(scenario.AwaitService(tablets, WallClock::now()));
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(WallClock::now() - full);
  if (took > kTransferTimeMax)
    return Error(Code::kInternal, "what it led was written " + std::to_string(took.count()) + " ms after");
  return took;
}

ScenarioReport Run(const FullDiskOptions& options) {
  testing::TestClusterOptions cluster{.server_flags = {kReserveFlag, "--cache_mb=64"}};
  cluster.prepare = [](const std::string& dir) { return MountDisk(dir + "/" + kVictim); };
  cluster.clear = [](const std::string& dir) { ::umount2((dir + "/" + kVictim).c_str(), MNT_DETACH); };
  auto begun = ScenarioRun::Begin(std::move(cluster), {.seed = options.seed}, options.say);
  if (!begun) return NotBegun(begun.error());
  ScenarioRun& scenario = **begun;
  const std::string filler = scenario.launcher().DataDir(kVictim) + "/somebody-elses";
  std::vector<int> all(static_cast<size_t>(HistoryLoadOptions().tablets));
  std::iota(all.begin(), all.end(), 0);
  int rounds = 0;
  std::chrono::milliseconds longest{0};
  const auto round = [&]() -> Status {
    EBLA_TRY(scenario.Settle(kOperationsPerFill));
    EBLA_TRY(AwaitRefusal(scenario, false));
    EBLA_ASSIGN(const std::vector<int> led, HaveLead(scenario));
    EBLA_TRY(Fill(filler, kLeftFree));
    const auto full = WallClock::now();
    EBLA_TRY(AwaitRefusal(scenario, true));
    // All is read and written, what the victim led as soon as others lead it.
    EBLA_ASSIGN(const auto transferred, AwaitTransfer(scenario, led, full));
    longest = std::max(longest, transferred);
    for (const auto end = WallClock::now() + options.length; WallClock::now() < end;) {
      EBLA_TRY(scenario.AwaitService(all, WallClock::now()));
    }
    EBLA_ASSIGN(const std::vector<int> still, scenario.load().LedBy(kVictim));
    if (!still.empty())
      return Error(Code::kInternal, std::string(kVictim) + " was given something to lead with its disk full");
    EBLA_TRY(scenario.launcher().Kill(kVictim, SIGKILL));
    EBLA_TRY(scenario.launcher().Restart(kVictim));
    std::error_code error;
    if (!std::filesystem::remove(filler, error)) return Error(Code::kInternal, "cannot remove " + filler);
    EBLA_TRY(AwaitRefusal(scenario, false));
    scenario.Tell("full disk " + std::to_string(++rounds) + ": " + kVictim + " led " + std::to_string(led.size()) +
                  " tablets, others led and wrote them after " + std::to_string(transferred.count()) + " ms");
    return scenario.Settle(kOperationsPerFill);
  };
  scenario.Repeat(options.rounds, round);
  return scenario.Finish(std::to_string(rounds) +
                             " times a full disk on one of three servers; what it led was written elsewhere " +
                             std::to_string(longest.count()) + " ms after at the worst",
                         rounds * kOperationsPerFill);
}

}  // namespace

ScenarioReport FullDisk(const FullDiskOptions& options) {
  return OnThreadOfItsOwn([&] { return Run(options); });
}

}  // namespace ebla::chaos
