// Files of another table or time, and files that may not be opened: each is its table's damage alone.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "common/base/descriptor.h"
#include "tabletserver/storage/testing/table_files_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Values;

// Root's processes may open every file. This thread may not, for as long as it lives.
class ObeyPermissions {
 public:
  ObeyPermissions() { Set(0); }
  ~ObeyPermissions() { Set(~0U); }
  ObeyPermissions(const ObeyPermissions&) = delete;
  ObeyPermissions& operator=(const ObeyPermissions&) = delete;

 private:
  static void Set(uint32_t kept) {
    constexpr uint32_t kOverrides = 1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH;
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
    ASSERT_EQ(syscall(SYS_capget, &header, sets), 0);
    sets[0].effective = (sets[0].effective & ~kOverrides) | (sets[0].permitted & kOverrides & kept);
    ASSERT_EQ(syscall(SYS_capset, &header, sets), 0);
  }
};

// WiredTiger would panic as it opens the file of another table or time: all blocks of that are whole.
class WtOtherFilesTest : public TableFilesFixture, public ::testing::WithParamInterface<TableKind> {
 protected:
  WtOtherFilesTest() {
    sorted_ = GetParam() == TableKind::kSorted;
    Fill();
    for (int row = 0; row < kRows; ++row) {  // the same keys, so that the trees differ in their values alone
      Write(kOfDamaged, kDamaged, LsnOf(row), KeyOf(row), ValueOf(row + 1));
      Write(kOfWhole, kWhole, LsnOf(row), KeyOf(row), ValueOf(row + 2));
    }
    EXPECT_TRUE(CheckpointNow(**store_).has_value());
    std::vector<fs::path> files = TableFiles();
    std::ranges::sort(files);
    if (sorted_) files_ = {files[2]};  // their newest runs
    other_ = files.back();
    EXPECT_EQ(files.size(), sorted_ ? 4u : 2u);
    whole_ = files_[0].string() + ".whole";
    fs::copy(files_[0], whole_);
  }
  static uint64_t LsnOf(int row) { return static_cast<uint64_t>(kRows + row) + 1; }
  void ExpectUnavailable() {
    const auto read = (*store_)->Get(kDamaged, KeyOf(7));
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(read.error().code(), Code::kUnavailable) << read.error();
    const std::vector<KeyRange> all(1);
    const auto sizes = (*store_)->EstimateSizes(kDamaged, all);
    EXPECT_TRUE(sizes.has_value() || sizes.error().code() == Code::kUnavailable) << sizes.error();
    const auto compacted = (*store_)->Compact(kDamaged, std::chrono::seconds(1));
    EXPECT_TRUE(!compacted.has_value() || sorted_);
    ExpectAlive();
  }
  fs::path other_, whole_;
};

TEST_P(WtOtherFilesTest, AStartOpensNoneAndServesTheOtherTables) {
  store_.reset();
  fs::copy(other_, files_[0], fs::copy_options::overwrite_existing);
  ASSERT_NO_FATAL_FAILURE(Open());
  ExpectUnavailable();
  for (int row = 0; row < kRows; ++row) Write(kOfWhole, kWhole, LsnOf(kRows + row), KeyOf(row), ValueOf(row));
  ASSERT_TRUE((*store_)->Scrub(AtOnce).ok());
  EXPECT_THAT(DamagedTables(), ElementsAre(kDamaged));
  EXPECT_TRUE(CheckpointNow(**store_).has_value());
  ExpectAlive();
  ASSERT_NO_FATAL_FAILURE(Open());
  DropAndMakeAnew();
}

TEST_P(WtOtherFilesTest, TheFileThatBelongsThereIsServedAgain) {
  store_.reset();
  fs::copy(other_, files_[0], fs::copy_options::overwrite_existing);
  ASSERT_NO_FATAL_FAILURE(Open());
  ExpectUnavailable();
  store_.reset();
  fs::copy(whole_, files_[0], fs::copy_options::overwrite_existing);
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_THAT(DamagedTables(), ElementsAre());
  EXPECT_EQ(Value(kDamaged, 7), ValueOf(8));
}

