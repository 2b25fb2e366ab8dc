// Verbs on tablet servers: server list, drain, undrain, maintenance, resume, remove.
#include "common/base/count.h"
#include "tools/ebla/reports/listing.h"
#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

Json ToJson(const ServerSummary& server) {
  Json object = {{"name", server.name},
                 {"live", server.live},
                 {"address", server.address},
                 {"http_address", server.http_address},
                 {"uuid", server.uuid},
                 {"incarnation", server.incarnation.value},
                 {"rack", server.rack},
                 {"tablets", server.tablets},
                 {"leading", server.leading},
                 {"size_bytes", server.size_bytes},
                 {"disk_free_bytes", server.disk_free_bytes},
                 {"disk_total_bytes", server.disk_total_bytes},
                 {"reads_per_second", server.reads_per_second},
                 {"writes_per_second", server.writes_per_second},
                 {"writes_refused", server.writes_refused},
                 {"draining", server.draining},
                 {"maintenance", server.maintenance},
                 {"note", server.note},
                 {"version", server.version}};
  if (server.since_heartbeat) object["since_heartbeat_ms"] = server.since_heartbeat->count();
  return object;
}

void AddServerChange(Verbs& verbs, const std::string& name, const std::string& help, const ServerChange& change,
                     const std::string& result) {
  auto server = std::make_shared<std::string>();
  CLI::App* verb = verbs.Add("server " + name, help, "server " + name + " ts-4", [=](Context& context) -> Status {
    EBLA_ASSIGN(const Client client, context.connect());
    EBLA_ASSIGN(const size_t replicas, client.SetServer(*server, change));
    const std::string more =
        change.draining.value_or(false) ? "; how far it is: ebla procedure show drain-" + *server : "";
    context.out.Ok(result + "; it has " + Count(replicas, "replica") + more,
                   {{"server", *server}, {"replicas", replicas}});
    return {};
  });
  verb->add_option("SERVER", *server)->required();
}

void AddServerChanges(Verbs& verbs) {
  AddServerChange(verbs, "drain", "Moves all replicas of a server to the others; `server list` shows how far it is",
                  {.draining = true, .maintenance = std::nullopt}, "draining");
  AddServerChange(verbs, "undrain", "Ends the draining of a server: it keeps what it has, and gets replicas again",
                  {.draining = false, .maintenance = std::nullopt}, "not draining");
  AddServerChange(verbs, "maintenance", "Gives a server nothing new; it keeps what it has",
                  {.draining = std::nullopt, .maintenance = true}, "under maintenance");
  AddServerChange(verbs, "resume", "Ends the maintenance of a server", {.draining = std::nullopt, .maintenance = false},
                  "gets replicas again");
}

void AddServerList(Verbs& verbs) {
  CLI::App* verb = verbs.Add("server list", "Lists the tablet servers", "server list", [](Context& context) -> Status {
    EBLA_ASSIGN(const Client client, context.connect());
    EBLA_ASSIGN(const std::vector<ServerSummary> servers, client.ListServers());
    if (context.out.json) {
      Json all = Json::array();
      for (const ServerSummary& server : servers) all.push_back(ToJson(server));
      context.out.Value(all);
      return {};
    }
    context.out.Columns(ServerRows(servers));
    for (const ServerSummary& server : servers) {
      if (!server.note.empty()) context.out.Line(server.name + ": " + server.note);
    }
    return {};
  });
  verb->footer(verb->get_footer() + std::string("\n\nSTATE: live, lost, disk-full, draining, drained, maintenance; "
                                                "several where several hold. HEARD: when it last reported;\n"
                                                "of a server that is lost nothing else that it said is shown. TABLETS: "
                                                "the replicas that the catalog gives it; SIZE: of the\n"
                                                "data that it has, estimated every ten seconds from what is on its "
                                                "disk. \"-\": not known, or nothing counted (yet)."));
}

void AddServerRemove(Verbs& verbs) {
  auto name = std::make_shared<std::string>();
  CLI::App* verb = verbs.Add("server remove", "Forgets a tablet server that is gone for good", "server remove ts-4",
                             [name](Context& context) -> Status {
                               EBLA_ASSIGN(const Client client, context.connect());
                               EBLA_TRY(client.RemoveServer(*name));
                               context.out.Ok();
                               return {};
                             });
  verb->add_option("SERVER", *name, "One that does not live, and has no replicas any more")->required();
}

}  // namespace

void AddServerVerbs(Verbs& verbs) {
  AddServerList(verbs);
  AddServerChanges(verbs);
  AddServerRemove(verbs);
}

}  // namespace ebla::shell
