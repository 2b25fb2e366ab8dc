// Each damage changes as much as its name tells, and one that would change nothing is an error.
#include "tests/chaos/damage/harm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <fstream>
#include <set>

#include "common/testing/test_files.h"

namespace ebla::chaos {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class HarmTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "ebla-harm-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { fs::remove_all(dir_); }

  static void Put(const std::string& path, const std::string& bytes) {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }
  // Ten pages, each of another letter, and two of zeros.
  static std::string Pages() {
    std::string text;
    for (char page = 'a'; page < 'k'; ++page) text += std::string(4096, page);
    return text + std::string(8192, '\0');
  }
  static int BitsChanged(const std::string& before, const std::string& after) {
    EXPECT_EQ(before.size(), after.size());
    int bits = 0;
    for (size_t i = 0; i < std::min(before.size(), after.size()); ++i)
      bits += std::popcount(static_cast<unsigned char>(before[i] ^ after[i]));
    return bits;
  }
  static int PagesChanged(const std::string& before, const std::string& after) {
    int pages = 0;
    for (size_t at = 0; at < before.size(); at += 4096) pages += before.substr(at, 4096) != after.substr(at, 4096);
    return pages;
  }
  // The file's bytes afterwards.
  std::string After(Damage damage, int place) {
    Put(dir_ + "/file", Pages());
    const auto done = Inflict({.path = dir_ + "/file", .older = dir_ + "/older", .damage = damage, .place = place});
    EXPECT_TRUE(done.has_value()) << done.error();
    return testing::FileBytes(dir_ + "/file");
  }

  std::string dir_;
};

TEST_F(HarmTest, OneBitOfTheContentIsAnother) {
  for (const int place : {0, 25, 50, 75, 100}) {
    const std::string after = After(Damage::kBit, place);
    EXPECT_EQ(BitsChanged(Pages(), after), 1) << place;
    EXPECT_EQ(after.substr(10 * 4096), std::string(8192, '\0')) << "the place is beyond the content";
  }
}

TEST_F(HarmTest, OnePageIsZeroAtEachPlaceAnotherOne) {
  std::set<std::string> afters;
  for (const int place : {0, 25, 50, 75, 100}) {
    const std::string after = After(Damage::kPage, place);
    EXPECT_EQ(PagesChanged(Pages(), after), 1) << place;
    afters.insert(after);
  }
  EXPECT_EQ(afters.size(), 5u);
}

TEST_F(HarmTest, TwoPagesAreExchanged) {
  for (const int place : {0, 25, 50, 75, 100}) {
    std::string after = After(Damage::kExchanged, place), before = Pages();
    EXPECT_EQ(PagesChanged(before, after), 2) << place;
    std::ranges::sort(after);
    std::ranges::sort(before);
    EXPECT_EQ(after, before) << place;
  }
}

TEST_F(HarmTest, PagesThatAreZeroOrAlikeAreNotChosen) {
  // The page at 50 % and most others are zero; but for the first and the last, all pages are alike.
  const std::string text = std::string(4096, 'a') + std::string(8 * 4096, '\0') + std::string(4096, 'z');
  for (const Damage damage : {Damage::kPage, Damage::kExchanged}) {
    for (const int place : {0, 25, 50, 75, 100}) {
      Put(dir_ + "/file", text);
      ASSERT_TRUE(Inflict({.path = dir_ + "/file", .damage = damage, .place = place}).has_value());
      EXPECT_EQ(PagesChanged(text, testing::FileBytes(dir_ + "/file")), damage == Damage::kPage ? 1 : 2) << place;
    }
  }
}

TEST_F(HarmTest, HalfOfTheContentIsLeftOrNothing) {
  EXPECT_EQ(After(Damage::kHalf, 0), Pages().substr(0, 5 * 4096));
  EXPECT_EQ(After(Damage::kEmptied, 0), "");
  After(Damage::kDeleted, 0);
  EXPECT_FALSE(fs::exists(dir_ + "/file"));
}

TEST_F(HarmTest, AnOlderCopyTakesThePlaceOfTheFileThatIsOpen) {
  Put(dir_ + "/older", std::string(100, 'x') + std::string(900, '\0'));
  Put(dir_ + "/file", Pages());
  std::ifstream open(dir_ + "/file", std::ios::binary);
  ASSERT_TRUE(Inflict({.path = dir_ + "/file", .older = dir_ + "/older", .damage = Damage::kOlder}).has_value());
  EXPECT_EQ((std::string{std::istreambuf_iterator<char>(open), {}}), testing::FileBytes(dir_ + "/older"));
}

TEST_F(HarmTest, AnotherServersFileTakesThePlaceAndItselfStays) {
  Put(dir_ + "/ts-2", "other");
  Put(dir_ + "/file", Pages());
  ASSERT_TRUE(Inflict({.path = dir_ + "/file", .older = dir_ + "/ts-2", .damage = Damage::kForeign}).has_value());
  EXPECT_EQ(testing::FileBytes(dir_ + "/file"), "other");
  EXPECT_EQ(testing::FileBytes(dir_ + "/ts-2"), "other");
}

TEST_F(HarmTest, ADirectoryTakesThePlaceOfAFile) {
  Put(dir_ + "/file", "x");
  ASSERT_TRUE(Inflict({.path = dir_ + "/file", .damage = Damage::kDirectory}).has_value());
  EXPECT_TRUE(fs::is_directory(dir_ + "/file"));
}

