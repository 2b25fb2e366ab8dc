// --salvage serves what damage has left, names the rest, and changes nothing.
#include <gmock/gmock.h>

#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "common/testing/eventually.h"
#include "common/testing/test_files.h"
#include "tools/standalone/standalone_fixture.h"

namespace ebla {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

class SalvageTest : public StandaloneTest {
 protected:
  void SetUp() override {
    StandaloneTest::SetUp();
    fs::create_directory(dir_ + "/tmp");
    setenv("TMPDIR", (dir_ + "/tmp").c_str(), 1);
  }
  void TearDown() override {
    unsetenv("TMPDIR");
    StandaloneTest::TearDown();
  }

  void Stop(int signal = SIGTERM) {
    ASSERT_TRUE(cluster::Signal(process_, signal).ok());
    ASSERT_TRUE(cluster::WaitForExit(process_, 20s));
  }
  // All files of the data directory.
  std::map<std::string, std::string> Files() {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(dir_ + "/data"))
      files[entry.path()] = entry.is_regular_file() ? testing::FileBytes(entry.path()) : "";
    return files;
  }
  std::vector<fs::path> RunFiles() {
    std::vector<fs::path> runs;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(dir_ + "/data/store", none)) {
      if (entry.path().filename().string().starts_with("run_")) runs.push_back(entry.path());
    }
    std::ranges::sort(runs);
    return runs;
  }

  // Until EndSalvage.
  Client BeginSalvage() {
    before_ = Files();
    fs::remove(dir_ + "/output");
    process_ = Spawn({"--salvage"});
    constexpr std::string_view kServes = "serves at ";
    EXPECT_TRUE(testing::Eventually([&] { return Output().contains(kServes) || !cluster::IsAlive(process_); }, 60s));
    std::string output = Output();
    EXPECT_THAT(output, HasSubstr("Salvaging " + dir_ + "/data"));
    address_ = output.substr(output.find(kServes) + kServes.size());
    address_ = address_.substr(0, address_.find(','));
    return Client::Connect({.masters = {address_}, .deadline = 20s, .connect_timeout = 20s}).value();
  }
  void EndSalvage() {
    ASSERT_TRUE(cluster::Signal(process_, SIGTERM).ok());
    EXPECT_EQ(cluster::ExitCode(process_, 20s), 0);
    const auto after = Files();
    for (const auto& [file, contents] : before_)
      EXPECT_TRUE(after.contains(file) && after.at(file) == contents) << file;
    EXPECT_EQ(after.size(), before_.size());
    EXPECT_TRUE(fs::is_empty(dir_ + "/tmp"));
  }
  static std::vector<std::string> KeysOf(const Client& client, const std::string& table) {
    std::vector<std::string> keys;
    const Table opened = client.OpenTable(table).value();
    Scanner scan = opened.Scan({});
    while (scan.Next()) keys.push_back(scan.key());
    EXPECT_TRUE(scan.status().ok()) << scan.status();
    return keys;
  }
  // The exit code of the command-line tool; its output is in `output`.
  int Ebla(std::vector<std::string> arguments, std::string& output) {
    std::vector<std::string> command = {std::string(kBinaryDir) + "/bin/ebla", "--masters=" + address_};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const std::string file = dir_ + "/ebla";
    fs::remove(file);
    const auto process = cluster::Spawn(
        {.command = std::move(command), .working_dir = dir_, .output_file = file, .die_with_parent = true});
    const int code = cluster::ExitCode(process.value(), 60s).value_or(-1);
    output = testing::FileBytes(file);
    return code;
  }

  std::map<std::string, std::string> before_;
  std::string address_;
};

// The log no longer has what a later checkpoint had.
TEST_F(SalvageTest, AnOlderCopyOfTheDatabaseIsNamed) {
  StartAndWait();
  {
    Client client = Connect();
    ASSERT_TRUE(client.CreateTable("carts"));
    ASSERT_TRUE(client.OpenTable("carts")->Put("ada", "1"));
  }
  Stop();
  const fs::path store = dir_ + "/data/store", kept = dir_ + "/kept";
  fs::create_directory(kept);
  for (const auto& entry : fs::directory_iterator(store)) {
    const std::string name = entry.path().filename();
    if (name.ends_with(".wt") || name.starts_with("WiredTiger")) fs::copy_file(entry.path(), kept / name);
  }
  StartAndWait();
  ASSERT_TRUE(Connect().OpenTable("carts")->Put("ada", "2"));
  Stop();
  for (const auto& entry : fs::directory_iterator(kept))
    fs::copy_file(entry.path(), store / entry.path().filename(), fs::copy_options::overwrite_existing);
  BeginSalvage();
  EXPECT_THAT(Output(), HasSubstr("WiredTiger.wt or WiredTiger.turtle is an older copy"));
  EndSalvage();
}

