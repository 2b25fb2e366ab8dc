// WiredTiger's error messages that name a file outlive messages that name none.
#include "common/wiredtiger/error_messages.h"

#include <gtest/gtest.h>
#include <wiredtiger.h>

#include <cerrno>
#include <string>

namespace ebla::wiredtiger {
namespace {

constexpr char kDamaged[] = "[1:2][3:0x7f], txn-recover: /d/WiredTiger.wt is damaged at byte 8192: it is not whole";

void Tell(ErrorMessages& messages, const std::string& message, int error = WT_ERROR) {
  WT_EVENT_HANDLER* const handler = messages.handler();
  EXPECT_EQ(handler->handle_error(handler, nullptr, error, message.c_str()), 0);
}
void TellOfAnEnd(ErrorMessages& messages) {
  for (int i = 1; i <= 6; ++i) Tell(messages, "cache server: exiting " + std::to_string(i));
}

TEST(ErrorMessagesTest, MessagesThatNameAFileOutliveOthers) {
  ErrorMessages messages("test: ", ErrorMessages::Log::kDetails);
  EXPECT_EQ(messages.All(), "");
  TellOfAnEnd(messages);
  Tell(messages, "cannot write /d/a.wt");
  TellOfAnEnd(messages);
  EXPECT_EQ(messages.All(),
            " (cannot write /d/a.wt; cache server: exiting 4; cache server: exiting 5; cache server: exiting 6)");
  for (const std::string file : {"b.wt", "c.wt", "d.turtle", "WiredTigerLog.7"}) Tell(messages, "cannot read " + file);
  TellOfAnEnd(messages);
  EXPECT_EQ(messages.All(), " (cannot read b.wt; cannot read c.wt; cannot read d.turtle; cannot read WiredTigerLog.7)");
  EXPECT_EQ(messages.DamagedBlock(), "");
}

TEST(ErrorMessagesTest, ADamagedBlockOutlivesAll) {
  ErrorMessages messages("test: ", ErrorMessages::Log::kDetails);
  Tell(messages, kDamaged);
  for (int i = 0; i < 9; ++i) Tell(messages, "file:WiredTiger.wt, metadata-ckpt: the checkpoint failed");
  Tell(messages, "file:WiredTiger.wt, connection: __wt_bm_corrupt_dump, 132: {28672, 4096}: (chunk 3 of 4): 00 00");
  EXPECT_TRUE(messages.All().starts_with(" (" + std::string(kDamaged) + "; file:")) << messages.All();
  EXPECT_FALSE(messages.All().contains("chunk")) << messages.All();
  EXPECT_EQ(messages.DamagedBlock(), "/d/WiredTiger.wt is damaged at byte 8192: it is not whole");
  Tell(messages, "/d/e.wt is damaged at byte 4");
  EXPECT_EQ(messages.DamagedBlock(), "/d/e.wt is damaged at byte 4");
  Tell(messages, "WiredTiger.wt: read checksum error for 4096B block at offset 28672");
  EXPECT_EQ(messages.DamagedBlock(), "") << "it names no path";
  EXPECT_TRUE(messages.All().contains("read checksum error")) << messages.All();
}

TEST(ErrorMessagesTest, WhereNoMessageNamesAFileTheFirstFilesAreSuspected) {
  ErrorMessages messages("test: ", ErrorMessages::Log::kDetails);
  TellOfAnEnd(messages);
  EXPECT_EQ(messages.Suspects("/d"), ", where /d/WiredTiger.turtle or WiredTiger.wt may be damaged");
  EXPECT_FALSE(messages.of_this_moment());
  Tell(messages, "cannot write /d/data_7.wt: No space left on device", ENOSPC);
  TellOfAnEnd(messages);
  EXPECT_EQ(messages.Suspects("/d"), "");
  EXPECT_TRUE(messages.of_this_moment());
}

}  // namespace
}  // namespace ebla::wiredtiger