TEST_F(HarmTest, WhatIsExchangedOrForbiddenIsUndone) {
  for (const bool directory : {false, true}) {
    const std::string one = dir_ + "/one", other = dir_ + "/other", name = directory ? "/log" : "";
    Put(one + name, "1");
    Put(other + name, "2");
    const Harm swapped{.path = one, .older = other, .damage = Damage::kSwapped, .directory = directory};
    ASSERT_TRUE(Inflict(swapped).has_value());
    EXPECT_EQ(testing::FileBytes(one + name), "2");
    EXPECT_EQ(testing::FileBytes(other + name), "1");
    ASSERT_TRUE(Undo(swapped).ok());
    EXPECT_EQ(testing::FileBytes(one + name), "1");
    const Harm forbidden{.path = one, .damage = Damage::kForbidden, .directory = directory};
    ASSERT_TRUE(Inflict(forbidden).has_value());
    EXPECT_EQ(fs::status(one).permissions(), fs::perms::none);
    ASSERT_TRUE(Undo(forbidden).ok());
    EXPECT_NE(fs::status(one).permissions() & fs::perms::owner_read, fs::perms::none);
    EXPECT_EQ(testing::FileBytes(one + name), "1");
    fs::remove_all(one);
    fs::remove_all(other);
  }
  EXPECT_EQ(Inflict({.path = dir_ + "/none", .damage = Damage::kForbidden}).error().code(), Code::kNotFound);
}

TEST_F(HarmTest, OfASmallFileAPieceIsAPage) {
  const std::string text = "server 1\nname ts-1\ncluster 5\n";
  for (const Damage damage : {Damage::kPage, Damage::kExchanged}) {
    Put(dir_ + "/IDENTITY", text);
    ASSERT_TRUE(Inflict({.path = dir_ + "/IDENTITY", .damage = damage, .place = 50}).has_value());
    EXPECT_NE(testing::FileBytes(dir_ + "/IDENTITY"), text);
    EXPECT_EQ(testing::FileBytes(dir_ + "/IDENTITY").size(), text.size());
  }
}

TEST_F(HarmTest, WhatChangesNothingIsNoDamage) {
  Put(dir_ + "/file", std::string(9000, '\0'));
  Put(dir_ + "/older", std::string(9000, '\0'));
  for (const Damage damage : {Damage::kBit, Damage::kPage, Damage::kExchanged, Damage::kHalf, Damage::kOlder}) {
    const auto done = Inflict({.path = dir_ + "/file", .older = dir_ + "/older", .damage = damage});
    ASSERT_FALSE(done.has_value()) << *done;
    EXPECT_EQ(done.error().code(), Code::kConditionFailed);
  }
  EXPECT_EQ(Inflict({.path = dir_ + "/none", .damage = Damage::kBit}).error().code(), Code::kNotFound);
  EXPECT_EQ(Inflict({.path = dir_ + "/file", .older = dir_ + "/none", .damage = Damage::kOlder}).error().code(),
            Code::kNotFound);
}

TEST_F(HarmTest, DirectoriesAreEmptiedDeletedOrOlder) {
  const std::string store = dir_ + "/ts-1/store", older = dir_ + "/older";
  const auto make = [&] {
    Put(store + "/log/1", "now");
    Put(older + "/log/1", "then");
  };
  make();
  ASSERT_TRUE(Inflict({.path = store, .older = older, .damage = Damage::kOlder, .directory = true}).has_value());
  EXPECT_EQ(testing::FileBytes(store + "/log/1"), "then");
  ASSERT_TRUE(Inflict({.path = store, .damage = Damage::kEmptied, .directory = true}).has_value());
  EXPECT_TRUE(fs::is_directory(store) && fs::is_empty(store));
  make();
  ASSERT_TRUE(Inflict({.path = store, .damage = Damage::kDeleted, .directory = true}).has_value());
  EXPECT_FALSE(fs::exists(store));
}

TEST_F(HarmTest, TheFileOfAKindIsFound) {
  for (const char* name :
       {"IDENTITY", "store/FORMAT", "store/WiredTiger", "store/WiredTiger.wt", "store/WiredTigerLAS.wt",
        "store/WiredTiger.turtle", "store/applied-1.wt", "store/applied.wt", "store/run_2.wt",
        "coordinator/WiredTiger.wt", "coordinator/WiredTigerLog.0000000001", "coordinator/WiredTigerLog.0000000002",
        "store/log/spare-1"})
    Put(dir_ + "/" + name, "x");
  Put(dir_ + "/store/run_1.wt", "the largest");
  for (const char* number : {"3", "4", "5", "a", "b"}) Put(dir_ + "/store/log/000000000000000" + number + ".log", "x");
  const std::pair<FileKind, std::string> expected[] = {
      {FileKind::kIdentity, "IDENTITY"},
      {FileKind::kFormat, "store/FORMAT"},
      {FileKind::kFirstSegment, "store/log/0000000000000003.log"},
      {FileKind::kMiddleSegment, "store/log/0000000000000005.log"},
      {FileKind::kLastSegment, "store/log/000000000000000b.log"},
      {FileKind::kRun, "store/run_1.wt"},
      {FileKind::kApplied, "store/applied.wt"},
      {FileKind::kMetadata, "store/WiredTiger.wt"},
      {FileKind::kVersion, "store/WiredTiger"},
      {FileKind::kCatalogMetadata, "coordinator/WiredTiger.wt"},
      {FileKind::kCatalogLog, "coordinator/WiredTigerLog.0000000002"},
      {FileKind::kLogDirectory, "store/log"},
  };
  for (const auto& [kind, name] : expected) {
    const auto found = FindFile(FactsOf(kind), dir_);
    ASSERT_TRUE(found.has_value()) << found.error();
    EXPECT_EQ(*found, dir_ + "/" + name);
  }
  const auto none = FindFile(FactsOf(FileKind::kInventory), dir_);
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code(), Code::kNotFound);
  EXPECT_THAT(none.error().message(), HasSubstr("INVENTORY"));
}

}  // namespace
}  // namespace ebla::chaos