// Each tablet is as of its first entry that lacks: a beginning of what was written to it.
TEST_F(SalvageTest, ABitOfTheLogCostsOneTabletItsEnd) {
  StartAndWait({"--checkpoint_seconds=86400"});      // no checkpoint has what the log will lack
  std::map<char, std::vector<std::string>> written;  // by the tablets' first letters
  {
    Client client = Connect();
    ASSERT_TRUE(client.CreateTable("carts", {.split_points = {"f", "m", "t"}}));
    const Table carts = client.OpenTable("carts").value();
    for (int i = 0; i < 200; ++i) {
      for (const char letter : std::string("afmt")) {
        const std::string key = letter + std::to_string(1000 + i);
        ASSERT_TRUE(carts.Put(key, "cart of " + key));
        written[letter].push_back(key);
      }
    }
  }
  Stop(SIGKILL);
  std::optional<fs::path> damaged;
  for (const fs::path& segment : Segments()) {
    const size_t at = testing::FileBytes(segment).find("cart of m1100");
    if (at == std::string::npos) continue;
    testing::FlipBit(segment, static_cast<int64_t>(at));
    damaged = segment;
  }
  ASSERT_TRUE(damaged);
  ExpectRefused(damaged->string() + " is damaged at byte ");
  ExpectRefused("--salvage serves what can be read of it");

  const Client client = BeginSalvage();
  EXPECT_THAT(Output(), HasSubstr("1 table with 4 tablets can be read."));
  EXPECT_THAT(Output(), HasSubstr("  " + damaged->string() + " cannot be read at byte "));
  EXPECT_THAT(Output(), HasSubstr("of table carts [\"m\", \"t\"): the log lacks entry "));
  EXPECT_THAT(Output(), Not(HasSubstr("of table carts [\"a")));
  written['m'].resize(100);
  std::vector<std::string> left;
  for (const auto& [letter, keys] : written) left.insert(left.end(), keys.begin(), keys.end());
  EXPECT_EQ(KeysOf(client, "carts"), left);
  const Table carts = client.OpenTable("carts").value();
  EXPECT_EQ(carts.Get("m1099")->value, "cart of m1099");
  EXPECT_EQ(carts.Get("m1100").error().code(), Code::kNotFound);
  EXPECT_EQ(carts.MultiGet({"a1199", "t1199"})[1]->value, "cart of t1199");

  const auto refused = carts.Put("a", "1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message(), HasSubstr("changes nothing"));
  EXPECT_EQ(client.DropTable("carts").code(), Code::kInvalidArgument);

  std::string output;
  EXPECT_EQ(Ebla({"dump", "carts", dir_ + "/carts.jsonl"}, output), 0) << output;
  EXPECT_THAT(output, HasSubstr("700 records"));
  EXPECT_EQ(Ebla({"backup", "create", "b", "--dir", dir_ + "/backups"}, output), 0) << output;
  EndSalvage();
}

class SalvageRunsTest : public SalvageTest {
 protected:
  static constexpr int kRows = 3000;

  static std::string KeyOf(int row) { return "user" + std::to_string(10'000 + row); }
  // A table whose records are in run files of its own. Returns these.
  std::set<fs::path> Write(const std::string& table) {
    std::set<fs::path> files;
    const auto before = RunFiles();
    StartAndWait();
    {
      Client client = Connect();
      EXPECT_TRUE(client.CreateTable(table));
      const Table opened = client.OpenTable(table).value();
      for (int row = 0; row < kRows; row += 100) {
        Batch batch;
        for (int i = row; i < row + 100; ++i) batch.Put(KeyOf(i), std::string(300, 'v') + KeyOf(i));
        EXPECT_TRUE(opened.Write(batch));
      }
    }
    Stop();
    for (const fs::path& run : RunFiles()) {
      if (std::ranges::find(before, run) == before.end()) files.insert(run);
    }
    EXPECT_FALSE(files.empty());
    return files;
  }
};

TEST_F(SalvageRunsTest, ADumpLeavesOutADamagedBlock) {
  for (const fs::path& run : Write("carts")) {
    if (fs::file_size(run) > 200'000) testing::FlipBit(run, static_cast<int64_t>(fs::file_size(run) / 2));
  }
  BeginSalvage();
  std::string output;
  const std::string file = dir_ + "/carts.tsv";
  EXPECT_EQ(Ebla({"dump", "carts", file}, output), 5) << output;
  EXPECT_THAT(output, HasSubstr("is damaged on this server"));
  EXPECT_FALSE(fs::exists(file));
  EXPECT_EQ(Ebla({"dump", "carts", file, "--skip-damaged"}, output), 1) << output;
  EXPECT_THAT(output, HasSubstr("; 1 range cannot be read"));
  std::set<std::string> keys;
  std::ifstream dumped(file);
  for (std::string line; std::getline(dumped, line);) keys.insert(line.substr(0, line.find('\t')));
  int first = 0, last = kRows - 1;
  while (keys.contains(KeyOf(first))) ++first;
  while (keys.contains(KeyOf(last))) --last;
  ASSERT_LT(first, last) << output;
  EXPECT_GT(first, 500);
  EXPECT_LT(last, kRows - 500);
  EXPECT_EQ(std::ssize(keys), kRows - (last - first + 1)) << "only a stretch is missing";
  const std::string damaged = "cannot be read: [\"" + KeyOf(first - 1) + "\\x00\", \"";
  EXPECT_THAT(output, AnyOf(HasSubstr(damaged + KeyOf(last) + "\\x00"), HasSubstr(damaged + KeyOf(last + 1))));
  EndSalvage();
}

TEST_F(SalvageRunsTest, ATableWithoutItsFileIsNamedAndTheOtherIsServed) {
  Write("carts");
  for (const fs::path& run : Write("users")) fs::remove(run);
  const Client client = BeginSalvage();
  EXPECT_THAT(Output(), HasSubstr("table users: one of its files is missing or damaged"));
  EXPECT_THAT(Output(), Not(HasSubstr("table carts: ")));
  EXPECT_EQ(std::ssize(KeysOf(client, "carts")), kRows);
  const auto got = client.OpenTable("users")->Get(KeyOf(7));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), Code::kInternal) << "nobody waits for another replica";
  std::string output;
  EXPECT_EQ(Ebla({"dump", "users", dir_ + "/users.tsv", "--skip-damaged"}, output), 1) << output;
  EXPECT_THAT(output, HasSubstr("0 records in "));
  EndSalvage();
}

TEST_F(SalvageTest, TheViewOfAKilledProcessIsRemoved) {
  WriteAndStop();
  BeginSalvage();
  Stop(SIGKILL);
  ASSERT_FALSE(fs::is_empty(dir_ + "/tmp"));
  BeginSalvage();
  EndSalvage();
}

TEST_F(SalvageRunsTest, NeitherCatalogNorIdentityIsNeeded) {
  Write("carts");
  for (const auto& [part, other] : {std::pair("coordinator", "CATALOG"), std::pair("IDENTITY", "INVENTORY")}) {
    fs::remove_all(dir_ + "/data/" + part);
    fs::remove(dir_ + "/data/" + other);
    EXPECT_EQ(std::ssize(KeysOf(BeginSalvage(), "carts")), kRows) << part;
    EXPECT_THAT(Output(), HasSubstr("1 table with 1 tablet can be read.\nebla-standalone serves"));
    EndSalvage();
  }
}

TEST_F(SalvageTest, IsRefusedWhereItMayNotBeOrIsOfNoUse) {
  ExpectRefused("has no store to salvage", {"--salvage"}, 2);
  StartAndWait();
  const cluster::ProcessId second = Spawn({"--salvage"});
  EXPECT_EQ(cluster::ExitCode(second, 20s), 1);
  EXPECT_THAT(Output(), HasSubstr("is in use by another process"));
  Stop();
  ExpectRefused("is open to others", {"--salvage", "--listen=0.0.0.0:0", "--advertise=127.0.0.1:1", "--insecure"}, 2);
  ExpectRefused("--salvage changes nothing", {"--salvage", "--rebuild_catalog"}, 2);
  ExpectRefused("without listeners for Redis", {"--salvage", "--redis_listen=0.0.0.0:0", "--insecure"}, 2);
  fs::resize_file(dir_ + "/data/store/WiredTiger.turtle", 10);
  ExpectRefused(dir_ + "/data/store/WiredTiger.turtle is damaged", {"--salvage"});
  ExpectRefused("This part is needed even by --salvage", {"--salvage"});
  EXPECT_TRUE(fs::is_empty(dir_ + "/tmp"));
}

}  // namespace
}  // namespace ebla
