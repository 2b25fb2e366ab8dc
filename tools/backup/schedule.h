// tools/backup/schedule.h
// Makes backups one after the other: a whole one, some with changes, the next whole one; and deletes the oldest. The
// backups in the store decide the next step, so a schedule that was stopped continues where it was.
// Place:      verbs_backup_schedule.cc runs it in the foreground; NextStep and TooOld decide, and are pure.
// Invariants: 1. It deletes only backups of its own names, "PREFIX-20261124T213000Z".
//             2. It deletes a chain only while there are `keep` younger ones, the newest of which was read to its end
//                and found whole just before.
//             3. A backup that does not verify when it has been made is deleted at once, and no backup builds on it.
// Errors:     of one round: reported, and tried again later; with `once` the run ends with them.
// Threads:    one. One schedule for each prefix of a store.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/backup/create.h"
#include "tools/backup/listing.h"

namespace ebla::backup {

struct ScheduleOptions {
  std::string prefix = "auto";
  std::chrono::milliseconds every{std::chrono::hours(24)};
  size_t full_every = 7;  // every such one is whole
  size_t keep = 4;        // chains, each a whole one with what follows it
  bool once = false;      // does what is due, and ends
  CreateOptions create;   // but for its name and what it follows
};

struct ScheduledStep {
  enum class Kind { kMake, kWait };
  Kind kind = Kind::kWait;
  std::string name, since;          // of kMake
  std::chrono::milliseconds due{};  // of kWait: from now
};

// `all`: as ListAll has them.
ScheduledStep NextStep(const std::vector<Listed>& all, const ScheduleOptions& options, int64_t now_ms);
// Backups that may be deleted, in this order, once the newest backup was verified.
std::vector<std::string> TooOld(const std::vector<Listed>& all, const ScheduleOptions& options);

// The schedule's effects on the world.
struct ScheduleHost {
  std::function<int64_t()> now_ms;                                   // since 1970
  std::function<bool(std::chrono::milliseconds)> wait;               // false: it is to end
  std::function<Result<Manifest>(const CreateOptions&)> create;      // as create.h
  std::function<void(const std::string&)> say = [](const auto&) {};  // one line
};

// Until it is to end.
Status RunSchedule(const ScheduleHost& host, BackupStore& store, const ScheduleOptions& options);

}  // namespace ebla::backup
