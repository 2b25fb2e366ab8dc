#include "tools/ycsb/properties.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>

#include "test_paths.h"
#include "tools/ycsb/command_line.h"
#include "tools/ycsb/workload.h"

namespace ebla::ycsb {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Properties, TheCommandLineBeatsFilesAndLaterBeatsEarlier) {
  Properties properties;
  ASSERT_TRUE(properties.AddArgument("a=argument").ok());
  ASSERT_TRUE(properties.AddText("a=file\nb=first\nc=first\n", "one").ok());
  ASSERT_TRUE(properties.AddText("b=second\n", "two").ok());
  EXPECT_EQ(properties.Text("a", ""), "argument");
  EXPECT_EQ(properties.Text("b", ""), "second");
  EXPECT_EQ(properties.Text("c", ""), "first");
  EXPECT_EQ(properties.Text("d", "fallback"), "fallback");
  ASSERT_TRUE(properties.AddArgument("a=later").ok());
  EXPECT_EQ(properties.Text("a", ""), "later");
}

TEST(Properties, FilesAreReadAsJavaReadsThem) {
  Properties properties;
  const char* text =
      "# a comment\n"
      "! another\n"
      "\n"
      "  indented = value with blanks  \r\n"
      "colon:1\n"
      "blank 2\n"
      "long=one,\\\n"
      "     two\n"
      "a\\=b=3\n"
      "tab=x\\ty\n"
      "# a comment does not go on \\\n"
      "last=4";
  ASSERT_TRUE(properties.AddText(text, "file").ok());
  EXPECT_EQ(properties.Text("indented", ""), "value with blanks");
  EXPECT_EQ(properties.Text("colon", ""), "1");
  EXPECT_EQ(properties.Text("blank", ""), "2");
  EXPECT_EQ(properties.Text("long", ""), "one,two");
  EXPECT_EQ(properties.Text("a=b", ""), "3");
  EXPECT_EQ(properties.Text("tab", ""), "x\ty");
  EXPECT_EQ(properties.Text("last", ""), "4");
}

TEST(Properties, MistakesAreNamed) {
  Properties properties;
  EXPECT_THAT(properties.AddFile("/no/such/file").message(), HasSubstr("/no/such/file"));
  EXPECT_THAT(properties.AddText("a=1\n=2\n", "w").message(), HasSubstr("w:2"));
  EXPECT_THAT(properties.AddArgument("novalue").message(), HasSubstr("novalue"));
  properties.Set("n", "12x");
  EXPECT_THAT(properties.Integer("n", 0, 0, 99).error().message(),
              HasSubstr("n=12x: expected a whole number from 0 to 99"));
  properties.Set("n", "100");
  EXPECT_FALSE(properties.Integer("n", 0, 0, 99).has_value());
  EXPECT_EQ(properties.Integer("n", 0, 0, 100).value(), 100);
  properties.Set("n", "nan");
  EXPECT_FALSE(properties.Number("n", 0, 0, 1).has_value());
  properties.Set("n", "0.25");
  EXPECT_EQ(properties.Number("n", 0, 0, 1).value(), 0.25);
  properties.Set("n", "maybe");
  EXPECT_THAT(properties.Boolean("n", false).error().message(), HasSubstr("false, true"));
  properties.Set("n", "TRUE");
  EXPECT_TRUE(properties.Boolean("n", false).value());
}

TEST(Properties, OnlyUnknownNamesFromTheCommandLineAreReported) {
  Properties properties;
  ASSERT_TRUE(properties.AddText("workload=x\nhbase.column=y\n", "file").ok());
  ASSERT_TRUE(properties.AddArgument("recordcout=5").ok());
  ASSERT_TRUE(properties.AddArgument("recordcout=6").ok());
  ASSERT_TRUE(properties.AddArgument("recordcount=7").ok());
  ASSERT_TRUE(properties.AddArgument("ebla.replica=3").ok());
  EXPECT_THAT(properties.UnknownArguments(), ElementsAre("ebla.replica", "recordcout"));
}

template <class... Words>
Result<CommandLine> Parse(Words... words) {
  const std::array<std::string_view, sizeof...(words)> arguments{words...};
  return ParseCommandLine(arguments);
}

