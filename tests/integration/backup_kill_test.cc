// The programs of backups are killed before each of their steps, one after the other, and run again. Nothing is
// missing, and nothing incomplete counts as a backup. A step is a call that changes a file of the backup's directory
// or, in a restore, one that sends to the cluster.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "common/base/clocks.h"
#include "common/base/read_all.h"
#include "common/testing/temporary_directory.h"
#include "test_paths.h"
#include "tests/integration/shared_cluster_fixture.h"
#include "tools/backup/archive/replay.h"
#include "tools/backup/create.h"
#include "tools/backup/directory_store.h"
#include "tools/backup/listing.h"
#include "tools/backup/record_stream.h"
#include "tools/backup/restore.h"
#include "tools/cluster/child_process.h"
#include "tools/load/workers.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Held = std::map<std::string, std::string>;
using Tables = std::map<std::string, Held>;

constexpr int kKilled = 128 + SIGKILL;
constexpr int kStepsMost = 500;  // for a program that never ends
constexpr uint64_t kUnhurried = uint64_t{1} << 40;

std::string Numbered(const char* prefix, int number) {
  char text[32];
  std::snprintf(text, sizeof text, "%s%06d", prefix, number);
  return text;
}

class BackupKillTest : public SharedClusterFixture {
 protected:
  // ---- tables

  void Make(const std::string& name, int records, const CreateTableOptions& options = {}) {
    ASSERT_TRUE(client_->CreateTable(name, options).has_value());
    for (int i = 0; i < records; ++i)
      Put(name, Numbered(i % 2 == 0 ? "a" : "z", i),
          std::string(100, static_cast<char>('a' + i % 26)) + std::to_string(i));
  }
  void Put(const std::string& name, const std::string& key, const std::string& value) {
    const auto put = client_->OpenTable(name)->Put(key, value);
    ASSERT_TRUE(put.has_value()) << put.error();
    held_[name][key] = value;
  }
  void Delete(const std::string& name, const std::string& key) {
    ASSERT_TRUE(client_->OpenTable(name)->Delete(key).ok());
    held_[name].erase(key);
  }
  Tables InCluster() {
    Tables all;
    const auto tables = client_->ListTables();
    EXPECT_TRUE(tables.has_value()) << tables.error();
    for (const TableInfo& table : *tables) {
      Held& held = all[table.name];
      const Table opened = *client_->OpenTable(table.name);
      Scanner scan = opened.Scan();
      while (scan.Next()) held[scan.key()] = scan.record().value;
      EXPECT_TRUE(scan.status().ok()) << scan.status();
    }
    return all;
  }

  // ---- backups

  // The tables that a restore would write; an error if they differ from what was written.
  Result<Tables> InBackup(const std::string& name) {
    EBLA_ASSIGN([[maybe_unused]] const backup::Verified verified, backup::Verify(store_, name, {}));
    EBLA_ASSIGN(const backup::Chain chain, backup::Chain::Open(store_, name, {}));
    Tables all;
    for (const backup::TablePart& table : chain.newest().tables) {
      EBLA_ASSIGN(const auto stream, chain.Read(table.name));
      Held& held = all[table.name];
      while (true) {
        EBLA_ASSIGN(const auto record, stream->Next());
        if (!record) break;
        held[record->row.key] = record->row.record.value;
      }
    }
    return all;
  }
  std::vector<std::string> Files(const std::string& folder) {
    const auto files = store_.List(folder);
    EXPECT_TRUE(files.has_value()) << files.error();
    return files.value_or(std::vector<std::string>());
  }
  std::vector<std::string> FilesOf(const backup::Manifest& manifest) {
    std::vector<std::string> files;
    for (const backup::TablePart& table : manifest.tables)
      for (const backup::Part& part : table.parts) files.push_back(part.file);
    files.push_back(backup::kManifestFile);
    std::ranges::sort(files);
    return files;
  }

  // ---- programs

