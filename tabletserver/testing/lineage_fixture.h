// tabletserver/testing/lineage_fixture.h
// For tests of splits and merges: three servers, and what they say of a tablet, of the child that is split off it and
// of what two of them become.
// Threads: everything on one.
#pragma once

#include <string>

#include "tabletserver/testing/group_fixture.h"

namespace ebla::tabletserver {

class LineageFixture : public GroupFixture {
 protected:
  static constexpr int64_t kChild = kTablet + 64;

  void SetUp() override {
    options_.checkpoint = {.period = 600s, .log_bytes = 100'000'000, .look_every = 500ms};  // only those asked for
    for (const char* name : {"ts-1", "ts-2", "ts-3"}) Start(name);
  }
  bool Serves(const std::string& server, int64_t tablet = kTablet) {
    return Until(
        [&] {
          const auto view = View(server, tablet);
          return view != nullptr && view->barrier_applied;
        },
        10s);
  }
  void Checkpoint(const std::string& server) {
    bool done = false;
    at(server).store->Checkpoint(*at(server).executor, [&](const auto& result) { done = result.has_value(); });
    ASSERT_TRUE(Until([&] { return done; }, 5s));
  }
  // The tablets of the table as 100["", "m") words; * where the server leads it, ! where it is incomplete, ? where
  // nothing is published of it.
  std::string Ranges(const std::string& server) {
    std::string text;
    const auto snapshot = at(server).server->directory().snapshot();
    const TabletDirectory::Ranges* ranges = snapshot->Table(TableId{kTable});
    for (size_t i = 0; ranges != nullptr && i < ranges->size(); ++i) {
      const auto view = (*ranges)[i].handle->view();
      text += std::to_string((*ranges)[i].handle->tablet.value) + (*ranges)[i].range.ToString() +
              (view == nullptr                    ? "?"
               : view->role == RoleKind::kPrimary ? "*"
               : view->incomplete                 ? "!"
                                                  : "") +
              " ";
    }
    return text;
  }
  // The record's value, or the code of the answer.
  std::string Value(const std::string& server, const std::string& key,
                    idl::ReadLevel::type level = idl::ReadLevel::STRONG) {
    const idl::GetReply reply = Get(server, key, level);
    return reply.header.code == idl::Code::OK ? reply.record.value : "code " + std::to_string(reply.header.code);
  }
  // The server keeps two rolled-back writes, and knows of the one of `key` alone that it was repeated.
  void ExpectRepeated(const std::string& server, const std::string& key) {
    idl::ListKeptRequest request;
    request.header.tableId = kTable;
    const auto kept = Await<idl::ListKeptReply>(
        [&](auto cob) { at(server).server->tablet_service()->listKept(std::move(cob), request); });
    ASSERT_EQ(kept.writes.size(), 2u);
    for (const idl::KeptWrite& write : kept.writes) {
      EXPECT_EQ(write.repeated, write.effects[0].key == key) << write.effects[0].key;
    }
  }
};

}  // namespace ebla::tabletserver