TEST(CommandLine, OptionsBecomeProperties) {
  const auto line = Parse("run", "-threads", "8", "-target", "1000", "-s", "-l", "nightly", "-p", "recordcount=5");
  ASSERT_TRUE(line.has_value()) << line.error();
  EXPECT_EQ(line->action, CommandLine::Action::kRun);
  EXPECT_EQ(line->properties.Text("threadcount", ""), "8");
  EXPECT_EQ(line->properties.Text("target", ""), "1000");
  EXPECT_EQ(line->properties.Text("status", ""), "true");
  EXPECT_EQ(line->properties.Text("label", ""), "nightly");
  EXPECT_EQ(line->properties.Text("recordcount", ""), "5");
  EXPECT_EQ(Parse("-threads", "2", "load")->action, CommandLine::Action::kLoad);
  EXPECT_EQ(Parse("run", "--help")->action, CommandLine::Action::kHelp);
}

TEST(CommandLine, WhatItDoesNotKnowItRefuses) {
  EXPECT_THAT(Parse("run", "-thread", "8").error().message(), HasSubstr("-thread"));
  EXPECT_THAT(Parse("walk").error().message(), HasSubstr("walk"));
  EXPECT_THAT(Parse("run", "load").error().message(), HasSubstr("too many"));
  EXPECT_THAT(Parse("run", "-threads").error().message(), HasSubstr("needs"));
  EXPECT_THAT(Parse("run", "-P", "/no/such").error().message(), HasSubstr("/no/such"));
  EXPECT_FALSE(Parse().has_value());
}

TEST(CommandLine, TheStandardWorkloadFilesSayWhatTheyShould) {
  struct Expected {
    const char* file;
    double proportions[5];  // read, update, insert, scan, read-modify-write
    RequestDistribution requests;
  };
  const Expected all[] = {
      {"workloada", {0.5, 0.5, 0, 0, 0}, RequestDistribution::kZipfian},
      {"workloadb", {0.95, 0.05, 0, 0, 0}, RequestDistribution::kZipfian},
      {"workloadc", {1, 0, 0, 0, 0}, RequestDistribution::kZipfian},
      {"workloadd", {0.95, 0, 0.05, 0, 0}, RequestDistribution::kLatest},
      {"workloade", {0, 0, 0.05, 0.95, 0}, RequestDistribution::kZipfian},
      {"workloadf", {0.5, 0, 0, 0, 0.5}, RequestDistribution::kZipfian},
  };
  for (const Expected& expected : all) {
    Properties properties;
    ASSERT_TRUE(properties.AddFile(std::string(kSourceDir) + "/conf/ycsb/" + expected.file).ok()) << expected.file;
    const auto options = WorkloadOptions::Parse(properties, false);
    ASSERT_TRUE(options.has_value()) << options.error();
    for (int i = 0; i < 5; ++i) EXPECT_EQ(options->proportions[i], expected.proportions[i]) << expected.file << i;
    EXPECT_EQ(options->requests, expected.requests);
    EXPECT_EQ(options->record_count, 1000u);
    EXPECT_EQ(options->operation_count, 1000u);
    EXPECT_EQ(options->scan_length_max, expected.proportions[3] > 0 ? 100u : 1000u);
    EXPECT_FALSE(options->scan_lengths_zipfian);
  }
}

TEST(WorkloadOptions, ContradictionsAreRefusedWithWhatToDo) {
  const auto error = [](std::string_view text, bool load = false) {
    Properties properties;
    EXPECT_TRUE(properties.AddText(text, "test").ok());
    const auto options = WorkloadOptions::Parse(properties, load);
    return options ? std::string("accepted") : options.error().message();
  };
  EXPECT_THAT(error("operationcount=1"), HasSubstr("recordcount is not set"));
  EXPECT_THAT(error("recordcount=10"), HasSubstr("operationcount=N"));
  EXPECT_EQ(error("recordcount=10", true), "accepted");
  EXPECT_EQ(error("recordcount=10\nmaxexecutiontime=1"), "accepted");
  EXPECT_THAT(error("recordcount=10\ninsertstart=5\ninsertcount=6", true), HasSubstr("beyond recordcount"));
  EXPECT_THAT(error("recordcount=10\noperationcount=1\nrequestdistribution=normal"), HasSubstr("zipfian"));
  EXPECT_THAT(error("recordcount=10\noperationcount=1\nreadproportion=0\nupdateproportion=0"),
              HasSubstr("no operations"));
  EXPECT_THAT(error("recordcount=10\noperationcount=1\ndataintegrity=true\nfieldlengthdistribution=uniform"),
              HasSubstr("constant"));
  EXPECT_THAT(error("recordcount=10\noperationcount=1\nminscanlength=5\nmaxscanlength=4"),
              HasSubstr("minscanlength=5"));
}

}  // namespace
}  // namespace ebla::ycsb
