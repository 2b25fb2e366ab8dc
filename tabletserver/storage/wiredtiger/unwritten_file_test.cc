// The real file stays as it is, whatever is written.
#include "tabletserver/storage/wiredtiger/unwritten_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "common/testing/temporary_directory.h"
#include "common/testing/test_files.h"

namespace ebla::tabletserver {
namespace {

namespace fs = std::filesystem;

TEST(UnwrittenFileTest, ReadsAsIfItWereWritten) {
  const testing::TemporaryDirectory directory;
  const fs::path real = fs::path(directory.path()) / "real", link = fs::path(directory.path()) / "link";
  std::mt19937_64 random(7);  // NOLINT: the same each time
  std::string model;
  for (int i = 0; i < 50'000; ++i) model += static_cast<char>('a' + random() % 26);
  std::ofstream(real, std::ios::binary) << model;
  fs::permissions(real, fs::perms::owner_read);
  fs::create_symlink(real, link);
  const std::string original = model;
  auto opened = UnwrittenFile::Open(link);
  ASSERT_TRUE(opened);
  UnwrittenFile& file = **opened;
  for (int step = 0; step < 3000; ++step) {
    const size_t at = random() % (model.size() + 5000), bytes = random() % 20'000;
    if (step % 50 == 0) {
      model.resize(at);
      ASSERT_EQ(file.Truncate(static_cast<int64_t>(at)), 0);
    } else if (step % 3 == 0) {
      const std::string written(bytes, static_cast<char>('A' + step % 26));
      if (model.size() < at + bytes && bytes > 0) model.resize(at + bytes);
      model.replace(at, bytes, written);
      ASSERT_EQ(file.Write(static_cast<int64_t>(at), written), 0);
    }
    ASSERT_EQ(file.size(), std::ssize(model));
    std::string read(bytes, '?');
    const bool within = at + bytes <= model.size();
    ASSERT_EQ(file.Read(static_cast<int64_t>(at), read), within ? 0 : EIO) << step;
    if (within) {
      ASSERT_EQ(read, model.substr(at, bytes)) << step;
    }
    if (model.size() > 200'000) {
      model.resize(1000);
      ASSERT_EQ(file.Truncate(1000), 0);
    }
  }
  EXPECT_EQ(testing::FileBytes(real), original);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory.path()), {}), 2) << "what is written has no name";
}

}  // namespace
}  // namespace ebla::tabletserver
