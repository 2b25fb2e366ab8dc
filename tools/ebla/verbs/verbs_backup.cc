// Verbs of backups in a directory: backup create, list, verify, restore, delete.
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "common/base/count.h"
#include "tools/backup/create.h"
#include "tools/backup/record_stream.h"
#include "tools/backup/restore.h"
#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

using backup::Manifest;
using Clock = std::chrono::steady_clock;

// Where backups are, and their key.
struct StoreArguments {
  std::string directory, key_file;

  void AddTo(Verb& verb) {
    verb.Required("--dir", "DIRECTORY", TakeText(directory), "Where the backups are");
    verb.Option("--key-file", "FILE", TakeText(key_file), "64 hexadecimal digits: encrypts, and is needed to read");
  }
  Result<backup::Key> Key() const { return key_file.empty() ? Result<backup::Key>("") : backup::ReadKey(key_file); }
};

std::string Date(int64_t ms) {
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
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
  Json tables = Json::Array();
  for (const backup::TablePart& table : manifest.tables)
    tables.push_back({{"name", table.name}, {"whole", table.whole}, {"parts", table.parts.size()}});
  return {{"name", manifest.name},
          {"since", manifest.since.empty() ? Json() : Json(manifest.since)},
          {"cluster", manifest.cluster},
          {"began_ms", manifest.began_ms},
          {"ended_ms", manifest.ended_ms},
          {"records", manifest.records()},
          {"file_bytes", manifest.file_bytes()},
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
  int64_t megabytes_per_second = 20;
};

Status Create(CreateArguments& args, Context& context) {
  EBLA_ASSIGN(args.options.key, args.store.Key());
  args.options.directory = args.store.directory;
  args.options.bytes_per_second = static_cast<uint64_t>(args.megabytes_per_second) << 20;
  args.options.progress = Shown(context);
  args.options.interrupted = [&context] { return context.interrupted.load(); };
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const Manifest made, backup::Create(client, args.options));
  context.out.Ok(made.name + ": " + What(made) + (made.since.empty() ? "" : ", on top of " + made.since), ToJson(made));
  return {};
}

// ---- list -----------------------------------------------------------------------------------------------------------

struct Listed {
  std::string name, problem;  // why it cannot be read; empty: it can
  bool finished = true;
  Manifest manifest;
};

Result<std::vector<Listed>> ListAll(const std::string& directory, const backup::Key& key) {
  std::error_code failed;
  std::vector<Listed> all;
  for (const auto& entry : std::filesystem::directory_iterator(directory, failed)) {
    const std::string name = entry.path().filename();
    const bool finished = std::filesystem::exists(entry.path() / backup::kManifestFile);
    if (!finished && !std::filesystem::exists(entry.path() / backup::kProgressFile)) continue;
    Listed& one = all.emplace_back();
    one.name = name;
    one.finished = finished;
    Result<Manifest> manifest =
        backup::ReadManifest(entry.path(), finished ? backup::kManifestFile : backup::kProgressFile, key);
    if (manifest) {
      one.manifest = *std::move(manifest);
    } else {
      one.problem = manifest.error().message();
    }
  }
  if (failed) return Error(Code::kInvalidArgument, "cannot read " + directory + ": " + failed.message());
  std::ranges::sort(all, {}, [](const Listed& one) { return std::pair(one.manifest.began_ms, one.name); });
  return all;
}

Status List(const StoreArguments& store, Context& context) {
  EBLA_ASSIGN(const backup::Key key, store.Key());
  EBLA_ASSIGN(const std::vector<Listed> all, ListAll(store.directory, key));
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
  std::vector<std::vector<std::string>> rows = {{"BACKUP", "BEGUN", "SINCE", "TABLES", "RECORDS", "SIZE", "STATE"}};
  for (const Listed& one : all) {
    if (!one.problem.empty()) {
      rows.push_back({one.name, "", "", "", "", "", one.problem});
      continue;
    }
    rows.push_back({one.name, Date(one.manifest.began_ms), one.manifest.since.empty() ? "-" : one.manifest.since,
                    std::to_string(one.manifest.tables.size()), std::to_string(one.manifest.records()),
                    Size(static_cast<int64_t>(one.manifest.file_bytes())), one.finished ? "whole" : "unfinished"});
  }
  context.out.Listed(rows, "no backups are in " + store.directory);
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
  EBLA_ASSIGN(const backup::Verified verified, backup::Verify(args.store.directory, args.name, key, Shown(context)));
  context.out.Ok(args.name + " is whole: " + Count(verified.files, "file") + ", " + Count(verified.records, "record"),
                 {{"files", verified.files}, {"records", verified.records}, {"file_bytes", verified.file_bytes}});
  return {};
}

struct RestoreArguments {
  StoreArguments store;
  int replicas = 0;  // none: the backup's
  backup::RestoreOptions options;
};

