#include "tools/backup/listing.h"

#include <algorithm>

namespace ebla::backup {

Result<std::vector<Listed>> ListAll(BackupStore& store, const Key& key) {
  EBLA_ASSIGN(const std::vector<std::string> names, store.List(""));
  std::vector<Listed> all;
  for (const std::string& folder : names) {
    const std::string name = folder.substr(0, folder.size() - 1);
    if (!folder.ends_with('/') || !CheckBackupName(name).ok()) continue;
    Listed one{.name = name};
    EBLA_ASSIGN(one.finished, store.Exists(name + "/" + kManifestFile));
    if (!one.finished) {
      EBLA_ASSIGN(const bool begun, store.Exists(name + "/" + kProgressFile));
      if (!begun) continue;
    }
    Result<Manifest> manifest = ReadManifest(store, name, one.finished ? kManifestFile : kProgressFile, key);
    if (manifest) {
      one.manifest = *std::move(manifest);
    } else if (manifest.error().code() == Code::kInvalidArgument || manifest.error().code() == Code::kNotFound) {
      one.problem = manifest.error().message();
    } else {
      return Error(std::move(manifest.error()));
    }
    all.push_back(std::move(one));
  }
  std::ranges::sort(all, {}, [](const Listed& one) { return std::pair(one.manifest.began_ms, one.name); });
  return all;
}

Error NoSuchBackup(BackupStore& store, const std::string& name, const Key& key) {
  const Result<std::vector<Listed>> all = ListAll(store, key);
  std::string names;
  for (const Listed& one : all.value_or(std::vector<Listed>())) names += (names.empty() ? "" : ", ") + one.name;
  const std::string others =
      names.empty() ? "; `ebla backup list` shows what another place has" : "; there are " + names;
  return Error(Code::kNotFound, "there is no backup " + name + " in " + store.LocationOf("") + others);
}

Status Delete(BackupStore& store, const std::string& name, const Key& key) {
  EBLA_TRY(CheckBackupName(name));
  EBLA_ASSIGN(const std::vector<Listed> all, ListAll(store, key));
  const auto found = std::ranges::find(all, name, &Listed::name);
  if (found == all.end()) return NoSuchBackup(store, name, key);
  for (const Listed& one : all) {
    if (one.problem.empty() && one.manifest.since == name)
      return Error(Code::kInvalidArgument, "the backup " + one.name + " builds on " + name +
                                               " and cannot be read without it. Delete that backup first");
  }
  const std::string folder = name + "/";
  if (found->problem.empty()) {
    // From here on it is an unfinished one, of which nothing is done yet.
    Manifest nothing = found->manifest;
    for (TablePart& table : nothing.tables) table.parts.clear();
    EBLA_TRY(WriteManifest(store, kProgressFile, nothing, key));
    EBLA_TRY(store.Delete(folder + kManifestFile));
  }
  EBLA_ASSIGN(const std::vector<std::string> files, store.List(name));
  for (const std::string& file : files) {
    if (file != kProgressFile && !file.ends_with('/')) EBLA_TRY(store.Delete(folder + file));
  }
  return store.Delete(folder + kProgressFile);
}

}  // namespace ebla::backup
