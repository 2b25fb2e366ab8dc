// backup archive and backup moments: what leads from a backup to any moment after it.
#include "common/base/count.h"
#include "common/base/iso_time.h"
#include "tools/backup/archive/archiver.h"
#include "tools/backup/archive/replay.h"
#include "tools/ebla/verbs/arguments.h"
#include "tools/ebla/verbs/backup_arguments.h"

namespace ebla::shell {

namespace {

struct ArchiveArguments {
  BackupStoreArguments store;
  backup::ArchiverOptions options;
};

Status Archive(ArchiveArguments& args, Context& context) {
  EBLA_ASSIGN(args.options.key, args.store.Key());
  EBLA_ASSIGN(const auto store, args.store.Open(context));
  args.options.say = [&context](const std::string& line) { context.out.Note(line); };
  args.options.interrupted = [&context] { return context.interrupted.load(); };
  EBLA_ASSIGN(const Client client, context.connect());
  return backup::RunArchiver(client, *store, args.options);
}

Status Moments(const BackupStoreArguments& args, Context& context) {
  EBLA_ASSIGN(const backup::Key key, args.Key());
  EBLA_ASSIGN(const auto store, args.Open(context));
  EBLA_ASSIGN(const std::vector<std::string> clusters, store->List(".archive"));
  std::vector<std::vector<std::string>> rows = {{"TABLE", "FROM", "THROUGH", "CLUSTER"}};
  Json list = Json::Array();
  for (const std::string& folder : clusters) {
    const std::string cluster = folder.substr(0, folder.find('/'));
    EBLA_ASSIGN(const backup::ArchiveIndex index, backup::ReadArchiveIndex(*store, cluster, key));
    for (const backup::ArchivedTable& table : index.tables) {
      const std::string name = table.name + (table.dropped_ms != 0 ? " (dropped)" : "");
      for (const backup::Span& span : table.spans) {
        rows.push_back({name, IsoTime(span.from_ms), IsoTime(span.through_ms), cluster});
        list.push_back({{"table", table.name},
                        {"cluster", cluster},
                        {"from_ms", span.from_ms},
                        {"through_ms", span.through_ms},
                        {"dropped_ms", table.dropped_ms}});
      }
    }
  }
  if (context.out.json) {
    context.out.Value(list);
  } else {
    context.out.Listed(rows, "no moment is known in " + store->LocationOf("") + ": run `ebla backup archive`");
  }
  return {};
}

}  // namespace

void AddBackupArchiveVerbs(Verbs& verbs) {
  auto args = std::make_shared<ArchiveArguments>();
  backup::ArchiverOptions& options = args->options;
  Verb& verb = verbs.Add("backup archive", "Follows all changes, so that any moment can be restored",
                         "backup archive --dir s3://backups/nightly --keep 14d",
                         [args](Context& context) { return Archive(*args, context); });
  args->store.AddTo(verb);
  verb.Option("--every", "DURATION", TakeDuration(options.every, std::chrono::milliseconds(100)),
              "Time between two writes of new changes; a longer time writes fewer, larger files (5s)");
  verb.Option("--keep", "DURATION", TakeDuration(options.keep, std::chrono::minutes(1)),
              "How long a moment can be restored; a longer time takes more space (for ever)");
  verb.Notes(
      "Run it beside `ebla backup schedule`, because a restore needs a backup from before the moment and the\n"
      "changes since. It runs until it is stopped. If it restarts within ten minutes, no moment is lost.\nRun only one "
      "for each cluster and --dir.");

  auto moments = std::make_shared<BackupStoreArguments>();
  moments->AddTo(verbs.Add("backup moments", "Shows the periods in which every moment can be restored",
                           "backup moments --dir /backups",
                           [moments](Context& context) { return Moments(*moments, context); }));
}

}  // namespace ebla::shell
