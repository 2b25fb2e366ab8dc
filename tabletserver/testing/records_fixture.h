// tabletserver/testing/records_fixture.h
// For tests: one tablet whose replicas have all applied the same few records.
// Threads: everything on one.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "tabletserver/testing/group_fixture.h"

namespace ebla::tabletserver {

class RecordsFixture : public GroupFixture {
 protected:
  // The first of the servers leads.
  void Make(std::vector<std::string> names) {
    names_ = std::move(names);
    for (const std::string& name : names_) Start(name);
    ASSERT_TRUE(Configure(1, {names_[0], names_, {}}));
    ASSERT_TRUE(Until([&] { return View(names_[0]) != nullptr && View(names_[0])->barrier_applied; }));
    for (const char* key : {"a", "m", "z"}) Put(key, std::string("value of ") + key);
    ASSERT_TRUE(AllLevel());
  }
  void Put(const std::string& key, const std::string& value) {
    ASSERT_EQ(Write(names_[0], {PutOf(key, value)}).header.code, idl::Code::OK);
  }
  bool AllLevel() {
    return Until([&] { return std::ranges::all_of(names_, [&](const auto& name) { return Level(name, names_[0]); }); });
  }

  std::vector<std::string> names_;
};

}  // namespace ebla::tabletserver
