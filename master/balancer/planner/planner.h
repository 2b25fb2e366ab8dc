// master/balancer/planner/planner.h
// The planner: one view of the cluster in, actions with their reasons out, and each refused one with its cause.
// Pure: the same view, memory and options give the same plan.
// Place:      one rule, one file: split.h, merge.h, full_disk.h, balance.h, autoscale.h, in this order over one pass
//             (pass.h). repair.h precedes all of them, and placement.h serves new tablets; both have callers of their
//             own.
// Invariants: 1. One action per tablet and plan.
//             2. An action of the plan counts as done for the rest of it, and an action under way counts as finished.
// Threads:    functions of their arguments.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "master/balancer/planner/memory.h"
#include "master/balancer/planner/options.h"
#include "master/balancer/planner/view.h"

namespace ebla::master {

enum class Rule : uint8_t { kSplit, kMerge, kFullDisk, kBalance, kAutoscale };

enum class ActionKind : uint8_t {
  kSplit,          // tablet, at key
  kMerge,          // tablet and neighbour, to its right; their voters are the same servers
  kTransfer,       // tablet is to be led by `to`, one of its voters, instead of `from`
  kMove,           // tablet's replica on `from` moves to `to`; its leadership is transferred first
  kAddServer,      // one more
  kDrainServer,    // server `from` is one too many
  kKeepServer,     // server `from` is needed after all: its drain ends
  kReleaseServer,  // server `from` is empty
};

struct Action {
  ActionKind kind = ActionKind::kSplit;
  Rule rule = Rule::kSplit;  // whose idea it was
  TabletId tablet;
  TabletId neighbour;
  std::string key;
  ServerName from;
  ServerName to;
  std::string reason;  // in numbers, for people
};

enum class Cause : uint8_t {
  kNotSettled,    // another change is under way
  kCoolDown,      // acted on lately
  kHeld,          // an operator has placed it
  kCap,           // enough of this kind is under way
  kNotYet,        // has not lasted long enough
  kNoKey,         // nowhere to cut
  kPopularKey,    // one key makes the load
  kOneDirection,  // keys are written in order
  kKeyGroup,      // one group that must not be cut
  kHistory,       // too little is known of it
  kSplitLately,   // a merge waits
  kWouldSplit,    // its peaks leave no room
  kNoPlace,       // no server can take it
  kAlone,         // a tablet is more than a server's share by itself
  kBounds,        // the operator's limits
  kDryRun,
};

// A refused action, with its cause.
struct Rejection {
  Rule rule = Rule::kSplit;
  Cause cause = Cause::kNotSettled;
  TabletId tablet;  // none: a server's
  ServerName server;
  std::string detail;  // in numbers, for people
};

struct Plan {
  std::vector<Action> actions;
  std::vector<Rejection> rejected;                      // the first of them
  std::map<std::pair<Rule, Cause>, size_t> rejections;  // all, counted
  PlannerMemory memory;                                 // for the next pass
};

// `view` must pass CheckView. No cap of the options is exceeded by what is under way and planned together.
Plan MakePlan(const ClusterView& view, PlannerMemory memory, const PlannerOptions& options = {});

const char* Name(Rule rule);
const char* Name(ActionKind kind);
const char* Name(Cause cause);
// "split tablet 7 at \"m\"", without the reason.
std::string ToString(const Action& action);

}  // namespace ebla::master
