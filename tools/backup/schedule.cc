#include "tools/backup/schedule.h"

#include <algorithm>
#include <ctime>
#include <map>

#include "tools/backup/restore.h"

namespace ebla::backup {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRetryFirst{60'000}, kRetryMost{3'600'000};

std::string NameAt(const std::string& prefix, int64_t ms) {
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "-%Y%m%dT%H%M%SZ", &parts);
  return prefix + text;
}

// PREFIX-20261124T213000Z
bool IsScheduled(const std::string& name, const std::string& prefix) {
  constexpr std::string_view kForm =
      "-dddddddd"
      "TddddddZ";
  if (!name.starts_with(prefix) || name.size() != prefix.size() + kForm.size()) return false;
  for (size_t i = 0; i < kForm.size(); ++i) {
    const char c = name[prefix.size() + i];
    if (kForm[i] == 'd' ? c < '0' || c > '9' : c != kForm[i]) return false;
  }
  return true;
}

// The whole ones of the schedule, the oldest first, each with what follows it and can be read.
std::vector<std::vector<const Listed*>> Chains(const std::vector<Listed>& all, const std::string& prefix) {
  std::vector<std::vector<const Listed*>> chains;
  std::map<std::string, size_t> chain_of;
  for (const Listed& one : all) {  // what follows another was begun after it
    if (!one.finished || !one.problem.empty() || !IsScheduled(one.name, prefix)) continue;
    if (one.manifest.since.empty()) {
      chain_of[one.name] = chains.size();
      chains.push_back({&one});
    } else if (const auto found = chain_of.find(one.manifest.since); found != chain_of.end()) {
      const size_t chain = found->second;
      chain_of[one.name] = chain;
      chains[chain].push_back(&one);
    }
  }
  return chains;
}

class Round {
 public:
  Round(const ScheduleHost& host, BackupStore& store, const ScheduleOptions& options)
      : host_(host), store_(store), options_(options) {}

  // How long it is until the next.
  Result<milliseconds> Run() {
    EBLA_ASSIGN(const std::vector<Listed> all, ListAll(store_, key()));
    const ScheduledStep step = NextStep(all, options_, host_.now_ms());
    if (step.kind == ScheduledStep::Kind::kWait) {
      EBLA_TRY(DeleteOld(all));
      return step.due;
    }
    EBLA_TRY(Make(step));
    EBLA_ASSIGN(const std::vector<Listed> now, ListAll(store_, key()));
    EBLA_TRY(DeleteOld(now));
    return NextStep(now, options_, host_.now_ms()).due;
  }

 private:
  const Key& key() const { return options_.create.key; }

  Status Make(const ScheduledStep& step) {
    CreateOptions create = options_.create;
    create.name = step.name;
    create.since = step.since;
    EBLA_ASSIGN(const Manifest made, host_.create(create));
    const Result<Verified> verified = Verify(store_, step.name, key(), /*alone=*/true);
    if (verified) {
      host_.say("made " + step.name + (step.since.empty() ? "" : ", built on " + step.since) + ": " +
                std::to_string(made.records()) + " records, " + std::to_string(made.file_bytes()) + " bytes");
      return {};
    }
    // A backup that the store cannot read at present may still be whole.
    if (verified.error().code() == Code::kInvalidArgument || verified.error().code() == Code::kNotFound)
      EBLA_TRY(Delete(store_, step.name, key()));
    return Error(verified.error().code(), step.name + " does not verify: " + verified.error().message());
  }

  Status DeleteOld(const std::vector<Listed>& all) {
    const std::vector<std::string> old = TooOld(all, options_);
    if (old.empty()) return {};
    const std::string& newest = Chains(all, options_.prefix).back().back()->name;
    const Result<Verified> verified = Verify(store_, newest, key());
    if (!verified)
      return Error(verified.error().code(),
                   "no backup is deleted, because " + newest + " does not verify: " + verified.error().message());
    for (const std::string& name : old) {
      EBLA_TRY(Delete(store_, name, key()));
      host_.say("deleted " + name);
    }
    return {};
  }

  const ScheduleHost& host_;
  BackupStore& store_;
  const ScheduleOptions& options_;
};

}  // namespace

ScheduledStep NextStep(const std::vector<Listed>& all, const ScheduleOptions& options, int64_t now_ms) {
  using Kind = ScheduledStep::Kind;
  const auto chains = Chains(all, options.prefix);
  const Listed* const newest = chains.empty() ? nullptr : chains.back().back();
  for (const Listed& one : all) {
    const bool goes_on = !one.finished && one.problem.empty() && IsScheduled(one.name, options.prefix) &&
                         (newest == nullptr || one.manifest.began_ms > newest->manifest.began_ms) &&
                         (one.manifest.since.empty() || (newest != nullptr && one.manifest.since == newest->name));
    if (goes_on) return {.kind = Kind::kMake, .name = one.name, .since = one.manifest.since};
  }
  // If the clock was set back, no backup is made until it has caught up.
  const int64_t due = newest == nullptr ? now_ms : newest->manifest.began_ms + options.every.count();
  if (due > now_ms) return {.kind = Kind::kWait, .due = milliseconds(due - now_ms)};
  const bool whole = newest == nullptr || chains.back().size() >= options.full_every;
  return {.kind = Kind::kMake, .name = NameAt(options.prefix, now_ms), .since = whole ? "" : newest->name};
}

std::vector<std::string> TooOld(const std::vector<Listed>& all, const ScheduleOptions& options) {
  const auto chains = Chains(all, options.prefix);
  std::vector<std::string> old;
  for (size_t i = 0; i + options.keep < chains.size(); ++i) {
    const auto in_chain = [&](const std::string& name) {
      return std::ranges::any_of(chains[i], [&](const Listed* one) { return one->name == name; });
    };
    // A backup by hand may build on this one, which then stays.
    const bool needed = std::ranges::any_of(all, [&](const Listed& one) {
      return one.problem.empty() && in_chain(one.manifest.since) && !in_chain(one.name);
    });
    if (needed) continue;
    for (auto one = chains[i].rbegin(); one != chains[i].rend(); ++one) old.push_back((*one)->name);
  }
  return old;
}

Status RunSchedule(const ScheduleHost& host, BackupStore& store, const ScheduleOptions& options) {
  EBLA_TRY(CheckBackupName(NameAt(options.prefix, 0)));
  milliseconds retry = kRetryFirst;
  while (true) {
    const Result<milliseconds> next = Round(host, store, options).Run();
    if (options.once) return next ? Status() : next.error();
    milliseconds rest;
    if (next) {
      rest = *next;
      retry = kRetryFirst;
    } else {
      rest = std::min(retry, options.every);
      retry = std::min(2 * retry, kRetryMost);
      host.say(next.error().ToString() + "; next attempt in " + std::to_string(rest.count() / 1000) + " s");
    }
    if (!host.wait(rest)) return {};
  }
}

}  // namespace ebla::backup