TEST_P(WtOtherFilesTest, TheScrubOfARunningStoreFindsIt) {
  ASSERT_NO_FATAL_FAILURE(Open());
  fs::remove(files_[0]);
  fs::copy(other_, files_[0]);
  ASSERT_TRUE((*store_)->Scrub(AtOnce).ok());
  EXPECT_THAT(DamagedTables(), ElementsAre(kDamaged));
  ExpectUnavailable();
  DropAndMakeAnew();
}

TEST_P(WtOtherFilesTest, AFileThatMayNotBeOpenedIsItsTablesDamage) {
  for (const fs::perms mode : {fs::perms::none, fs::perms::owner_read}) {
    store_.reset();
    fs::permissions(files_[0], mode);
    const ObeyPermissions obey;
    ASSERT_NO_FATAL_FAILURE(Open());
    ExpectUnavailable();
    EXPECT_THAT(DamagedTables(), ElementsAre(kDamaged));
    ASSERT_TRUE((*store_)->Scrub(AtOnce).ok());
    EXPECT_EQ(Value(kWhole, 7), ValueOf(9));
    ExpectAlive();
    fs::permissions(files_[0], fs::perms::owner_read | fs::perms::owner_write);
    ASSERT_NO_FATAL_FAILURE(Open());
    EXPECT_EQ(Value(kDamaged, 7), ValueOf(8));
    EXPECT_THAT(DamagedTables(), ElementsAre());
  }
  fs::permissions(files_[0], fs::perms::none);
  const ObeyPermissions obey;
  ASSERT_NO_FATAL_FAILURE(Open());
  ExpectUnavailable();
  DropAndMakeAnew();
}

INSTANTIATE_TEST_SUITE_P(, WtOtherFilesTest, Values(TableKind::kInPlace, TableKind::kSorted),
                         [](const auto& info) { return info.param == TableKind::kSorted ? "Sorted" : "InPlace"; });

// No descriptor is free any more, as long as it lives.
class AtLimitOfFiles {
 public:
  AtLimitOfFiles() {
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    const Descriptor lowest(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const rlimit none{static_cast<rlim_t>(lowest.get()), before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~AtLimitOfFiles() { EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before_), 0); }
  AtLimitOfFiles(const AtLimitOfFiles&) = delete;
  AtLimitOfFiles& operator=(const AtLimitOfFiles&) = delete;

 private:
  rlimit before_{};
};

TEST_P(WtOtherFilesTest, WantOfDescriptorsIsNoDamageAndPasses) {
  ASSERT_NO_FATAL_FAILURE(Open());
  {
    const AtLimitOfFiles limit;
    const auto read = (*store_)->Get(kDamaged, KeyOf(7));
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(read.error().code(), Code::kOverloaded) << read.error();
    EXPECT_THAT(read.error().message(), HasSubstr("raise the limit"));
  }
  ExpectAlive();
  EXPECT_EQ(Value(kDamaged, 7), ValueOf(8));
  EXPECT_THAT(DamagedTables(), ElementsAre());
}

class WtOlderFileTest : public TableFilesFixture {};

// An older copy, of a time when the table had other rows.
TEST_F(WtOlderFileTest, AnOlderFileIsItsTablesDamage) {
  ASSERT_NO_FATAL_FAILURE(Fill());
  const fs::path older = directory_ / "older";
  fs::copy(files_[0], older);
  for (uint64_t lsn = kRows + 1; lsn <= kRows + 3; ++lsn) {
    Write(kOfDamaged, kDamaged, lsn, KeyOf(0), std::to_string(lsn));
    Write(kOfWhole, kWhole, lsn, KeyOf(0), std::to_string(lsn));
    ASSERT_TRUE(CheckpointNow(**store_).has_value());
  }
  store_.reset();
  fs::copy(older, files_[0], fs::copy_options::overwrite_existing);
  ASSERT_NO_FATAL_FAILURE(Open());
  ExpectDamaged(kRows + 4);
  DropAndMakeAnew();
}

}  // namespace
}  // namespace ebla::tabletserver::testing
