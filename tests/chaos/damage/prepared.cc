#include "tests/chaos/damage/prepared.h"

#include <algorithm>
#include <filesystem>
#include <thread>

#include "common/testing/eventually.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto kReadyTimeMax = 30s;
constexpr auto kCheckpointTimeMax = 30s;
constexpr auto kWholeTimeMax = 60s;
constexpr auto kWriteTimeMax = 30s;
constexpr auto kCopyTimeMax = 60s;
// Twice ZooKeeper's session: nothing of a killed process is registered any more.
constexpr auto kSessionsEnd = 4s;

// The lives of the servers, one after the other.
class Preparation {
 public:
  Preparation(Shape shape, Prepared& made, const std::string& bin_dir)
      : shape_(shape), made_(made), site_(made.members, made.site(), bin_dir) {}

  Status Run() {
    EBLA_TRY(site_.StartControl());
    for (int life = 1; life <= 6; ++life) {
      EBLA_TRY(Live(life));
      if (life == 6) break;
      for (const std::string& server : site_.servers()) EBLA_TRY(site_.Kill(server));
      if (life == 2) EBLA_TRY(CopyDirectory(made_.site(), made_.dir + "/older"));
    }
    return End();
  }

 private:
  int Replicas() const { return shape_ == Shape::kStandalone ? 1 : 3; }

  Status Live(int life) {
    std::vector<std::string> flags = {life <= 3 ? "--checkpoint_seconds=1" : "--checkpoint_seconds=86400",
                                      "--scrub_period_s=0"};
    // Tables that are made in the first life have their records in place.
    if (life == 1) flags.emplace_back("--sorted_tables=false");
    for (const std::string& server : site_.servers()) EBLA_TRY(site_.Launch(server, flags));
    for (const std::string& server : site_.servers()) {
      const Started started = site_.Await(server, kReadyTimeMax);
      if (started.end != StartEnd::kReady) return Status(Code::kUnavailable, server + " is not ready: " + started.text);
    }
    EBLA_ASSIGN(const Client client, site_.Connect(kWriteTimeMax));
    if (life <= 2) EBLA_TRY(made_.records.Make(client, static_cast<size_t>(life - 1), Replicas()));
    EBLA_TRY(AwaitWhole());
    // Lives 3 to 6 write other keys each, so that no part of what they leave has a second copy.
    if (life <= 3) {
      EBLA_TRY(Write(client, life == 3 ? 3 : 1, 0, Ack::kAll));
      return AwaitCheckpoint();
    }
    EBLA_TRY(Write(client, 8, life - 4, Ack::kAll));
    if (life < 6) return {};
    EBLA_TRY(EndLastLife(client));
    std::this_thread::sleep_for(kVouchedAfter);
    return {};
  }

  // The part of the last life that ts-3 does not see, if one is away.
  Status EndLastLife(const Client& client) {
    const bool away = shape_ == Shape::kOneAway;
    if (away) EBLA_TRY(site_.Kill("ts-3"));
    const Ack ack = away ? Ack::kMajority : Ack::kAll;
    EBLA_TRY(Write(client, 8, 3, ack));
    std::this_thread::sleep_for(kVouchedAfter);
    EBLA_TRY(CopyLate());
    EBLA_TRY(Write(client, 8, 5, ack));
    return Write(client, 8, 6, ack);
  }

  Status Write(const Client& client, int each, int from, Ack ack) {
    EBLA_TRY(made_.records.Write(client, each, from, ack, kWriteTimeMax));
    const Reading reading = made_.records.Read(client, kWriteTimeMax);
    if (reading.whole()) return {};
    return Status(Code::kInternal, "what was written is not read: " + (reading.wrong.empty() ? "" : reading.wrong[0]) +
                                       (reading.refused.empty() ? "" : reading.refused[0]));
  }

