#include "tools/backup/archive/server_logs.h"

#include <algorithm>
#include <cstdlib>

namespace ebla::backup {

bool ServerLogs::Read(const std::vector<ServerSummary>& servers, const Places& saved, TabletChains& chains,
                      const std::function<bool()>& goes_on) {
  if (ports_.now() - std::exchange(looked_, ports_.now()) > kRoundsApart) {
    for (auto& [name, state] : servers_) state.waits_for.clear();
  }
  std::vector<const ServerSummary*> unread;
  bool all = true;
  for (const ServerSummary& server : servers) {
    Server& state = servers_[server.name];
    if (state.came_on == Clock::time_point()) state.came_on = ports_.now();
    if (server.live) {
      unread.push_back(&server);
    } else {
      all = all && IsRead(state, Step::kFailed);
    }
  }
  while (!unread.empty()) {
    for (auto server = unread.begin(); server != unread.end();) {
      if (!goes_on()) return false;
      const Step step = ReadPage(**server, saved, chains);
      all = all && IsRead(servers_[(*server)->name], step);
      server = step == Step::kMore ? std::next(server) : unread.erase(server);
    }
  }
  return all;
}

// Whether the log is read to its end, or as far as it can ever be read.
bool ServerLogs::IsRead(const Server& state, Step step) const {
  const auto rests = ports_.now() - state.came_on;
  if (step == Step::kFailed) return rests >= kUnreadable;
  return step != Step::kHeldUp || rests < kStuck;
}

ServerLogs::Step ServerLogs::ReadPage(const ServerSummary& server, const Places& saved, TabletChains& chains) {
  Server& state = servers_[server.name];
  LogPlace& place = places_[server.name];
  FollowLogOptions options{.place = place, .pass_over = {}, .keep_from = {}};
  std::erase_if(state.passed_over, [&](const auto& one) { return ports_.now() - one.second > kPassedOver; });
  for (const auto& [tablet, since] : state.passed_over) options.pass_over.push_back(tablet);
  if (const auto found = saved.find(server.name); found != saved.end()) options.keep_from = found->second;
  const int64_t asked_ms = ports_.wall_clock_ms();
  Result<LogPage> page = ports_.follow(server, options);
  if (!page) return Step::kFailed;
  const bool moved = page->next.segment != place.segment || page->next.sequence != place.sequence;
  if (moved || page->at_end) state.came_on = ports_.now();
  if (moved) state.waits_for.clear();
  place = page->next;
  NoteWaits(state, *page);
  CheckClock(server.name, state, asked_ms, *page);
  const bool at_end = page->at_end, held_up = !page->waits_for.empty();
  chains.Take(*std::move(page));
  if (at_end) return Step::kEnd;
  return held_up ? Step::kHeldUp : Step::kMore;
}

void ServerLogs::NoteWaits(Server& state, const LogPage& page) {
  for (const LoggedEntry& entry : page.entries) state.passed_over.erase(entry.tablet);
  const auto waits = [&](const auto& one) {
    return std::ranges::find(page.waits_for, one.first) != page.waits_for.end();
  };
  std::erase_if(state.waits_for, [&](const auto& one) { return !waits(one); });
  const bool just_now =
      std::ranges::any_of(state.passed_over, [&](const auto& one) { return ports_.now() - one.second < kHeldUp; });
  const std::chrono::seconds patience = just_now ? kHeldUpToo : kHeldUp;
  for (const TabletId tablet : page.waits_for) {
    const auto since = state.waits_for.try_emplace(tablet, ports_.now()).first->second;
    if (ports_.now() - since >= patience) state.passed_over.try_emplace(tablet, ports_.now());
  }
}

// A moment from a fast clock would count as known and mean a different time.
void ServerLogs::CheckClock(const ServerName& name, Server& state, int64_t asked_ms, LogPage& page) {
  const int64_t answered_ms = ports_.wall_clock_ms();
  int64_t apart_ms = 0;
  for (const LedTablet& mark : page.led) {
    if (mark.time_of_day_ms < asked_ms - kClocksApart.count()) apart_ms = mark.time_of_day_ms - asked_ms;
    if (mark.time_of_day_ms > answered_ms + kClocksApart.count()) apart_ms = mark.time_of_day_ms - answered_ms;
  }
  if (apart_ms == 0) return;
  page.led.clear();
  if (state.warned != Clock::time_point() && ports_.now() - state.warned < std::chrono::minutes(1)) return;
  state.warned = ports_.now();
  ports_.say("the clock of " + name + " is " + std::to_string(std::abs(apart_ms) / 1000) + " s " +
             (apart_ms > 0 ? "ahead of" : "behind") +
             " this machine's: moments of its tablets cannot be restored until the two clocks agree");
}

}  // namespace ebla::backup
