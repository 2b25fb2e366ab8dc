// Damages bytes of servers' files, of a running server and of a stopped one, and changes records so that no checksum is
// wrong. The damage is found and never served, damaged replicas are copied from whole ones, and all replicas are equal
// afterwards. If only two replicas differ, neither is replaced, and the operator is told.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <random>
#include <thread>

#include "common/rpc/channel.h"
#include "common/testing/eventually.h"
#include "common/testing/thread_executor.h"
#include "tabletserver/storage/wiredtiger/wt_store.h"
#include "tests/integration/cluster_fixture.h"
#include "tools/cluster/probe.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr char kTable[] = "carts";
constexpr int kRows = 1200;

std::string KeyOf(int row) { return std::to_string(10'000 + row); }
std::string ValueOf(int row) { return "value of " + KeyOf(row) + std::string(300, static_cast<char>('a' + row % 26)); }

class ScrubClusterTest : public ClusterFixture {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Start(
        {.master_flags = {"--replace_after_s=2"},
         .server_flags = {"--scrub_period_s=1", "--scrub_bytes_per_second=1000000000", "--checkpoint_seconds=1"}}));
    CreateTableOptions options{.split_points = {KeyOf(kRows / 3), KeyOf(2 * kRows / 3)}, .deadline = 30s};
    options.table.replicas = 3;
    const auto made = client_->CreateTable(kTable, options);
    ASSERT_TRUE(made.has_value()) << made.error();
    auto table = client_->OpenTable(kTable);
    ASSERT_TRUE(table.has_value()) << table.error();
    table_ = std::make_unique<Table>(*table);
    for (int row = 0; row < kRows; ++row) Write(row);
    // On every disk, but a follower applies it when it learns that it is committed. A follower whose primary ends
    // before that rightly answers EVENTUAL without it.
    ASSERT_TRUE(Eventually([&] { return AllEqual(); }, 30s)) << cluster_->Ebla("check");
  }

  void Write(int row) const {
    const auto put = table_->Put(KeyOf(row), ValueOf(row), {.ack = Ack::kAll, .deadline = 30s});
    ASSERT_TRUE(put.has_value()) << put.error();
  }
  void ExpectAll() const {
    for (int row = 0; row < kRows; ++row) {
      const auto read =
          table_->Get(KeyOf(row), {.read = row % 2 == 0 ? Read::Strong() : Read::Eventual(), .deadline = 30s});
      ASSERT_TRUE(read.has_value()) << read.error();
      ASSERT_EQ(read->value, ValueOf(row));
    }
  }
  // Reads everything again and again until it holds.
  template <class Condition>
  ::testing::AssertionResult ReadUntil(const Condition& condition) const {
    const auto limit = std::chrono::steady_clock::now() + 90s;
    while (!condition()) {
      ExpectAll();
      if (HasFatalFailure()) return ::testing::AssertionFailure() << "a read went wrong";
      if (std::chrono::steady_clock::now() > limit) return ::testing::AssertionFailure() << "not within 90 s";
    }
    return ::testing::AssertionSuccess();
  }

  std::string StoreOf(const std::string& server) { return launcher().DataDir(server) + "/store"; }
  // The runs of tables that have the text. Merges remove runs at any time.
  std::vector<std::string> FilesWith(const std::string& server, const std::string& text) {
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(StoreOf(server))) {
      if (!entry.path().filename().string().starts_with("run_")) continue;
      if (FileBytes(entry.path()).find(text) != std::string::npos) files.push_back(entry.path());
    }
    return files;
  }
  bool IsStored(const std::string& server, const std::string& text) { return !FilesWith(server, text).empty(); }
  int DamageTables(const std::string& server, const std::string& text) {
    int damages = 0;
    for (const std::string& file : FilesWith(server, text)) damages += Damage(file, text);
    return damages;
  }
  // Flips a bit at each place of the text.
  static int Damage(const std::string& file, const std::string& text) {
    const std::string bytes = FileBytes(file);
    const int fd = open(file.c_str(), O_WRONLY | O_CLOEXEC);
    int damages = 0;
    for (size_t at = bytes.find(text); at != bytes.npos; at = bytes.find(text, at + 1), ++damages) {
      const char other = static_cast<char>(bytes[at] ^ 4);
      EXPECT_EQ(pwrite(fd, &other, 1, static_cast<off_t>(at)), 1);
    }
    close(fd);
    return damages;
  }
  // The output of the server's lives.
  std::string Said(const std::string& server) {
    std::string all;
    for (const auto& entry : fs::directory_iterator(launcher().DataDir(server) + "/logs")) {
      if (!entry.is_symlink() && entry.path().filename().string().find(".WARNING.") != std::string::npos)
        all += FileBytes(entry.path());
    }
    return all;
  }
  int FilesRemoved(const std::string& server) {
    const std::string log = Said(server);
    const std::string said = "the damaged file of table";
    int times = 0;
    for (size_t at = log.find(said); at != log.npos; at = log.find(said, at + 1)) ++times;
    return times;
  }
  // Another value for a key in a stopped server's store, as that would have written it: no checksum is wrong.
  void Falsify(const std::string& server, const std::string& key, const std::string& value) {
    using namespace ebla::tabletserver;
    ThreadExecutor flusher, background;
    WtStoreOptions options{.directory = StoreOf(server), .cache_bytes = int64_t{64} << 20};
    options.flusher = &flusher;
    options.background = &background;
    options.watcher = &background;
    auto store = WtStore::Open(std::move(options));
    ASSERT_TRUE(store.has_value()) << store.error();
    const auto recovered = (**store)->Recover();
    ASSERT_TRUE(recovered.has_value()) << recovered.error();
    int changed = 0;
    for (const TableId table : (**store)->Tables()) {
      auto record = (**store)->Get(table, key);
      ASSERT_TRUE(record.has_value()) << record.error();
      if (!record->has_value()) continue;
      const std::pair<std::string, StoredRecord> other{
          key, {.value = value, .version = (*record)->version, .expires_at = (*record)->expires_at}};
      const Status replaced = (**store)->ReplaceInterval(table, {key, KeyAfter(key)}, {&other, 1});
      ASSERT_TRUE(replaced.ok()) << replaced;
      ++changed;
    }
    EXPECT_EQ(changed, 1) << key << " is not in the store";
  }
  bool AllEqual() const { return cluster_->Ebla("check").code == 0; }

  std::unique_ptr<Table> table_;
};

