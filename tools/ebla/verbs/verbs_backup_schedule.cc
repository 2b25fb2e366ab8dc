// backup schedule: makes backups one after another, in the foreground, like a service.
#include <algorithm>

#include "common/base/clocks.h"
#include "tools/backup/schedule.h"
#include "tools/ebla/verbs/arguments.h"
#include "tools/ebla/verbs/backup_arguments.h"

namespace ebla::shell {

namespace {

struct ScheduleArguments {
  BackupStoreArguments store;
  backup::ScheduleOptions options;
  BackupRateArguments rate;
};

Status Schedule(ScheduleArguments& args, Context& context) {
  backup::ScheduleOptions& options = args.options;
  EBLA_ASSIGN(options.create.key, args.store.Key());
  options.create.bytes_per_second = args.rate.BytesPerSecond();
  options.create.interrupted = [&context] { return context.interrupted.load(); };
  EBLA_ASSIGN(const auto store, args.store.Open(context));
  const backup::ScheduleHost host{
      .now_ms = TimeOfDayMs,
      .wait =
          [&context](std::chrono::milliseconds time) {
            // In pieces, and by the clock on the wall: the machine may sleep meanwhile.
            for (const int64_t until = TimeOfDayMs() + time.count(); TimeOfDayMs() < until;) {
              const std::chrono::milliseconds left(std::max<int64_t>(until - TimeOfDayMs(), 1));
              if (!Sleep(context, std::min<std::chrono::milliseconds>(left, std::chrono::minutes(1)))) return false;
            }
            return true;
          },
      .create = [&](const backup::CreateOptions& create) -> Result<backup::Manifest> {
        EBLA_ASSIGN(const Client client, context.connect());
        return backup::Create(client, *store, create);
      },
      .say = [&context](const std::string& line) { context.out.Note(line); }};
  EBLA_TRY(backup::RunSchedule(host, *store, options));
  if (options.once) context.out.Ok();
  return {};
}

}  // namespace

void AddBackupScheduleVerb(Verbs& verbs) {
  auto args = std::make_shared<ScheduleArguments>();
  backup::ScheduleOptions& options = args->options;
  Verb& verb = verbs.Add("backup schedule", "Makes backups regularly and deletes the oldest",
                         "backup schedule --dir s3://backups/nightly --every 1d --full-every 7 --keep 4",
                         [args](Context& context) { return Schedule(*args, context); });
  args->store.AddTo(verb);
  verb.Option("--every", "DURATION", TakeDuration(options.every, std::chrono::minutes(1)),
              "Time from the start of one backup to the start of the next (1d)");
  verb.Option("--full-every", "NUMBER", TakeWhole(options.full_every, 1, 1'000),
              "One whole backup in every so many; the rest hold only changes (7)");
  verb.Option("--keep", "NUMBER", TakeWhole(options.keep, 1, 10'000),
              "Whole backups that are retained, with the ones built on them (4)");
  verb.Option("--prefix", "TEXT", TakeText(options.prefix), "Start of the backups' names, before the time (auto)");
  verb.Option("--table", "TABLE", TakeTexts(options.create.tables), "Only this table (all tables)").Several();
  args->rate.AddTo(verb);
  verb.Flag("--once", options.once,
            "Makes the backup if one is due, and exits, for use in a timer; without it, runs until it is stopped");
  verb.Notes(
      "Each new backup is read again and checked. Old backups are deleted only after the newest one, with all that\n"
      "it builds on, was found whole. A failure is reported and tried again. Run only one schedule for each "
      "--prefix:\nit deletes only backups with its prefix.");
}

}  // namespace ebla::shell
