// Runs every story in this folder, one test each (README.md says how a story is written).
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "test_paths.h"
#include "tests/stories/story.h"

namespace ebla::stories {
namespace {

namespace fs = std::filesystem;

fs::path StoriesDir() { return fs::path(kSourceDir) / "tests" / "stories"; }

std::vector<fs::path> AllStories() {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(StoriesDir())) {
    if (entry.path().extension() == ".txt" && entry.path().filename() != "CMakeLists.txt") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

bool IsAnswer(const std::string& line) { return !line.empty() && line[0] != '#' && line[0] != '>'; }

// The story as it really went: the same prose and commands, with the answers that came.
std::string Play(const std::string& text, std::string& problem) {
  std::unique_ptr<Story> story;
  std::ostringstream played;
  std::istringstream in(text);
  int number = 0;
  int commands = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (IsAnswer(line)) continue;  // replaced by what comes
    played << line << "\n";
    if (line.empty() || line[0] != '>') continue;
    ++commands;
    if (story == nullptr) story = BeginStory(line.substr(1));
    const Result<Lines> answers = story->Run(line.substr(1));
    if (!answers.has_value()) {
      problem = "line " + std::to_string(number) + ": " + answers.error().message();
      return played.str();
    }
    for (const std::string& answer : *answers) played << answer << "\n";
  }
  if (commands == 0) problem = "the story has no commands";
  return played.str();
}

class StoryTest : public ::testing::TestWithParam<fs::path> {};

TEST_P(StoryTest, GoesAsTold) {
  std::ifstream file(GetParam());
  std::stringstream text;
  text << file.rdbuf();
  std::string problem;
  const std::string played = Play(text.str(), problem);
  ASSERT_EQ(problem, "") << GetParam();
  if (std::getenv("EBLA_REWRITE_STORIES") != nullptr) {
    std::ofstream(GetParam()) << played;
    return;
  }
  EXPECT_EQ(text.str(), played) << GetParam();
}

std::string NameOf(const ::testing::TestParamInfo<fs::path>& info) { return info.param.stem().string(); }

INSTANTIATE_TEST_SUITE_P(All, StoryTest, ::testing::ValuesIn(AllStories()), NameOf);

void ExpectRefused(const std::string& first, const std::vector<std::string>& refused) {
  const auto story = BeginStory(first);
  EXPECT_TRUE(story->Run(first).has_value()) << first;
  for (const std::string& line : refused) EXPECT_FALSE(story->Run(line).has_value()) << line;
}

TEST(StoryInterpreter, RefusesWhatItDoesNotKnow) {
  ExpectRefused("configure epoch=1 born", {"dance", "configure epoch=1 born barefoot", "configure epoch=one born",
                                           "write seq=1 ; paint a b", "write seq=1 ; put a", "tick ms=5 ; put a b"});
  ExpectRefused("group a b", {"dance", "create primary=a voters=a,b barefoot", "deliver a>b append", "state e", "group a b"});
}

}  // namespace
}  // namespace ebla::stories
