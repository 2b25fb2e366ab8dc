#include "tools/cluster/cluster_state.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace ebla::cluster {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;
constexpr Role kRoles[] = {Role::kZooKeeper, Role::kMaster, Role::kTabletServer};

json MemberToJson(const Member& member) {
  return {{"name", member.name},
          {"role", RoleName(member.role)},
          {"port", member.port},
          {"http_port", member.http_port},
          {"pid", member.process.pid},
          {"start_ticks", member.process.start_ticks},
          {"boot_id", member.process.boot_id}};
}

Member MemberFromJson(const json& value) {
  Member member;
  member.name = value.at("name");
  const std::string role = value.at("role");
  const auto* found = std::find_if(std::begin(kRoles), std::end(kRoles), [&](Role r) { return RoleName(r) == role; });
  if (found == std::end(kRoles)) throw std::invalid_argument("unknown role " + role);
  member.role = *found;
  member.port = value.at("port");
  member.http_port = value.at("http_port");
  member.process = {value.at("pid"), value.at("start_ticks"), value.at("boot_id")};
  return member;
}

}  // namespace

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kZooKeeper: return "zookeeper";
    case Role::kMaster: return "master";
    case Role::kTabletServer: return "tabletserver";
  }
  return "unknown";
}

Result<ClusterState> ClusterState::Load(const std::string& file) {
  ClusterState state;
  std::ifstream in(file);
  if (!in) return state;
  try {
    const json value = json::parse(in);
    if (const int format = value.at("format"); format != kFormat)
      return Error(Code::kInvalidArgument, file + " is of format " + std::to_string(format) + ", this program knows " +
                                               std::to_string(kFormat));
    state.base_port = value.at("base_port");
    state.master_flags = value.at("master_flags");
    state.server_flags = value.at("server_flags");
    for (const json& member : value.at("members")) state.members.push_back(MemberFromJson(member));
    state.last_server = value.value("last_server", state.Count(Role::kTabletServer));  // older ones removed none
  } catch (const std::exception& error) {  // the JSON library's own, which ends here
    return Error(Code::kInvalidArgument,
                 file + " cannot be read (" + error.what() + "): end its processes by hand, then remove the file");
  }
  return state;
}

Status ClusterState::Save(const std::string& file) const {
  json value = {{"format", kFormat},
                {"base_port", base_port},
                {"master_flags", master_flags},
                {"server_flags", server_flags},
                {"members", json::array()},
                {"last_server", last_server}};
  for (const Member& member : members) value["members"].push_back(MemberToJson(member));
  const std::string fresh = file + ".new";
  std::ofstream out(fresh, std::ios::trunc);
  out << value.dump(2) << "\n";
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(fresh, file, error);
  if (!out || error) return Error(Code::kInternal, "cannot write " + file + (error ? ": " + error.message() : ""));
  return Status::Ok();
}

int ClusterState::Count(Role role) const {
  return static_cast<int>(
      std::count_if(members.begin(), members.end(), [role](const Member& member) { return member.role == role; }));
}

}  // namespace ebla::cluster
