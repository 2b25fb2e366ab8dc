// Verbs on tablet servers: server list, drain, undrain, maintenance, resume, remove.
#include "common/base/count.h"
#include "tools/ebla/reports/listing.h"
#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

// The figures of a lost or silent server are outdated, so they are null.
Json ToJson(const ServerSummary& server) {
  const bool heard = Reports(server) && server.since_heartbeat;
  const auto now = [&](Json value) { return heard ? value : Json(); };
  return {{"name", server.name},
          {"live", server.live},
          {"silent", server.silent || SilentFor(server)},
          {"address", server.address},
          {"http_address", server.http_address},
          {"uuid", server.uuid},
          {"incarnation", server.incarnation.value},
          {"rack", server.rack.empty() ? Json() : Json(server.rack)},
          {"tablets", server.tablets},
          {"primaries", now(server.leading)},
          {"size_bytes", now(Counted(server.size_bytes))},
          {"disk_free_bytes", now(server.disk_free_bytes)},
          {"disk_total_bytes", now(server.disk_total_bytes)},
          {"reads_per_second", now(Json::Rounded(server.reads_per_second))},
          {"writes_per_second", now(Json::Rounded(server.writes_per_second))},
          {"writes_refused", now(server.writes_refused)},
          {"insecure", server.insecure},
          {"draining", server.draining},
          {"maintenance", server.maintenance},
          {"note", server.note},
          {"version", server.version},
          {"since_heartbeat_ms", server.since_heartbeat ? Json(server.since_heartbeat->count()) : Json()}};
}

void AddServerChange(Verbs& verbs, const std::string& name, const std::string& help, const ServerChange& change,
                     const std::string& result) {
  auto server = std::make_shared<std::string>();
  verbs
      .Add("server " + name, help, "server " + name + " ts-4",
           [=](Context& context) -> Status {
             EBLA_ASSIGN(const Client client, context.connect());
             EBLA_ASSIGN(const size_t replicas, client.SetServer(*server, change));
             const std::string more = change.draining.value_or(false)
                                          ? "; ebla procedure show drain-" + *server + " shows its progress"
                                          : "";
             context.out.Ok(result + "; it has " + Count(replicas, "replica") + more,
                            {{"server", *server}, {"replicas", replicas}});
             return {};
           })
      .Argument("SERVER", TakeText(*server));
}

void AddServerChanges(Verbs& verbs) {
  AddServerChange(verbs, "drain", "Moves all replicas of a server to other servers",
                  {.draining = true, .maintenance = std::nullopt}, "draining");
  AddServerChange(verbs, "undrain", "Ends a drain: the server keeps its replicas, and receives new ones again",
                  {.draining = false, .maintenance = std::nullopt}, "not draining");
  AddServerChange(verbs, "maintenance", "Stops new replicas for a server; it keeps its present ones",
                  {.draining = std::nullopt, .maintenance = true}, "under maintenance");
  AddServerChange(verbs, "resume", "Ends the maintenance of a server", {.draining = std::nullopt, .maintenance = false},
                  "it receives replicas again");
}

Status ListServers(Context& context) {
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const std::vector<ServerSummary> servers, client.ListServers());
  if (context.out.json) {
    Json all = Json::Array();
    for (const ServerSummary& server : servers) all.push_back(ToJson(server));
    context.out.Value(all);
    return {};
  }
  context.out.Listed(ServerRows(servers), "no tablet server has joined yet");
  for (const ServerSummary& server : servers) {
    if (!server.note.empty()) context.out.Line(server.name + ": " + server.note);
  }
  return {};
}

void AddServerList(Verbs& verbs) {
  verbs.Add("server list", "Lists the tablet servers", "server list", ListServers)
      .Notes(std::string("STATE: one or more of live, silent, lost, disk-full, draining, drained, maintenance.\n"
                         "A silent server has not reported for more than 1.5 s. It is lost once its session with\n"
                         "the coordinator ends.\n"
                         "HEARD: time since the server's last report. Older figures of a lost server are not shown.\n"
                         "TABLETS: the replicas that the catalog assigns to it. SIZE: the data on it.\n") +
             kEstimates);
}

void AddServerRemove(Verbs& verbs) {
  auto name = std::make_shared<std::string>();
  verbs
      .Add("server remove", "Removes a tablet server that is gone for good", "server remove ts-4",
           [name](Context& context) -> Status {
             EBLA_ASSIGN(const Client client, context.connect());
             EBLA_TRY(client.RemoveServer(*name));
             context.out.Ok();
             return {};
           })
      .Argument("SERVER", TakeText(*name), "A server that is not live and has no replicas left");
}

}  // namespace

void AddServerVerbs(Verbs& verbs) {
  AddServerList(verbs);
  AddServerChanges(verbs);
  AddServerRemove(verbs);
}

}  // namespace ebla::shell
