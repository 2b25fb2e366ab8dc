// Verbs of backups in a directory or an S3-compatible store: backup create, list, verify, restore, delete.
#include <unistd.h>

#include <algorithm>

#include "common/base/clocks.h"
#include "common/base/count.h"
#include "tools/backup/archive/replay.h"
#include "tools/backup/create.h"
#include "tools/backup/listing.h"
#include "tools/backup/restore.h"
#include "tools/ebla/format/parse.h"
#include "tools/ebla/verbs/arguments.h"
#include "tools/ebla/verbs/backup_arguments.h"

namespace ebla::shell {

namespace {

using backup::Listed;
using backup::Manifest;
using StoreArguments = BackupStoreArguments;
using Clock = std::chrono::steady_clock;

std::string Date(int64_t ms) { return FormatTime(Expiry(std::chrono::milliseconds(ms))); }

// "2d3h", to what matters of it.
std::string Age(int64_t ms) {
  const std::chrono::milliseconds age(TimeOfDayMs() - ms);
  const auto unit = age >= std::chrono::hours(48)  ? std::chrono::milliseconds(std::chrono::hours(1))
                    : age >= std::chrono::hours(1) ? std::chrono::milliseconds(std::chrono::minutes(1))
                                                   : std::chrono::milliseconds(std::chrono::seconds(1));
  return FormatDuration(std::max(age - age % unit, std::chrono::milliseconds(0)));
}

// "carts: 12000 records, 3.4 MiB" on the error stream, once a second, when a person is watching.
std::function<void(const backup::Progress&)> Shown(Context& context) {
  if (isatty(STDERR_FILENO) != 1) return [](const backup::Progress&) {};
  return [&out = context.out, next = Clock::now() + std::chrono::seconds(1)](const backup::Progress& progress) mutable {
    if (Clock::now() < next) return;
    next = Clock::now() + std::chrono::seconds(1);
    out.Note(progress.table + ": " + Count(progress.records, "record") +
             (progress.file_bytes > 0 ? ", " + Size(static_cast<int64_t>(progress.file_bytes)) + " written" : ""));
  };
}

Json ToJson(const Manifest& manifest) {
  Json tables = Json::Array(), settings = Json::Array();
  for (const backup::Document& document : manifest.documents) settings.push_back(document.name);
  for (const backup::TablePart& table : manifest.tables)
    tables.push_back({{"name", table.name}, {"whole", table.whole}, {"parts", table.parts.size()}});
  return {{"name", manifest.name},
          {"since", manifest.since.empty() ? Json() : Json(manifest.since)},
          {"cluster", manifest.cluster},
          {"began_ms", manifest.began_ms},
          {"ended_ms", manifest.ended_ms},
          {"records", manifest.records()},
          {"file_bytes", manifest.file_bytes()},
          {"settings", std::move(settings)},
          {"tables", std::move(tables)}};
}

std::string What(const Manifest& manifest) {
  return Count(manifest.tables.size(), "table") + ", " + Count(manifest.records(), "record") + ", " +
         Size(static_cast<int64_t>(manifest.file_bytes()));
}

// ---- create ---------------------------------------------------------------------------------------------------------

struct CreateArguments {
  StoreArguments store;
  backup::CreateOptions options;
  BackupRateArguments rate;
};

Status Create(CreateArguments& args, Context& context) {
  EBLA_ASSIGN(args.options.key, args.store.Key());
  EBLA_ASSIGN(const auto store, args.store.Open(context));
  args.options.bytes_per_second = args.rate.BytesPerSecond();
  args.options.progress = Shown(context);
  args.options.left_out = [&out = context.out](const std::string& what) { out.Note(what); };
  args.options.interrupted = [&context] { return context.interrupted.load(); };
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const Manifest made, backup::Create(client, *store, args.options));
  context.out.Ok(made.name + ": " + What(made) + (made.since.empty() ? "" : ", built on " + made.since), ToJson(made));
  return {};
}

// ---- list -----------------------------------------------------------------------------------------------------------

Status List(const StoreArguments& args, Context& context) {
  EBLA_ASSIGN(const backup::Key key, args.Key());
  EBLA_ASSIGN(const auto store, args.Open(context));
  EBLA_ASSIGN(const std::vector<Listed> all, backup::ListAll(*store, key));
  if (context.out.json) {
    Json list = Json::Array();
    for (const Listed& one : all) {
      Json json = one.problem.empty() ? ToJson(one.manifest) : Json{{"name", one.name}, {"problem", one.problem}};
      json["finished"] = one.finished;
      list.push_back(std::move(json));
    }
    context.out.Value(list);
    return {};
  }
  std::vector<std::vector<std::string>> rows = {
      {"BACKUP", "BEGUN", "AGE", "SINCE", "TABLES", "RECORDS", "SIZE", "STATE"}};
  for (const Listed& one : all) {
    if (!one.problem.empty()) {
      rows.push_back({one.name, "", "", "", "", "", "", one.problem});
      continue;
    }
    rows.push_back({one.name, Date(one.manifest.began_ms), Age(one.manifest.began_ms),
                    one.manifest.since.empty() ? "-" : one.manifest.since, std::to_string(one.manifest.tables.size()),
                    std::to_string(one.manifest.records()), Size(static_cast<int64_t>(one.manifest.file_bytes())),
                    one.finished ? "whole" : "unfinished"});
  }
  context.out.Listed(rows, "no backups are in " + store->LocationOf(""));
  return {};
}

// ---- verify, restore, delete ----------------------------------------------------------------------------------------

struct NamedArguments {
  StoreArguments store;
  std::string name;
  bool yes = false;
};

Status Verify(const NamedArguments& args, Context& context) {
  EBLA_ASSIGN(const backup::Key key, args.store.Key());
  EBLA_ASSIGN(const auto store, args.store.Open(context));
  EBLA_ASSIGN(const backup::Verified verified, backup::Verify(*store, args.name, key, false, Shown(context)));
  context.out.Ok(args.name + " is whole: " + Count(verified.files, "file") + ", " + Count(verified.records, "record"),
                 {{"files", verified.files}, {"records", verified.records}, {"file_bytes", verified.file_bytes}});
  return {};
}

struct RestoreArguments {
  StoreArguments store;
  int replicas = 0;  // none: the backup's
  std::string at;    // none: as the backup has it
  backup::RestoreOptions options;
};

Status Restore(RestoreArguments& args, Context& context) {
  EBLA_ASSIGN(args.options.key, args.store.Key());
  if (args.replicas > 0) args.options.replicas = args.replicas;
  EBLA_ASSIGN(const auto store, args.store.Open(context));
  if (!args.at.empty()) {
    EBLA_ASSIGN(args.options.at_ms, backup::ParseMoment(args.at));
  }
  if (args.options.name.empty()) {
    if (!args.options.at_ms) return Error(Code::kInvalidArgument, "name a backup, or a moment with --at");
    EBLA_ASSIGN(args.options.name,
                backup::BackupBefore(*store, *args.options.at_ms, args.options.table, args.options.key));
  }
  args.options.progress = Shown(context);
  args.options.interrupted = [&context] { return context.interrupted.load(); };
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const backup::Restored restored, backup::Restore(client, *store, args.options));
  const std::string expired =
      restored.expired > 0 ? "; " + Count(restored.expired, "record") + " had expired" : std::string();
  const std::string settings = args.options.settings ? ", " + Count(restored.settings, "setting") : std::string();
  const std::string changes = args.options.at_ms
                                  ? " of " + args.options.name + ", " + Count(restored.changes, "change") + " since"
                                  : std::string();
  context.out.Ok(
      Count(restored.tables, "table") + ", " + Count(restored.records, "record") + changes + settings + expired,
      {{"tables", restored.tables},
       {"backup", args.options.name},
       {"changes", restored.changes},
       {"records", restored.records},
       {"settings", restored.settings},
       {"expired", restored.expired}});
  return {};
}

