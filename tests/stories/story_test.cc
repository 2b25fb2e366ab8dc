// Runs every story in this folder, one test each (README.md describes how to write a story), and once more with each
// planted bug that the story claims to catch, which must change the story.
#include "tests/stories/story.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "common/base/planted_bug.h"
#include "test_paths.h"

namespace ebla::stories {
namespace {

namespace fs = std::filesystem;

fs::path StoriesDir() { return fs::path(kSourceDir) / "tests" / "stories"; }

std::vector<fs::path> AllStories() {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(StoriesDir())) {
    if (entry.path().extension() == ".txt" && entry.path().filename() != "CMakeLists.txt")
      paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

bool IsAnswer(const std::string& line) { return !line.empty() && line[0] != '#' && line[0] != '>'; }

// The story as it really happened: the same prose and commands, with the real answers.
std::string Play(const std::string& text, std::string& problem) {
  std::unique_ptr<Story> story;
  std::ostringstream played;
  std::istringstream in(text);
  int number = 0;
  int commands = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (IsAnswer(line)) continue;  // replaced by the real answer
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

std::string Text(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// ---- the bugs that a story catches ----------------------------------------------------------------------------------

struct Claim {
  fs::path story;
  std::string bug;
};

// The claims in lines "# catches: bug, bug" of all stories.
std::vector<Claim> AllClaims() {
  std::vector<Claim> claims;
  for (const fs::path& path : AllStories()) {
    std::istringstream in(Text(path));
    for (std::string line; std::getline(in, line);) {
      constexpr std::string_view kClaims = "# catches: ";
      if (!line.starts_with(kClaims)) continue;
      for (std::string bug : SplitNames(line.substr(kClaims.size()))) {
        bug.erase(0, bug.find_first_not_of(' '));
        claims.push_back({path, bug});
      }
    }
  }
  return claims;
}

// Whether the story is the same with the bug planted. Runs in a separate process, because a broken invariant ends it,
// which also catches the bug, and because no later test may have the bug planted.
bool GoesAsToldWith(PlantedBug bug, const std::string& text) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (std::freopen("/dev/null", "w", stderr) == nullptr) ::_exit(2);
    Plant(bug);
    std::string problem;
    const std::string played = Play(text, problem);
    ::_exit(problem.empty() && played == text ? 0 : 1);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return true;  // nothing is proved
  return WIFEXITED(status) && WEXITSTATUS(status) != 1;
}

class CatchTest : public ::testing::TestWithParam<Claim> {};

TEST_P(CatchTest, GoesOtherwiseWithTheBug) {
  const auto name = std::ranges::find(kPlantedBugNames, GetParam().bug);
  ASSERT_NE(name, kPlantedBugNames.end()) << "no bug " << GetParam().bug;
  const auto bug = static_cast<PlantedBug>(name - kPlantedBugNames.begin());
  EXPECT_FALSE(GoesAsToldWith(bug, Text(GetParam().story))) << GetParam().story << " does not catch " << GetParam().bug;
}

TEST(Catches, NothingIsCaughtWhereNothingIsPlanted) {
  ASSERT_FALSE(AllClaims().empty());
  EXPECT_TRUE(GoesAsToldWith(PlantedBug::none, Text(AllClaims().front().story)));
}

std::string ClaimOf(const ::testing::TestParamInfo<Claim>& info) {
  return info.param.story.stem().string() + "_" + info.param.bug;
}

INSTANTIATE_TEST_SUITE_P(All, CatchTest, ::testing::ValuesIn(AllClaims()), ClaimOf);

// ---- the stories ----------------------------------------------------------------------------------------------------

class StoryTest : public ::testing::TestWithParam<fs::path> {};

TEST_P(StoryTest, GoesAsTold) {
  const std::string text = Text(GetParam());
  std::string problem;
  const std::string played = Play(text, problem);
  ASSERT_EQ(problem, "") << GetParam();
  if (std::getenv("EBLA_REWRITE_STORIES") != nullptr) {
    std::ofstream(GetParam()) << played;
    return;
  }
  EXPECT_EQ(text, played) << GetParam();
}

std::string NameOf(const ::testing::TestParamInfo<fs::path>& info) { return info.param.stem().string(); }

INSTANTIATE_TEST_SUITE_P(All, StoryTest, ::testing::ValuesIn(AllStories()), NameOf);

void ExpectRefused(const std::string& first, const std::vector<std::string>& refused) {
  const auto story = BeginStory(first);
  EXPECT_TRUE(story->Run(first).has_value()) << first;
  for (const std::string& line : refused) EXPECT_FALSE(story->Run(line).has_value()) << line;
}

TEST(StoryInterpreter, RefusesWhatItDoesNotKnow) {
  ExpectRefused("configure epoch=1 created_empty",
                {"dance", "configure epoch=1 created_empty barefoot", "configure epoch=one created_empty",
                 "write seq=1 ; paint a b", "write seq=1 ; put a", "tick ms=5 ; put a b"});
  ExpectRefused("servers a b",
                {"dance", "start c", "await a sings", "read a k level=loud", "write a seq=1 ; paint a b", "servers a"});
  ExpectRefused("masters", {"dance", "server ts-9 stops", "server ts-1 sings", "await", "create barefoot", "masters"});
  ExpectRefused("group a b",
                {"dance", "create primary=a voters=a,b barefoot", "deliver a>b append", "state e", "group a b"});
}

}  // namespace
}  // namespace ebla::stories
