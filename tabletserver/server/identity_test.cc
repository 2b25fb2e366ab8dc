#include "tabletserver/server/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/testing/temporary_directory.h"

namespace ebla::tabletserver {
namespace {

using ::testing::HasSubstr;

class IdentityTest : public ::testing::Test {
 protected:
  std::string Read() const {
    std::ifstream in(path_ + "/IDENTITY");
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  // Also removes the checksum, as in files of older builds.
  void Replace(const std::string& from, const std::string& to) {
    std::string text = Read();
    if (const size_t checksum = text.find(", crc"); checksum != text.npos)
      text.erase(checksum, text.find('\n') - checksum);
    const size_t at = text.find(from);
    ASSERT_NE(at, text.npos);
    std::ofstream(path_ + "/IDENTITY") << text.replace(at, from.size(), to);
  }
  Status Fails(const ServerName& name) {
    auto opened = DataDirectory::Open(path_, name);
    return opened ? Status::Ok() : opened.error();
  }

  testing::TemporaryDirectory directory_;
  const std::string path_ = directory_.path();
};

TEST_F(IdentityTest, EachStartRaisesTheCounterAndKeepsTheRest) {
  std::string uuid;
  {
    auto first = DataDirectory::Open(path_ + "/new/data", "ts-1");
    ASSERT_TRUE(first.has_value()) << first.error();
    uuid = (*first)->identity().uuid;
    EXPECT_EQ(uuid.size(), 36u);
    EXPECT_EQ((*first)->identity().incarnation.value, 1u);
    EXPECT_TRUE((*first)->JoinCluster("c-1").ok());
  }
  auto second = DataDirectory::Open(path_ + "/new/data", "");
  ASSERT_TRUE(second.has_value()) << second.error();
  EXPECT_EQ((*second)->identity().uuid, uuid);
  EXPECT_EQ((*second)->identity().name, "ts-1");
  EXPECT_EQ((*second)->identity().cluster_id, "c-1");
  EXPECT_EQ((*second)->identity().incarnation.value, 2u);
}

TEST_F(IdentityTest, TheLifeMarkIsRaisedOnDiskFirstAndKept) {
  {
    auto first = DataDirectory::Open(path_, "ts-1");
    ASSERT_TRUE(first.has_value()) << first.error();
    EXPECT_EQ((*first)->identity().life_mark, 0u);
    EXPECT_EQ((*first)->RaiseLifeMark(), 1u);
    EXPECT_EQ((*first)->RaiseLifeMark(), 2u);
    EXPECT_EQ((*first)->identity().incarnation.value, 1u);
  }
  EXPECT_EQ((*DataDirectory::Open(path_, "ts-1"))->identity().life_mark, 2u);
  // A disk that refuses leaves the mark as it was.
  auto again = DataDirectory::Open(path_, "ts-1");
  std::filesystem::create_directory(path_ + "/IDENTITY.new");
  EXPECT_FALSE((*again)->RaiseLifeMark().has_value());
  EXPECT_EQ((*again)->identity().life_mark, 2u);
}

// PROTOCOL 5: what was handed to the operating system survives the process, not the machine.
TEST_F(IdentityTest, AMachineThatWentDownUnderTheProcessIsNoticed) {
  std::string boot;
  {
    auto first = DataDirectory::Open(path_, "ts-1");
    EXPECT_FALSE((*first)->identity().machine_crashed);
    boot = (*first)->identity().running_boot;
    ASSERT_FALSE(boot.empty());
  }
  EXPECT_FALSE((*DataDirectory::Open(path_, "ts-1"))->identity().machine_crashed) << "only the process was killed";
  Replace("boot " + boot, "boot 7f1c-another");
  {
    auto after = DataDirectory::Open(path_, "ts-1");
    EXPECT_TRUE((*after)->identity().machine_crashed);
    ASSERT_TRUE((*after)->NoteCleanStop().ok());
  }
  EXPECT_FALSE((*DataDirectory::Open(path_, "ts-1"))->identity().machine_crashed) << "it was stopped in good order";
}

TEST_F(IdentityTest, ADirectoryOfFormat1HasNoMarkYet) {
  std::string boot;
  {
    boot = (*DataDirectory::Open(path_, "ts-1"))->identity().running_boot;
  }
  Replace("format 2", "format 1");
  Replace("boot " + boot + "\n", "");
  Replace("mark 0\n", "");
  EXPECT_EQ((*DataDirectory::Open(path_, "ts-1"))->RaiseLifeMark(), 1u);
}

TEST_F(IdentityTest, RefusesAnotherCluster) {
  {
    ASSERT_TRUE((*DataDirectory::Open(path_, "ts-1"))->JoinCluster("c-1").ok());
  }
  auto opened = DataDirectory::Open(path_, "ts-1");
  ASSERT_TRUE(opened.has_value());
  EXPECT_TRUE((*opened)->JoinCluster("c-1").ok());
  const Status status = (*opened)->JoinCluster("c-2");
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("belongs to cluster c-1, not to c-2"));
}

TEST_F(IdentityTest, OneProcessAtATime) {
  auto first = DataDirectory::Open(path_, "ts-1");
  ASSERT_TRUE(first.has_value());
  const Status status = Fails("ts-1");
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("in use by another process"));
  first->reset();
  EXPECT_TRUE(Fails("ts-1").ok());
}

TEST_F(IdentityTest, RefusesAWrongName) {
  EXPECT_EQ(Fails("").code(), Code::kInvalidArgument);
  EXPECT_EQ(Fails("a/b").code(), Code::kInvalidArgument);
  EXPECT_TRUE(Fails("ts-1").ok());
  const Status status = Fails("ts-2");
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("belongs to server \"ts-1\", not to \"ts-2\""));
}

TEST_F(IdentityTest, FindsEveryFlippedBit) {
  ASSERT_TRUE(Fails("ts-1").ok());
  const std::string whole = Read();
  for (size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      std::ofstream(path_ + "/IDENTITY") << damaged;
      ASSERT_FALSE(Fails("ts-1").ok()) << "byte " << at << " bit " << bit;
    }
  }
  std::ofstream(path_ + "/IDENTITY") << whole;
  EXPECT_TRUE(Fails("ts-1").ok());
}

TEST_F(IdentityTest, RefusesANewerFormatAndDamageWithoutTouchingThem) {
  ASSERT_TRUE(Fails("ts-1").ok());
  Replace("format 2", "format 3");
  const std::string newer = Read();
  EXPECT_THAT(Fails("ts-1").message(), HasSubstr("newer than this build's 2"));
  EXPECT_EQ(Read(), newer);
  Replace("format 3", "format 2");
  Replace("starts", "strats");
  EXPECT_EQ(Fails("ts-1").code(), Code::kInternal);
  std::filesystem::remove(path_ + "/IDENTITY");
  std::filesystem::create_directory(path_ + "/store");
  EXPECT_THAT(Fails("ts-1").message(), HasSubstr("no such file"));
}

}  // namespace
}  // namespace ebla::tabletserver
