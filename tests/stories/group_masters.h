// tests/stories/group_masters.h
// The masters of a story about several replicas of one tablet: the verbs that give orders, and what has come of them.
// Place:   group_story.h runs them. README.md lists the verbs.
// Threads: one.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "tabletserver/testing/group_rig.h"
#include "tests/stories/story_text.h"

namespace ebla::stories {

// The next word, or at=NAME: a server of the group.
std::string ParseServer(const tabletserver::testing::GroupRig& group, Arguments& arguments);

class GroupMasters {
 public:
  explicit GroupMasters(tabletserver::testing::GroupRig& group) : group_(group) {}

  void Create(Arguments& arguments);
  void Failover(Arguments& arguments);
  void Change(Arguments& arguments);
  void Transfer(Arguments& arguments);
  void Resend(Arguments& arguments);
  void Fence(Arguments& arguments);
  void Configure(Arguments& arguments);
  void Drop(Arguments& arguments);
  void Freeze(Arguments& arguments);

  // Outcomes and answers since the last call.
  Lines TakeNews() { return std::exchange(news_, {}); }

 private:
  void Order(const std::string& to, std::function<tabletserver::RequestToken(tabletserver::testing::CoreRig&)> give);

  tabletserver::testing::GroupRig& group_;
  Lines news_;
};

}  // namespace ebla::stories
