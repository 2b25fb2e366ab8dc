// Verbs on the planner: balance on, off, now, explain.
#include <cctype>
#include <fstream>
#include <map>

#include "common/base/count.h"
#include "master/balancer/planner/planner.h"
#include "master/balancer/planner/view_json.h"
#include "tools/ebla/verbs/arguments.h"
#include "tools/ebla/verbs/tablet_argument.h"

namespace ebla::shell {

namespace {

constexpr Duration kPassEvery = std::chrono::seconds(5);

struct ExplainArguments {
  std::string view;
  std::string save_view;
  std::optional<std::chrono::milliseconds> steady;
  bool all = false;
};

// The table and the range of each tablet that a plan may name by its id. A tablet that was merged since is missing.
class Tablets {
 public:
  explicit Tablets(const std::vector<TabletSummary>& tablets) {
    for (const TabletSummary& tablet : tablets) places_[tablet.id] = {tablet.table, tablet.range};
  }
  explicit Tablets(const master::ClusterView& view) {
    for (const master::TabletView& tablet : view.tablets)
      places_[tablet.id] = {view.tables[tablet.table].name, tablet.range};
  }

  std::string Name(TabletId id) const {
    const auto place = places_.find(id);
    const std::string number = "tablet " + std::to_string(id.value);
    return place == places_.end() ? number : NameOfTablet(id, place->second.table, place->second.range);
  }
  // The text with this name in place of "tablet 7".
  std::string Explain(std::string text, TabletId id) const {
    const std::string number = "tablet " + std::to_string(id.value);
    const size_t at = text.find(number), end = at + number.size();
    const bool other = at == std::string::npos || (end < text.size() && std::isdigit(text[end]) != 0);
    return !id || other ? text : text.replace(at, number.size(), Name(id));
  }
  // Null for both where the action is of a server.
  void AddTo(Json& object, TabletId id) const {
    const auto place = places_.find(id);
    object["table"] = place == places_.end() ? Json() : Json(place->second.table);
    object["range"] = place == places_.end() ? Json() : RangeJson(place->second.range);
  }

