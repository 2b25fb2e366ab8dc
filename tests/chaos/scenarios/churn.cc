// The scenario of records that change their sizes in tables in memory: scenarios.h says what it proves.
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include "tests/chaos/load/churn_load.h"
#include "tests/chaos/scenarios/scenarios.h"
#include "tests/chaos/verdicts/footprint.h"
#include "tests/integration/test_cluster.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr char kChurnServer[] = "ts-1";
constexpr auto kSampleEvery = 500ms;
constexpr auto kChangeEvery = 2s;
constexpr auto kEmptyTime = 3s;  // until what a start takes has gone back
constexpr int64_t kLongerMax = 5;
constexpr size_t kTabletsMax = 12;
constexpr int64_t kFoundLeast = 1'000;

Result<int64_t> ResidentBytesOf(pid_t pid) {
  std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
  int64_t pages = 0, resident = 0;
  if (!(statm >> pages >> resident)) return Error(Code::kUnavailable, std::string(kChurnServer) + " has ended");
  return resident * ::sysconf(_SC_PAGESIZE);
}

class ChurnRun {
 public:
  explicit ChurnRun(const ChurnOptions& options) : options_(options), random_(options.seed) {}

  Status Begin() {
    EBLA_ASSIGN(cluster_, testing::TestCluster::Start(
                              {.masters = 1,
                               .servers = 1,
                               .master_flags = {"--splits", "--balance=false"},
                               .server_flags = {"--memory_tables_mb=" + std::to_string(options_.bound_mb)}}));
    EBLA_ASSIGN(Client client, cluster_->Connect(30s));
    client_.emplace(std::move(client));
    // One table has half of the server's bound, and the second the rest.
    std::vector<Table> tables;
    for (const auto& [name, limit_mb, eviction] :
         {std::tuple(kBounded, options_.bound_mb / 2, TableEviction::kLru), {kUnbounded, 0, TableEviction::kLfu}}) {
      CreateTableOptions options{.split_points = {"25", "5", "75"}, .deadline = 30s};
      options.table.replicas = 1;
      options.table.memory = true;
      options.table.eviction = eviction;
      options.table.memory_limit = static_cast<uint64_t>(limit_mb) << 20;
      if (const auto made = client_->CreateTable(name, options); !made) return made.error();
      EBLA_ASSIGN(Table table, client_->OpenTable(name));
      tables.push_back(std::move(table));
    }
    std::this_thread::sleep_for(kEmptyTime);
    EBLA_ASSIGN(const int64_t base, Resident());
    footprint_.emplace(base, int64_t{options_.bound_mb} << 20);
    load_.emplace(std::move(tables), ChurnLoadOptions{.seed = options_.seed, .writers = options_.writers});
    return Status::Ok();
  }

  // Runs for its samples. If it is stopped with all its processes, it continues later as if no time had passed.
  Status Run() {
    const auto samples = options_.length / kSampleEvery;
    const auto of_a_phase = std::max<int64_t>(options_.phase / kSampleEvery, 1);
    load_->Start();
    operator_.Add([this] {
      Change();
      return operator_.stop().WaitFor(kChangeEvery);
    });
    const auto goes_on = [&](int64_t sample) {
      return sample <= samples || (!footprint_->Tried() && sample <= kLongerMax * samples);
    };
    for (int64_t sample = 1; goes_on(sample) && faults_.empty(); ++sample) {
      std::this_thread::sleep_for(kSampleEvery);
      EBLA_ASSIGN(const int64_t resident, Resident());
      footprint_->Sample(resident, "at " + std::to_string(sample * kSampleEvery / 1s) + " s, of " + load_->phase());
      if (sample % of_a_phase != 0) continue;
      EBLA_TRY(Tell(sample, resident));
      load_->NextPhase();
      faults_ = load_->TakeFailures();
    }
    End();
    for (std::string& failure : load_->TakeFailures()) faults_.push_back(std::move(failure));
    return Status::Ok();
  }

  ScenarioReport Finish(const Status& status) {
    std::ostringstream text;
    if (!status.ok()) faults_.push_back(status.ToString());
    if (!load_) return {faults_, "not begun"};
    End();
    for (std::string& problem : footprint_->Judge()) faults_.push_back(std::move(problem));
    for (const char* change : {"split", "merge"})
      if (done_[change] == 0) faults_.push_back(std::string("there was no ") + change);
    if (load_->found() < kFoundLeast) faults_.emplace_back("too little was read to prove anything");
    text << footprint_->samples() << " samples; at the highest " << (footprint_->peak() >> 20) << " MiB, "
         << Percent(footprint_->PeakPart()) << " of bound and base, " << Percent(footprint_->PeakPartOfBound())
         << " of the bound beyond the base; " << done_["split"] << " splits, " << done_["merge"] << " merges; "
         << load_->ToString();
    return {faults_, text.str()};
  }

 private:
  void End() {
    operator_.Stop();
    load_->End();
    operator_.Join();
  }

  static constexpr char kBounded[] = "bounded";
  static constexpr char kUnbounded[] = "unbounded";

  static std::string Percent(double part) {
    return std::to_string(static_cast<int>(part * 1'000) / 10.0).substr(0, 5) + " %";
  }

  Result<int64_t> Resident() const {
    EBLA_ASSIGN(const cluster::ProcessId process, cluster_->launcher().Process(kChurnServer));
    return ResidentBytesOf(process.pid);
  }

  // Masters split by themselves, too. A change that is refused because there is much to do is tried again.
  void Change() {
    const std::string table = random_() % 2 == 0 ? kBounded : kUnbounded;
    const auto tablets = client_->ListTablets(table);
    if (!tablets) return;
    if (tablets->size() > kTabletsMax || (tablets->size() > 2 && random_() % 2 == 0)) {
      const TabletSummary& tablet = (*tablets)[1 + random_() % (tablets->size() - 1)];
      if (client_->MergeTablets(table, tablet.range.start)) ++done_["merge"];
    } else if (client_->SplitTablet(table, load_->AnyKey(random_()))) {
      ++done_["split"];
    }
  }

  Status Tell(int64_t sample, int64_t resident) {
    if (!options_.say) return Status::Ok();
    std::ostringstream text;
    text << sample * kSampleEvery / 1s << " s, " << load_->phase() << ": " << (resident >> 20) << " MiB resident, peak "
         << (footprint_->peak() >> 20);
    for (const char* name : {kBounded, kUnbounded}) {
      EBLA_ASSIGN(const TableInfo table, client_->DescribeTable(name));
      for (const TableMemory& memory : table.memory)
        text << "; " << name << " " << (memory.bytes >> 20) << " MiB, " << memory.records << " records, "
             << memory.evicted << " evicted, " << memory.refused << " refused, " << table.tablets << " tablets";
    }
    options_.say(text.str());
    return Status::Ok();
  }

  const ChurnOptions options_;
  std::mt19937_64 random_;  // the operator's
  std::unique_ptr<testing::TestCluster> cluster_;
  std::optional<Client> client_;
  std::optional<ChurnLoad> load_;
  std::optional<Footprint> footprint_;
  std::map<std::string, int> done_;  // the operator's
  std::vector<std::string> faults_;
  load::Workers operator_;  // last, because it uses the other members
};

}  // namespace

ScenarioReport Churn(const ChurnOptions& options) {
  ChurnRun run(options);
  Status status = run.Begin();
  if (status.ok()) status = run.Run();
  return run.Finish(status);
}

}  // namespace ebla::chaos
