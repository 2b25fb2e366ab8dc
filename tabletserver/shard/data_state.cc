#include "tabletserver/shard/data_state.h"

#include <glog/logging.h>

#include <algorithm>
#include <array>

namespace ebla::tabletserver {
namespace {

struct Transition {
  DataState::State from;
  DataState::Event event;
  DataState::State to;
};

}  // namespace

std::optional<DataState::State> DataState::Next(State state, Event event) {
  using enum State;
  using enum Event;
  constexpr std::array kTransitions{
      Transition{kQuiet, kInstall, kInstalling},
      Transition{kQuiet, kStoreChunk, kStoringChunk},
      Transition{kQuiet, kEmpty, kEmptying},
      Transition{kQuiet, kStoreMerge, kStoringMerge},
      Transition{kQuiet, kDrop, kDropped},
      Transition{kQuiet, kLend, kLent},
      Transition{kQuiet, kBecomePart, kPart},
      Transition{kInstalling, kFinish, kQuiet},
      Transition{kInstalling, kFail, kQuiet},
      Transition{kInstalling, kDrop, kDroppedAtWork},
      Transition{kStoringChunk, kFinish, kQuiet},
      Transition{kStoringChunk, kFail, kQuiet},
      Transition{kStoringChunk, kDrop, kDroppedAtWork},
      Transition{kEmptying, kFinish, kQuiet},
      Transition{kEmptying, kFail, kQuiet},
      Transition{kEmptying, kDrop, kDroppedAtWork},
      Transition{kStoringMerge, kFinish, kQuiet},
      Transition{kLent, kGiveBack, kQuiet},
      Transition{kLent, kBecomePart, kPart},
      Transition{kPart, kForgetLog, kForgettingLog},
      Transition{kForgettingLog, kFail, kPart},
      Transition{kForgettingLog, kDepart, kGone},
      Transition{kDroppedAtWork, kFinish, kDropped},
      Transition{kDroppedAtWork, kFail, kDropped},
      Transition{kDropped, kTruncate, kTruncating},
      Transition{kTruncating, kFinish, kTruncated},
      Transition{kTruncating, kFail, kDropped},
      Transition{kTruncated, kDepart, kGone},
  };
  const auto found = std::ranges::find_if(
      kTransitions, [&](const Transition& one) { return one.from == state && one.event == event; });
  return found == kTransitions.end() ? std::nullopt : std::optional(found->to);
}

void DataState::Take(Event event) {
  const auto next = Next(state_, event);
  CHECK(next) << "event " << static_cast<int>(event) << " does not happen to a tablet's data in state "
              << static_cast<int>(state_);
  if (event == Event::kInstall || event == Event::kEmpty) ++logs_discarded_;
  state_ = *next;
}

}  // namespace ebla::tabletserver