 private:
  struct Place {
    std::string table;
    KeyRange range;
  };
  std::map<TabletId, Place> places_;
};

Json ToJson(const master::Action& action, const Tablets& tablets) {
  const auto known = [](const std::string& name) { return name.empty() ? Json() : Json(name); };
  Json object = {{"action", Name(action.kind)},
                 {"rule", Name(action.rule)},
                 {"tablet", action.tablet ? Json(action.tablet.value) : Json()},
                 {"neighbour", action.neighbour ? Json(action.neighbour.value) : Json()}};
  PutBytes(object, "key", action.key.empty() ? std::nullopt : std::optional<std::string_view>(action.key));
  object.Update({{"from", known(action.from)}, {"to", known(action.to)}, {"reason", action.reason}});
  tablets.AddTo(object, action.tablet);
  return object;
}

Json ToJson(const master::Rejection& rejection, const Tablets& tablets) {
  Json object = {{"rule", Name(rejection.rule)},
                 {"cause", Name(rejection.cause)},
                 {"tablet", rejection.tablet ? Json(rejection.tablet.value) : Json()},
                 {"server", rejection.server.empty() ? Json() : Json(rejection.server)},
                 {"detail", rejection.detail}};
  tablets.AddTo(object, rejection.tablet);
  return object;
}

Json ToJson(const master::Plan& plan, const Tablets& tablets) {
  Json object = {{"actions", Json::Array()}, {"rejected", Json::Array()}, {"rejections", Json::Array()}};
  for (const master::Action& action : plan.actions) object["actions"].push_back(ToJson(action, tablets));
  for (const master::Rejection& rejection : plan.rejected) object["rejected"].push_back(ToJson(rejection, tablets));
  for (const auto& [what, count] : plan.rejections) {
    object["rejections"].push_back({{"rule", Name(what.first)}, {"cause", Name(what.second)}, {"count", count}});
  }
  return object;
}

std::string Which(TabletId tablet, const std::string& server, const Tablets& tablets) {
  if (tablet) return tablets.Name(tablet);
  return server.empty() ? "cluster" : server;
}

void Show(const master::Plan& plan, const Tablets& tablets, Output& out) {
  for (const master::Action& action : plan.actions) {
    out.Line(std::string(Name(action.rule)) + ": " + tablets.Explain(ToString(action), action.tablet) + "\n  " +
             action.reason);
  }
  if (plan.actions.empty()) out.Line("nothing needs to be done");
  if (plan.rejections.empty()) return;
  out.Line("");
  std::vector<std::vector<std::string>> counts = {{"NOT DONE", "BECAUSE", "TIMES"}};
  for (const auto& [what, count] : plan.rejections) {
    counts.push_back({Name(what.first), Name(what.second), std::to_string(count)});
  }
  out.Columns(counts);
  out.Line("");
  for (const master::Rejection& rejection : plan.rejected) {
    out.Line(std::string(Name(rejection.rule)) + ", " + Which(rejection.tablet, rejection.server, tablets) + ": " +
             Name(rejection.cause) + "\n  " + rejection.detail);
  }
}

Status ExplainSaved(const ExplainArguments& args, Context& context) {
  const std::chrono::milliseconds steady = args.steady.value_or(std::chrono::milliseconds(0));
  std::ifstream file(args.view, std::ios::binary);
  if (!file) return Error(Code::kInvalidArgument, "cannot read the file " + args.view);
  Result<master::SavedView> saved = master::LoadView(file);
  if (!saved) return Error(saved.error().code(), args.view + ": " + saved.error().message());

  master::ClusterView& view = saved->view;
  master::PlannerOptions options;
  if (saved->options) options = *saved->options;
  options.rejected_max = args.all ? view.tablets.size() + view.servers.size() : 50;
  const MonotonicTime begin = view.now, end = begin + steady;
  master::Plan plan = master::MakePlan(view, std::move(saved->memory), options);
  while (plan.actions.empty() && view.now < end && !context.interrupted) {
    view.now = std::min(view.now + kPassEvery, end);
    plan = master::MakePlan(view, std::move(plan.memory), options);
  }
  const Tablets tablets(view);
  if (context.out.json) {
    context.out.Value(ToJson(plan, tablets));
    return {};
  }
  context.out.Line(Count(view.servers.size(), "server") + ", " + Count(view.tables.size(), "table") + ", " +
                   Count(view.tablets.size(), "tablet") +
                   (view.now > begin ? "; after " + master::Amount(view.now - begin) + " of the same" : "") +
                   (saved->options ? "" : "; the view names no options, so the defaults hold"));
  Show(plan, tablets, context.out);
  return {};
}

// ---- the master's own planner ----

constexpr size_t kRefusedShown = 50;

Json ToJson(const PlannedAction& action, const Tablets& tablets) {
  Json object = {{"rule", action.rule},
                 {"action", action.what},
                 {"reason", action.reason},
                 {"tablet", action.tablet ? Json(action.tablet.value) : Json()},
                 {"age_ms", action.age ? Json(action.age->count()) : Json()},
                 {"outcome", action.outcome.empty() ? Json() : Json(action.outcome)}};
  tablets.AddTo(object, action.tablet);
  return object;
}

Json ToJson(const std::vector<PlannedAction>& actions, const Tablets& tablets) {
  Json all = Json::Array();
  for (const PlannedAction& action : actions) all.push_back(ToJson(action, tablets));
  return all;
}

Json ToJson(const PlannerState& state, const Tablets& tablets) {
  Json rejected = Json::Array();
  for (const RefusedAction& refused : state.refused) {
    Json object = {{"rule", refused.rule},
                   {"cause", refused.cause},
                   {"tablet", refused.tablet ? Json(refused.tablet.value) : Json()},
                   {"server", refused.server.empty() ? Json() : Json(refused.server)},
                   {"detail", refused.detail}};
    tablets.AddTo(object, refused.tablet);
    rejected.push_back(std::move(object));
  }
  return {{"enabled", state.enabled},
          {"since_pass_ms", state.since_pass ? Json(state.since_pass->count()) : Json()},
          {"waits_for", state.waits_for.empty() ? Json() : Json(state.waits_for)},
          {"planned", ToJson(state.planned, tablets)},
          {"under_way", ToJson(state.under_way, tablets)},
          {"done", ToJson(state.done, tablets)},
          {"rejected", std::move(rejected)}};
}

std::string Head(const PlannerState& state) {
  std::string head = state.enabled ? "the planner is on" : "the planner is off: its plans are not carried out";
  if (!state.waits_for.empty()) return head + "; it makes no plan now: " + state.waits_for;
  if (!state.since_pass) return head + "; this master has not made a plan yet";
  return head + "; its latest plan was made " + master::Amount(*state.since_pass) + " ago";
}

void Show(const std::string& title, const std::vector<PlannedAction>& actions, const Tablets& tablets, bool with_age,
          Output& out) {
  if (actions.empty()) return;
  out.Line("");
  out.Line(title);
  for (const PlannedAction& action : actions) {
    std::string line = action.rule + ": " + tablets.Explain(action.what, action.tablet);
    if (with_age && action.age) line += ", begun " + master::Amount(*action.age) + " ago";
    if (!action.outcome.empty()) line += ": " + action.outcome;
    out.Line(line + "\n  " + action.reason);
  }
}

void Show(const PlannerState& state, const Tablets& tablets, bool all, Output& out) {
  out.Line(Head(state));
  Show(state.enabled ? "PLANNED by the latest pass" : "WOULD BE DONE", state.planned, tablets, false, out);
  Show("UNDER WAY", state.under_way, tablets, true, out);
  Show("OVER", state.done, tablets, true, out);
  if (state.refused.empty()) return;
  out.Line("");
  out.Line("NOT DONE");
  const size_t shown = all ? state.refused.size() : std::min(kRefusedShown, state.refused.size());
  for (size_t i = 0; i < shown; ++i) {
    const RefusedAction& refused = state.refused[i];
    out.Line(refused.rule + ", " + Which(refused.tablet, refused.server, tablets) + ": " + refused.cause + "\n  " +
             refused.detail);
  }
  if (shown < state.refused.size()) {
    out.Line("and " + std::to_string(state.refused.size() - shown) + " more: --all shows them");
  }
}

Status SaveView(const std::string& path, const std::string& view) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << view;
  file.close();
  if (!file) return Error(Code::kInvalidArgument, "cannot write the file " + path);
  return {};
}

Status ExplainLive(const ExplainArguments& args, Context& context) {
  if (args.steady) {
    return Error(Code::kInvalidArgument,
                 "--steady needs a saved view: save one with --save-view FILE, then --view FILE --steady " +
                     FormatDuration(*args.steady));
  }
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const PlannerState state, client.Planner({.view = !args.save_view.empty()}));
  if (!args.save_view.empty()) EBLA_TRY(SaveView(args.save_view, state.view));
  EBLA_ASSIGN(const std::vector<TabletSummary> listed, client.ListTablets());
  const Tablets tablets(listed);
  if (context.out.json) {
    context.out.Value(ToJson(state, tablets));
    return {};
  }
  Show(state, tablets, args.all, context.out);
  if (!args.save_view.empty())
    context.out.Note("the view is in " + args.save_view + ": ebla balance explain --view " + args.save_view);
  return {};
}

