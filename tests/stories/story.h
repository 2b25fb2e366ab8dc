// tests/stories/story.h
// A story as it is played: commands are its input, the lines that they answer its output. Its first command decides its
// kind. `group ...` has several replicas (group_story.h), `servers ...` whole tablet servers (server_story.h),
// `masters` masters (master_story.h), and any other command one replica (tablet_story.h).
// Threads: one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "tests/stories/story_text.h"

namespace ebla::stories {

class Story {
 public:
  virtual ~Story() = default;
  // Runs one command line; the error names what is wrong with it.
  virtual Result<Lines> Run(const std::string& line) = 0;
};

// By its first command.
std::unique_ptr<Story> BeginStory(const std::string& first_line);

// Finds the verb of `line` and has `story` run it. `parts`: the words of the line between semicolons, for verbs that
// have parts; only a write does.
template <class S, class Verb>  // Lines(S&, Arguments&)
Result<Lines> RunVerb(S& story, const std::map<std::string, Verb>& verbs, const std::string& line,
                      std::vector<std::vector<std::string>>& parts) {
  parts.clear();
  for (size_t from = 0; from <= line.size();) {
    const size_t end = std::min(line.find(';', from), line.size());
    parts.push_back(SplitWords(line.substr(from, end - from)));
    from = end + 1;
  }
  if (parts[0].empty()) return Error(Code::kInvalidArgument, "an empty command");
  const std::string verb = parts[0][0];
  const auto found = verbs.find(verb);
  if (found == verbs.end()) return Error(Code::kInvalidArgument, "no command \"" + verb + "\"");
  if (parts.size() > 1 && verb != "write") return Error(Code::kInvalidArgument, "only a write has parts");
  Arguments arguments({parts[0].begin() + 1, parts[0].end()});
  try {
    Lines lines = std::invoke(found->second, story, arguments);
    if (!arguments.left().empty()) {
      return Error(Code::kInvalidArgument, "unknown argument \"" + arguments.left()[0] + "\" of " + verb);
    }
    return lines;
  } catch (const std::exception& bad) {  // std::stoull, and the parsers of story_text.h
    return Error(Code::kInvalidArgument, line + ": " + bad.what());
  }
}

}  // namespace ebla::stories
