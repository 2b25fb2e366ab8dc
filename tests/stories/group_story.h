// tests/stories/group_story.h
// The verbs of a story about several replicas of one tablet: what is under way between them waits until the story
// delivers, loses or delays it, and nothing else happens by itself.
// Place:   group_masters.h has the verbs of masters. story.h runs it, over tabletserver/testing/group_rig.h. README.md
//          lists the verbs.
// Threads: one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tabletserver/testing/group_rig.h"
#include "tests/stories/group_masters.h"
#include "tests/stories/story.h"
#include "tests/stories/story_text.h"

namespace ebla::stories {

class GroupStory final : public Story {
 public:
  Result<Lines> Run(const std::string& line) override;

 private:
  using Verb = std::function<Lines(GroupStory&, Arguments&)>;
  // Selects messages under way by "FROM>TO" (either may be *), then by kind (none means any).
  struct Filter {
    std::string from, to, what;
    bool Matches(const tabletserver::testing::GroupRig::Parcel& parcel) const;
  };

  // ---- the servers and the network ----
  Lines Group(Arguments& arguments);
  Lines Messages(Arguments& arguments);
  Lines Deliver(Arguments& arguments);
  Lines Lose(Arguments& arguments);
  Lines Duplicate(Arguments& arguments);
  Lines Hold(Arguments& arguments);
  Lines Release(Arguments& arguments);
  Lines Settle(Arguments& arguments);
  Lines Cut(Arguments& arguments);
  Lines Heal(Arguments& arguments);
  Lines Pass(Arguments& arguments);
  Lines Beat(Arguments& arguments);
  Lines Crash(Arguments& arguments);
  Lines Flush(Arguments& arguments);
  Lines Store(Arguments& arguments);
  Lines Checkpoint(Arguments& arguments);
  // ---- clients ----
  Lines Write(Arguments& arguments);
  Lines Purge(Arguments& arguments);
  Lines Read(Arguments& arguments);
  Lines Confirm(Arguments& arguments);
  // ---- pictures ----
  Lines Catalog(Arguments& arguments);
  Lines State(Arguments& arguments);
  Lines Peers(Arguments& arguments);
  Lines Log(Arguments& arguments);
  Lines Records(Arguments& arguments);
  Lines RolledBack(Arguments& arguments);
  Lines Time(Arguments& arguments);

  static const std::map<std::string, Verb>& Verbs();
  // A verb of theirs, and then what has come of it.
  static Verb Masters(void (GroupMasters::*verb)(Arguments&));
  static Filter ParseFilter(Arguments& arguments);
  tabletserver::testing::CoreRig& At(Arguments& arguments);  // the next word, or at=NAME
  bool Held(const tabletserver::testing::GroupRig::Parcel& parcel) const;
  size_t Find(const Filter& filter) const;  // parcels.size(): none
  Lines News();                             // what the servers and the masters have said since the last command

  std::unique_ptr<tabletserver::testing::GroupRig> group_;
  std::unique_ptr<GroupMasters> masters_;
  std::vector<Filter> held_;
  std::vector<std::vector<std::string>> parts_;
};

}  // namespace ebla::stories