Status Explain(const ExplainArguments& args, Context& context) {
  if (!args.view.empty() && !args.save_view.empty()) {
    return Error(Code::kInvalidArgument, "--view and --save-view: give one of the two");
  }
  return args.view.empty() ? ExplainLive(args, context) : ExplainSaved(args, context);
}

Status Switch(bool on, Context& context) {
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const PlannerState state, client.Planner({.enabled = on}));
  context.out.Ok(on ? "the planner is on" : "the planner is off, also for later masters; procedures under way continue",
                 {{"enabled", state.enabled}});
  return {};
}

Status Now(Context& context) {
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const PlannerState state, client.Planner({.now = true}));
  if (!state.waits_for.empty()) return Error(Code::kUnavailable, "no plan was made: " + state.waits_for);
  EBLA_ASSIGN(const std::vector<TabletSummary> listed, client.ListTablets());
  const Tablets tablets(listed);
  if (context.out.json) {
    context.out.Value(ToJson(state, tablets));
    return {};
  }
  context.out.Ok(Head(state));
  if (state.planned.empty()) context.out.Line("nothing needs to be done; ebla balance explain gives the reasons");
  Show(state.enabled ? "PLANNED" : "WOULD BE DONE", state.planned, tablets, false, context.out);
  return {};
}

}  // namespace

void AddBalanceVerbs(Verbs& verbs) {
  verbs.Add("balance on", "Lets the planner split, merge and move tablets by load", "balance on",
            [](Context& context) { return Switch(true, context); });
  verbs.Add("balance off", "Lets the planner only plan; drains and repairs continue", "balance off",
            [](Context& context) { return Switch(false, context); });
  verbs.Add("balance now", "Makes a plan at once instead of at the next interval", "balance now", Now);
  auto args = std::make_shared<ExplainArguments>();
  verbs
      .Add("balance explain", "Shows what the planner does, and why it does no more",
           "balance explain --save-view view.json\n  balance explain --view view.json --steady 10m",
           [args](Context& context) { return Explain(*args, context); })
      .Option("--view", "FILE", TakeText(args->view),
              "Plans for a saved view of a cluster, with the options saved in it")
      .Option("--save-view", "FILE", TakeText(args->save_view), "Also saves a view of this cluster, for --view")
      .Option("--steady", "DURATION", TakeDuration(args->steady),
              "With --view: continues to plan as if nothing changed, until an action results, at most for this time")
      .Flag("--all", args->all, "Lists all actions that were not done, not only the first 50");
}

}  // namespace ebla::shell
