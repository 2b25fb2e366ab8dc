#include "master/balancer/planner_flags.h"

#include <gflags/gflags.h>

#include <string>

#include "common/process/bounded_flag.h"

DEFINE_bool(balance, true,
            "Let the planner move primaries and replicas from the most loaded servers to the least loaded ones.");
DEFINE_BOUNDED(int32, plan_every_ms, 5'000, 100, 3'600'000, "ms",
               "Time between two passes of the planner over the cluster's load. A longer time costs less work, but "
               "load is balanced later.");
DEFINE_BOUNDED(int32, split_sustained_ms, 30'000, 0, 2'000'000'000, "ms",
               "How long a tablet's load must exceed its table's threshold, in at least three passes, before the "
               "planner splits the tablet. A longer time ignores longer bursts.");
DEFINE_BOUNDED(int32, split_again_ms, 60'000, 0, 2'000'000'000, "ms",
               "How long the planner splits neither child of a split again, because their measured rates are too high "
               "at first. A longer time avoids needless splits, but growing load waits longer.");
DEFINE_BOUNDED(int32, split_left_alone_ms, 300'000, 0, 2'000'000'000, "ms",
               "How long the planner waits before it tries again to split a tablet that had no good split key. A "
               "longer time costs less work.");
DEFINE_bool(merges, true, "Allow merges of tablets, by operators and by the planner.");
DEFINE_BOUNDED(int32, merge_history_ms, 300'000, 0, 300'000, "ms",
               "Load history of two tablets that the planner needs before it merges them, at most five minutes. A "
               "longer history avoids merges of tablets that are idle only briefly.");
DEFINE_BOUNDED(int32, merge_after_split_ms, 3'600'000, 0, 2'000'000'000, "ms",
               "How long the planner does not merge a tablet after its split or creation. A longer time avoids merging "
               "what must soon be split again.");
DEFINE_BOUNDED(int32, balance_sustained_ms, 30'000, 0, 2'000'000'000, "ms",
               "How long a server must have too much load, in at least three passes, before the planner takes load "
               "from it. A longer time ignores longer bursts.");
DEFINE_BOUNDED(int32, balance_cool_down_ms, 600'000, 0, 2'000'000'000, "ms",
               "How long the planner does not transfer or move a tablet again after it did so because of load. The "
               "time doubles with each repetition. A longer time causes fewer moves, but load stays uneven longer.");
DEFINE_BOUNDED(double, disk_kept_free, 0.1, 0, 0.99, "",
               "Part of each server's disk that the planner keeps free: it moves no copy to a server that would then "
               "have less. A larger part leaves more reserve and less room for data.");

DEFINE_bool(autoscale, false,
            "Add tablet servers while load stays above its target, and remove some while load stays well below it.");
DEFINE_bool(autoscale_dry_run, false,
            "Only plan autoscaling. `ebla balance explain` shows which servers it would add or remove.");
DEFINE_string(scale_out_command, "", "Shell command that starts one more tablet server.");
DEFINE_string(scale_in_command, "",
              "Shell command that stops a drained tablet server. $1 and $EBLA_SERVER hold the server's name.");
DEFINE_BOUNDED(
    int32, scale_command_limit_s, 300, 1, 86'400, "s",
    "Time limit of a scale command. The master then kills it. A higher limit suits machines that start slowly.");
DEFINE_BOUNDED(int32, servers_min, 3, 1, 10'000, "servers",
               "Autoscaling removes no server while the cluster has this many or fewer.");
DEFINE_BOUNDED(int32, servers_max, 100, 1, 10'000, "servers",
               "Autoscaling adds no server while the cluster has this many or more.");
DEFINE_BOUNDED(
    double, operations_per_server, 20'000, 0, 1e12, "operations/s",
    "Autoscaling's target: operations/s of one server. A higher target needs fewer servers. 0: not considered.");
DEFINE_BOUNDED(
    double, cores_per_server, 0, 0, 1e6, "cores",
    "Autoscaling's target: busy cores of one server. A higher target needs fewer servers. 0: not considered.");