  // `ebla ARGUMENTS`. `kill_at`: as kill_at_step.cc takes it; empty: it lives.
  Result<cluster::ProcessId> Spawn(const std::string& arguments, const std::string& kill_at = "") {
    std::string command = "EBLA_TLS_DIR= EBLA_MASTERS=" + cluster_->Masters() + " ";
    if (!kill_at.empty()) {
      command += "ASAN_OPTIONS=verify_asan_link_order=0:$ASAN_OPTIONS LD_PRELOAD=" + std::string(kBinaryDir) +
                 "/test/libkill_at_step.so EBLA_KILL_AT=" + kill_at + " ";
    }
    return cluster::Spawn({.command = {"/bin/sh", "-c", command + "exec " + cluster_->Program() + " " + arguments},
                           .working_dir = directory_.path(),
                           .output_file = output_.path() + "/output",
                           .die_with_parent = true});
  }
  int ExitCode(const Result<cluster::ProcessId>& process) {
    const auto code = process ? cluster::ExitCode(*process, 60s) : Result<int>(Error(process.error()));
    EXPECT_TRUE(code.has_value()) << code.error();
    return code.value_or(-1);
  }
  int Run(const std::string& arguments, const std::string& kill_at = "") { return ExitCode(Spawn(arguments, kill_at)); }
  // Whether it was killed there; otherwise it ran to its end.
  bool KilledAt(int step, const std::string& where, const std::string& arguments) {
    const int code = Run(arguments, std::to_string(step) + ":" + where);
    EXPECT_TRUE(code == kKilled || code == 0) << "step " << step << ": exit code " << code << ": " << Output();
    return code == kKilled && step < kStepsMost;
  }
  std::string Output() const {
    std::ifstream in(output_.path() + "/output");
    return ReadAll(in);
  }

  // A backup that is made, killed before each step and gone on with.
  void KillEachCreate(const std::string& since) {
    const std::string dir = directory_.path(), create = "backup create monday --rate 100000 --dir " + dir +
                                                        (since.empty() ? "" : " --since ") + since;
    int step = 1, finished = 0;
    for (; KilledAt(step, dir + "/monday", create); ++step) {
      const std::string at = "killed before step " + std::to_string(step);
      if (const auto whole = InBackup("monday"); whole) {
        EXPECT_EQ(*whole, held_) << at;
        EXPECT_NE(Run(create), 0) << at << ": there is such a backup";
        ++finished;
      } else {
        EXPECT_EQ(Run(create), 0) << at << Output();
        const auto manifest = backup::ReadManifest(store_, "monday", backup::kManifestFile, {});
        ASSERT_TRUE(manifest.has_value()) << at << manifest.error();
        EXPECT_EQ(Files("monday"), FilesOf(*manifest)) << at << ": nothing else is left";
      }
      const auto whole = InBackup("monday");
      ASSERT_TRUE(whole.has_value()) << at << whole.error();
      EXPECT_EQ(*whole, held_) << at;
      std::filesystem::remove_all(dir + "/monday");
    }
    EXPECT_GE(step, 30);
    EXPECT_LE(finished, 3) << "when its list is there, it is finished but for the note of how far it was";
  }

  TemporaryDirectory directory_, output_;
  backup::DirectoryStore store_{directory_.path()};
  Tables held_;  // what the tables hold
};

TEST_F(BackupKillTest, ABackupThatIsMade) {
  Make("carts", 60, {.split_points = {"m"}});
  Make("users", 20);
  KillEachCreate("");
}

TEST_F(BackupKillTest, ABackupSinceAnotherThatIsMade) {
  Make("carts", 60, {.split_points = {"m"}});
  Make("users", 20);
  ASSERT_EQ(Run("backup create sunday --rate 100000 --dir " + directory_.path()), 0) << Output();
  for (int i = 0; i < 60; i += 5) Put("carts", Numbered(i % 2 == 0 ? "a" : "z", i), "changed");
  for (int i = 1; i < 60; i += 10) Delete("carts", Numbered("z", i));
  Put("carts", "new", "1");
  KillEachCreate("sunday");
}