Status Delete(const NamedArguments& args, Context& context) {
  EBLA_ASSIGN(const backup::Key key, args.store.Key());
  EBLA_ASSIGN(const auto store, args.store.Open(context));
  EBLA_TRY(Confirm(context, args.yes, "deletes the backup " + args.name));
  EBLA_TRY(backup::Delete(*store, args.name, key));
  context.out.Ok();
  return {};
}

void AddRestore(Verbs& verbs) {
  auto args = std::make_shared<RestoreArguments>();
  Verb& verb = verbs.Add("backup restore", "Restores tables of a backup, in this cluster or another",
                         "backup restore --at 2026-11-25T04:30:00Z --dir /backups --table carts --as carts-then",
                         [args](Context& context) { return Restore(*args, context); });
  verb.Optional("NAME", TakeText(args->options.name), "The backup (with --at: the last backup before that moment)");
  args->store.AddTo(verb);
  verb.Option("--table", "TABLE", TakeText(args->options.table), "Only this table (all tables)");
  verb.Option("--as", "TABLE", TakeText(args->options.as), "Restores the table under this name");
  verb.Option("--at", "TIME", TakeText(args->at),
              "Restores the state at this moment, which `backup archive` must have followed: 2026-11-25T04:30:00Z, "
              "now, or \"5m ago\" "
              "(the state in the backup)");
  verb.Option("--replicas", "NUMBER", TakeWhole(args->replicas, 1, 7),
              "Replicas of each tablet (as many as when it was backed up)");
  verb.Option("--parallel", "NUMBER", TakeWhole(args->options.parallel, 1, 100'000),
              "Puts that run at once; more are faster and load the servers more (256)");
  verb.Flag("--continue", args->options.go_on, "Continues an interrupted restore");
  verb.Flag("--settings", args->options.settings,
            "Also restores the cluster's settings: users, roles, grants, limits, and whether the planner is on");
  verb.Notes(
      "The table gets its old splits and options. No table of that name may exist.\n"
      "Records that have expired since the backup are left out.");
}

}  // namespace

