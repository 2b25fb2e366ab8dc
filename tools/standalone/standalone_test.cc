// The real program: one process, one directory, one port. Killed and started again, it has everything.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "common/testing/eventually.h"
#include "tools/standalone/standalone_fixture.h"

namespace ebla {
namespace {

TEST_F(StandaloneTest, KeepsEverythingOverAKill) {
  const auto first = StartAndWait();
  {
    Client client = Connect();
    const auto created = client.CreateTable("carts", {.split_points = {"f", "m", "t"}});
    ASSERT_TRUE(created) << created.error();
    EXPECT_EQ(created->name, "carts");
    Table carts = client.OpenTable("carts").value();
    for (const char* key : {"anna", "fred", "mia", "zoe"}) {
      const auto put = carts.Put(key, std::string("cart of ") + key);
      ASSERT_TRUE(put) << put.error();
    }
    ASSERT_EQ(carts.Get("fred").value().value, "cart of fred");
  }
  ASSERT_TRUE(cluster::Signal(process_, SIGKILL).ok());
  ASSERT_TRUE(cluster::WaitForExit(process_, 10s));

  const auto second = StartAndWait();
  Client client = Connect();
  Table carts = client.OpenTable("carts").value();
  for (const char* key : {"anna", "fred", "mia", "zoe"}) {
    const auto got = carts.Get(key);
    ASSERT_TRUE(got) << key << ": " << got.error();
    EXPECT_EQ(got->value, std::string("cart of ") + key);
  }
  ASSERT_TRUE(carts.Put("anna", "another").has_value());
  RecordProperty("ready_ms", static_cast<int>(first.count()));
  RecordProperty("ready_after_kill_ms", static_cast<int>(second.count()));
  std::cout << "ready after " << first.count() << " ms, after a kill " << second.count() << " ms\n";
}

// One client writes and reads, in a session and without, over every border to come; it sees no error, and after a kill
// at once all of it is there, in as many tablets.
TEST_F(StandaloneTest, TabletsSplitWhileAClientGoesOn) {
  StartAndWait();
  std::map<std::string, int> written;
  {
    Client client = Connect();
    ASSERT_TRUE(client.CreateTable("carts"));
    Table carts = client.OpenTable("carts").value();
    std::atomic<bool> stop{false};
    std::atomic<int> rounds{0};
    std::string fault;
    std::thread load([&] {
      Session session = client.NewSession();
      for (int i = 0; !stop || i % 26 != 0; ++i) {
        const std::string key = std::string(1, static_cast<char>('a' + i % 26)) + "x";
        const auto put = carts.Put(key, std::to_string(i), {.session = &session});
        const auto got =
            put ? carts.Get(key, {.read = i % 2 == 0 ? Read::InSession() : Read::Strong(), .session = &session})
                : Result<Record>(Error(put.error()));
        if (!got || got->value != std::to_string(i)) {
          fault = key + ": " + (got ? "found " + got->value : got.error().ToString());
          return;
        }
        written[key] = i;
        rounds = i;
      }
    });
    for (const char* key : {"m", "f", "t", "c", "p"}) {
      const int before = rounds;
      const auto split = client.SplitTablet("carts", key);
      EXPECT_TRUE(split) << split.error();
      if (split) {
        EXPECT_EQ(split->child_range.start, key);
      }
      // polls; the load ends or continues
      while (rounds < before + 30 && fault.empty()) std::this_thread::sleep_for(1ms);
    }
    const auto again = client.SplitTablet("carts", "m");
    EXPECT_TRUE(again && again->child_range.start == "m") << "told what was done";
    stop = true;
    load.join();
    ASSERT_EQ(fault, "");
    EXPECT_EQ(client.ListTablets("carts")->size(), 6u);
  }
  ASSERT_TRUE(cluster::Signal(process_, SIGKILL).ok());
  ASSERT_TRUE(cluster::WaitForExit(process_, 10s));
  StartAndWait();
  Client client = Connect();
  Table carts = client.OpenTable("carts").value();
  for (const auto& [key, value] : written) {
    const auto got = carts.Get(key);
    ASSERT_TRUE(got) << key << ": " << got.error();
    EXPECT_EQ(got->value, std::to_string(value)) << key;
  }
  EXPECT_EQ(client.ListTablets("carts")->size(), 6u);
}

TEST_F(StandaloneTest, StopsCleanlyAndDropsTables) {
  StartAndWait();
  Client client = Connect();
  ASSERT_TRUE(client.CreateTable("carts"));
  ASSERT_TRUE(client.OpenTable("carts")->Put("a", "1"));
  ASSERT_TRUE(client.DropTable("carts").ok());
  EXPECT_EQ(client.OpenTable("carts").error().code(), Code::kNoSuchTable);
  ASSERT_TRUE(client.CreateTable("carts"));
  EXPECT_EQ(client.OpenTable("carts")->Get("a").error().code(), Code::kNotFound);
  ASSERT_TRUE(cluster::Signal(process_, SIGTERM).ok());
  EXPECT_EQ(cluster::ExitCode(process_, 10s), 0) << "SIGTERM must end it within ten seconds";
}

// Each loss of files is named, and nothing begins in their place; whole again, everything is there.
TEST_F(StandaloneTest, FilesThatAreLostAreNamed) {
  namespace fs = std::filesystem;
  WriteAndStop();
  const fs::path only = Segments().front();
  const std::string store = dir_ + "/data/store", kept = dir_ + "/kept";
  const auto expect = [&](const std::string& finding) {
    ExpectRefused(finding);
    ExpectRefused("The data here has no other replica");
  };
  fs::copy(store, kept, fs::copy_options::recursive);
  const auto whole_again = [&] {
    fs::remove_all(store);
    fs::copy(kept, store, fs::copy_options::recursive);
  };
  fs::remove_all(store);
  expect(store + " is gone, and this directory had a store");
  whole_again();
  fs::resize_file(only, 4096);
  expect(only.string() + " ends at byte 4096 before frame 1, and the disk had frames up to ");
  whole_again();
  fs::resize_file(only, 0);
  expect(only.string() + " is damaged at byte 0");
  whole_again();
  fs::remove(only);
  expect(" is gone");
  whole_again();
  StartAndWait();
  EXPECT_EQ(Connect().OpenTable("carts")->Get("anna")->value, "cart of anna");
}

// Its primary cannot begin to serve, and no other server will ever have one.
TEST_F(StandaloneTest, ReadersOfATableWithoutItsFileAreToldSo) {
  const std::vector<std::string> in_place = {"--sorted_tables=false"};
  StartAndWait(in_place);
  std::string lost;
  {
    Client client = Connect();
    ASSERT_TRUE(client.CreateTable("carts"));
    for (const auto& entry : std::filesystem::directory_iterator(dir_ + "/data/store"))
      if (entry.path().filename().string().starts_with("data_")) lost = entry.path();
    ASSERT_TRUE(client.CreateTable("users"));
    for (const std::string table : {"carts", "users"}) ASSERT_TRUE(client.OpenTable(table)->Put("anna", "1"));
  }
  ASSERT_TRUE(cluster::Signal(process_, SIGTERM).ok());
  ASSERT_EQ(cluster::ExitCode(process_, 10s), 0);
  ASSERT_TRUE(std::filesystem::remove(lost)) << lost;
  StartAndWait(in_place);
  const Client client =
      Client::Connect({.masters = {cluster::AddressIn(dir_ + "/data", "thrift")}, .deadline = 3s}).value();
  EXPECT_EQ(client.OpenTable("users")->Get("anna").value().value, "1");
  const auto read = client.OpenTable("carts")->Get("anna");
  ASSERT_FALSE(read);
  EXPECT_TRUE(read.error().message().contains("damaged on this server")) << read.error();
}

TEST_F(StandaloneTest, BeginEmptySetsAsideWhatNoStartCanUse) {
  namespace fs = std::filesystem;
  ExpectRefused("has no data: start without --begin_empty", {"--begin_empty"}, 2);
  WriteAndStop();
  ExpectRefused("nothing is lost in " + dir_ + "/data, and nothing was moved", {"--begin_empty"}, 2);
  const fs::path only = Segments().front();
  fs::resize_file(only, 4096);
  ExpectRefused(only.string() + " is damaged at byte 4096");
  StartAndWait({"--begin_empty"});
  EXPECT_EQ(Connect().OpenTable("carts").error().code(), Code::kNoSuchTable);
  for (const char* const part : {"IDENTITY", "INVENTORY", "store/FORMAT", "coordinator"})
    EXPECT_TRUE(fs::exists(dir_ + "/data/lost-1/" + part)) << part;
  ASSERT_TRUE(Connect().CreateTable("carts"));
}

// Without a catalog a start makes nothing, and with the flag it has all tables and records again.
TEST_F(StandaloneTest, ALostCatalogIsRebuiltFromTheStore) {
  namespace fs = std::filesystem;
  const std::string coordinator = dir_ + "/data/coordinator";
  StartAndWait();
  {
    Client client = Connect();
    ASSERT_TRUE(client.CreateTable("carts", {.split_points = {"f", "m", "t"}}));
    ASSERT_TRUE(client.CreateTable("users"));
    ASSERT_TRUE(client.SplitTablet("users", "k"));
    ASSERT_TRUE(client.CreateTable("gone"));
    ASSERT_TRUE(client.DropTable("gone").ok());
    for (const char* key : {"anna", "fred", "mia", "zoe"}) {
      for (const char* table : {"carts", "users"})
        ASSERT_TRUE(client.OpenTable(table)->Put(key, std::string(table) + " of " + key));
    }
  }
  const auto expect_all = [&](const std::string& more) {
    Client client = Connect();
    std::set<std::string> tables;
    const auto listed = client.ListTables();
    ASSERT_TRUE(listed) << listed.error();
    for (const TableInfo& table : *listed) tables.insert(table.name);
    EXPECT_EQ(tables.contains("carts") + tables.contains("users"), 2);
    EXPECT_FALSE(tables.contains("gone"));
    EXPECT_EQ(client.ListTablets("carts")->size(), 4u);
    EXPECT_EQ(client.ListTablets("users")->size(), 2u);
    for (const char* key : {"anna", "fred", "mia", "zoe"}) {
      for (const char* table : {"carts", "users"}) {
        const auto got = client.OpenTable(table)->Get(key);
        ASSERT_TRUE(got) << got.error();
        EXPECT_EQ(got->value, std::string(table) + " of " + key);
      }
    }
    ASSERT_TRUE(client.CreateTable(more)) << "no id that is in use is drawn again";
    ASSERT_TRUE(client.OpenTable(more)->Put("a", "1"));
  };
  const auto damage_blocks = [&] {
    std::fstream file(coordinator + "/nodes.wt", std::ios::in | std::ios::out | std::ios::binary);
    for (uintmax_t at = 4196; at < fs::file_size(coordinator + "/nodes.wt"); at += 4096) {
      file.seekp(static_cast<std::streamoff>(at));
      file.put('\x5a');
    }
  };
  const auto stop = [&](int signal) {
    ASSERT_TRUE(cluster::Signal(process_, signal).ok());
    ASSERT_TRUE(cluster::WaitForExit(process_, 10s));
  };
  stop(SIGKILL);
  fs::remove_all(coordinator);
  ExpectRefused(coordinator + " is missing. Tables and records are in the store: start once with --rebuild_catalog");
  EXPECT_FALSE(fs::exists(coordinator));
  StartAndWait({"--rebuild_catalog"});
  EXPECT_NE(Output().find("The catalog was rebuilt from the store: 2 tables with 6 tablets"), std::string::npos)
      << Output();
  expect_all("more");
  stop(SIGTERM);
  ExpectRefused("is whole, and nothing was changed", {"--rebuild_catalog"}, 2);
  damage_blocks();
  ExpectRefused(coordinator + "/nodes.wt is damaged at byte ");
  StartAndWait({"--rebuild_catalog"});
  EXPECT_NE(Output().find("The former catalog is in " + coordinator + ".lost-1"), std::string::npos) << Output();
  expect_all("yet_more");
  stop(SIGTERM);
  fs::remove(dir_ + "/output");
  StartAndWait();
  EXPECT_EQ(Output().find("rebuilt"), std::string::npos) << Output();
  EXPECT_EQ(Connect().OpenTable("more")->Get("a")->value, "1");
}

TEST_F(StandaloneTest, AScrubTellsOfADamagedCatalog) {
  namespace fs = std::filesystem;
  WriteAndStop();
  StartAndWait({"--scrub_bytes_per_second=1073741824"});
  Client client = Connect();
  const std::string file = dir_ + "/data/coordinator/meta.wt";
  fs::resize_file(file, 0);
  ASSERT_TRUE(client.Scrub(""));
  const auto told = [&] {
    const auto servers = client.ListServers();
    return servers && servers->size() == 1 ? servers->front().disk.catalog_damage : "";
  };
  EXPECT_TRUE(ebla::testing::Eventually([&] { return !told().empty(); }, 20s));
  EXPECT_NE(told().find(file + " is missing, or damaged at its beginning"), std::string::npos) << told();
  EXPECT_EQ(client.OpenTable("carts")->Get("anna")->value, "cart of anna");
}

TEST_F(StandaloneTest, ASecondProcessOnItsDataIsRefused) {
  StartAndWait();
  const cluster::ProcessId second = Spawn();
  EXPECT_EQ(cluster::ExitCode(second, 20s), 1);
  EXPECT_NE(Output().find("in use"), std::string::npos) << Output();
  EXPECT_TRUE(cluster::IsAlive(process_));
}

}  // namespace
}  // namespace ebla
