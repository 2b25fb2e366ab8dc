#include "master/procedures/choose_primary.h"

#include <algorithm>

namespace ebla::master {
namespace {

// Whether the answer's log can be offered at all.
bool HasLog(const FenceAnswer& answer, bool created_empty) {
  if (!answer.known) return created_empty;
  return !answer.incomplete;
}

// Of two the earlier: a clock that is hours ahead would forget every window, one that is behind merely stands still for
// a while, as no entry's time is gone below.
int64_t Median(std::vector<int64_t> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[(values.size() - 1) / 2];
}

// Who can begin a memory tablet anew: a replica that its process has emptied, rather than a server that knows none.
const FenceAnswer* Emptied(const std::vector<FenceAnswer>& answers, const auto& may) {
  const FenceAnswer* chosen = nullptr;
  for (const FenceAnswer& answer : answers) {
    const bool empty = !answer.known || (answer.incomplete && answer.may_have_lost_writes);
    if (!empty || !may(answer)) continue;
    if (!chosen || (answer.known && !chosen->known)) chosen = &answer;
  }
  return chosen;
}

}  // namespace

PrimaryChoice ChoosePrimary(const std::vector<ServerName>& voters, const std::vector<FenceAnswer>& answers,
                            bool created_empty, bool in_memory) {
  PrimaryChoice choice;
  const size_t majority = voters.size() / 2 + 1;
  size_t promised = 0, remembering = 0;
  const FenceAnswer* best = nullptr;        // of those that remember
  const FenceAnswer* best_lossy = nullptr;  // of all
  std::vector<int64_t> clocks;
  for (const FenceAnswer& answer : answers) {
    if (std::ranges::find(voters, answer.server) == voters.end()) continue;
    choice.tablet_time_ms = std::max(choice.tablet_time_ms, answer.tablet_time_ms);
    clocks.push_back(answer.time_of_day_ms);
    ++promised;
    // An incomplete replica's promise counts, its log does not; that of one that may have lost writes counts neither
    // way.
    if (!answer.may_have_lost_writes) ++remembering;
    if (!HasLog(answer, created_empty)) continue;
    if (!best_lossy || answer.last > best_lossy->last) best_lossy = &answer;
    if (!answer.may_have_lost_writes && (!best || answer.last > best->last)) best = &answer;
  }
  if (choice.tablet_time_ms == 0) choice.time_of_day_ms = Median(std::move(clocks));
  const std::string counts = std::to_string(promised) + " of " + std::to_string(voters.size()) + " voters answered, " +
                             std::to_string(remembering) + " sure of their log";
  if (remembering >= majority && best) {
    choice.primary = best->server;
    choice.presumed = best->last;
    choice.reason = counts + "; the longest log ends at " + best->last.ToString();
  } else if (promised == voters.size() && best_lossy) {
    choice.primary = best_lossy->server;
    choice.presumed = best_lossy->last;
    choice.loss_possible = true;
    choice.reason = counts + "; the longest log of all ends at " + best_lossy->last.ToString();
  } else {
    choice.reason = counts + ": no replica can become primary";
  }
  if (choice.primary || !in_memory || promised < voters.size() || best_lossy) return choice;
  const auto votes = [&](const FenceAnswer& answer) {
    return std::ranges::find(voters, answer.server) != voters.end();
  };
  if (const FenceAnswer* const emptied = Emptied(answers, votes)) {
    choice.primary = emptied->server;
    choice.loss_possible = choice.anew = true;
    choice.reason = counts + ", none has its data any more: it begins empty";
  }
  return choice;
}

PrimaryChoice ChooseSurvivor(const std::vector<ServerName>& voters, const ServerName& server, Version least,
                             const std::vector<FenceAnswer>& answers, bool in_memory) {
  PrimaryChoice choice = ChoosePrimary(voters, answers, false, in_memory);
  if (choice.primary) return choice;
  choice = {};
  const FenceAnswer* best = nullptr;
  for (const FenceAnswer& answer : answers) {
    choice.tablet_time_ms = std::max(choice.tablet_time_ms, answer.tablet_time_ms);
    if (!HasLog(answer, false) || (!server.empty() && answer.server != server) || answer.last < least) continue;
    if (!best || answer.last > best->last) best = &answer;
  }
  const bool any_log = std::ranges::any_of(answers, [](const FenceAnswer& one) { return HasLog(one, false); });
  const auto named = [&](const FenceAnswer& one) { return server.empty() || one.server == server; };
  const FenceAnswer* const emptied = in_memory && !any_log ? Emptied(answers, named) : nullptr;
  if (emptied) {
    choice.primary = emptied->server;
    choice.loss_possible = choice.alone = choice.anew = true;
    choice.reason = "recovered by hand, empty: no replica that answers has its data any more";
  } else if (best) {
    choice.primary = best->server;
    choice.presumed = best->last;
    choice.loss_possible = choice.alone = true;
    choice.reason = "recovered by hand, from the log of " + best->server + " through " + best->last.ToString();
  } else {
    choice.reason = server.empty() ? "no replica that answers is complete and has all that was split off"
                                   : server + " does not answer, or is incomplete, or lacks what was split off";
  }
  return choice;
}

}  // namespace ebla::master
