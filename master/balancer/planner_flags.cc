#include "master/balancer/planner_flags.h"

#include <gflags/gflags.h>

#include <string>

#include "common/process/bounded_flag.h"

DEFINE_bool(balance, true,
            "Whether the planner moves primaries and replicas from servers with too much load to those with least.");
DEFINE_BOUNDED(int32, plan_every_ms, 5'000, 100, 3'600'000, "ms", "How often the planner looks at the cluster's load.");
DEFINE_BOUNDED(int32, split_sustained_ms, 30'000, 0, 2'000'000'000, "ms",
               "How long a tablet must be over its table's threshold, in at least three looks, before it is split.");
DEFINE_BOUNDED(int32, split_again_ms, 60'000, 0, 2'000'000'000, "ms",
               "How long after a split neither half is split again. Until then their measured rates are too high.");
DEFINE_BOUNDED(int32, split_left_alone_ms, 300'000, 0, 2'000'000'000, "ms",
               "How long to wait before trying again to split a tablet that had no good split key.");
DEFINE_bool(merges, true, "Whether tablets may be merged, by hand and by load.");
DEFINE_BOUNDED(int32, merge_history_ms, 300'000, 0, 300'000, "ms",
               "How much history of two tablets' load must be known before load merges them; at most five minutes.");
DEFINE_BOUNDED(int32, merge_after_split_ms, 3'600'000, 0, 2'000'000'000, "ms",
               "How long after its split or creation a tablet is not merged by load.");
DEFINE_BOUNDED(int32, balance_sustained_ms, 30'000, 0, 2'000'000'000, "ms",
               "How long a server must have too much load, in at least three looks, before it gives some away.");
DEFINE_BOUNDED(
    int32, balance_cool_down_ms, 600'000, 0, 2'000'000'000, "ms",
    "How long a tablet stays after load has transferred or moved it. The time doubles with each repetition.");
DEFINE_BOUNDED(double, disk_kept_free, 0.1, 0, 0.99, "",
               "Part of a server's disk that stays free: the planner moves no copy there that would leave less.");

DEFINE_bool(
    autoscale, false,
    "Whether to add servers while load stays over its target, and to remove some while it stays well under it.");
DEFINE_bool(autoscale_dry_run, false, "Autoscaling only plans. ebla balance explain shows what it would do.");
DEFINE_string(scale_out_command, "", "Shell command that starts one more tablet server.");
DEFINE_string(scale_in_command, "",
              "Shell command that ends a drained tablet server. $1 and $EBLA_SERVER hold its name.");
DEFINE_BOUNDED(int32, scale_command_limit_s, 300, 1, 86'400, "s",
               "How long a scale command may take before it is killed.");
DEFINE_BOUNDED(int32, servers_min, 3, 1, 10'000, "servers",
               "Autoscaling removes no server while there are this many or fewer.");
DEFINE_BOUNDED(int32, servers_max, 100, 1, 10'000, "servers",
               "Autoscaling adds no server while there are this many or more.");
DEFINE_BOUNDED(double, operations_per_server, 20'000, 0, 1e12, "operations/s",
               "Autoscaling target: operations/s of one server. 0: not considered.");
DEFINE_BOUNDED(double, cores_per_server, 0, 0, 1e6, "cores",
               "Autoscaling target: busy cores of one server. 0: not considered.");
DEFINE_BOUNDED(
    double, disk_per_server, 0.7, 0, 1, "",
    "Autoscaling target: used part of one server's disk. 0: not considered; right where servers share a disk.");
DEFINE_BOUNDED(int32, scale_out_sustained_ms, 300'000, 0, 2'000'000'000, "ms",
               "How long load must be over the target before a server is added.");
DEFINE_BOUNDED(int32, scale_in_sustained_ms, 1'800'000, 0, 2'000'000'000, "ms",
               "How long load must fit one server fewer, at three quarters of the target, before a server is drained.");
DEFINE_BOUNDED(int32, scale_out_rest_ms, 600'000, 0, 2'000'000'000, "ms",
               "How long to wait after adding a server before adding the next.");
DEFINE_BOUNDED(int32, scale_in_rest_ms, 1'800'000, 0, 2'000'000'000, "ms",
               "How long to wait after adding or draining a server before draining the next.");

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