TEST_F(ScrubClusterTest, WhatIsDamagedIsMadeAnewAndNeverServed) {
  const std::string victim = "ts-1", damaged = "value of " + KeyOf(100);
  ASSERT_TRUE(ReadUntil([&] { return IsStored(victim, damaged); })) << "no checkpoint has it";
  ASSERT_GT(DamageTables(victim, damaged), 0);
  Write(kRows - 1);
  EXPECT_TRUE(ReadUntil([&] { return FilesRemoved(victim) == 1; })) << Said(victim);
  EXPECT_TRUE(ReadUntil([&] { return AllEqual(); })) << cluster_->Ebla("check");
  EXPECT_TRUE(ReadUntil([&] { return IsStored(victim, damaged); })) << "it is not here again";

  // Damages a stopped server.
  const std::string stopped = "ts-2";
  ASSERT_TRUE(ReadUntil([&] { return IsStored(stopped, damaged); }));
  ASSERT_TRUE(launcher().End(stopped).ok());
  ASSERT_GT(DamageTables(stopped, damaged), 0);
  const Status again = launcher().Restart(stopped);
  ASSERT_TRUE(again.ok()) << again;
  Write(100);
  EXPECT_TRUE(ReadUntil([&] { return FilesRemoved(stopped) == 1; })) << Said(stopped);
  EXPECT_TRUE(ReadUntil([&] { return AllEqual(); })) << cluster_->Ebla("check");
  ExpectAll();
}

