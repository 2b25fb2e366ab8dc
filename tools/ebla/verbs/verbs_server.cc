// Verbs on tablet servers: server list, drain, undrain, maintenance, resume, clock, remove.
#include <algorithm>

#include "common/base/count.h"
#include "tools/ebla/reports/listing.h"
#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

Json ToJson(const ClockInfo& clock) {
  return {{"ahead_of_master_ms", clock.ahead_of_master.count()},
          {"doubt_ms", clock.doubt.count()},
          {"tablets_waiting", clock.waiting}};
}

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
          {"store_failure", now(server.disk.failure)},
          {"slowest_sync_ms", now(server.disk.slowest_sync.count())},
          {"sync_under_way_ms", now(server.disk.sync_under_way.count())},
          {"log_loss", now(server.disk.loss)},
          {"lost_replicas", now(server.disk.lost_replicas)},
          {"catalog_damage", now(server.disk.catalog_damage)},
          {"clock", now(server.clock ? ToJson(*server.clock) : Json())},
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

// The server's clock against the master's and its last sure time, or its end of a doubt.
Status ShowClock(const std::string& name, bool accept, Context& context) {
  EBLA_ASSIGN(const Client client, context.connect());
  if (accept) {
    const Result<size_t> accepted = client.SetServer(name, {.accept_clock = true});
    if (!accepted) return accepted.error();
    context.out.Ok("accepted: records on " + name + " expire by its clock from now on", {{"server", name}});
    return {};
  }
  EBLA_ASSIGN(const std::vector<ServerSummary> servers, client.ListServers());
  const auto server = std::ranges::find(servers, name, &ServerSummary::name);
  if (server == servers.end()) return Error(Code::kNotFound, "there is no server " + name);
  if (!server->clock || !Reports(*server))
    return Error(Code::kUnavailable, "server " + name + " does not report its clock");
  const ClockInfo& clock = *server->clock;
  if (context.out.json) {
    context.out.Value(ToJson(clock));
    return {};
  }
  context.out.Line("its clock is " + Apart(clock.ahead_of_master) + " the master's");
  if (clock.doubt.count() != 0)
    context.out.Line("doubted: it is " + Apart(clock.doubt) + " its last sure time; " +
                     Count(static_cast<size_t>(clock.waiting), "tablet") + " wait");
  return {};
}

void AddServerClock(Verbs& verbs) {
  auto server = std::make_shared<std::string>();
  auto accept = std::make_shared<bool>(false);
  verbs
      .Add("server clock", "Shows the clock of a server, or ends the doubt of it", "server clock ts-1 --accept",
           [=](Context& context) { return ShowClock(*server, *accept, context); })
      .Argument("SERVER", TakeText(*server))
      .Flag("--accept", *accept, "Accept the server's clock: first compare it with the right time (date -u)")
      .Notes(
          "A server doubts a clock that has jumped since its last start, so that records do not expire early. Until\n"
          "the doubt ends, its tablets go on from the last sure time, and what they keep expires late. Set a wrong\n"
          "clock (NTP), which ends the doubt. Accept a right one: records expire by it at once, also those that were\n"
          "written in the doubt, whose lifetime counts from the late time.");
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
      .Notes(std::string("STATE: one or more of live, silent, lost, disk-full, store-failed, draining, drained,\n"
                         "maintenance.\n"
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
  AddServerClock(verbs);
  AddServerRemove(verbs);
}

}  // namespace ebla::shell
