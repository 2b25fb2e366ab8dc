#include "common/base/system_error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace ebla {
namespace {

TEST(SystemErrorTest, OnlyAnErrorThatMayBeDamageIsInternal) {
  errno = EIO;
  EXPECT_EQ(Status(SystemError(Code::kInternal, "cannot read x")),
            Status(Code::kInternal, "cannot read x: Input/output error"));
  for (const int error : {ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, EACCES, EPERM, EROFS}) {
    errno = error;
    EXPECT_EQ(Status(SystemError(Code::kInternal, "cannot read x")).code(), Code::kUnavailable);
    EXPECT_EQ(Status(SystemError(Code::kInvalidArgument, "cannot read x")).code(), Code::kInvalidArgument);
  }
  EXPECT_EQ(Status(SystemError(Code::kInternal, "cannot read x", EROFS)),
            Status(Code::kUnavailable, "cannot read x: Read-only file system"));
}

}  // namespace
}  // namespace ebla
