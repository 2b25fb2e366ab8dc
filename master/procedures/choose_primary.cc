#include "master/procedures/choose_primary.h"

#include <algorithm>
#include <utility>

#include "master/catalog/rules.h"

namespace ebla::master {
namespace {

// Whether the answer's log can be offered at all.
bool HasLog(const FenceAnswer& answer, bool created_empty) {
  if (!answer.known) return created_empty;
  return !answer.incomplete;
}

// A replica that has lost nothing is preferred where logs are equal.
std::pair<Version, bool> Rank(const FenceAnswer& answer) { return {answer.last, !answer.may_have_lost_writes}; }

// The median, and of two values the earlier. A clock that is hours ahead would expire every dedup window, while a clock
// that is behind merely pauses tablet time, because no entry's time may exceed it.
int64_t Median(std::vector<int64_t> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[(values.size() - 1) / 2];
}

// A replica that can begin a memory tablet again: preferably one that its process has emptied, rather than a server
// that never had it.
const FenceAnswer* Emptied(const std::vector<FenceAnswer>& answers, const auto& may) {
  const FenceAnswer* chosen = nullptr;
  for (const FenceAnswer& answer : answers) {
    const bool empty = !answer.known || (answer.incomplete && answer.may_have_lost_writes);
    if (!empty || !may(answer)) continue;
    if (!chosen || (answer.known && !chosen->known)) chosen = &answer;
  }
  return chosen;
}

bool IsAmong(const std::vector<ServerName>& servers, const FenceAnswer& answer) {
  return std::ranges::find(servers, answer.server) != servers.end();
}

bool HaveAnswered(const std::vector<ServerName>& servers, const std::vector<FenceAnswer>& answers) {
  return std::ranges::all_of(servers, [&](const ServerName& server) {
    return std::ranges::find(answers, server, &FenceAnswer::server) != answers.end();
  });
}

// The voters that have lost a part of their log, for people.
std::string LostAmong(const std::vector<ServerName>& voters, const std::vector<FenceAnswer>& answers) {
  std::string names;
  for (const FenceAnswer& answer : answers) {
    if (answer.lost && IsAmong(voters, answer)) names += (names.empty() ? "" : ", ") + answer.server;
  }
  return names;
}

std::string WhyWaits(const std::vector<ServerName>& voters, const std::vector<FenceAnswer>& answers,
                     const std::string& counts, const std::string& lost) {
  std::string silent;
  for (const ServerName& voter : voters) {
    if (!HaveAnswered({voter}, answers)) silent += (silent.empty() ? "" : ", ") + voter;
  }
  return counts + "; " + lost + " lost part of its log; " +
         (silent.empty() ? "none is left to wait for: look at ebla tablet recover" : "waits for " + silent);
}

// Every voter has answered, and none has a log. A learner may have one, or the tablet begins again empty.
void ChooseWithoutVotersLog(const std::vector<ServerName>& voters, const std::vector<FenceAnswer>& answers,
                            const MemoryRules& memory, const std::string& counts, PrimaryChoice& choice) {
  const FenceAnswer* best = nullptr;
  for (const FenceAnswer& answer : answers) {
    if (IsAmong(voters, answer) || !answer.fits || !HasLog(answer, false)) continue;
    if (!best || answer.last > best->last) best = &answer;
  }
  if (best) {
    choice.primary = best->server;
    choice.presumed = best->last;
    choice.loss_possible = choice.sole_log = true;
    choice.loss_accepted = best->lost;
    choice.reason = counts + ", none has its data any more: learner " + best->server + " has a log that ends at " +
                    best->last.ToString();
    return;
  }
  const auto holds = std::ranges::find(answers, true, &FenceAnswer::holds_in_parent);
  if (holds != answers.end()) {
    choice.reason = counts + "; server " + holds->server + " has its data in the tablet that it was split off";
    return;
  }
  if (!HaveAnswered(memory.learners, answers)) {
    choice.reason = counts + "; a learner has not answered, and may have its data";
    return;
  }
  if (const FenceAnswer* const emptied = Emptied(answers, [&](const auto& one) { return IsAmong(voters, one); })) {
    choice.primary = emptied->server;
    choice.loss_possible = choice.anew = true;
    choice.reason = counts + ", none has its data any more: it begins empty";
  }
}

}  // namespace

bool IsShort(const FenceAnswer& answer, const std::map<ServerName, Version>& had) {
  const auto found = had.find(answer.server);
  return found != had.end() && answer.last < found->second && !answer.incomplete;
}

void DoubtShortLogs(const std::map<ServerName, Version>& had, std::vector<FenceAnswer>& answers) {
  for (FenceAnswer& answer : answers) answer.may_have_lost_writes = answer.may_have_lost_writes || IsShort(answer, had);
}

PrimaryChoice ChoosePrimary(const std::vector<ServerName>& voters, const std::vector<FenceAnswer>& answers,
                            bool created_empty, const std::optional<MemoryRules>& memory) {
  PrimaryChoice choice;
  const size_t majority = voters.size() / 2 + 1;
  size_t promised = 0, remembering = 0, logs = 0;
  const FenceAnswer* best = nullptr;        // of those that are not lost
  const FenceAnswer* best_lossy = nullptr;  // of all
  std::vector<int64_t> clocks;
  for (const FenceAnswer& answer : answers) {
    if (!IsAmong(voters, answer)) continue;
    choice.tablet_time_ms = std::max(choice.tablet_time_ms, answer.tablet_time_ms);
    clocks.push_back(answer.time_of_day_ms);
    ++promised;
    // An incomplete replica's promise counts, its log does not. The log of a replica that may have lost writes adds
    // nothing to the majority, but it may be the longest: a log that has lost its end is one that the tablet had. A
    // lost one keeps its present promise, and leads only once an operator accepts the loss.
    const bool sure = !answer.may_have_lost_writes && !answer.lost;
    if (sure) ++remembering;
    if (!HasLog(answer, created_empty)) continue;
    if (answer.fits) ++logs;
    if (answer.fits && (!best_lossy || answer.last > best_lossy->last)) best_lossy = &answer;
    if (!answer.lost && (!best || Rank(answer) > Rank(*best))) best = &answer;
  }
  if (choice.tablet_time_ms == 0) choice.time_of_day_ms = Median(std::move(clocks));
  const std::string counts = std::to_string(promised) + " of " + std::to_string(voters.size()) + " voters answered, " +
                             std::to_string(remembering) + " sure of their log";
  if (remembering >= majority && best) {
    choice.primary = best->server;
    choice.presumed = best->last;
    choice.reason = counts + "; the longest log ends at " + best->last.ToString();
  } else if (const std::string lost = LostAmong(voters, answers);
             !lost.empty() && !(memory && promised == voters.size())) {
    choice.reason = WhyWaits(voters, answers, counts, lost);
    return choice;
  } else if (promised == voters.size() && best_lossy && memory && !HaveAnswered(memory->learners, answers)) {
    choice.reason = counts + "; a learner has not answered, and may have more";
    return choice;
  } else if (promised == voters.size() && best_lossy) {
    // A learner that was level may have more than the voters that were left.
    for (const FenceAnswer& answer : answers) {
      if (memory && answer.fits && HasLog(answer, false) && answer.last > best_lossy->last) best_lossy = &answer;
    }
    choice.primary = best_lossy->server;
    choice.presumed = best_lossy->last;
    choice.loss_possible = true;
    // The disk has no log of a memory tablet, so it lost promises alone, and now every voter has promised anew.
    choice.loss_accepted = best_lossy->lost;
    choice.sole_log = memory && logs < majority;
    choice.reason = counts + "; the longest log of all ends at " + best_lossy->last.ToString();
  } else {
    choice.reason = counts + ": no replica can become primary";
  }
  const bool all = promised == voters.size() || (!rules::AnewNeedsEveryVoter() && promised >= majority);
  if (!choice.primary && memory && all) ChooseWithoutVotersLog(voters, answers, *memory, counts, choice);
  return choice;
}

PrimaryChoice ChooseSurvivor(const std::vector<ServerName>& voters, const ServerName& server, Version least,
                             const std::vector<FenceAnswer>& answers, const std::optional<MemoryRules>& memory) {
  PrimaryChoice choice = ChoosePrimary(voters, answers, false, memory);
  if (choice.primary) return choice;
  choice = {};
  const FenceAnswer* best = nullptr;
  for (const FenceAnswer& answer : answers) {
    choice.tablet_time_ms = std::max(choice.tablet_time_ms, answer.tablet_time_ms);
    if (!HasLog(answer, false) || !answer.fits || (!server.empty() && answer.server != server) || answer.last < least)
      continue;
    if (!best || answer.last > best->last) best = &answer;
  }
  const bool any_log = std::ranges::any_of(
      answers, [](const FenceAnswer& one) { return (HasLog(one, false) && one.fits) || one.holds_in_parent; });
  const auto named = [&](const FenceAnswer& one) { return server.empty() || one.server == server; };
  const FenceAnswer* const emptied = memory && !any_log ? Emptied(answers, named) : nullptr;
  if (emptied) {
    choice.primary = emptied->server;
    choice.loss_possible = choice.alone = choice.anew = true;
    choice.reason = "recovered by hand, empty: no replica that answers has its data any more";
  } else if (best) {
    choice.primary = best->server;
    choice.presumed = best->last;
    choice.loss_possible = choice.alone = choice.loss_accepted = true;
    choice.reason = "recovered by hand, from the log of " + best->server + " through " + best->last.ToString();
  } else {
    choice.reason = server.empty() ? "no replica that answers is complete and has all that was split off"
                                   : server + " does not answer, or is incomplete, or lacks what was split off";
  }
  return choice;
}

}  // namespace ebla::master
