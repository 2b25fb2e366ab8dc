// tests/stories/story_commands.h
// The verbs of a story about one tablet: each takes the words after it and answers lines.
// Invariants: an unknown verb or argument, or one that is left over, is an error, never ignored.
// Threads:    one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "tabletserver/tablet/testing/core_rig.h"

namespace ebla::stories {

using Lines = std::vector<std::string>;

// The words of a command: flags ("born"), settings ("epoch=2"), in any order. What is not taken is an error.
class Arguments {
 public:
  explicit Arguments(std::vector<std::string> words) : words_(std::move(words)) {}
  bool Flag(const std::string& name);
  std::string Text(const std::string& name, const std::string& fallback);
  uint64_t Number(const std::string& name, uint64_t fallback);
  std::string Word();  // the next word that is no setting; empty: none
  const std::vector<std::string>& left() const { return words_; }

 private:
  std::vector<std::string> words_;
};

class TabletStory {
 public:
  TabletStory();
  // Runs one command line; the error names what is wrong with it.
  Result<Lines> Run(const std::string& line);

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
  Lines Window(Arguments& arguments);

  Lines News();  // the answers since the last command

  static const std::map<std::string, Verb>& Verbs();
  std::unique_ptr<tabletserver::testing::CoreRig> rig_;
  std::vector<std::vector<std::string>> parts_;  // of the command being run: between ";"
};

}  // namespace ebla::stories
