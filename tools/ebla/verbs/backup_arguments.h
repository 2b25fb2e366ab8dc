// tools/ebla/verbs/backup_arguments.h
// Arguments that all verbs of backups share.
// Threads: one.
#pragma once

#include <sys/resource.h>

#include <memory>
#include <optional>
#include <string>

#include "tools/backup/block_file.h"
#include "tools/backup/open_store.h"
#include "tools/ebla/verbs/verbs.h"

namespace ebla::shell {

// The place of the backups, and their key.
struct BackupStoreArguments {
  backup::StoreAddress address;
  std::string key_file;

  void AddTo(Verb& verb) {
    verb.StopsOnInterrupt();
    verb.Required("--dir", "PLACE", TakeText(address.place),
                  "Place of the backups: a directory, or s3://BUCKET/PREFIX");
    verb.Option("--key-file", "FILE", TakeText(key_file),
                "File with a key of 64 hexadecimal digits, which encrypts backups and is needed to read them");
    verb.Option("--s3-endpoint", "URL", TakeText(address.s3_endpoint),
                "Address of a store other than Amazon's ($AWS_ENDPOINT_URL_S3)");
    verb.Option("--s3-region", "REGION", TakeText(address.s3_region), "Region of the bucket ($AWS_REGION)");
  }
  Result<backup::Key> Key() const { return key_file.empty() ? Result<backup::Key>("") : backup::ReadKey(key_file); }
  Result<std::unique_ptr<backup::BackupStore>> Open(Context& context) const {
    return backup::OpenStore(address, [&context] { return context.interrupted.load(); });
  }
};

// How fast a backup is made.
struct BackupRateArguments {
  int64_t megabytes_per_second = 0;  // none was given

  void AddTo(Verb& verb) {
    verb.Option("--rate", "NUMBER", TakeWhole(megabytes_per_second, 1, 100'000),
                "MiB/s read from the servers (as many as a fifth of the time allows)");
  }
  // Without a rate this thread gives way to what else the machine does, from now on.
  std::optional<uint64_t> BytesPerSecond() const {
    if (megabytes_per_second > 0) return static_cast<uint64_t>(megabytes_per_second) << 20;
    setpriority(PRIO_PROCESS, 0, 10);
    return std::nullopt;
  }
};

void AddBackupScheduleVerb(Verbs& verbs);  // in verbs_backup_schedule.cc
void AddBackupArchiveVerbs(Verbs& verbs);  // in verbs_backup_archive.cc

}  // namespace ebla::shell