DEFINE_BOUNDED(double, disk_per_server, 0.7, 0, 1, "",
               "Autoscaling's target: used part of one server's disk. A higher target needs fewer servers. 0: not "
               "considered, which is right if servers share a disk.");
DEFINE_BOUNDED(
    int32, scale_out_sustained_ms, 300'000, 0, 2'000'000'000, "ms",
    "How long load must exceed the target before autoscaling adds a server. A longer time ignores longer bursts.");
DEFINE_BOUNDED(int32, scale_in_sustained_ms, 1'800'000, 0, 2'000'000'000, "ms",
               "How long load must fit one server fewer, at three quarters of the target, before autoscaling drains a "
               "server. A longer time keeps spare servers longer.");
DEFINE_BOUNDED(int32, scale_out_rest_ms, 600'000, 0, 2'000'000'000, "ms",
               "How long autoscaling waits after it added a server before it adds the next. A longer time gives the "
               "new server time to take load.");
DEFINE_BOUNDED(int32, scale_in_rest_ms, 1'800'000, 0, 2'000'000'000, "ms",
               "How long autoscaling waits after it added or drained a server before it drains the next. A longer time "
               "keeps spare servers longer.");

namespace ebla::master {
namespace {

using std::chrono::milliseconds;

Status TakeAutoscale(AutoscaleOptions& options) {
  options.enabled = FLAGS_autoscale;
  options.dry_run = FLAGS_autoscale_dry_run;
  options.operations_per_server = FLAGS_operations_per_server;
  options.cores_per_server = FLAGS_cores_per_server;
  options.disk_fraction = FLAGS_disk_per_server;
  options.over_sustained = milliseconds(FLAGS_scale_out_sustained_ms);
  options.under_sustained = milliseconds(FLAGS_scale_in_sustained_ms);
  options.after_growth = milliseconds(FLAGS_scale_out_rest_ms);
  options.after_release = milliseconds(FLAGS_scale_in_rest_ms);
  if (FLAGS_servers_max < FLAGS_servers_min) {
    return Error(Code::kInvalidArgument, "--servers_max=" + std::to_string(FLAGS_servers_max) +
                                             " is less than --servers_min=" + std::to_string(FLAGS_servers_min));
  }
  options.servers_min = static_cast<size_t>(FLAGS_servers_min);
  options.servers_max = static_cast<size_t>(FLAGS_servers_max);
  if (!FLAGS_autoscale || FLAGS_autoscale_dry_run) return {};
  if (!FLAGS_scale_out_command.empty() && !FLAGS_scale_in_command.empty()) return {};
  return Error(Code::kInvalidArgument,
               "--autoscale needs --scale_out_command and --scale_in_command, or --autoscale_dry_run");
}

}  // namespace

Status TakePlannerFlags(MasterOptions& options) {
  options.balance = FLAGS_balance;
  options.merges = FLAGS_merges;
  PlannerOptions& planner = options.planner;
  options.plan_every = milliseconds(FLAGS_plan_every_ms);
  planner.split.sustained = milliseconds(FLAGS_split_sustained_ms);
  planner.split.again = milliseconds(FLAGS_split_again_ms);
  planner.split.left_alone = milliseconds(FLAGS_split_left_alone_ms);
  planner.merge.history = milliseconds(FLAGS_merge_history_ms);
  planner.merge.after_split = milliseconds(FLAGS_merge_after_split_ms);
  planner.balance.sustained = milliseconds(FLAGS_balance_sustained_ms);
  planner.balance.cool_down = milliseconds(FLAGS_balance_cool_down_ms);
  planner.disk_kept_free = FLAGS_disk_kept_free;
  options.scale_out_command = FLAGS_scale_out_command;
  options.scale_in_command = FLAGS_scale_in_command;
  return TakeAutoscale(planner.autoscale);
}

Duration ScaleCommandLimit() { return std::chrono::seconds(FLAGS_scale_command_limit_s); }

}  // namespace ebla::master
