#include "tests/chaos/damage/prepared.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <vector>

#include "common/testing/eventually.h"
#include "tests/chaos/damage/harm.h"
#include "tests/chaos/damage/vouched.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto kReadyTimeMax = 30s;
constexpr auto kCheckpointTimeMax = 30s;
constexpr auto kWholeTimeMax = 60s;
constexpr auto kWriteTimeMax = 30s;
// WiredTiger writes it like this, with a part of the configuration.
constexpr std::string_view kBaseConfig =
    "# Do not modify this file.\n#\n# WiredTiger created this file when the database was created,\n"
    "# to store persistent database settings.  Instead of changing\n# these settings, set a WIREDTIGER_CONFIG "
    "environment variable\n# or create a WiredTiger.config file to override them.\n"
    "version=(major=3,minor=2),cache_size=64MB,create=true,eviction=(threads_max=4,threads_min=1)\n";

// The lives of the servers, one after the other.
class Preparation {
 public:
  Preparation(const PrepareOptions& options, Prepared& made)
      : shape_(options.shape),
        trees_(options.trees),
        root_("/prepared-" + std::to_string(static_cast<int>(options.shape))),
        made_(made),
        site_({.shape = shape_,
               .dir = made.site(),
               .bin_dir = options.bin_dir,
               .zookeeper = trees_ == nullptr ? "" : trees_->AddressOf(root_)}) {}

  Status Run() {
    EBLA_TRY(site_.PickPorts());
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
    return EndLastLife(client);
  }

  // The part of the last life that ts-3 does not see, if one is away.
  Status EndLastLife(const Client& client) {
    const bool away = shape_ == Shape::kOneAway;
    if (away) EBLA_TRY(site_.Kill("ts-3"));
    const Ack ack = away ? Ack::kMajority : Ack::kAll;
    EBLA_TRY(Write(client, 8, 3, ack));
    AwaitVouched();
    for (const std::string& server : site_.servers())
      EBLA_TRY(CopyDirectory(site_.DataDir(server), made_.dir + "/late/" + server));
    EBLA_TRY(Write(client, 8, 5, ack));
    EBLA_TRY(Write(client, 8, 6, ack));
    AwaitVouched();
    return {};
  }

  void AwaitVouched() {
    std::vector<Vouched> vouched;
    for (const std::string& server : site_.servers())
      if (site_.Runs(server)) vouched.emplace_back(site_.DataDir(server));
    for (const Vouched& each : vouched) each.Await();
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

  // The master leaves first, so that it changes nothing while the servers end.
  Status End() {
    if (shape_ != Shape::kStandalone) EBLA_TRY(site_.End("m-1"));
    for (const std::string& server : site_.servers()) EBLA_TRY(site_.Kill(server));
    if (trees_ != nullptr) {
      EBLA_ASSIGN(made_.tree, trees_->Read(root_));
    }
    // Logs of these lives are no part of a case.
    for (const char* part : {"/site", "/older", "/late"}) {
      for (const auto& process : fs::directory_iterator(made_.dir + part)) {
        std::error_code error;
        fs::remove_all(process.path() / "logs", error);
        fs::remove(process.path() / "output.log", error);
        // Stores of former builds have this file.
        if (fs::exists(process.path() / "store", error))
          std::ofstream(process.path() / "store/WiredTiger.basecfg") << kBaseConfig;
      }
    }
    // Without the zeros of the log's files a copy is quick.
    EBLA_TRY(CopyDirectory(made_.site(), made_.dir + "/sparse"));
    std::error_code error;
    fs::remove_all(made_.site(), error);
    fs::rename(made_.dir + "/sparse", made_.site(), error);
    return error ? Status(Code::kInternal, "cannot rename to " + made_.site() + ": " + error.message()) : Status();
  }

  const Shape shape_;
  Trees* const trees_;
  const std::string root_;
  Prepared& made_;
  Site site_;
};

}  // namespace

std::string Prepared::OlderOf(const std::string& server, const KindFacts& facts, const std::string& name) const {
  std::string path = dir + (facts.late ? "/late/" : "/older/") + server;
  if (!facts.folder.empty()) path += "/" + std::string(facts.folder);
  return facts.directory() ? path : path + "/" + name;
}

Result<Prepared> Prepare(const PrepareOptions& options) {
  Prepared made{.shape = options.shape, .dir = options.dir, .records = {}, .tree = {}};
  std::error_code error;
  fs::create_directories(made.site(), error);
  Preparation preparation(options, made);
  EBLA_TRY(preparation.Run());
  return made;
}

}  // namespace ebla::chaos
