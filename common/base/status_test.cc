#include "common/base/status.h"

#include <gtest/gtest.h>

namespace ebla {
namespace {

Result<int> Half(int value) {
  if (value % 2 != 0) return Error(Code::kInvalidArgument, "odd");
  return value / 2;
}

Result<std::string> HalfAsText(int value) {
  EBLA_ASSIGN(const int half, Half(value));
  return std::to_string(half);
}

Status CheckEven(int value) {
  EBLA_ASSIGN([[maybe_unused]] const int half, Half(value));
  EBLA_TRY(Status::Ok());
  return {};
}

TEST(Status, MacrosPassErrorsOnAndValuesThrough) {
  EXPECT_EQ(HalfAsText(8), "4");
  EXPECT_EQ(HalfAsText(7).error(), Status(Code::kInvalidArgument, "odd"));
  EXPECT_TRUE(CheckEven(2).ok());
  EXPECT_EQ(CheckEven(3).ToString(), "INVALID_ARGUMENT: odd");
}

}  // namespace
}  // namespace ebla
