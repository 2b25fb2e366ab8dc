#include "tests/chaos/damage/results_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/testing/temporary_directory.h"

namespace ebla::chaos {
namespace {

using ::testing::HasSubstr;

TEST(ResultsFileTest, ARunContinuesWithWhatAnEarlierOneSaw) {
  const testing::TemporaryDirectory dir;
  const std::string file = dir / "results";
  const std::vector<Case> cases = AllCases();
  ResultsFile first;
  const auto none = first.Open(file, "12ab", 7);
  ASSERT_TRUE(none) << none.error();
  EXPECT_TRUE(none->empty());
  first.Add({.one = cases[0], .verdict = Verdict::kMended, .seconds = 1.5});
  first.Add({.one = cases[17], .verdict = Verdict::kNoFile});

  ResultsFile second;
  const auto some = second.Open(file, "12ab", 7);
  ASSERT_TRUE(some) << some.error();
  ASSERT_EQ(some->size(), 2u);
  EXPECT_EQ((*some)[0].one.number, cases[0].number);
  EXPECT_EQ((*some)[0].verdict, Verdict::kMended);
  EXPECT_EQ((*some)[0].seconds, 1.5);
  EXPECT_EQ((*some)[1].one.number, cases[17].number);
  EXPECT_EQ((*some)[1].verdict, Verdict::kNoFile);
}

TEST(ResultsFileTest, ResultsOfOtherProgramsAreRefused) {
  const testing::TemporaryDirectory dir;
  const std::string file = dir / "results";
  ASSERT_TRUE(ResultsFile().Open(file, "12ab", 7));
  EXPECT_THAT(ResultsFile().Open(file, "34cd", 7).error().message(), HasSubstr("other programs"));
  EXPECT_THAT(ResultsFile().Open(file, "12ab", 8).error().message(), HasSubstr("another seed"));
}

TEST(ResultsFileTest, ALineOfSomethingElseIsNamed) {
  const testing::TemporaryDirectory dir;
  const std::string file = dir / "results";
  for (const char* line : {"3 great 1", "999999 served 0", "served", "3"}) {
    std::ofstream(file) << "programs 12ab 7\n" << line << "\n";
    EXPECT_THAT(ResultsFile().Open(file, "12ab", 7).error().message(), HasSubstr(line));
  }
}

}  // namespace
}  // namespace ebla::chaos