// The start needs the log, so the server reports the damage and ends, and a new server takes its place.
TEST_F(ScrubClusterTest, AServerWhoseLogIsDamagedDoesNotStart) {
  const std::string victim = "ts-3";
  ASSERT_TRUE(launcher().End(victim).ok());
  int damages = 0;
  for (const auto& entry : fs::directory_iterator(StoreOf(victim) + "/log")) {
    if (entry.path().extension() == ".log") damages += Damage(entry.path(), "value of " + KeyOf(kRows - 1));
  }
  ASSERT_GT(damages, 0);
  (void)launcher().Restart(victim, false);
  const Result<int> code = cluster::ExitCode(*launcher().Process(victim), 30s);
  EXPECT_TRUE(!code || *code == 1) << *code;
  EXPECT_THAT(FileBytes(launcher().LogFile(victim)), HasSubstr("is damaged at byte"));
  ExpectAll();
}

// ---- hundreds of bytes ----------------------------------------------------------------------------------------------

// A kind of files of a server, and how many bytes of them are damaged at a time.
struct Kind {
  const char* name;
  int bytes;
  std::vector<std::string> parts;  // of paths
};
const std::vector<Kind>& Kinds() {
  static const std::vector<Kind> kinds = {
      {"tables", 150, {"/store/run_"}},
      {"log", 5, {"/store/log/"}},
      {"tables", 150, {"/store/run_"}},
      {"the store's own", 2, {"/store/applied", "/store/window", "/store/runs", "/store/WiredTiger"}},
      {"tables", 150, {"/store/run_"}},
      {"names and marks", 2, {"/IDENTITY", "/FORMAT", "/ADDRESS", "/LOCK", "/BALLAST"}}};
  return kinds;
}

class LongManyDamagesTest : public ScrubClusterTest {
 protected:
  // The end of the file's contents, which only zeros follow.
  static size_t EndOf(const std::string& bytes) {
    const size_t last = bytes.find_last_not_of('\0');
    return last == bytes.npos ? 0 : last + 1;
  }
  // A bit of each of so many random bytes, of files that are there; how many.
  int Spoil(const std::string& server, const Kind& kind) {
    std::vector<std::pair<std::string, size_t>> files;
    for (const auto& entry : fs::recursive_directory_iterator(launcher().DataDir(server))) {
      const std::string path = entry.path();
      const auto has = [&](const std::string& part) { return path.find(part) != path.npos; };
      if (!entry.is_regular_file() || std::ranges::none_of(kind.parts, has)) continue;
      if (const size_t end = EndOf(FileBytes(path)); end > 0) files.emplace_back(path, end);
    }
    for (int i = 0; i < kind.bytes && !files.empty(); ++i) {
      const auto& [path, end] = files[random_() % files.size()];
      const auto at = static_cast<off_t>(random_() % end);
      const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
      char byte = 0;
      EXPECT_EQ(pread(fd, &byte, 1, at), 1);
      byte = static_cast<char>(byte ^ (1 << random_() % 8));
      EXPECT_EQ(pwrite(fd, &byte, 1, at), 1);
      close(fd);
    }
    return files.empty() ? 0 : kind.bytes;
  }
  // All that there was is served, by as many whole replicas as the table wants, which are equal.
  bool Healed() {
    if (!lost_.empty() && cluster_->Ebla("server remove " + lost_).code == 0) lost_.clear();
    return lost_.empty() && cluster_->Ebla("health").code == 0 && AllEqual();
  }
  bool HealsWithin(std::chrono::seconds limit) {
    const auto until = std::chrono::steady_clock::now() + limit;
    while (!Healed()) {
      ExpectAll();
      if (HasFatalFailure() || std::chrono::steady_clock::now() > until) return false;
    }
    return true;
  }
  // The way on from a store that is lost: a new name and an empty directory.
  void Replace(std::string& server) {
    ASSERT_TRUE(launcher().End(server).ok());
    ASSERT_TRUE(launcher().Remove(server).ok());
    lost_ = server;
    const auto added = launcher().AddServer();
    ASSERT_TRUE(added.has_value()) << added.error();
    server = *added;
  }