TEST_F(BackupKillTest, ABackupThatIsDeleted) {
  Make("carts", 60, {.split_points = {"m"}});
  const std::string dir = directory_.path(), at_dir = " --dir " + dir;
  const auto copy = [&](const std::string& from, const std::string& to) {
    std::filesystem::remove_all(dir + to);
    std::filesystem::copy(dir + from, dir + to);
  };
  ASSERT_EQ(Run("backup create monday --rate 100000" + at_dir), 0) << Output();
  copy("/monday", "/.kept");
  int step = 1;
  for (; KilledAt(step, dir + "/monday", "backup delete monday --yes" + at_dir); ++step) {
    const std::string at = "killed before step " + std::to_string(step);
    if (const auto whole = InBackup("monday"); whole) {
      EXPECT_EQ(*whole, held_) << at;
    }
    const int again = Run("backup delete monday --yes" + at_dir);
    const auto listed = backup::ListAll(store_, {});
    ASSERT_TRUE(listed.has_value()) << at << listed.error();
    EXPECT_THAT(*listed, IsEmpty()) << at;
    EXPECT_THAT(Files("monday"), IsEmpty()) << at;
    if (again != 0) {
      EXPECT_THAT(Output(), HasSubstr("there is no backup monday")) << at << ": all of it was gone";
    }
    copy("/.kept", "/monday");
  }
  EXPECT_GE(step, 12);
}

// A tablet that is several files, which `backup create` has only of large ones: here the store ends at each call.
class EndingStore : public backup::BackupStore {
 public:
  EndingStore(backup::BackupStore& store, int calls) : store_(store), left_(calls) {}
  bool ended() const { return left_ == 0; }

  Result<std::unique_ptr<backup::ObjectWriter>> Create(const std::string& name) override {
    EBLA_TRY(Call());
    EBLA_ASSIGN(auto writer, store_.Create(name));
    return std::make_unique<Writer>(*this, std::move(writer));
  }
  Result<std::unique_ptr<backup::ObjectReader>> Open(const std::string& name) override { return store_.Open(name); }
  Result<bool> Exists(const std::string& name) override { return store_.Exists(name); }
  Result<std::vector<std::string>> List(const std::string& folder) override { return store_.List(folder); }
  Status Delete(const std::string& name) override {
    EBLA_TRY(Call());
    return store_.Delete(name);
  }
  std::string LocationOf(const std::string& name) const override { return store_.LocationOf(name); }

 private:
  struct Writer : backup::ObjectWriter {
    Writer(EndingStore& of, std::unique_ptr<backup::ObjectWriter> to) : store(of), writer(std::move(to)) {}
    Status Write(std::string_view bytes) override { return writer->Write(bytes); }
    Status Finish() override {
      EBLA_TRY(store.Call());
      return writer->Finish();
    }
    EndingStore& store;
    std::unique_ptr<backup::ObjectWriter> writer;
  };
  Status Call() {
    if (left_ == 0 || --left_ == 0) return Error(Code::kInternal, "the store has ended");
    return {};
  }

  backup::BackupStore& store_;
  int left_;
};