void AddBackupVerbs(Verbs& verbs) {
  auto create = std::make_shared<CreateArguments>();
  Verb& create_verb = verbs.Add("backup create", "Backs up tables to a directory or S3, while they are used",
                                "backup create tuesday --dir /backups --since monday",
                                [create](Context& context) { return Create(*create, context); });
  create_verb.Argument("NAME", TakeText(create->options.name));
  create->store.AddTo(create_verb);
  create_verb.Option("--table", "TABLE", TakeTexts(create->options.tables), "Only this table (all tables)").Several();
  create_verb.Option("--since", "NAME", TakeText(create->options.since), "Only changes since that backup");
  create->rate.AddTo(create_verb);
  create_verb.Notes(
      "The backup holds every write acknowledged before it began. Each tablet's records are of one moment.\n"
      "The same command continues an interrupted backup.\n"
      "The command reads the keys of S3 from $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY, or from "
      "~/.aws/credentials.");

  auto list = std::make_shared<StoreArguments>();
  list->AddTo(verbs.Add("backup list", "Shows the backups in a directory or S3", "backup list --dir /backups",
                        [list](Context& context) { return List(*list, context); }));

  auto verify = std::make_shared<NamedArguments>();
  Verb& verify_verb =
      verbs.Add("backup verify", "Reads a whole backup and checks every byte", "backup verify monday --dir /backups",
                [verify](Context& context) { return Verify(*verify, context); });
  verify_verb.Argument("NAME", TakeText(verify->name));
  verify->store.AddTo(verify_verb);

  AddRestore(verbs);
  AddBackupScheduleVerb(verbs);
  AddBackupArchiveVerbs(verbs);

  auto remove = std::make_shared<NamedArguments>();
  Verb& remove_verb = verbs.Add("backup delete", "Deletes a backup", "backup delete monday --dir /backups --yes",
                                [remove](Context& context) { return Delete(*remove, context); });
  remove_verb.Argument("NAME", TakeText(remove->name));
  remove->store.AddTo(remove_verb);
  remove_verb.Dangerous(remove->yes);
}

}  // namespace ebla::shell
