// Verbs on what the master has under way: procedure list, show, cancel.
#include <algorithm>

#include "tools/ebla/reports/listing.h"
#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

const char* Name(AskedBy by) {
  switch (by) {
    case AskedBy::kOperator: return "operator";
    case AskedBy::kPlanner: return "planner";
    case AskedBy::kDrain: return "drain";
    case AskedBy::kMaster: return "master";
    case AskedBy::kUnknown: break;
  }
  return "not known";
}

std::string What(const ProcedureInfo& one) {
  std::string what = one.tablet ? "tablet " + std::to_string(one.tablet.value) : "";
  if (!one.table.empty()) what += (one.tablet ? " of " : "table ") + one.table;
  const std::string blank = what.empty() ? "" : " ";
  if (!one.from_server.empty()) return what + blank + one.from_server + " -> " + one.server;
  if (!one.server.empty()) what += blank + one.server;
  return what;
}

std::string Age(const ProcedureInfo& one) {
  if (!one.age) return "not known";
  return one.age_of_term ? AgeText(*one.age) + ", or before this master" : AgeText(*one.age);
}

std::string Progress(const ProcedureInfo& one) {
  if (one.all_units <= 0) return one.step;
  if (one.unit == "bytes") return one.step + ", " + Size(one.done_units) + " of " + Size(one.all_units);
  return one.step + ", " + std::to_string(one.done_units) + " of " + std::to_string(one.all_units) + " " + one.unit;
}

Json ToJson(const ProcedureInfo& one) {
  const auto known = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  const Json progress = {{"done", one.done_units}, {"of", one.all_units}, {"unit", one.unit}};
  return {{"id", one.id},
          {"kind", one.kind},
          {"tablet", one.tablet ? Json(one.tablet.value) : Json()},
          {"range", one.range ? RangeJson(*one.range) : Json()},
          {"table", known(one.table)},
          {"server", known(one.server)},
          {"from_server", known(one.from_server)},
          {"asked_by", one.asked_by == AskedBy::kUnknown ? Json() : Json(Name(one.asked_by))},
          {"reason", known(one.reason)},
          {"age_ms", one.age ? Json(one.age->count()) : Json()},
          {"age_of_term", one.age_of_term},
          {"step", one.step},
          {"progress", one.all_units > 0 ? progress : Json()},
          {"waits_for", known(one.waits_for)},
          {"cancellable", one.cancellable},
          {"cancel", one.cancel_note}};
}

Status ListProcedures(const std::string& kind, Context& context) {
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(Procedures procedures, client.ListProcedures());
  if (!kind.empty()) std::erase_if(procedures.listed, [&](const ProcedureInfo& one) { return one.kind != kind; });
  if (context.out.json) {
    Json all = Json::Array();
    for (const ProcedureInfo& one : procedures.listed) all.push_back(ToJson(one));
    context.out.Value(all);
    return {};
  }
  if (procedures.listed.empty()) {
    context.out.Line(kind.empty() ? "no procedure is under way" : "no " + kind + " is under way");
    return {};
  }
  std::vector<std::vector<std::string>> rows = {
      {"ID", "OF", "RANGE", "ASKED BY", "BEGUN", "PROGRESS", "CANCEL", "WAITS FOR"}};
  for (const ProcedureInfo& one : procedures.listed) {
    rows.push_back({one.id, What(one), one.range ? RangeCell(*one.range) : "-", Name(one.asked_by), Age(one),
                    Progress(one), one.cancellable ? "yes" : "no", one.waits_for.empty() ? "-" : one.waits_for});
  }
  context.out.Columns(rows);
  if (kind.empty() && procedures.total > procedures.listed.size()) {
    context.out.Line("and " + std::to_string(procedures.total - procedures.listed.size()) + " more");
  }
  return {};
}

Status Show(const std::string& id, Context& context) {
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const Procedures procedures, client.ListProcedures());
  const auto found = std::ranges::find(procedures.listed, id, &ProcedureInfo::id);
  if (found == procedures.listed.end()) {
    return Error(Code::kNotFound, "no procedure " + id + " is under way; procedure list shows those that are");
  }
  if (context.out.json) {
    context.out.Value(ToJson(*found));
    return {};
  }
  std::vector<std::vector<std::string>> rows = {{"id", found->id}, {"kind", found->kind}};
  if (const std::string what = What(*found); !what.empty()) rows.push_back({"of", what});
  if (found->range) rows.push_back({"range", RangeCell(*found->range)});
  rows.push_back(
      {"asked by", std::string(Name(found->asked_by)) + (found->reason.empty() ? "" : ": " + found->reason)});
  rows.push_back({"begun", Age(*found)});
  rows.push_back({"progress", Progress(*found)});
  rows.push_back({"waits for", found->waits_for.empty() ? "nothing" : found->waits_for});
  rows.push_back({"cancel", (found->cancellable ? "can be: " : "cannot be: ") + found->cancel_note});
  context.out.Columns(rows);
  return {};
}

Status Cancel(const std::string& id, Context& context) {
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const Procedures procedures, client.ListProcedures());
  const auto found = std::ranges::find(procedures.listed, id, &ProcedureInfo::id);
  const std::string again = found == procedures.listed.end() ? "" : RestartNotice(*found);
  EBLA_ASSIGN(const std::string outcome, client.CancelProcedure(id));
  const Json json = {{"id", id}, {"outcome", outcome}, {"note", again}};
  context.out.Ok(outcome + (again.empty() ? "" : "; " + again), json);
  return {};
}

}  // namespace

const std::vector<std::string>& ProcedureKinds() {
  static const std::vector<std::string> kinds = {"adopt",  "clear", "create", "drain",    "drop",    "grow",
                                                 "lead",   "merge", "move",   "recover",  "release", "repair",
                                                 "schema", "split", "strays", "transfer", "unite"};
  return kinds;
}

std::string RestartNotice(const ProcedureInfo& move) {
  if (move.kind != "move" || move.asked_by != AskedBy::kDrain) return "";
  return "but " + move.from_server +
         " is draining, and its drain will start the move again: to end the drain, ebla server undrain " +
         move.from_server;
}

void AddProcedureVerbs(Verbs& verbs) {
  auto kind = std::make_shared<std::string>();
  verbs
      .Add("procedure list", "Lists the master's procedures: their origin, their progress and what they wait for",
           "procedure list --kind move", [kind](Context& context) { return ListProcedures(*kind, context); })
      .Option("--kind", "KIND", TakeOneOf(*kind, ProcedureKinds()),
              "Only this kind: move, split, merge, transfer, drain, repair, lead, recover, create, drop, ...");
  auto shown = std::make_shared<std::string>();
  verbs
      .Add("procedure show", "Shows one procedure, with its reason and the effect of cancelling it",
           "procedure show move-17", [shown](Context& context) { return Show(*shown, context); })
      .Argument("ID", TakeText(*shown), "The id in procedure list");
  auto cancelled = std::make_shared<std::string>();
  verbs
      .Add("procedure cancel", "Cancels a procedure and undoes it; refuses if it is too late",
           "procedure cancel move-17", [cancelled](Context& context) { return Cancel(*cancelled, context); })
      .Argument("ID", TakeText(*cancelled), "The id in procedure list");
}

}  // namespace ebla::shell
