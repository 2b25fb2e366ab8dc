#include "tools/backup/block_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "common/base/crc32.h"
#include "common/testing/temporary_directory.h"
#include "tools/backup/directory_store.h"

namespace ebla::backup {
namespace {

using ::testing::HasSubstr;

const Key kKey(kKeyBytes, 'k');

class BlockFileTest : public ::testing::TestWithParam<bool> {
 protected:
  Key key() const { return GetParam() ? kKey : Key(); }
  std::string Path() const { return directory_.path() + "/file"; }

  void Write(const std::vector<std::string>& blocks) {
    auto writer = BlockWriter::Create(store_, "file", key());
    ASSERT_TRUE(writer.has_value()) << writer.error();
    for (const std::string& block : blocks) ASSERT_TRUE(writer->Write(block).ok());
    EXPECT_FALSE(std::filesystem::exists(Path())) << "it has its name only once it is whole";
    ASSERT_TRUE(writer->Finish().ok());
  }
  Result<std::vector<std::string>> Read(const Key& key, const std::string& name = "file") {
    EBLA_ASSIGN(BlockReader reader, BlockReader::Open(store_, name, key));
    std::vector<std::string> blocks;
    while (true) {
      EBLA_ASSIGN(std::optional<std::string> block, reader.Next());
      if (!block) return blocks;
      blocks.push_back(*std::move(block));
    }
  }
  std::string Bytes() const {
    std::ifstream in(Path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void Replace(const std::string& bytes) { std::ofstream(Path(), std::ios::binary) << bytes; }

  testing::TemporaryDirectory directory_;
  DirectoryStore store_{directory_.path()};
};

TEST_P(BlockFileTest, GivesBackWhatWasWritten) {
  const std::vector<std::string> blocks = {"one", "", std::string(1'000'000, 'x'), std::string("\0\xff", 2)};
  Write(blocks);
  const auto read = Read(key());
  ASSERT_TRUE(read.has_value()) << read.error();
  EXPECT_EQ(*read, blocks);
  EXPECT_LT(std::filesystem::file_size(Path()), 20'000u) << "compressed";
}

TEST_P(BlockFileTest, FindsEveryFlippedBitAndEveryMissingByte) {
  Write({"carts of ada", "carts of bob"});
  const std::string whole = Bytes();
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
    Replace(flipped);
    EXPECT_EQ(Read(key()).has_value(), false) << "byte " << i;
    Replace(whole.substr(0, i));
    EXPECT_EQ(Read(key()).has_value(), false) << "ends at " << i;
  }
  Replace(whole + "x");
  EXPECT_THAT(Read(key()).error().message(), HasSubstr("bytes follow its end"));
}

// A file in the older format with zlib, written by its specification.
TEST(BlockFileOfBefore, IsRead) {
  const testing::TemporaryDirectory directory;
  DirectoryStore store(directory.path());
  std::string file = "EBLABKP1";
  const auto add = [&file](char kind, const std::string& plain) {
    const auto number = [](uint32_t value) { return std::string(reinterpret_cast<const char*>(&value), sizeof value); };
    std::string stored(compressBound(plain.size()), '\0');
    uLongf size = stored.size();
    ASSERT_EQ(compress2(reinterpret_cast<Bytef*>(stored.data()), &size, reinterpret_cast<const Bytef*>(plain.data()),
                        plain.size(), Z_BEST_SPEED),
              Z_OK);
    stored.resize(size);
    const std::string block =
        number(static_cast<uint32_t>(size)) + kind + number(static_cast<uint32_t>(plain.size())) + stored;
    file += block + number(Crc32(block));
  };
  add(1, "carts of ada");
  add(2, std::string("\1\0\0\0\0\0\0\0", 8));
  std::ofstream(directory.path() + "/file", std::ios::binary) << file;
  auto reader = BlockReader::Open(store, "file", {});
  ASSERT_TRUE(reader.has_value()) << reader.error();
  EXPECT_EQ(reader->Next().value(), "carts of ada");
  EXPECT_EQ(reader->Next().value(), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(PlainAndEncrypted, BlockFileTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Encrypted" : "Plain"; });

class EncryptedFileTest : public BlockFileTest {};

TEST_P(EncryptedFileTest, IsReadWithItsKeyAloneAndShowsNothing) {
  Write({"carts of ada"});
  EXPECT_EQ(Bytes().find("ada"), std::string::npos);
  EXPECT_THAT(Read(Key(kKeyBytes, 'x')).error().message(), HasSubstr("encrypted with another key"));
  EXPECT_THAT(Read(Key()).error().message(),
              ::testing::AllOf(HasSubstr("file is encrypted: its key is needed (--key-file)"),
                               ::testing::Not(HasSubstr("damaged"))));
}

TEST_P(EncryptedFileTest, CannotTakeAnotherFilesPlace) {
  Write({"carts of ada"});
  std::filesystem::rename(Path(), directory_.path() + "/other");
  EXPECT_THAT(Read(kKey, "other").error().message(), HasSubstr("in the wrong place"));
}

INSTANTIATE_TEST_SUITE_P(All, EncryptedFileTest, ::testing::Values(true));

TEST(ReadKey, TakesSixtyFourDigitsAlone) {
  testing::TemporaryDirectory directory;
  const std::string file = directory.path() + "/key";
  std::ofstream(file) << std::string(64, 'a') << "\n";
  std::filesystem::permissions(file, std::filesystem::perms{0644});
  EXPECT_THAT(ReadKey(file).error().message(), HasSubstr("can be read by others: chmod 600 " + file));
  std::filesystem::permissions(file, std::filesystem::perms{0600});
  EXPECT_EQ(*ReadKey(file), Key(kKeyBytes, '\xaa'));
  for (const std::string text : {"", "abc", "zz"}) {
    std::ofstream(file) << text;
    EXPECT_FALSE(ReadKey(file).has_value()) << text;
  }
}

}  // namespace
}  // namespace ebla::backup
