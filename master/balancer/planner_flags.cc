#include "master/balancer/planner_flags.h"

#include <gflags/gflags.h>

#include <string>

DEFINE_bool(balance, true,
            "Whether the planner moves primaries and replicas from servers with too much load to those with least.");
DEFINE_int32(plan_every_ms, 5'000, "How often the planner looks at the cluster's load.");
DEFINE_int32(split_sustained_ms, 30'000,
             "How long a tablet must be over its table's threshold, in at least three looks, before it is split.");
DEFINE_int32(split_again_ms, 60'000,
             "How long after a split neither half is split again. Until then their measured rates are too high.");
DEFINE_int32(split_left_alone_ms, 300'000,
             "How long to wait before trying again to split a tablet that had no good split key.");
DEFINE_bool(merges, true, "Whether tablets may be merged, by hand and by load.");
DEFINE_int32(merge_history_ms, 300'000,
             "How much history of two tablets' load must be known before load merges them; at most five minutes.");
DEFINE_int32(merge_after_split_ms, 3'600'000, "How long after its split or creation a tablet is not merged by load.");
DEFINE_int32(balance_sustained_ms, 30'000,
             "How long a server must have too much load, in at least three looks, before it gives some away.");
DEFINE_int32(balance_cool_down_ms, 600'000,
             "How long a tablet stays after load has transferred or moved it. The time doubles with each repetition.");
DEFINE_double(disk_kept_free, 0.1,
              "Part of a server's disk that stays free: the planner moves no copy there that would leave less.");

DEFINE_bool(
    autoscale, false,
    "Whether to add servers while load stays over its target, and to remove some while it stays well under it.");
DEFINE_bool(autoscale_dry_run, false, "Autoscaling only plans. ebla balance explain shows what it would do.");
DEFINE_string(scale_out_command, "", "Shell command that starts one more tablet server.");
DEFINE_string(scale_in_command, "",
              "Shell command that ends a drained tablet server. $1 and $EBLA_SERVER hold its name.");
DEFINE_int32(scale_command_limit_s, 300, "How long a scale command may take before it is killed.");
DEFINE_int32(servers_min, 3, "Autoscaling removes no server while there are this many or fewer.");
DEFINE_int32(servers_max, 100, "Autoscaling adds no server while there are this many or more.");
DEFINE_double(operations_per_server, 20'000, "Autoscaling target: operations/s of one server. 0: not considered.");
DEFINE_double(cores_per_server, 0, "Autoscaling target: busy cores of one server. 0: not considered.");
DEFINE_double(
    disk_per_server, 0.7,
    "Autoscaling target: used part of one server's disk. 0: not considered; right where servers share a disk.");
DEFINE_int32(scale_out_sustained_ms, 300'000, "How long load must be over the target before a server is added.");
DEFINE_int32(scale_in_sustained_ms, 1'800'000,
             "How long load must fit one server fewer, at three quarters of the target, before a server is drained.");
DEFINE_int32(scale_out_rest_ms, 600'000, "How long to wait after adding a server before adding the next.");
DEFINE_int32(scale_in_rest_ms, 1'800'000,
             "How long to wait after adding or draining a server before draining the next.");

namespace ebla::master {
namespace {

// Into `to`, unless it is below `least`.
Status TakeMs(const char* flag, int32_t ms, int32_t least, Duration& to) {
  if (ms < least) {
    return Error(Code::kInvalidArgument, std::string("--") + flag + " must be at least " + std::to_string(least) +
                                             ", not " + std::to_string(ms));
  }
  to = std::chrono::milliseconds(ms);
  return {};
}

Status TakeAutoscale(AutoscaleOptions& options) {
  options.enabled = FLAGS_autoscale;
  options.dry_run = FLAGS_autoscale_dry_run;
  options.operations_per_server = FLAGS_operations_per_server;
  options.cores_per_server = FLAGS_cores_per_server;
  options.disk_fraction = FLAGS_disk_per_server;
  EBLA_TRY(TakeMs("scale_out_sustained_ms", FLAGS_scale_out_sustained_ms, 0, options.over_sustained));
  EBLA_TRY(TakeMs("scale_in_sustained_ms", FLAGS_scale_in_sustained_ms, 0, options.under_sustained));
  EBLA_TRY(TakeMs("scale_out_rest_ms", FLAGS_scale_out_rest_ms, 0, options.after_growth));
  EBLA_TRY(TakeMs("scale_in_rest_ms", FLAGS_scale_in_rest_ms, 0, options.after_release));
  if (FLAGS_servers_min < 1 || FLAGS_servers_max < FLAGS_servers_min) {
    return Error(Code::kInvalidArgument, "--servers_min must be at least 1, and --servers_max no less than that");
  }
  options.servers_min = static_cast<size_t>(FLAGS_servers_min);
  options.servers_max = static_cast<size_t>(FLAGS_servers_max);
  if (FLAGS_operations_per_server < 0 || FLAGS_cores_per_server < 0) {
    return Error(Code::kInvalidArgument,
                 "--operations_per_server and --cores_per_server must not be negative; with 0 they are not considered");
  }
  if (FLAGS_scale_command_limit_s < 1)
    return Error(Code::kInvalidArgument, "--scale_command_limit_s must be at least 1");
  if (FLAGS_disk_per_server < 0 || FLAGS_disk_per_server > 1) {
    return Error(Code::kInvalidArgument, "--disk_per_server must be from 0 to 1; with 0 it is not considered");
  }
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
  EBLA_TRY(TakeMs("plan_every_ms", FLAGS_plan_every_ms, 100, options.plan_every));
  EBLA_TRY(TakeMs("split_sustained_ms", FLAGS_split_sustained_ms, 0, planner.split.sustained));
  EBLA_TRY(TakeMs("split_again_ms", FLAGS_split_again_ms, 0, planner.split.again));
  EBLA_TRY(TakeMs("split_left_alone_ms", FLAGS_split_left_alone_ms, 0, planner.split.left_alone));
  EBLA_TRY(TakeMs("merge_history_ms", FLAGS_merge_history_ms, 0, planner.merge.history));
  EBLA_TRY(TakeMs("merge_after_split_ms", FLAGS_merge_after_split_ms, 0, planner.merge.after_split));
  EBLA_TRY(TakeMs("balance_sustained_ms", FLAGS_balance_sustained_ms, 0, planner.balance.sustained));
  EBLA_TRY(TakeMs("balance_cool_down_ms", FLAGS_balance_cool_down_ms, 0, planner.balance.cool_down));
  if (FLAGS_disk_kept_free < 0 || FLAGS_disk_kept_free >= 1)
    return Error(Code::kInvalidArgument, "--disk_kept_free must be from 0 to less than 1");
  planner.disk_kept_free = FLAGS_disk_kept_free;
  options.scale_out_command = FLAGS_scale_out_command;
  options.scale_in_command = FLAGS_scale_in_command;
  return TakeAutoscale(planner.autoscale);
}

Duration ScaleCommandLimit() { return std::chrono::seconds(FLAGS_scale_command_limit_s); }

}  // namespace ebla::master
