// Damage of WiredTiger.turtle that a start finds before WiredTiger reads the file.
#include "common/wiredtiger/turtle.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <wiredtiger.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/base/read_all.h"

namespace ebla::wiredtiger {
namespace {

namespace fs = std::filesystem;

class TurtleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "ebla-turtle-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { fs::remove_all(directory_); }

  void MakeDatabase(const char* config = "create") {
    WT_CONNECTION* connection = nullptr;
    ASSERT_EQ(wiredtiger_open(directory_.c_str(), nullptr, config, &connection), 0);
    WT_SESSION* session = nullptr;
    ASSERT_EQ(connection->open_session(connection, nullptr, nullptr, &session), 0);
    ASSERT_EQ(session->create(session, "table:rows", "key_format=S,value_format=S"), 0);
    ASSERT_EQ(connection->close(connection, nullptr), 0);
    std::ifstream in(File(), std::ios::binary);
    whole_ = ReadAll(in);
    ASSERT_NE(whole_, "");
  }
  std::string File() const { return directory_ + "/WiredTiger.turtle"; }
  void Write(const std::string& text) const { std::ofstream(File(), std::ios::binary) << text; }
  std::string Refusal() const {
    const Status status = CheckTurtle(directory_);
    EXPECT_TRUE(status.ok() || status.code() == Code::kInternal);
    return status.ok() ? "none" : status.message();
  }

  std::string directory_;
  std::string whole_;
};

TEST_F(TurtleTest, AWholeFileAndANewDirectoryAreRight) {
  EXPECT_EQ(Refusal(), "none");
  EXPECT_FALSE(CheckTurtle(directory_, /*made_before=*/true).ok());
  std::ofstream(directory_ + "/WiredTiger.wt") << std::string(4096, '\0');
  EXPECT_EQ(Refusal(), "none") << "a first start ended before it wrote the turtle";
  for (const char* const config : {"create", "create,log=(enabled=true)"}) {
    fs::remove_all(directory_);
    fs::create_directory(directory_);
    MakeDatabase(config);
    EXPECT_EQ(Refusal(), "none") << whole_;
  }
}

TEST_F(TurtleTest, AMissingOrEmptyFileBesideOthersIsDamage) {
  MakeDatabase();
  Write("");
  EXPECT_TRUE(Refusal().starts_with(File() + " is missing or empty, and ")) << Refusal();
  fs::remove(File());
  EXPECT_TRUE(Refusal().starts_with(File() + " is missing or empty, and ")) << Refusal();
}

TEST_F(TurtleTest, AFileThatCannotBeReadIsNotSaidToBeMissing) {
  MakeDatabase();
  fs::remove(File());
  fs::create_directory(File());
  const Status status = CheckTurtle(directory_, /*made_before=*/true);
  EXPECT_EQ(status.code(), Code::kInternal);
  EXPECT_TRUE(status.message().starts_with("cannot read " + File())) << status;
}

TEST_F(TurtleTest, PartsThatAreCutOrZeroAreDamage) {
  MakeDatabase();
  const size_t piece = whole_.size() / 8;
  for (size_t at = 0; at + piece <= whole_.size(); at += piece) {
    Write(whole_.substr(0, at + 1));
    EXPECT_EQ(Refusal(), File() + " is damaged: it is not as WiredTiger writes it") << at;
    Write(std::string(whole_).replace(at, piece, piece, '\0'));
    EXPECT_EQ(Refusal(), File() + " is damaged: it is not as WiredTiger writes it") << at;
  }
  Write(whole_);
  EXPECT_EQ(Refusal(), "none");
}

// The rest is between one pair of brackets, where WiredTiger finds it.
TEST_F(TurtleTest, MostPartsThatAreExchangedAreDamage) {
  MakeDatabase();
  const size_t piece = whole_.size() / 8;
  int exchanged = 0, found = 0;
  for (size_t one = 0; one < 8 * piece; one += piece) {
    for (size_t other = 0; other < one; other += piece) {
      std::string damaged = whole_;
      damaged.replace(one, piece, whole_, other, piece).replace(other, piece, whole_, one, piece);
      Write(damaged);
      ++exchanged;
      found += Refusal() == "none" ? 0 : 1;
    }
  }
  EXPECT_EQ(exchanged, 28);
  EXPECT_GE(found, 24);
}

}  // namespace
}  // namespace ebla::wiredtiger
