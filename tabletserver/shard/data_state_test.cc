#include "tabletserver/shard/data_state.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <utility>
#include <vector>

namespace ebla::tabletserver {
namespace {

using DataTable = std::map<DataState::State, std::map<DataState::Event, DataState::State>>;

// The table of data_state.h, a row a state.
DataTable Table() {
  using enum DataState::State;
  using enum DataState::Event;
  return {
      {kQuiet,
       {{kInstall, kInstalling},
        {kStoreChunk, kStoringChunk},
        {kEmpty, kEmptying},
        {kStoreMerge, kStoringMerge},
        {kDrop, kDropped},
        {kLend, kLent},
        {kBecomePart, kPart}}},
      {kInstalling, {{kFinish, kQuiet}, {kFail, kQuiet}, {kDrop, kDroppedAtWork}}},
      {kStoringChunk, {{kFinish, kQuiet}, {kFail, kQuiet}, {kDrop, kDroppedAtWork}}},
      {kEmptying, {{kFinish, kQuiet}, {kFail, kQuiet}, {kDrop, kDroppedAtWork}}},
      {kStoringMerge, {{kFinish, kQuiet}}},
      {kLent, {{kGiveBack, kQuiet}, {kBecomePart, kPart}}},
      {kPart, {{kForgetLog, kForgettingLog}}},
      {kForgettingLog, {{kFail, kPart}, {kDepart, kGone}}},
      {kDroppedAtWork, {{kFinish, kDropped}, {kFail, kDropped}}},
      {kDropped, {{kTruncate, kTruncating}}},
      {kTruncating, {{kFinish, kTruncated}, {kFail, kDropped}}},
      {kTruncated, {{kDepart, kGone}}},
      {kGone, {}},
  };
}

std::vector<DataState::Event> Events() {
  std::vector<DataState::Event> events;
  for (int i = 0; i < DataState::kEvents; ++i) events.push_back(static_cast<DataState::Event>(i));
  return events;
}

// Each state, with the events that lead to it from a tablet that is new.
std::map<DataState::State, std::vector<DataState::Event>> Ways() {
  const DataTable table = Table();
  std::map<DataState::State, std::vector<DataState::Event>> ways{{DataState::State::kQuiet, {}}};
  std::vector<DataState::State> todo{DataState::State::kQuiet};
  while (!todo.empty()) {
    const DataState::State from = todo.back();
    todo.pop_back();
    for (const auto& [event, to] : table.at(from)) {
      std::vector<DataState::Event> way = ways[from];
      way.push_back(event);
      if (ways.emplace(to, std::move(way)).second) todo.push_back(to);
    }
  }
  return ways;
}

DataState DataIn(DataState::State state) {
  const auto ways = Ways();
  DataState data;
  for (const DataState::Event event : ways.at(state)) data.Take(event);
  return data;
}

TEST(DataStateTest, TakesEveryStepOfTheTableAndNoOther) {
  const DataTable table = Table();
  const auto ways = Ways();
  ASSERT_EQ(ways.size(), static_cast<size_t>(DataState::kStates)) << "each state can be reached";
  for (const auto& [state, way] : ways) {
    ASSERT_EQ(DataIn(state).state(), state);
    for (const DataState::Event event : Events()) {
      const auto& row = table.at(state);
      const auto to = row.find(event);
      const auto next = DataState::Next(state, event);
      ASSERT_EQ(next.has_value(), to != row.end())
          << "state " << static_cast<int>(state) << ", event " << static_cast<int>(event);
      if (!next) continue;
      EXPECT_EQ(*next, to->second);
      DataState data = DataIn(state);
      data.Take(event);
      EXPECT_EQ(data.state(), to->second);
    }
  }
}

TEST(DataStateDeathTest, CrashesOnWhatNeverHappens) {
  DataState lent = DataIn(DataState::State::kLent);
  EXPECT_DEATH(lent.Take(DataState::Event::kDrop), "does not happen");
  DataState installing = DataIn(DataState::State::kInstalling);
  EXPECT_DEATH(installing.Take(DataState::Event::kStoreChunk), "does not happen");
  DataState gone = DataIn(DataState::State::kGone);
  EXPECT_DEATH(gone.Take(DataState::Event::kFinish), "does not happen");
}

TEST(DataStateTest, SaysWhoMayGoOn) {
  using enum DataState::State;
  const std::set<DataState::State> staying{kQuiet, kInstalling, kStoringChunk, kEmptying, kStoringMerge};
  for (const auto& [state, way] : Ways()) {
    const DataState data = DataIn(state);
    EXPECT_EQ(data.leaving(), !staying.contains(state)) << static_cast<int>(state);
    EXPECT_EQ(data.quiet(), state == kQuiet);
    EXPECT_EQ(data.being_merged(), state == kLent || state == kStoringMerge);
    EXPECT_EQ(data.merged(), state == kPart || state == kForgettingLog);
  }
}

TEST(DataStateTest, CountsTheLogsThatItDiscards) {
  using enum DataState::Event;
  DataState data;
  for (const DataState::Event event : {kInstall, kFinish, kStoreChunk, kFinish, kEmpty, kFail}) data.Take(event);
  EXPECT_EQ(data.logs_discarded(), 2u) << "a chunk leaves the log as it is";
}

}  // namespace
}  // namespace ebla::tabletserver