Status Restore(RestoreArguments& args, Context& context) {
  EBLA_ASSIGN(args.options.key, args.store.Key());
  if (args.replicas > 0) args.options.replicas = args.replicas;
  args.options.directory = args.store.directory;
  args.options.progress = Shown(context);
  args.options.interrupted = [&context] { return context.interrupted.load(); };
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const backup::Restored restored, backup::Restore(client, args.options));
  const std::string expired =
      restored.expired > 0 ? "; " + Count(restored.expired, "record") + " had expired" : std::string();
  context.out.Ok(Count(restored.tables, "table") + ", " + Count(restored.records, "record") + expired,
                 {{"tables", restored.tables}, {"records", restored.records}, {"expired", restored.expired}});
  return {};
}

Status Delete(const NamedArguments& args, Context& context) {
  EBLA_TRY(backup::CheckBackupName(args.name));
  EBLA_ASSIGN(const backup::Key key, args.store.Key());
  EBLA_ASSIGN(const std::vector<Listed> all, ListAll(args.store.directory, key));
  if (std::ranges::find(all, args.name, &Listed::name) == all.end())
    return Error(Code::kNotFound, "there is no backup " + args.name + " in " + args.store.directory);
  for (const Listed& one : all) {
    if (one.problem.empty() && one.manifest.since == args.name)
      return Error(Code::kInvalidArgument, "the backup " + one.name + " is on top of " + args.name +
                                               ": without it, it cannot be read. Delete that first");
  }
  EBLA_TRY(Confirm(context, args.yes, "deletes the backup " + args.name));
  std::error_code failed;
  std::filesystem::remove_all(args.store.directory + "/" + args.name, failed);
  if (failed) return Error(Code::kInternal, "cannot delete all of it: " + failed.message());
  context.out.Ok();
  return {};
}

void AddRestore(Verbs& verbs) {
  auto args = std::make_shared<RestoreArguments>();
  Verb& verb = verbs.Add("backup restore", "Makes a backup's tables again, in this cluster or another",
                         "backup restore monday --dir /backups --table carts --as carts-monday",
                         [args](Context& context) { return Restore(*args, context); });
  verb.Argument("NAME", TakeText(args->options.name));
  args->store.AddTo(verb);
  verb.Option("--table", "TABLE", TakeText(args->options.table), "This one alone (all)");
  verb.Option("--as", "TABLE", TakeText(args->options.as), "Under this name");
  verb.Option("--replicas", "NUMBER", TakeWhole(args->replicas, 1, 7), "Of each tablet (as when it was backed up)");
  verb.Option("--parallel", "NUMBER", TakeWhole(args->options.parallel, 1, 100'000), "How many puts run at once (256)");
  verb.Flag("--continue", args->options.go_on, "Goes on with a restore that was interrupted");
  verb.Notes(
      "The table gets the splits and the options that it had. A table of that name must not be there.\n"
      "What has expired since the backup is left out.");
}

}  // namespace

void AddBackupVerbs(Verbs& verbs) {
  auto create = std::make_shared<CreateArguments>();
  Verb& create_verb = verbs.Add("backup create", "Backs up tables to a directory, while they are used",
                                "backup create tuesday --dir /backups --since monday",
                                [create](Context& context) { return Create(*create, context); });
  create_verb.Argument("NAME", TakeText(create->options.name));
  create->store.AddTo(create_verb);
  create_verb.Option("--table", "TABLE", TakeTexts(create->options.tables), "This one alone (all)").Several();
  create_verb.Option("--since", "NAME", TakeText(create->options.since), "Only what has changed since that backup");
  create_verb.Option("--rate", "NUMBER", TakeWhole(create->megabytes_per_second, 1, 100'000),
                     "MiB/s read from the servers at most (20)");
  create_verb.Notes(
      "Everything that was acknowledged before is in it, and each tablet is as it was at one moment.\n"
      "An interrupted one is gone on with by the same command.");

  auto list = std::make_shared<StoreArguments>();
  list->AddTo(verbs.Add("backup list", "Shows the backups in a directory", "backup list --dir /backups",
                        [list](Context& context) { return List(*list, context); }));

  auto verify = std::make_shared<NamedArguments>();
  Verb& verify_verb =
      verbs.Add("backup verify", "Reads all of a backup, and checks every byte", "backup verify monday --dir /backups",
                [verify](Context& context) { return Verify(*verify, context); });
  verify_verb.Argument("NAME", TakeText(verify->name));
  verify->store.AddTo(verify_verb);

  AddRestore(verbs);

  auto remove = std::make_shared<NamedArguments>();
  Verb& remove_verb = verbs.Add("backup delete", "Deletes a backup", "backup delete monday --dir /backups --yes",
                                [remove](Context& context) { return Delete(*remove, context); });
  remove_verb.Argument("NAME", TakeText(remove->name));
  remove->store.AddTo(remove_verb);
  remove_verb.Dangerous(remove->yes);
}

}  // namespace ebla::shell