  // A pass over its files that begins after this call ends. False: the server is no more.
  bool SearchesItself(const std::string& server) {
    const auto passes = [&]() -> std::optional<int> {
      for (const cluster::ProcessView& view : launcher().Describe()) {
        if (view.name != server) continue;
        const auto http = rpc::Endpoint::Parse(view.http_address);
        if (!http) return std::nullopt;
        const std::string page = cluster::GetPage(http->host, http->port, "/metrics", 5s).value_or("");
        const std::string name = "\nebla_scrub_passes_total ";
        if (const size_t at = page.find(name); at != page.npos) return std::stoi(page.substr(at + name.size()));
      }
      return std::nullopt;
    };
    const std::optional<int> before = passes();
    // The one under way may have read past the damage.
    return before && ReadUntil([&] {
             const std::optional<int> now = passes();
             return !now || *now >= *before + 2;
           }) &&
           passes();
  }
  static std::chrono::seconds Limit() {
    const char* given = std::getenv("EBLA_DAMAGE_SECONDS");
    return std::chrono::seconds(given == nullptr ? 20 : std::atoi(given));
  }
  static uint32_t Seed() {
    const char* given = std::getenv("EBLA_SEED");
    return given == nullptr ? std::random_device()() : static_cast<uint32_t>(std::strtoul(given, nullptr, 10));
  }

  const uint32_t seed_ = Seed();
  std::mt19937 random_{seed_};
  std::string lost_;  // to be removed from the catalog
};

// Damages the servers in turn, each kind of files, and as many as time allows: stopped, and started again; or while the
// server runs. A running server finds its losses in a scrub; after one more restart it has everything.
TEST_F(LongManyDamagesTest, AreHealedAndNothingDamagedIsServed) {
  std::cout << "seed " << seed_ << "; EBLA_SEED=" << seed_ << " damages the same again" << std::endl;
  std::vector<std::string> servers = {"ts-1", "ts-2", "ts-3"};
  std::map<std::string, int> damages, refusals;
  const auto end = std::chrono::steady_clock::now() + Limit();
  int rounds = 0, healed = 0;
  for (; rounds < std::ssize(Kinds()) || std::chrono::steady_clock::now() < end; ++rounds) {
    std::string& server = servers[static_cast<size_t>(rounds) % servers.size()];
    const Kind& kind = Kinds()[static_cast<size_t>(rounds) % Kinds().size()];
    // Each kind is damaged on a running server in every other round.
    const bool runs = (rounds % 3 == 2) != (rounds / std::ssize(Kinds()) % 2 == 1);
    SCOPED_TRACE(server + ", " + kind.name + (runs ? ", running" : ", stopped"));
    bool whole = false;
    if (runs) {
      damages[kind.name + std::string(", running")] += Spoil(server, kind);
      whole = SearchesItself(server) && HealsWithin(30s);
      ASSERT_FALSE(HasFatalFailure());
    }
    if (whole || !runs) {
      ASSERT_TRUE(launcher().End(server).ok());
      if (!runs) damages[kind.name + std::string(", stopped")] += Spoil(server, kind);
      // Which may also be the end of its store while it runs.
      whole = launcher().Restart(server).ok() && HealsWithin(30s);
    }
    if (!whole) {
      ASSERT_FALSE(HasFatalFailure());
      ++refusals[kind.name];
      Replace(server);
      ASSERT_FALSE(HasFatalFailure());
      ASSERT_TRUE(HealsWithin(60s)) << cluster_->Ebla("health") << cluster_->Ebla("check");
    }
    ++healed;
    ExpectAll();
    ASSERT_FALSE(HasFatalFailure());
  }
  int all = 0;
  for (const auto& [name, count] : damages) {
    std::cout << count << " bytes of " << name << " damaged" << std::endl;
    all += count;
  }
  for (const auto& [name, count] : refusals) std::cout << name << ": " << count << " servers replaced" << std::endl;
  std::cout << all << " bytes in " << rounds << " rounds, all healed" << std::endl;
  EXPECT_EQ(healed, rounds);
  EXPECT_GT(damages["tables, stopped"], 0);
  EXPECT_GT(damages["tables, running"], 0);
}

