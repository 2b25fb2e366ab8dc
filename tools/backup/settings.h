// tools/backup/settings.h
// Settings that a backup of a whole cluster holds beside tables: documents about the cluster, each of one kind. A kind
// has functions that read its document from a cluster and apply it to one; no other code looks into it.
// A new kind needs a line in SettingKinds(), and its two functions.
// Place:   create.h stores them in the manifest; restore.h restores them on request.
// Errors:  the cluster's; INVALID_ARGUMENT for a document that cannot be read.
// Threads: functions.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ebla/client.h"
#include "tools/backup/manifest.h"

namespace ebla::backup {

struct SettingKind {
  std::string name;
  std::function<Result<std::string>(const Client&)> read;
  std::function<Status(const Client&, const std::string&)> give;
};
// In the order in which they are given back, after all tables.
const std::vector<SettingKind>& SettingKinds();

Result<std::vector<Document>> ReadSettings(const Client& client);
// INVALID_ARGUMENT for one that this build does not know; nothing is changed then.
Status CheckSettings(const std::vector<Document>& documents);
Status GiveSettings(const Client& client, const std::vector<Document>& documents);

}  // namespace ebla::backup
