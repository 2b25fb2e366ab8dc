// The coordinator's files, each damaged in each way: a start is refused and names the place, or has all of the catalog.
#include "tools/standalone/catalog.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "common/coordination/layout.h"
#include "common/testing/temporary_directory.h"
#include "common/testing/test_files.h"
#include "master/catalog/loader.h"
#include "tabletserver/server/identity.h"

namespace ebla::standalone {
namespace {

namespace fs = std::filesystem;
namespace layout = coordination::layout;
using coordination::EmbeddedCoordination;
using coordination::Op;

constexpr char kClusterId[] = "c1";
constexpr int kNodes = 200;

std::string NodePath(int i) { return "/n" + std::to_string(i); }
std::string ValueOf(int i, int round) {
  std::string value = std::to_string(i) + "/" + std::to_string(round) + "/";
  while (value.size() < 1500) value += static_cast<char>('a' + (value.size() * 7 + static_cast<size_t>(i)) % 26);
  return value;
}

class CatalogTest : public ::testing::Test {
 protected:
  // The files of a process that has joined its cluster.
  void MakeNew(const std::string& data_dir) {
    fs::create_directories(data_dir);
    auto catalog = OpenCatalog({.data_dir = data_dir});
    ASSERT_TRUE(catalog) << catalog.error();
    idl::ClusterNode cluster;
    cluster.clusterId = kClusterId;
    std::vector<Op> ops = {Op::Create(layout::kCluster, master::EncodeCluster(cluster))};
    for (int i = 0; i < kNodes; ++i) ops.push_back(Op::Create(NodePath(i), ValueOf(i, 0)));
    ASSERT_TRUE(catalog->coordination->Multi(ops).ok());
    auto directory = tabletserver::DataDirectory::Open(data_dir, "standalone");
    ASSERT_TRUE(directory) << directory.error();
    ASSERT_TRUE((*directory)->JoinCluster(kClusterId).ok());
  }
  // Every third node gets another value, each in a transaction of its own.
  void Change(EmbeddedCoordination& coordination, int round) {
    for (int i = 0; i < kNodes; i += 3)
      ASSERT_TRUE(coordination.Multi({Op::Set(NodePath(i), ValueOf(i, round), coordination::kAnyVersion)}).ok());
  }
  static int RoundOf(int i, int rounds) { return i % 3 == 0 ? rounds : 0; }
  static bool HasAll(const EmbeddedCoordination& coordination, int rounds) {
    for (int i = 0; i < kNodes; ++i) {
      const auto node = coordination.Get(NodePath(i));
      if (!node || node->data != ValueOf(i, RoundOf(i, rounds))) return false;
    }
    return true;
  }
  static std::set<std::string> NamesIn(const std::string& directory) {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory)) names.insert(entry.path().filename());
    return names;
  }
  // Also copies an open database. Its threads may make or remove files meanwhile, so the copy is of one moment.
  static void Copy(const std::string& from, const std::string& to) {
    for (;;) {
      fs::remove_all(to);
      const auto names = NamesIn(from + "/coordinator");
      std::error_code error;
      fs::copy(from, to, fs::copy_options::recursive, error);
      if (!error && names == NamesIn(from + "/coordinator")) return;
    }
  }

  testing::TemporaryDirectory directory_;
};

using Damage = std::function<void(const std::string& path)>;
struct Kind {
  std::string name;
  Damage damage;
};

void Zero(const std::string& path, uintmax_t at, uintmax_t bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(at));
  const uintmax_t has = fs::file_size(path);
  const std::string zeros(has > at ? std::min(bytes, has - at) : 0, '\0');
  file.write(zeros.data(), std::ssize(zeros));
}

