// tabletserver/split_fixture.h
// For tests of splits: three servers, and what they say of a tablet and of the child that is split off it.
// Threads: everything on one.
#pragma once

#include <string>

#include "tabletserver/group_fixture.h"

namespace ebla::tabletserver {

class SplitFixture : public GroupFixture {
 protected:
  static constexpr int64_t kChild = kTablet + 64;

  void SetUp() override {
    options_.checkpoint = {.period = 600s, .log_bytes = 100'000'000, .look_every = 500ms};  // only those asked for
    for (const char* name : {"ts-1", "ts-2", "ts-3"}) Start(name);
  }
  bool Serves(const std::string& server, int64_t tablet = kTablet) {
    return Until([&] {
      const auto view = View(server, tablet);
      return view != nullptr && view->barrier_applied;
    }, 10s);
  }
};

}  // namespace ebla::tabletserver