TEST_F(BackupKillTest, ATabletOfSeveralFiles) {
  ASSERT_TRUE(client_->CreateTable("carts", {.split_points = {"m"}}).has_value());
  for (int i = 0; i < 30; ++i)
    Put("carts", Numbered(i % 2 == 0 ? "a" : "z", i), std::string(60'000, static_cast<char>('a' + i % 26)));
  backup::CreateOptions options{.name = "monday", .bytes_per_second = kUnhurried, .part_bytes = 1};
  int calls = 1;
  for (; calls < kStepsMost; ++calls) {
    EndingStore ending(store_, calls);
    const auto made = backup::Create(*client_, ending, options);
    if (!ending.ended()) {
      ASSERT_TRUE(made.has_value()) << made.error();
      EXPECT_GE(made->tables[0].parts.size(), 6u);
      break;
    }
    if (!made) {
      EXPECT_FALSE(InBackup("monday").has_value()) << calls;
      const auto again = backup::Create(*client_, store_, options);
      ASSERT_TRUE(again.has_value()) << calls << again.error();
      EXPECT_EQ(Files("monday"), FilesOf(*again)) << calls;
    }
    const auto whole = InBackup("monday");
    ASSERT_TRUE(whole.has_value()) << calls << whole.error();
    EXPECT_EQ(*whole, held_) << calls;
    std::filesystem::remove_all(directory_.path() + "/monday");
  }
  EXPECT_GE(calls, 20);
}

// ---- restores, and the archive
// ---------------------------------------------------------------------------------------

class ArchiveKillTest : public BackupKillTest {
 protected:
  static std::string Archive(const std::string& dir) { return "backup archive --every 100ms --dir " + dir; }
  void StopArchive(const Result<cluster::ProcessId>& archiver) {
    ASSERT_TRUE(archiver.has_value()) << archiver.error();
    EXPECT_TRUE(cluster::Signal(*archiver, SIGINT).ok());
    EXPECT_EQ(ExitCode(archiver), 0) << Output();
  }
  // From when to when the archive in the directory knows all of the table.
  std::vector<backup::Span> Known(const std::string& dir, const std::string& table) {
    backup::DirectoryStore store(dir);
    const auto index = backup::ReadArchiveIndex(store, cluster_id_, {});
    if (!index) return {};
    for (const backup::ArchivedTable& one : index->tables) {
      if (one.name == table) return one.spans;
    }
    return {};
  }
  bool AwaitKnown(const std::string& dir, const std::string& table, int64_t at_ms) {
    return Eventually([&] {
      const std::vector<backup::Span> known = Known(dir, table);
      return !known.empty() && known.back().through_ms >= at_ms;
    });
  }
  void SetUp() override {
    BackupKillTest::SetUp();
    ASSERT_TRUE(client_.has_value());
    const auto cluster = client_->DescribeCluster();
    ASSERT_TRUE(cluster.has_value()) << cluster.error();
    cluster_id_ = cluster->cluster_id;
  }
  // A restore that is killed before each step and gone on with.
  void KillEachRestore(const std::string& arguments, const Tables& wanted) {
    const std::string restore = "backup restore " + arguments + " --replicas 1 --dir " + directory_.path();
    int step = 1, unfinished = 0;
    for (; KilledAt(step, "", restore); ++step) {
      const std::string at = "killed before step " + std::to_string(step);
      if (InCluster() != wanted) ++unfinished;
      ASSERT_EQ(Run(restore + " --continue"), 0) << at << Output();
      EXPECT_EQ(InCluster(), wanted) << at;
      DropAll();
    }
    EXPECT_EQ(InCluster(), wanted) << "not killed";
    EXPECT_GE(unfinished, 8);
    DropAll();
  }

  std::string cluster_id_;
};

TEST_F(ArchiveKillTest, ARestoreThatIsContinued) {
  const std::string dir = directory_.path();
  Make("carts", 10, {.split_points = {"m"}});
  const auto archiver = Spawn(Archive(dir));
  ASSERT_TRUE(AwaitKnown(dir, "carts", TimeOfDayMs()));
  // Clocks may differ by a second.
  ASSERT_TRUE(Eventually([&] { return TimeOfDayMs() > Known(dir, "carts")[0].from_ms + 1'500; }));
  ASSERT_EQ(Run("backup create base --rate 100000 --dir " + dir), 0) << Output();
  const Tables base = held_;
  Put("carts", Numbered("a", 4), "changed");
  Delete("carts", Numbered("z", 5));
  for (int i = 0; i < 3; ++i) Put("carts", "often", std::to_string(i));
  Make("made-since", 2);
  const int64_t then = TimeOfDayMs();
  ASSERT_TRUE(AwaitKnown(dir, "carts", then + 1));
  ASSERT_TRUE(AwaitKnown(dir, "made-since", then + 1));
  Put("carts", "later", "1");
  held_["carts"].erase("later");
  ASSERT_TRUE(AwaitKnown(dir, "carts", TimeOfDayMs()));
  StopArchive(archiver);
  DropAll();
  KillEachRestore("base --settings", base);
  KillEachRestore("--at " + std::to_string(then), held_);
}

// Puts one after the other, of a number and its time.
class Counting : public load::Worker {
 public:
  struct Written {
    int64_t begun_ms = 0, ended_ms = 0;
  };
  Counting(Table table, std::vector<Written>& written, load::Workers& workers)
      : table_(std::move(table)), written_(written), workers_(workers) {}
  bool Work() override {
    const int number = static_cast<int>(written_.size());
    Written one{.begun_ms = TimeOfDayMs()};
    const auto put = table_.Put(Numbered(number % 2 == 0 ? "a" : "z", number), "v", {.deadline = 30s});
    if (!put) workers_.Failed(put.error().ToString());
    one.ended_ms = TimeOfDayMs();
    written_.push_back(one);
    return true;
  }
  std::chrono::nanoseconds Rest() override { return 5ms; }

 private:
  const Table table_;
  std::vector<Written>& written_;
  load::Workers& workers_;
};

// The cluster has as many archives as there are steps, each in a separate directory. The steps are those from a first
// call to the third file of changes and the index that names it, because then some moments are known, even if the
// second file was too early.
TEST_F(ArchiveKillTest, AnArchiveThatIsKeptKnowsEachWriteOnce) {
  constexpr int kSteps = 72;
  ASSERT_TRUE(client_->CreateTable("carts", {.split_points = {"m"}}).has_value());
  std::vector<Counting::Written> written;
  load::Workers workers;
  workers.Add(std::make_unique<Counting>(*client_->OpenTable("carts"), written, workers));
  const auto dir = [&](int step) { return directory_.path() + "/" + std::to_string(step); };
  std::vector<Result<cluster::ProcessId>> archivers;
  for (int step = 1; step <= kSteps; ++step)
    archivers.push_back(Spawn(Archive(dir(step)), std::to_string(step) + ":" + dir(step)));
  for (const auto& archiver : archivers) EXPECT_EQ(ExitCode(archiver), kKilled) << Output();
  std::vector<std::vector<backup::Span>> known;
  for (int step = 1; step <= kSteps; ++step) known.push_back(Known(dir(step), "carts"));
  archivers.clear();
  for (int step = 1; step <= kSteps; ++step) archivers.push_back(Spawn(Archive(dir(step))));
  int64_t after = TimeOfDayMs();
  for (int step = 1; step <= kSteps; ++step) ASSERT_TRUE(AwaitKnown(dir(step), "carts", after)) << step << Output();
  workers.Stop();
  workers.Join();
  EXPECT_THAT(workers.failures(), IsEmpty());
  after = TimeOfDayMs();
  for (int step = 1; step <= kSteps; ++step) ASSERT_TRUE(AwaitKnown(dir(step), "carts", after)) << step;
  for (const auto& archiver : archivers) StopArchive(archiver);

  int had_begun = 0;
  for (int step = 1; step <= kSteps; ++step) {
    const std::string at = "killed before step " + std::to_string(step);
    const std::vector<backup::Span> is = Known(dir(step), "carts"), was = known[static_cast<size_t>(step) - 1];
    ASSERT_EQ(is.size(), 1u) << at << ": without a gap";
    if (!was.empty()) {
      EXPECT_EQ(is[0].from_ms, was[0].from_ms) << at << ": and none before";
    }
    had_begun += was.empty() ? 0 : 1;
    backup::DirectoryStore store(dir(step));
    const auto replay = backup::Replay::Open(
        store, {.name = "base", .cluster = cluster_id_, .began_ms = is[0].from_ms, .ended_ms = is[0].from_ms}, after,
        {});
    ASSERT_TRUE(replay.has_value()) << at << replay.error();
    std::map<int, int> found;
    const Status read = replay->Read([&](uint64_t, const UnresolvedEffect& change) -> Status {
      ++found[std::stoi(change.key.substr(1))];
      return {};
    });
    EXPECT_TRUE(read.ok()) << at << read;
    for (int number = 0; number < static_cast<int>(written.size()); ++number) {
      const Counting::Written& one = written[static_cast<size_t>(number)];
      const int times = found[number];
      EXPECT_LE(times, 1) << at << ", write " << number;
      if (one.begun_ms > is[0].from_ms + 2) {
        EXPECT_EQ(times, 1) << at << ", write " << number;
      }
    }
  }
  EXPECT_GE(had_begun, 20);
}

}  // namespace
}  // namespace ebla::testing
