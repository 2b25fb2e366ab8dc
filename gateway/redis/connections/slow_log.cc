#include "gateway/redis/connections/slow_log.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/clocks.h"
#include "gateway/redis/commands/subcommands.h"

namespace ebla::gateway::redis {

std::string SlowLog::Shown(std::string_view word) {
  constexpr size_t kBytesShown = 128;
  std::string shown(word.substr(0, kBytesShown));
  if (word.size() > kBytesShown) shown += "... (" + std::to_string(word.size() - kBytesShown) + " more bytes)";
  return shown;
}

Words SlowLog::Shown(const KeyViews& words, size_t all) {
  constexpr size_t kWordsShown = 32;
  const bool cut = all > words.size() || all > kWordsShown;
  const size_t count = cut ? std::min(words.size(), kWordsShown - 1) : words.size();
  Words shown;
  for (size_t i = 0; i < count; ++i) shown.push_back(Shown(words[i]));
  if (cut) shown.push_back("... (" + std::to_string(all - count) + " more arguments)");
  return shown;
}

void SlowLog::set_most(int64_t most) {
  most_ = most;
  MutexLock lock(mutex_);
  DropOld();
}

std::optional<std::chrono::microseconds> SlowLog::IfSlow(std::chrono::steady_clock::time_point began) const {
  using std::chrono::microseconds;
  const microseconds least(slower_than_micros());
  const auto by = [began](auto now) { return std::chrono::duration_cast<microseconds>(now - began); };
  if (least.count() < 0) return std::nullopt;
  // The coarse clock nearly always rules that out.
  if (least > std::chrono::ceil<microseconds>(2 * kCoarseness) && by(CoarseNow() + kCoarseness) < least)
    return std::nullopt;
  const microseconds took = by(std::chrono::steady_clock::now());
  return took < least ? std::nullopt : std::optional(took);
}

void SlowLog::Add(Entry entry) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  entry.time = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  MutexLock lock(mutex_);
  entry.id = next_id_++;
  entries_.push_front(std::move(entry));
  DropOld();
}

void SlowLog::DropOld() {
  while (std::ssize(entries_) > most_) entries_.pop_back();
}

void SlowLog::Answer(const Words& words, std::string_view owner, Reply& reply) {
  const std::string what = ToUpper(words[1]);
  const auto is_owners = [&](const Entry& entry) { return entry.owner == owner; };
  if (what == "GET" && words.size() <= 3) {
    Get(words, owner, reply);
  } else if (what == "LEN" && words.size() == 2) {
    MutexLock lock(mutex_);
    reply.Number(std::ranges::count_if(entries_, is_owners));
  } else if (what == "RESET" && words.size() == 2) {
    MutexLock lock(mutex_);
    std::erase_if(entries_, is_owners);
    reply.Ok();
  } else if (what == "HELP" && words.size() == 2) {
    AnswerHelp("SLOWLOG",
               {{"GET [<count>]", "Shows the last slow commands, 10 unless told otherwise; -1 is all."},
                {"LEN", "Shows how many are kept."},
                {"RESET", "Forgets them."}},
               reply);
  } else if (what == "GET") {
    reply.Failure(UnknownOrWrongNumber(words));
  } else {
    reply.Failure(WrongWithSubcommand(words));
  }
}

void SlowLog::Get(const Words& words, std::string_view owner, Reply& reply) const {
  int64_t most = 10;
  if (words.size() == 3) {
    const std::optional<int64_t> asked = ToInteger(words[2]);
    if (!asked || *asked < -1) return void(reply.Failure("ERR count should be greater than or equal to -1"));
    most = *asked < 0 ? std::numeric_limits<int64_t>::max() : *asked;
  }
  std::vector<const Entry*> shown;
  MutexLock lock(mutex_);
  for (const Entry& entry : entries_) {
    if (std::ssize(shown) >= most) break;
    if (entry.owner == owner) shown.push_back(&entry);
  }
  reply.Array(shown.size());
  for (const Entry* const entry : shown) {
    reply.Array(6).Number(entry->id).Number(entry->time).Number(entry->took.count());
    reply.Array(entry->words.size());
    for (const std::string& word : entry->words) reply.Bulk(word);
    reply.Bulk(entry->address).Bulk(entry->name);
  }
}

}  // namespace ebla::gateway::redis
