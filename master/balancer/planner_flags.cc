#include "master/balancer/planner_flags.h"

#include <gflags/gflags.h>

#include <string>

DEFINE_bool(balance, true, "Leadership and replicas go from servers that carry too much to those that carry least.");
DEFINE_int32(plan_every_ms, 5'000, "How often the cluster's load is looked at.");
DEFINE_int32(split_sustained_ms, 30'000,
             "A tablet over its table's threshold is split after so long, and three looks.");
DEFINE_int32(split_again_ms, 60'000, "Until a tablet's next split: rates that decay still tell of the whole.");
DEFINE_int32(split_left_alone_ms, 300'000, "One that there was no key to split at is looked at again after so long.");
DEFINE_bool(merges, true, "Whether tablets may be merged, by hand and by load.");
DEFINE_int32(merge_history_ms, 300'000,
             "The peaks of so long must be known of two tablets before load merges them; at most five minutes.");
DEFINE_int32(merge_after_split_ms, 3'600'000, "A tablet that was split or made is not merged by load for so long.");
DEFINE_int32(balance_sustained_ms, 30'000,
             "A server that carries too much gives of it after so long, and three looks.");
DEFINE_int32(balance_cool_down_ms, 600'000,
             "A tablet that was transferred or moved by load rests for so long; twice as long each time.");

DEFINE_bool(
    autoscale, false,
    "Asks for servers when the cluster is over its target for long, and releases them when it is well under it.");
DEFINE_bool(autoscale_dry_run, false, "Only says what it would do: ebla balance explain.");
DEFINE_string(scale_out_command, "", "Starts one more tablet server; a shell command.");
DEFINE_string(scale_in_command, "", "Ends the drained tablet server that $1 and $EBLA_SERVER name; a shell command.");
DEFINE_int32(scale_command_limit_s, 300, "A scale command that takes longer is killed.");
DEFINE_int32(servers_min, 3, "No server is released at so few.");
DEFINE_int32(servers_max, 100, "No server is asked for at so many.");
DEFINE_double(operations_per_server, 20'000,
              "The target: operations/s that one server is meant to carry; 0: does not count.");
DEFINE_double(cores_per_server, 0, "The same in busy cores; 0: does not count.");
DEFINE_double(disk_per_server, 0.7,
              "The same as a part of its disk; 0: does not count, as where servers share one disk.");
DEFINE_int32(scale_out_sustained_ms, 300'000, "Over the target for so long: a server is asked for.");
DEFINE_int32(scale_in_sustained_ms, 1'800'000,
             "Under three quarters of the target, with one server fewer, for so long: one is drained.");
DEFINE_int32(scale_out_rest_ms, 600'000, "After a server was asked for, until the next.");
DEFINE_int32(scale_in_rest_ms, 1'800'000, "After a server was asked for or drained, until the next is drained.");

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
                 "--operations_per_server and --cores_per_server must not be negative; 0: does not count");
  }
  if (FLAGS_scale_command_limit_s < 1)
    return Error(Code::kInvalidArgument, "--scale_command_limit_s must be at least 1");
  if (FLAGS_disk_per_server < 0 || FLAGS_disk_per_server > 1) {
    return Error(Code::kInvalidArgument, "--disk_per_server must be from 0 to 1; 0: does not count");
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
  options.scale_out_command = FLAGS_scale_out_command;
  options.scale_in_command = FLAGS_scale_in_command;
  return TakeAutoscale(planner.autoscale);
}

Duration ScaleCommandLimit() { return std::chrono::seconds(FLAGS_scale_command_limit_s); }

}  // namespace ebla::master
