// What whoever follows a server's log may ask of it.
#include <gtest/gtest.h>

#include "tabletserver/service/request_check.h"
#include "tabletserver/storage/log/log_position.h"

namespace ebla::tabletserver {
namespace {

TEST(LogFeedRequestTest, NumbersThatNoReplyHasGivenAreRefused) {
  const auto code = [](const idl::FollowLogRequest& request) { return CheckRequest(request).code(); };
  EXPECT_EQ(code({}), Code::kOk);
  for (idl::LogPlace idl::FollowLogRequest::* const place :
       {&idl::FollowLogRequest::place, &idl::FollowLogRequest::keepFrom}) {
    idl::FollowLogRequest request;
    (request.*place).logId = -5;  // any number is an id
    (request.*place).segment = INT64_MAX;
    (request.*place).offset = kLogOffsetMax;
    EXPECT_EQ(code(request), Code::kOk);
    for (int64_t idl::LogPlace::* const number :
         {&idl::LogPlace::segment, &idl::LogPlace::offset, &idl::LogPlace::sequence}) {
      idl::FollowLogRequest bad = request;
      bad.*place.*number = -1;
      EXPECT_EQ(code(bad), Code::kInvalidArgument);
    }
    (request.*place).offset = INT64_MAX - 10;
    EXPECT_EQ(code(request), Code::kInvalidArgument);
  }
  idl::FollowLogRequest request;
  request.passOver = {7, -7};
  EXPECT_EQ(code(request), Code::kInvalidArgument);
}

}  // namespace
}  // namespace ebla::tabletserver