TEST_F(ScrubClusterTest, ARecordThatDiffersSilentlyIsMadeAnewAndNeverServed) {
  const std::string victim = "ts-2", key = KeyOf(100);
  ASSERT_TRUE(Eventually([&] { return AllEqual(); })) << "not all has been applied everywhere";
  ASSERT_TRUE(launcher().End(victim).ok());
  ExpectAll();  // others lead by now
  Falsify(victim, key, "never written");
  const Status again = launcher().Restart(victim);
  ASSERT_TRUE(again.ok()) << again;
  EXPECT_TRUE(ReadUntil([&] { return Said(victim).find("which agree. It is made anew") != std::string::npos; }))
      << Said(victim);
  EXPECT_TRUE(ReadUntil([&] { return AllEqual(); })) << cluster_->Ebla("check");
  EXPECT_TRUE(Eventually([&] { return cluster_->Ebla("health").text.contains("is repaired: ts-2 ("); }))
      << cluster_->Ebla("health");
  for (const std::string other : {"ts-1", "ts-3"})
    EXPECT_EQ(Said(other).find("which agree. It is made anew"), std::string::npos) << other << ": " << Said(other);
  ExpectAll();
}

TEST_F(ScrubClusterTest, OfTwoReplicasThatDifferNobodyIsMadeAnewAndTheOperatorIsTold) {
  CreateTableOptions options{.deadline = 30s};
  options.table.replicas = 2;
  ASSERT_TRUE(client_->CreateTable("pairs", options).has_value());
  auto pairs = client_->OpenTable("pairs");
  ASSERT_TRUE(pairs.has_value()) << pairs.error();
  ASSERT_TRUE(pairs->Put("a", "right", {.ack = Ack::kAll, .deadline = 30s}).has_value());
  const auto tablets = client_->ListReplicas("pairs");
  ASSERT_TRUE(tablets.has_value() && tablets->size() == 1);
  const TabletSummary& pair = tablets->front();
  ASSERT_EQ(pair.voters.size(), 2u);
  const std::string victim = pair.voters[0] == pair.primary ? pair.voters[1] : pair.voters[0];
  ASSERT_TRUE(Eventually([&] { return AllEqual(); })) << "not all has been applied everywhere";
  ASSERT_TRUE(launcher().End(victim).ok());
  Falsify(victim, "a", "wrong");
  const Status again = launcher().Restart(victim);
  ASSERT_TRUE(again.ok()) << again;
  const auto told = [&] {
    const std::string health = cluster_->Ebla("health").text;
    return health.find("replicas differ, and no majority shows which are right: tablet") != std::string::npos &&
           health.find(std::min(pair.voters[0], pair.voters[1]) + ", " + std::max(pair.voters[0], pair.voters[1])) !=
               std::string::npos;
  };
  EXPECT_TRUE(ReadUntil(told)) << cluster_->Ebla("health");
  EXPECT_EQ(cluster_->Ebla("check pairs").code, 1) << "both are as they were";
  EXPECT_EQ(Said(victim).find("which agree. It is made anew"), std::string::npos);
}

TEST_F(ScrubClusterTest, APassIsBegunWhenAnOperatorSaysSo) {
  const Shown begun = cluster_->Ebla("scrub --server ts-1");
  EXPECT_THAT(begun.text, HasSubstr("ts-1: ")) << begun;
  EXPECT_THAT(cluster_->Ebla("scrub --server ts-9").text, HasSubstr("no server \"ts-9\"; there are ts-1, ts-2, ts-3"));
}

}  // namespace
}  // namespace ebla::testing