std::vector<Kind> Kinds(const std::string& older) {
  std::vector<Kind> kinds = {
      {"missing", [](const std::string& path) { fs::remove(path); }},
      {"emptied", [](const std::string& path) { fs::resize_file(path, 0); }},
      {"halved", [](const std::string& path) { fs::resize_file(path, fs::file_size(path) / 2); }},
      {"first block zero", [](const std::string& path) { Zero(path, 0, 4096); }},
      {"all zero", [](const std::string& path) { Zero(path, 0, fs::file_size(path)); }},
      {"older", [older](const std::string& path) {
         const std::string its = older + "/" + fs::path(path).filename().string();
         if (fs::exists(its)) fs::copy_file(its, path, fs::copy_options::overwrite_existing);
       }}};
  constexpr int kPlaces = 8;
  for (int i = 0; i < kPlaces; ++i) {
    kinds.push_back({"a bit in eighth " + std::to_string(i), [i](const std::string& path) {
                       const uintmax_t bytes = fs::file_size(path);
                       if (bytes > 0)
                         testing::FlipBit(path, static_cast<int64_t>(bytes) * i / kPlaces + (bytes > 8192 ? 100 : 0));
                     }});
    if (i % 2 == 0) continue;
    kinds.push_back({"a zero page in eighth " + std::to_string(i), [i](const std::string& path) {
                       Zero(path, fs::file_size(path) * static_cast<uintmax_t>(i) / kPlaces / 4096 * 4096, 4096);
                     }});
  }
  return kinds;
}

// Files without which nothing of a database can be read.
bool IsNeeded(const std::string& name) {
  return name == "WiredTiger.turtle" || name == "WiredTiger.wt" || name == "meta.wt" || name == "nodes.wt";
}

class DamagedCatalogTest : public CatalogTest {
 protected:
  void Check(const std::string& whole, const std::string& file, const Kind& kind, int rounds) {
    SCOPED_TRACE(file + ", " + kind.name);
    const std::string data = directory_ / "damaged";
    Copy(whole, data);
    kind.damage(data + "/coordinator/" + file);
    const std::set<std::string> before = NamesIn(data);
    {
      const auto opened = OpenCatalog({.data_dir = data});
      const bool must_refuse =
          IsNeeded(file) && (kind.name == "missing" || kind.name == "emptied" || kind.name == "first block zero");
      EXPECT_FALSE(must_refuse && opened);
      if (opened) {
        EXPECT_TRUE(HasAll(*opened->coordination, rounds)) << "some of the catalog is missing without a word";
        EXPECT_FALSE(opened->rebuilding);
        ++sound_;
        return;
      }
      ++refused_;
      const std::string said = opened.error().message();
      EXPECT_EQ(opened.error().code(), Code::kInternal) << said;
      EXPECT_TRUE(said.contains("start once with --rebuild_catalog")) << said;
      EXPECT_TRUE(said.contains(data + "/coordinator")) << said;
      const bool names_file = said.contains(file);
      EXPECT_TRUE(names_file || !must_refuse) << said;
      if (!names_file) unnamed_.push_back(file + ", " + kind.name + ": " + said);
    }
    EXPECT_EQ(NamesIn(data), before) << "a refused start made something";
    ExpectRebuilt(data);
  }
  void ExpectRebuilt(const std::string& data) {
    auto rebuilt = OpenCatalog({.data_dir = data, .rebuild = true});
    ASSERT_TRUE(rebuilt) << rebuilt.error();
    EXPECT_TRUE(rebuilt->rebuilding);
    EXPECT_TRUE(fs::exists(data + "/coordinator.lost-1"));
    EXPECT_TRUE(rebuilt->coordination->Get(layout::kCluster).has_value());
    EXPECT_FALSE(rebuilt->coordination->Get(NodePath(0)).has_value());
  }
  void CheckAll(const std::string& whole, const std::string& older, int rounds) {
    for (const std::string& file : NamesIn(whole + "/coordinator")) {
      for (const Kind& kind : Kinds(older + "/coordinator")) Check(whole, file, kind, rounds);
    }
    std::cout << refused_ << " cases were refused, " << sound_ << " had all of the catalog; " << unnamed_.size()
              << " refusals do not name the file\n";
    for (const std::string& said : unnamed_) std::cout << "  " << said << "\n";
  }

  int refused_ = 0, sound_ = 0;
  std::vector<std::string> unnamed_;
};

TEST_F(DamagedCatalogTest, AfterACleanStopEachFileIsToldOrDoesNotMatter) {
  const std::string whole = directory_ / "whole", older = directory_ / "older";
  MakeNew(whole);
  Copy(whole, older);
  {
    auto catalog = OpenCatalog({.data_dir = whole});
    ASSERT_TRUE(catalog) << catalog.error();
    Change(*catalog->coordination, 1);
  }
  CheckAll(whole, older, 1);
}

