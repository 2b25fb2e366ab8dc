// tools/backup/table_options_json.h
// A table's options in the JSON of backups and archives.
// Errors:  OptionsFromJson throws what nlohmann_json throws, and its caller adds the file's name.
// Threads: functions of their arguments.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "ebla/admin.h"

namespace ebla::backup {

nlohmann::json OptionsToJson(const TableOptions& options);
TableOptions OptionsFromJson(const nlohmann::json& json);

}  // namespace ebla::backup
