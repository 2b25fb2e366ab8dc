// Verbs on what the planner would do: balance explain.
#include <fstream>

#include "master/planner/planner.h"
#include "master/planner/view_json.h"
#include "tools/ebla/arguments.h"

namespace ebla::shell {

namespace {

constexpr Duration kPassEvery = std::chrono::seconds(5);

struct ExplainArguments {
  std::string view;
  std::string steady;
  bool all = false;
};

std::string Count(size_t number, const std::string& what) {
  return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

Json ToJson(const master::Action& action) {
  Json object = {{"action", Name(action.kind)}, {"rule", Name(action.rule)}};
  if (action.tablet) object["tablet"] = action.tablet.value;
  if (action.neighbour) object["neighbour"] = action.neighbour.value;
  if (!action.key.empty()) PutBytes(object, "key", action.key);
  if (!action.from.empty()) object["from"] = action.from;
  if (!action.to.empty()) object["to"] = action.to;
  object["reason"] = action.reason;
  return object;
}

Json ToJson(const master::Rejection& rejection) {
  Json object = {{"rule", Name(rejection.rule)}, {"cause", Name(rejection.cause)}};
  if (rejection.tablet) object["tablet"] = rejection.tablet.value;
  if (!rejection.server.empty()) object["server"] = rejection.server;
  object["detail"] = rejection.detail;
  return object;
}

Json ToJson(const master::Plan& plan) {
  Json object = {{"actions", Json::array()}, {"rejected", Json::array()}, {"rejections", Json::array()}};
  for (const master::Action& action : plan.actions) object["actions"].push_back(ToJson(action));
  for (const master::Rejection& rejection : plan.rejected) object["rejected"].push_back(ToJson(rejection));
  for (const auto& [what, count] : plan.rejections) {
    object["rejections"].push_back({{"rule", Name(what.first)}, {"cause", Name(what.second)}, {"count", count}});
  }
  return object;
}

std::string Which(const master::Rejection& rejection) {
  if (rejection.tablet) return "tablet " + std::to_string(rejection.tablet.value);
  return rejection.server.empty() ? "cluster" : rejection.server;
}

void Show(const master::Plan& plan, Output& out) {
  for (const master::Action& action : plan.actions) {
    out.Line(std::string(Name(action.rule)) + ": " + ToString(action) + "\n  " + action.reason);
  }
  if (plan.actions.empty()) out.Line("nothing is to be done");
  if (plan.rejections.empty()) return;
  out.Line("");
  std::vector<std::vector<std::string>> counts = {{"NOT DONE", "BECAUSE", "TIMES"}};
  for (const auto& [what, count] : plan.rejections) {
    counts.push_back({Name(what.first), Name(what.second), std::to_string(count)});
  }
  out.Columns(counts);
  out.Line("");
  for (const master::Rejection& rejection : plan.rejected) {
    out.Line(std::string(Name(rejection.rule)) + ", " + Which(rejection) + ": " + Name(rejection.cause) + "\n  " +
             rejection.detail);
  }
}

Status Explain(const ExplainArguments& args, Context& context) {
  std::chrono::milliseconds steady{0};
  if (!args.steady.empty()) {
    EBLA_ASSIGN(steady, ParseDuration(args.steady));
  }
  std::ifstream file(args.view, std::ios::binary);
  if (!file) return Error(Code::kInvalidArgument, "cannot read the file " + args.view);
  Result<master::SavedView> saved = master::LoadView(file);
  if (!saved) return Error(saved.error().code(), args.view + ": " + saved.error().message());

  master::ClusterView& view = saved->view;
  master::PlannerOptions options;
  options.rejected_max = args.all ? view.tablets.size() + view.servers.size() : 50;
  const MonotonicTime begin = view.now, end = begin + steady;
  master::Plan plan = master::MakePlan(view, std::move(saved->memory), options);
  while (plan.actions.empty() && view.now < end && !context.interrupted) {
    view.now = std::min(view.now + kPassEvery, end);
    plan = master::MakePlan(view, std::move(plan.memory), options);
  }
  if (context.out.json) {
    context.out.Value(ToJson(plan));
    return {};
  }
  context.out.Line(Count(view.servers.size(), "server") + ", " + Count(view.tables.size(), "table") + ", " +
                   Count(view.tablets.size(), "tablet") +
                   (view.now > begin ? "; after " + master::Amount(view.now - begin) + " of the same" : ""));
  Show(plan, context.out);
  return {};
}

}  // namespace

void AddBalanceVerbs(Verbs& verbs) {
  auto args = std::make_shared<ExplainArguments>();
  CLI::App* verb = verbs.Add(
      "balance explain", "What the planner would do with a saved view of a cluster, and why not more",
      "balance explain --view view.json --steady 10m", [args](Context& context) { return Explain(*args, context); });
  verb->add_option("--view", args->view, "The view, as lines of JSON (master/planner/view_json.h)")
      ->type_name("FILE")
      ->required();
  verb->add_option("--steady", args->steady,
                   "Goes on with the same view for at most so long, until something is to be done")
      ->type_name("DURATION");
  verb->add_flag("--all", args->all, "Lists everything that is not done, not the first 50");
}

}  // namespace ebla::shell