// Then the latest changes are in WiredTiger's log alone, in which it takes damage for the end.
TEST_F(DamagedCatalogTest, AfterAKillEachFileIsToldOrDoesNotMatter) {
  const std::string whole = directory_ / "whole", older = directory_ / "older", killed = directory_ / "killed";
  MakeNew(whole);
  Copy(whole, older);
  {
    auto catalog = OpenCatalog({.data_dir = whole});
    ASSERT_TRUE(catalog) << catalog.error();
    Change(*catalog->coordination, 1);
    Change(*catalog->coordination, 2);
    Copy(whole, killed);
  }
  CheckAll(killed, older, 2);
}

TEST_F(CatalogTest, AMissingDirectoryIsNotMadeAnew) {
  const std::string data = directory_ / "data";
  MakeNew(data);
  fs::remove_all(data + "/coordinator");
  for (const bool counted : {true, false}) {  // an older build counted nothing
    if (!counted) fs::remove(data + "/CATALOG");
    const auto refused = OpenCatalog({.data_dir = data});
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().message().contains(data + "/coordinator is missing")) << refused.error();
    EXPECT_FALSE(fs::exists(data + "/coordinator"));
  }
  auto rebuilt = OpenCatalog({.data_dir = data, .rebuild = true});
  ASSERT_TRUE(rebuilt) << rebuilt.error();
  EXPECT_TRUE(rebuilt->rebuilding);
  EXPECT_EQ(rebuilt->set_aside, "");
}

TEST_F(CatalogTest, AnOlderCopyOfTheDirectoryIsRefused) {
  const std::string data = directory_ / "data", older = directory_ / "older";
  MakeNew(data);
  Copy(data, older);
  {
    auto catalog = OpenCatalog({.data_dir = data});
    ASSERT_TRUE(catalog) << catalog.error();
    Change(*catalog->coordination, 1);
  }
  fs::remove_all(data + "/coordinator");
  fs::copy(older + "/coordinator", data + "/coordinator", fs::copy_options::recursive);
  const auto refused = OpenCatalog({.data_dir = data});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message().contains(data + "/coordinator is older than it was")) << refused.error();
}

TEST_F(CatalogTest, TheCoordinatorOfAnotherClusterIsRefused) {
  const std::string data = directory_ / "data", other = directory_ / "other";
  MakeNew(data);
  fs::create_directories(other);
  {
    auto catalog = OpenCatalog({.data_dir = other});
    idl::ClusterNode cluster;
    cluster.clusterId = "c2";
    ASSERT_TRUE(catalog->coordination->Multi({Op::Create(layout::kCluster, master::EncodeCluster(cluster))}).ok());
  }
  fs::remove_all(data + "/coordinator");
  fs::remove(data + "/CATALOG");
  fs::copy(other + "/coordinator", data + "/coordinator", fs::copy_options::recursive);
  const auto refused = OpenCatalog({.data_dir = data});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message().contains("is of cluster c2")) << refused.error();
}

TEST_F(CatalogTest, NoneIsRebuiltInANewDirectory) {
  const auto refused = OpenCatalog({.data_dir = directory_.path(), .rebuild = true});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  EXPECT_TRUE(NamesIn(directory_.path()).empty());
}

TEST_F(CatalogTest, AWholeOneIsNotRebuilt) {
  const std::string data = directory_ / "data";
  MakeNew(data);
  const auto refused = OpenCatalog({.data_dir = data, .rebuild = true});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  EXPECT_TRUE(refused.error().message().contains("start without --rebuild_catalog")) << refused.error();
  auto opened = OpenCatalog({.data_dir = data});
  ASSERT_TRUE(opened) << opened.error();
  EXPECT_TRUE(HasAll(*opened->coordination, 0));
}

// With and without the flag, until all is adopted.
TEST_F(CatalogTest, ARebuildThatWasCutOffGoesOn) {
  const std::string data = directory_ / "data";
  MakeNew(data);
  fs::resize_file(data + "/coordinator/nodes.wt", 0);
  ASSERT_TRUE(OpenCatalog({.data_dir = data, .rebuild = true}));
  for (const bool flag : {true, false}) {
    auto again = OpenCatalog({.data_dir = data, .rebuild = flag});
    ASSERT_TRUE(again) << again.error();
    EXPECT_TRUE(again->rebuilding);
    EXPECT_EQ(again->set_aside, data + "/coordinator.lost-1");
    if (!flag) {
      ASSERT_TRUE(EndRebuild(*again->coordination).ok());
    }
  }
  auto after = OpenCatalog({.data_dir = data});
  ASSERT_TRUE(after) << after.error();
  EXPECT_FALSE(after->rebuilding);
}

