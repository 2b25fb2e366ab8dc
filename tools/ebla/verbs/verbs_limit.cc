// Verbs on how much users and tables may have: limit user, limit table, limit list.
#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

using Kind = AccessChange::Kind;

constexpr int64_t kMost = std::numeric_limits<int32_t>::max();

struct LimitArguments {
  std::string name;
  Limits limits;
  bool none = false;
};

Json ToJson(const Limits& limits) {
  return {{"operations_per_second", limits.operations_per_second},
          {"bytes_per_second", limits.bytes_per_second},
          {"connections", limits.connections},
          {"in_flight", limits.in_flight}};
}

std::vector<std::string> Row(const std::string& kind, const std::string& name, const Limits& limits) {
  const auto number = [](int64_t limit) { return limit == 0 ? std::string("-") : std::to_string(limit); };
  return {kind,
          name,
          number(limits.operations_per_second),
          limits.bytes_per_second == 0 ? "-" : FormatBytes(static_cast<uint64_t>(limits.bytes_per_second)),
          number(limits.connections),
          number(limits.in_flight)};
}

Status SetLimits(Context& context, AccessChange change, const LimitArguments& arguments) {
  if (arguments.none == (arguments.limits != Limits())) return {Code::kInvalidArgument, "name a limit, or --none"};
  change.limits = arguments.limits;
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_TRY(client.ChangeAccess({change}));
  context.out.Ok(
      arguments.none ? arguments.name + " has no limits" : arguments.name + ": each server enforces it within a second",
      ToJson(change.limits));
  return {};
}

Take TakeBytesPerSecond(int64_t& to) {
  return [&to](std::string_view text) -> Status {
    EBLA_ASSIGN(const uint64_t size, ParseBytes(text));
    to = static_cast<int64_t>(std::min<uint64_t>(size, std::numeric_limits<int64_t>::max()));
    return {};
  };
}

void AddOptions(Verb& verb, const std::shared_ptr<LimitArguments>& arguments, bool of_user) {
  Limits& limits = arguments->limits;
  verb.Option("--operations", "N", TakeWhole(limits.operations_per_second),
              "Operations per second; a batch counts each of its writes")
      .Option("--bytes", "SIZE", TakeBytesPerSecond(limits.bytes_per_second),
              "Bytes per second, of requests and replies")
      .Option("--in-flight", "N", TakeWhole(limits.in_flight, 0, kMost), "Calls in flight");
  if (of_user) verb.Option("--connections", "N", TakeWhole(limits.connections, 0, kMost), "Connections to each server");
  verb.Flag("--none", arguments->none, "Removes all limits")
      .Notes(
          "Each tablet server enforces the limits by itself. It answers calls above a limit with OVERLOADED,\n"
          "which names the limit. Clients wait and retry until their deadline.");
}

}  // namespace

void AddLimitVerbs(Verbs& verbs) {
  auto user = std::make_shared<LimitArguments>();
  Verb& of_user = verbs.Add("limit user", "Limits a user's calls to each server; \"everybody\" limits each user",
                            "limit user ada --operations 1000 --bytes 10MiB", [user](Context& context) {
                              return SetLimits(context, {.kind = Kind::kSetLimits, .name = user->name}, *user);
                            });
  of_user.Argument("USER", TakeText(user->name));
  AddOptions(of_user, user, true);

  auto table = std::make_shared<LimitArguments>();
  Verb& of_table =
      verbs.Add("limit table", "Limits the calls of all users together for a table, on each server",
                "limit table carts --operations 5000", [table](Context& context) {
                  return SetLimits(context, {.kind = Kind::kSetTableLimits, .grant = {.table = table->name}}, *table);
                });
  of_table.Argument("TABLE", TakeText(table->name));
  AddOptions(of_table, table, false);

  verbs.Add("limit list", "Shows all limits", "limit list", [](Context& context) -> Status {
    EBLA_ASSIGN(const Client client, context.connect());
    EBLA_ASSIGN(const AccessInfo access, client.ListAccess());
    std::vector<std::vector<std::string>> rows{{"OF", "NAME", "OPERATIONS/s", "BYTES/s", "CONNECTIONS", "IN FLIGHT"}};
    Json all = Json::Array();
    const auto add = [&](const std::string& kind, const std::string& name, const Limits& limits) {
      if (limits == Limits()) return;
      rows.push_back(Row(kind, name, limits));
      all.push_back({{"of", kind}, {"name", name}, {"limits", ToJson(limits)}});
    };
    add("each user", "everybody", access.every_user);
    for (const UserInfo& user : access.users) add("user", user.name, user.limits);
    for (const auto& [name, limits] : access.tables) add("table", name, limits);
    if (context.out.json) {
      context.out.Value(all);
      return {};
    }
    context.out.Listed(rows, "there are no limits: ebla limit user and limit table set them");
    return {};
  });
}

}  // namespace ebla::shell
