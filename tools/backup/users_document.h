// tools/backup/users_document.h
// Users, roles, grants and limits as a document of a backup, and the changes that apply it to a cluster.
// Format:  JSON, as in docs/guide/backup.md. "users" is a list of {"name", "secret", "roles", "grants", "limits"},
//          "roles" of {"name", "grants"}; "every_user" has limits, and "tables" limits by name. A grant is
//          {"permission", "table", "prefix"}, its prefix with escapes; empty fields are left out.
// Errors:  INVALID_ARGUMENT for a text that is no such document.
// Threads: functions.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "ebla/client.h"

namespace ebla::backup {

std::string WriteUsers(const AccessInfo& access);
// The changes by which a cluster gets what it lacks of the document. An existing user keeps its password, and nothing
// is removed. Grants and limits of missing tables are left out.
Result<std::vector<AccessChange>> MissingUsers(const std::string& text, const AccessInfo& present,
                                               const std::set<std::string>& tables);

}  // namespace ebla::backup