// Between the removal of the former and the new one's name.
TEST_F(CatalogTest, ARebuildThatWasCutOffEarlyBeginsAgain) {
  const std::string data = directory_ / "data";
  MakeNew(data);
  fs::rename(data + "/coordinator", data + "/coordinator.lost-1");
  fs::remove(data + "/CATALOG");
  fs::create_directories(data + "/coordinator.new");
  std::ofstream(data + "/coordinator.new/WiredTiger.turtle") << "half";
  EXPECT_FALSE(OpenCatalog({.data_dir = data}));
  auto rebuilt = OpenCatalog({.data_dir = data, .rebuild = true});
  ASSERT_TRUE(rebuilt) << rebuilt.error();
  EXPECT_TRUE(rebuilt->rebuilding);
}

TEST_F(CatalogTest, AScrubReadsAllOfARunningOne) {
  const std::string data = directory_ / "data";
  MakeNew(data);
  auto catalog = OpenCatalog({.data_dir = data});
  ASSERT_TRUE(catalog) << catalog.error();
  EmbeddedCoordination& coordination = *catalog->coordination;
  int64_t bytes = 0;
  const auto pace = [&](int64_t more) {
    bytes += more;
    return true;
  };
  EXPECT_TRUE(coordination.Scrub(pace).ok());
  EXPECT_GT(bytes, kNodes * 1000) << "it read the nodes";
  EXPECT_EQ(coordination.damage(), "");
}

TEST_F(CatalogTest, AScrubOfARunningOneFindsDamagedBlocks) {
  const std::string data = directory_ / "data";
  MakeNew(data);
  auto catalog = OpenCatalog({.data_dir = data});
  ASSERT_TRUE(catalog) << catalog.error();
  EmbeddedCoordination& coordination = *catalog->coordination;
  const auto pace = [](int64_t) { return true; };
  const std::string file = data + "/coordinator/nodes.wt";
  for (int64_t at = 4096; at + 100 < static_cast<int64_t>(fs::file_size(file)); at += 4096)
    testing::FlipBit(file, at + 100);
  const Status damaged = coordination.Scrub(pace);
  EXPECT_EQ(damaged.code(), Code::kInternal) << damaged;
  EXPECT_TRUE(coordination.damage().contains("nodes.wt is damaged at byte ")) << coordination.damage();
  EXPECT_TRUE(HasAll(coordination, 0)) << "it serves on from memory";
}

TEST_F(CatalogTest, AScrubFindsAFileThatIsGone) {
  const std::string data = directory_ / "data";
  MakeNew(data);
  auto catalog = OpenCatalog({.data_dir = data});
  ASSERT_TRUE(catalog) << catalog.error();
  fs::remove(data + "/coordinator/nodes.wt");
  EXPECT_FALSE(catalog->coordination->Scrub([](int64_t) { return true; }).ok());
  EXPECT_TRUE(catalog->coordination->damage().contains(data + "/coordinator/nodes.wt is missing"));
}

// A count that is damaged or gone tells nothing, and is no reason to refuse.
TEST_F(CatalogTest, ADamagedCountIsWrittenAnew) {
  const std::string data = directory_ / "data";
  MakeNew(data);
  for (const Kind& kind : Kinds(data)) {
    if (kind.name == "older") continue;
    SCOPED_TRACE(kind.name);
    kind.damage(data + "/CATALOG");
    auto catalog = OpenCatalog({.data_dir = data});
    ASSERT_TRUE(catalog) << catalog.error();
    ASSERT_TRUE(catalog->coordination->Multi({Op::Set(NodePath(0), ValueOf(0, 0), coordination::kAnyVersion)}).ok());
    std::ifstream in(data + "/CATALOG");
    std::string line;
    ASSERT_TRUE(std::getline(in, line) && line.starts_with("ebla catalog, format 1, crc ")) << line;
  }
}

}  // namespace
}  // namespace ebla::standalone