  // A voter that was away catches up.
  Status AwaitWhole() {
    testing::Shown check;
    const bool whole = testing::Eventually(
        [&] {
          check = site_.Ebla("check");
          return check.code == 0;
        },
        kWholeTimeMax);
    return whole ? Status() : Status(Code::kUnavailable, "ebla check: " + check.text);
  }

  // Until all that was logged is in one.
  Status AwaitCheckpoint() {
    for (const std::string& server : site_.servers()) {
      const auto done = [&] {
        return site_.Figure(server, "ebla_store_checkpoints_total") > 0 &&
               site_.Figure(server, "ebla_store_log_bytes") == 0;
      };
      if (!testing::Eventually(done, kCheckpointTimeMax)) return {Code::kUnavailable, server + " takes no checkpoint"};
    }
    return {};
  }

  Status CopyLate() {
    for (const std::string& server : site_.servers()) {
      const std::string from = site_.DataDir(server), to = made_.dir + "/late/" + server;
      std::error_code error;
      fs::create_directories(to + "/store", error);
      EBLA_TRY(CopyDirectory(from + "/store/log", to + "/store/log"));
      for (const char* name : {"/INVENTORY", "/store/INVENTORY"}) fs::copy_file(from + name, to + name, error);
    }
    return {};
  }

  // The master leaves first, so that it changes nothing while the servers end.
  Status End() {
    if (shape_ != Shape::kStandalone) EBLA_TRY(site_.End("m-1"));
    for (const std::string& server : site_.servers()) EBLA_TRY(site_.Kill(server));
    if (shape_ != Shape::kStandalone) {
      std::this_thread::sleep_for(kSessionsEnd);
      EBLA_TRY(site_.End("zookeeper"));
    }
    // Logs of these lives are no part of a case.
    for (const auto& process : fs::directory_iterator(made_.site())) {
      std::error_code error;
      fs::remove_all(process.path() / "logs", error);
      fs::remove(process.path() / "output.log", error);
    }
    // Without the zeros of the log's files a copy is quick.
    EBLA_TRY(CopyDirectory(made_.site(), made_.dir + "/sparse"));
    std::error_code error;
    fs::remove_all(made_.site(), error);
    fs::rename(made_.dir + "/sparse", made_.site(), error);
    return error ? Status(Code::kInternal, "cannot rename to " + made_.site() + ": " + error.message()) : Status();
  }

  const Shape shape_;
  Prepared& made_;
  Site site_;
};

}  // namespace

Status CopyDirectory(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::create_directories(fs::path(to).parent_path(), error);
  EBLA_ASSIGN(const cluster::ProcessId copy,
              cluster::Spawn({.command = {"/bin/cp", "-a", "--reflink=auto", "--sparse=always", from, to},
                              .working_dir = "/",
                              .output_file = to + ".cp",
                              .die_with_parent = true}));
  EBLA_ASSIGN(const int code, cluster::ExitCode(copy, kCopyTimeMax));
  const std::string said = cluster::LastLines(to + ".cp", 1);
  fs::remove(to + ".cp", error);
  // Files of a server that runs may vanish meanwhile.
  if (code == 0 || said.contains("No such file")) return {};
  return Error(Code::kInternal, "cannot copy " + from + ": " + said);
}

std::string Prepared::OlderOf(const std::string& server, const KindFacts& facts, const std::string& name) const {
  const bool late = facts.suffix == ".log" || facts.prefix == "INVENTORY";
  std::string path = dir + (late ? "/late/" : "/older/") + server;
  if (!facts.folder.empty()) path += "/" + std::string(facts.folder);
  return facts.directory() ? path : path + "/" + name;
}

Result<Prepared> Prepare(Shape shape, const std::string& dir, const std::string& bin_dir) {
  Prepared made{.members = {}, .dir = dir, .records = {}};
  EBLA_ASSIGN(made.members, SiteMembers::Pick(shape));
  std::error_code error;
  fs::create_directories(made.site(), error);
  Preparation preparation(shape, made, bin_dir);
  EBLA_TRY(preparation.Run());
  return made;
}

}  // namespace ebla::chaos
