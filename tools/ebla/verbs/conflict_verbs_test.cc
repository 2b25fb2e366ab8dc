// Conflict records, as operators see them: listed, exported, applied and forgotten.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tools/ebla/cli/shell_fixture.h"

namespace ebla::shell {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ConflictTest : public ShellTest {
 protected:
  ConflictTest() {
    servers_.cluster().tables()->Add("carts", {});
    EXPECT_THAT(Run("put carts old v"), HasSubstr("OK"));
  }
  static idl::KeptWrite Unresolved(int64_t tablet, int64_t epoch, int64_t lsn, const std::string& key,
                                   const std::string& value) {
    idl::KeptWrite write;
    write.tabletId = tablet;
    write.version.epoch = epoch;
    write.version.lsn = lsn;
    write.tabletTimeMs = 1'790'000'000'000;
    idl::KeptEffect& effect = write.effects.emplace_back();
    effect.key = key;
    effect.__set_value(value);
    return write;
  }
};

TEST_F(ConflictTest, AreListedExportedAndForgotten) {
  EXPECT_EQ(Run("conflict list carts"), "table carts has no conflict records");
  servers_.cluster().tables()->Named("carts").unresolved["ts-2"].push_back(Unresolved(7, 9, 1, "a", "1"));
  servers_.cluster().tables()->Named("carts").unresolved["ts-2"].push_back(
      Unresolved(7, 9, 2, std::string("\xff", 1), std::string("\0\xfe", 2)));
  idl::KeptWrite waiting = Unresolved(0, 3, 4, "w", "1");
  waiting.waiting = true;
  servers_.cluster().tables()->Named("carts").unresolved["ts-1"].push_back(waiting);
  const std::string listed = Run("conflict list carts");
  EXPECT_THAT(listed, HasSubstr("ts-1         0      3.4  waiting"));
  EXPECT_THAT(listed, HasSubstr("ts-2         7      9.1  conflict"));
  EXPECT_THAT(listed, HasSubstr("a=1"));
  const std::string path = directory_ + "/kept.jsonl";
  EXPECT_EQ(Run("conflict export carts " + path), "OK  3 records in " + path);
  EXPECT_THAT(
      Content(path),
      HasSubstr(R"({"key":"\\xff","key_base64":"/w==","delete":false,"value":"\\x00\\xfe","value_base64":"AP4=")"));
  std::string lines = Content(path);
  std::ranges::replace(lines, '\n', ',');
  lines.pop_back();
  EXPECT_EQ(Run("--json conflict list carts"), "[" + lines + "]") << "a list is an array, a file has lines";
  EXPECT_THAT(Run("conflict forget carts"), HasSubstr("together, or --all"));
  EXPECT_THAT(Run("conflict forget carts --all --server ts-1"), HasSubstr("[2]"));
  EXPECT_THAT(Run("conflict forget carts --all"), HasSubstr("forgets 2 acknowledged writes for good"));
  EXPECT_THAT(Run("conflict forget carts --server ts-1 --tablet 0 --version 3.4 --yes"),
              HasSubstr("needs no decision"));
  EXPECT_THAT(Run("conflict forget carts --server ts-2 --tablet 7 --version 9.9 --yes"), HasSubstr("NOT_FOUND"));
  EXPECT_EQ(Run("conflict forget carts --server ts-2 --tablet 7 --version 9.1 --yes"), "OK  1 forgotten");
  EXPECT_EQ(Run("conflict forget carts --all --yes"), "OK  1 forgotten");
  EXPECT_THAT(Run("conflict list carts"), ::testing::Not(HasSubstr("ts-2")));
  EXPECT_THAT(Run("conflict list nowhere"), HasSubstr("NO_SUCH_TABLE"));
}

TEST_F(ConflictTest, AreNotSaidToBeNoneToWhoMayNotSeeThem) {
  servers_.cluster().faults()->AnswerNext("ts-1", idl::Code::PERMISSION_DENIED, 1, 0, "it takes an operator");
  EXPECT_THAT(Run("conflict list carts"), AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr("it takes an operator")));
  servers_.cluster().faults()->AnswerNext("ts-1", idl::Code::UNAVAILABLE);
  EXPECT_THAT(Run("conflict list carts"), HasSubstr("no answer from: ts-1"));
}

TEST_F(ConflictTest, AreAppliedWhereNothingHasChanged) {
  servers_.cluster().tables()->Named("carts").unresolved["ts-2"].push_back(Unresolved(7, 9, 1, "old", "one"));
  servers_.cluster().tables()->Named("carts").unresolved["ts-2"].push_back(Unresolved(7, 9, 2, "old", "two"));
  servers_.cluster().tables()->Named("carts").unresolved["ts-2"].push_back(Unresolved(7, 9, 3, "new", "three"));
  EXPECT_EQ(Run("conflict apply carts --all"), "OK  3 applied, 0 not applied");
  EXPECT_EQ(Run("get carts old"), "two") << "one after the other, though each changes the record";
  EXPECT_EQ(Run("get carts new"), "three");
  EXPECT_EQ(Run("conflict list carts"), "table carts has no conflict records");
}

TEST_F(ConflictTest, AreKeptWhereTheRecordHasChangedUnlessToldOtherwise) {
  idl::KeptWrite repeated = Unresolved(7, 9, 9, "again", "1");
  repeated.repeated = true;
  servers_.cluster().tables()->Named("carts").unresolved["ts-2"].push_back(
      Unresolved(7, 0, 1, "old", "undone"));  // before the present version
  servers_.cluster().tables()->Named("carts").unresolved["ts-2"].push_back(repeated);
  const std::string shown = Run("conflict apply carts --all");
  EXPECT_THAT(shown, HasSubstr("\"old\" has changed since"));
  EXPECT_THAT(shown, HasSubstr("a retry of it may have done the same"));
  EXPECT_THAT(shown, HasSubstr("CONDITION_FAILED: 0 applied, 2 not applied [1]"));
  EXPECT_EQ(Run("get carts old"), "v");
  EXPECT_EQ(Run("conflict apply carts --all --overwrite"), "OK  2 applied, 0 not applied");
  EXPECT_EQ(Run("get carts old"), "undone");
}

}  // namespace
}  // namespace ebla::shell
