// tools/backup/users_document.h
// Users, roles, grants and limits as a document of a backup, and what gives them to a cluster.
// Format:  JSON, as docs/guide/backup.md shows it: {"users": [{"name", "secret", "roles", "grants", "limits"}],
//          "roles": [{"name", "grants"}], "every_user": limits, "tables": {name: limits}}. A grant is {"permission",
//          "table", "prefix"}, its prefix with escapes; what is empty is left out.
// Errors:  INVALID_ARGUMENT for a text that is no such document.
// Threads: functions.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "ebla/client.h"

namespace ebla::backup {

std::string WriteUsers(const AccessInfo& access);
// What a cluster lacks of the document. A user who is there keeps its password; nothing is taken away. Grants and
// limits of tables that are not there are left out.
Result<std::vector<AccessChange>> MissingUsers(const std::string& text, const AccessInfo& present,
                                               const std::set<std::string>& tables);

}  // namespace ebla::backup
