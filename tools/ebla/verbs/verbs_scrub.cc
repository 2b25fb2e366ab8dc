// The search for damage, of files and of replicas that differ: scrub.
#include <algorithm>

#include "common/base/count.h"
#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

Json ToJson(const std::vector<ScrubBegun>& servers) {
  Json all = Json::Array();
  for (const ScrubBegun& one : servers)
    all.push_back({{"server", one.server}, {"begun", one.status.ok()}, {"why_not", one.status.message()}});
  return all;
}

Status Scrub(const std::string& server, Context& context) {
  EBLA_ASSIGN(const Client client, context.connect());
  if (!server.empty()) EBLA_TRY(CheckServer(client, server));
  EBLA_ASSIGN(const std::vector<ScrubBegun> servers, client.Scrub(server));
  if (context.out.json) context.out.Value(ToJson(servers));
  const auto refused = std::ranges::find_if(servers, [](const ScrubBegun& one) { return !one.status.ok(); });
  for (const ScrubBegun& one : servers) {
    if (!context.out.json) context.out.Line(one.server + ": " + (one.status.ok() ? "begun" : one.status.message()));
  }
  if (servers.empty()) return Error(Code::kUnavailable, "no tablet server is live");
  context.exit_code = refused == servers.end() ? 0 : 1;
  return {};
}

}  // namespace

void AddScrubVerbs(Verbs& verbs) {
  auto server = std::make_shared<std::string>();
  verbs
      .Add("scrub", "Lets servers search their files and replicas for damage now instead of at the scheduled time",
           "scrub --server ts-1", [server](Context& context) { return Scrub(*server, context); })
      .Option("--server", "SERVER", TakeText(*server), "Only this server (all live servers)")
      .Notes(
          "A scrub reads all files and compares all replicas, at --scrub_bytes_per_second, so it takes hours on large\n"
          "servers. It continues by itself. `ebla health` shows what it found and what to do.\n"
          "Exit codes: 0 begun on every server; 1 not on every server, because a scrub is under way there");
}

}  // namespace ebla::shell
