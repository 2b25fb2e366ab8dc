// tests/stories/tablet_story.h
// The verbs of a story about one replica of one tablet: each takes the words after it and answers lines.
// Place:   story.h runs it.
// Threads: one.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tabletserver/testing/core_rig.h"
#include "tests/stories/story.h"
#include "tests/stories/story_text.h"

namespace ebla::stories {

class TabletStory final : public Story {
 public:
  TabletStory();
  // Runs one command line; the error names what is wrong with it.
  Result<Lines> Run(const std::string& line) override;

 private:
  using Verb = Lines (TabletStory::*)(Arguments&);

  Lines Tablet(Arguments& arguments);
  Lines Configure(Arguments& arguments);
  Lines Fence(Arguments& arguments);
  Lines Drop(Arguments& arguments);
  Lines Forget(Arguments& arguments);
  Lines Write(Arguments& arguments);
  Lines Purge(Arguments& arguments);
  Lines Tick(Arguments& arguments);
  Lines Flush(Arguments& arguments);
  Lines Store(Arguments& arguments);
  Lines Checkpoint(Arguments& arguments);
  Lines Crash(Arguments& arguments);
  Lines State(Arguments& arguments);
  Lines Log(Arguments& arguments);
  Lines Records(Arguments& arguments);
  Lines DedupWindow(Arguments& arguments);

  Lines News();  // the answers since the last command

  static const std::map<std::string, Verb>& Verbs();
  std::unique_ptr<tabletserver::testing::CoreRig> rig_;
  std::vector<std::vector<std::string>> parts_;  // of the command being run: between ";"
};

}  // namespace ebla::stories
