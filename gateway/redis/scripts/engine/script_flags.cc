#include <array>

#include "gateway/redis/scripts/engine/script_engine.h"
#include "gateway/redis/wire/request_reader.h"

namespace ebla::gateway::redis {
namespace {

constexpr std::pair<std::string_view, bool ScriptFlags::*> kFlags[] = {
    {"no-writes", &ScriptFlags::no_writes},
    {"allow-oom", &ScriptFlags::allow_oom},
    {"allow-stale", &ScriptFlags::allow_stale},
    {"no-cluster", &ScriptFlags::no_cluster},
    {"allow-cross-slot-keys", &ScriptFlags::allow_cross_slot_keys},
};

// Adds the flags of a list with commas. The error is a name that is no flag.
std::expected<void, std::string> AddFlags(std::string_view names, ScriptFlags& flags) {
  while (!names.empty()) {
    const size_t comma = names.find(',');
    const std::string_view name = names.substr(0, comma);
    bool known = false;
    for (const auto& [flag, member] : kFlags) {
      if (name != flag) continue;
      flags.*member = true;
      known = true;
    }
    if (!known) return std::unexpected("ERR Unexpected flag in script shebang: " + std::string(name));
    if (comma == names.npos) break;
    names.remove_prefix(comma + 1);
    if (names.empty()) return std::unexpected("ERR Unexpected flag in script shebang: ");
  }
  return {};
}

}  // namespace

std::expected<ScriptFlags, std::string> ParseScriptFlags(std::string_view body) {
  ScriptFlags flags;
  if (!body.starts_with("#!")) return flags;
  flags.shebang = true;
  const size_t end = body.find('\n');
  if (end == body.npos) return std::unexpected("ERR Invalid script shebang");
  const auto words = SplitLine(body.substr(0, end));
  if (!words || words->empty()) return std::unexpected("ERR Invalid engine in script shebang");
  if (words->front() != "#!lua") return std::unexpected("ERR Unexpected engine in script shebang: " + words->front());
  for (size_t i = 1; i < words->size(); ++i) {
    const std::string& word = (*words)[i];
    if (!word.starts_with("flags=")) return std::unexpected("ERR Unknown lua shebang option: " + word);
    if (auto added = AddFlags(std::string_view(word).substr(6), flags); !added) return std::unexpected(added.error());
  }
  return flags;
}

}  // namespace ebla::gateway::redis
