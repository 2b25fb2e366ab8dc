// tests/stories/server_story.h
// The verbs of a story about whole tablet servers: several tablets on each, what a start makes of what the disk has
// kept, and every order of a master's as the story gives it. Time is virtual, and what is sent arrives by itself; a
// story holds it up by cuts, slow disks and slow copies.
// Place:   story.h runs it, over tabletserver/testing/group_fixture.h. README.md lists the verbs.
// Threads: one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tabletserver/testing/group_fixture.h"
#include "tests/stories/story.h"
#include "tests/stories/story_text.h"

namespace ebla::stories {

class ServerStory final : public Story {
 public:
  ServerStory();
  ~ServerStory() override;
  Result<Lines> Run(const std::string& line) override;

 private:
  using Verb = Lines (ServerStory::*)(Arguments&);
  class Servers;

  // ---- the servers and the network ----
  Lines Begin(Arguments& arguments);
  Lines Cut(Arguments& arguments);
  Lines Heal(Arguments& arguments);
  Lines Crash(Arguments& arguments);
  Lines Start(Arguments& arguments);
  Lines Disk(Arguments& arguments);
  Lines Copies(Arguments& arguments);
  Lines Checkpoint(Arguments& arguments);
  Lines Pass(Arguments& arguments);
  Lines Await(Arguments& arguments);
  // ---- masters ----
  Lines Configure(Arguments& arguments);
  Lines Fence(Arguments& arguments);
  Lines Drop(Arguments& arguments);
  Lines Split(Arguments& arguments);
  // ---- clients ----
  Lines Write(Arguments& arguments);
  Lines Fill(Arguments& arguments);
  Lines Read(Arguments& arguments);
  // ---- pictures ----
  Lines Ranges(Arguments& arguments);
  Lines Log(Arguments& arguments);

  static const std::map<std::string, Verb>& Verbs();
  std::string Name(Arguments& arguments);
  std::function<bool()> Condition(const std::string& name, const std::string& what, int64_t tablet,
                                  const std::string& of);
  // Gives calls a little time, then returns their answers.
  Lines News();
  void Answered(const std::string& what, int number, const std::string& how);

  Lines answers_;
  int asked_ = 0;
  std::vector<std::vector<std::string>> parts_;
  std::unique_ptr<Servers> servers_;
};

}  // namespace ebla::stories
