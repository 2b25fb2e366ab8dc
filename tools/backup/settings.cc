#include "tools/backup/settings.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "tools/backup/users_document.h"

namespace ebla::backup {
namespace {

// {"enabled": true}, if the planner splits, merges and moves tablets by itself.
Result<std::string> ReadPlanner(const Client& client) {
  EBLA_ASSIGN(const PlannerState state, client.Planner());
  return nlohmann::json{{"enabled", state.enabled}}.dump();
}
Status GivePlanner(const Client& client, const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("enabled") || !json["enabled"].is_boolean())
    return Error(Code::kInvalidArgument, "the backup's document \"planner\" cannot be read");
  EBLA_ASSIGN([[maybe_unused]] const PlannerState state, client.Planner({.enabled = json["enabled"].get<bool>()}));
  return {};
}

// users_document.h.
Result<std::string> ReadUsers(const Client& client) {
  EBLA_ASSIGN(const AccessInfo access, client.ListAccess(true));
  return WriteUsers(access);
}
Status GiveUsers(const Client& client, const std::string& text) {
  EBLA_ASSIGN(const AccessInfo present, client.ListAccess());
  EBLA_ASSIGN(const std::vector<TableInfo> all, client.ListTables());
  std::set<std::string> tables;
  for (const TableInfo& table : all) tables.insert(table.name);
  EBLA_ASSIGN(std::vector<AccessChange> changes, MissingUsers(text, present, tables));
  return changes.empty() ? Status() : client.ChangeAccess(std::move(changes));
}

}  // namespace

const std::vector<SettingKind>& SettingKinds() {
  static const std::vector<SettingKind> kKinds = {
      {.name = "planner", .read = ReadPlanner, .give = GivePlanner},
      {.name = "users", .read = ReadUsers, .give = GiveUsers},
  };
  return kKinds;
}

Result<std::vector<Document>> ReadSettings(const Client& client) {
  std::vector<Document> documents;
  for (const SettingKind& kind : SettingKinds()) {
    EBLA_ASSIGN(std::string text, kind.read(client));
    documents.push_back({kind.name, std::move(text)});
  }
  return documents;
}

Status CheckSettings(const std::vector<Document>& documents) {
  for (const Document& document : documents) {
    if (std::ranges::find(SettingKinds(), document.name, &SettingKind::name) == SettingKinds().end())
      return Error(Code::kInvalidArgument, "the backup holds settings \"" + document.name +
                                               "\", which this build does not know: use a newer one, or leave out "
                                               "--settings");
  }
  return {};
}

Status GiveSettings(const Client& client, const std::vector<Document>& documents) {
  for (const SettingKind& kind : SettingKinds()) {
    const auto document = std::ranges::find(documents, kind.name, &Document::name);
    if (document != documents.end()) EBLA_TRY(kind.give(client, document->text));
  }
  return {};
}

}  // namespace ebla::backup
