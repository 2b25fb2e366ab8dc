// Which texts name a cause, and how verdicts are counted.
#include "tests/chaos/damage/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ebla::chaos {
namespace {

using ::testing::ElementsAre;

TEST(DamageVerdict, ATextNamesAFile) {
  for (const char* text :
       {"/data/ts-1/store/log/0000000000000003.log is damaged at byte 4096", "/d/store/WiredTiger.turtle is missing",
        "data_7.wt: its first block is damaged", "/d/IDENTITY: its sum is wrong",
        "/d/coordinator is older: /d/CATALOG counts 43", "/d/store/FORMAT is empty",
        "/d/coordinator/WiredTigerLog.0000000001 is damaged", "/d/store/WiredTiger: not a WiredTiger database"})
    EXPECT_TRUE(NamesFile(text)) << text;
  for (const char* text : {"WT_PANIC: WiredTiger library panic", "opening /d/coordinator: WT_PANIC",
                           "unknown configuration key: 'eviction_divty_target'", "", "the log of /d/store/x is short",
                           "WT_ERROR: non-specific WiredTiger error"})
    EXPECT_FALSE(NamesFile(text)) << text;
}

TEST(DamageVerdict, ATextNamesADirectory) {
  for (const char* text : {"there is no store in /d/ts-1/store: is the disk mounted?", "/d/store/log has no segment",
                           "/d/coordinator is missing"})
    EXPECT_TRUE(NamesDirectory(text)) << text;
  EXPECT_FALSE(NamesDirectory("/d/store/window.wt is damaged"));
}

TEST(DamageVerdict, ATextNamesAFileATabletOrAServer) {
  for (const char* text :
       {"tablet 7 has no primary", "waits for ts-2", "table \"placed\" is damaged here", "applied.wt is damaged"})
    EXPECT_TRUE(NamesCause(text)) << text;
  for (const char* text : {"DEADLINE_EXCEEDED: no answer in 2 s", "UNAVAILABLE: the store has failed", ""})
    EXPECT_FALSE(NamesCause(text)) << text;
}

Outcome Of(int number, Shape shape, FileKind kind, Damage damage, Verdict verdict) {
  return {.one = {.number = number, .shape = shape, .kind = kind, .damage = damage},
          .verdict = verdict,
          .harm = "bit 3",
          .why = "because"};
}

TEST(DamageVerdict, TablesHaveARowOfEachFileAndEachDamageThatWasTried) {
  Results results;
  results.Add(Of(3, Shape::kThree, FileKind::kFormat, Damage::kBit, Verdict::kRefused));
  results.Add(Of(2, Shape::kThree, FileKind::kFormat, Damage::kHalf, Verdict::kWrong));
  results.Add(Of(1, Shape::kStandalone, FileKind::kFormat, Damage::kBit, Verdict::kRefused));
  EXPECT_EQ(results.Tables(),
            "| file | standalone | three replicas | three replicas, one away |\n"
            "|---|---|---|---|\n"
            "| store/FORMAT | 1 refused | 1 refused, 1 WRONG | - |\n"
            "\n"
            "| damage | standalone | three replicas | three replicas, one away |\n"
            "|---|---|---|---|\n"
            "| bit | 1 refused | 1 refused | - |\n"
            "| cut by half | - | 1 WRONG | - |\n");
  EXPECT_EQ(results.Sums(), "3 cases: 2 refused, 1 WRONG");
}

TEST(DamageVerdict, APageGetsTheTablesBetweenItsMarkers) {
  const std::string page = "# Storage\n<!-- damage: begin -->\nold\n<!-- damage: end -->\nrest\n";
  EXPECT_EQ(WithTables(page, "| new |\n"),
            "# Storage\n<!-- damage: begin -->\n\n| new |\n\n<!-- damage: end -->\nrest\n");
  EXPECT_EQ(WithTables("# Storage\n", "| new |\n").error().code(), Code::kInvalidArgument);
}

Verdict Judged(FileKind kind, Damage damage, Verdict verdict, bool remade = false) {
  Outcome outcome = Of(1, Shape::kThree, kind, damage, verdict);
  JudgeNeed(outcome, remade);
  return outcome.verdict;
}

TEST(DamageVerdict, NothingStopsForAFileThatDoesNotCount) {
  EXPECT_EQ(Judged(FileKind::kBaseConfig, Damage::kBit, Verdict::kRefused), Verdict::kNeedless);
  EXPECT_EQ(Judged(FileKind::kBaseConfig, Damage::kBit, Verdict::kServed), Verdict::kServed);
  EXPECT_EQ(Judged(FileKind::kBaseConfig, Damage::kBit, Verdict::kNoFile), Verdict::kNoFile);
  EXPECT_EQ(Judged(FileKind::kInventory, Damage::kDeleted, Verdict::kRefused), Verdict::kNeedless);
  EXPECT_EQ(Judged(FileKind::kInventory, Damage::kDeleted, Verdict::kMended, true), Verdict::kNeedless);
  EXPECT_EQ(Judged(FileKind::kInventory, Damage::kForeign, Verdict::kRefused), Verdict::kRefused);
  EXPECT_EQ(Judged(FileKind::kInventories, Damage::kDeleted, Verdict::kRefused), Verdict::kRefused);
  EXPECT_EQ(Judged(FileKind::kInventory, Damage::kBit, Verdict::kWrong, true), Verdict::kWrong);
}

TEST(DamageVerdict, AMissingPermissionIsNoDamage) {
  EXPECT_EQ(Judged(FileKind::kApplied, Damage::kForbidden, Verdict::kMended, true), Verdict::kNeedless);
  EXPECT_EQ(Judged(FileKind::kTable, Damage::kForbidden, Verdict::kMended, true), Verdict::kMended);
  EXPECT_EQ(Judged(FileKind::kTable, Damage::kForbidden, Verdict::kRefused), Verdict::kRefused);
  EXPECT_EQ(Judged(FileKind::kTable, Damage::kBit, Verdict::kMended, true), Verdict::kMended);
}

TEST(DamageVerdict, NoServerServesAsAnother) {
  EXPECT_EQ(Judged(FileKind::kStoreDirectory, Damage::kSwapped, Verdict::kServed), Verdict::kWrong);
  EXPECT_EQ(Judged(FileKind::kIdentity, Damage::kForeign, Verdict::kServed), Verdict::kWrong);
  EXPECT_EQ(Judged(FileKind::kStoreDirectory, Damage::kForeign, Verdict::kRefused), Verdict::kRefused);
  EXPECT_EQ(Judged(FileKind::kFormat, Damage::kForeign, Verdict::kServed), Verdict::kServed);
}

TEST(DamageVerdict, BadCasesAreNamedInTheirOrder) {
  Results results;
  int number = 9;
  for (const Verdict verdict :
       {Verdict::kStuck, Verdict::kServed, Verdict::kWrong, Verdict::kSilent, Verdict::kMended, Verdict::kUnnamed,
        Verdict::kWaits, Verdict::kRefused, Verdict::kNeedless, Verdict::kBroken, Verdict::kNoFile})
    results.Add(Of(number--, Shape::kStandalone, FileKind::kFormat, Damage::kHalf, verdict));
  std::vector<Verdict> bad;
  for (const Outcome& outcome : results.Bad()) bad.push_back(outcome.verdict);
  EXPECT_THAT(bad, ElementsAre(Verdict::kBroken, Verdict::kNeedless, Verdict::kUnnamed, Verdict::kSilent,
                               Verdict::kWrong, Verdict::kStuck));
  EXPECT_EQ(ToString(results.Bad().back()),
            "case 9, standalone, stopped, store/FORMAT: cut by half: STUCK; bit 3; because");
}

}  // namespace
}  // namespace ebla::chaos
