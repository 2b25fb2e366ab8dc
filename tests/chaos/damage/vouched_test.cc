// An inventory vouches once a newer claim is there and both files need as much of the log.
#include "tests/chaos/damage/vouched.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/testing/temporary_directory.h"

namespace ebla::chaos {
namespace {

class VouchedTest : public ::testing::Test {
 protected:
  VouchedTest() {
    std::filesystem::create_directory(dir_ / "store");
    Put("INVENTORY", 6, 90);
    Put("store/INVENTORY", 7, 95);
  }
  void Put(const std::string& name, int generation, int needed) const {
    std::ofstream(dir_ / name) << "ebla inventory, format 1, crc 7\ngeneration " << generation
                               << "\nlife 3\nend 9 4096 99\nneeded " << needed << "\n"
                               << std::string(100, '\0');
  }

  const testing::TemporaryDirectory dir_;
};

TEST_F(VouchedTest, ByANewerClaimThatBothFilesReach) {
  const Vouched vouched(dir_.path());
  EXPECT_FALSE(vouched.IsDone());
  Put("INVENTORY", 8, 97);
  EXPECT_FALSE(vouched.IsDone()) << "the other file may lack the end";
  Put("store/INVENTORY", 9, 97);
  EXPECT_TRUE(vouched.IsDone());
}

// The newest claim of then had everything already, and only the mark of the log's end is new.
TEST_F(VouchedTest, ByAnEndMarkAlone) {
  const Vouched vouched(dir_.path());
  Put("INVENTORY", 8, 95);
  EXPECT_TRUE(vouched.IsDone());
}

TEST_F(VouchedTest, NotByEqualClaimsOfBefore) {
  Put("INVENTORY", 6, 95);
  EXPECT_FALSE(Vouched(dir_.path()).IsDone());
}

TEST_F(VouchedTest, NotByOneFileButTheWaitEnds) {
  const Vouched vouched(dir_.path());
  std::filesystem::remove(dir_ / "INVENTORY");
  Put("store/INVENTORY", 9, 97);
  EXPECT_FALSE(vouched.IsDone());
  vouched.Await(std::chrono::milliseconds(0));
}

}  // namespace
}  // namespace ebla::chaos
