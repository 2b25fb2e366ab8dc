#include "tests/stories/group_masters.h"

#include <algorithm>
#include <stdexcept>

namespace ebla::stories {

namespace ts = ebla::tabletserver;
using std::chrono::milliseconds;
using ts::testing::CoreRig;
using ts::testing::GroupRig;

std::string ParseServer(const GroupRig& group, Arguments& arguments) {
  std::string name = arguments.Text("at", "");
  if (name.empty()) name = arguments.Word();
  const auto names = group.servers();
  if (std::find(names.begin(), names.end(), name) == names.end())
    throw std::invalid_argument("no server \"" + name + "\"");
  return name;
}

// create primary=NAME voters=A,B
void GroupMasters::Create(Arguments& arguments) {
  const std::string primary = arguments.Text("primary", "");
  group_.Create(primary, SplitNames(arguments.Text("voters", primary)));
}

// failover: a master fences the next epoch, chooses and configures, as its orders and the answers are delivered
void GroupMasters::Failover(Arguments&) {
  group_.Failover(
      [this](bool led) { news_.push_back(led ? "master: failed over" : "master: the failover came to nothing"); });
}

// change voters=A,B [learners=C]: under the same primary
void GroupMasters::Change(Arguments& arguments) {
  const auto voters = SplitNames(arguments.Text("voters", ""));
  const auto learners = SplitNames(arguments.Text("learners", ""));
  group_.Change(voters, learners, [this](bool led) {
    news_.push_back(led ? "master: the membership is changed" : "master: the change is refused");
  });
}

// transfer to=NAME [patience=MS]
void GroupMasters::Transfer(Arguments& arguments) {
  const std::string to = arguments.Text("to", "");
  group_.Transfer(to, milliseconds(arguments.Number("patience", 300)),
                  [this](bool led) { news_.push_back(led ? "master: transferred" : "master: not transferred"); });
}

void GroupMasters::Resend(Arguments&) { group_.Remind(); }

// An order of some master's, whatever the catalog says; its answer is told when it is delivered.
void GroupMasters::Order(const std::string& to, std::function<ts::RequestToken(CoreRig&)> give) {
  group_.Order(to, std::move(give), [this, to](const ts::ControlReply* reply) {
    news_.push_back("master hears of " + to + ": " + (reply == nullptr ? "nothing" : Show(*reply)));
  });
}

// fence NAME epoch=N [had=VERSION]
void GroupMasters::Fence(Arguments& arguments) {
  const std::string name = ParseServer(group_, arguments);
  const Version had = ParseVersion(arguments.Text("had", "none"));
  Order(name, [epoch = Epoch{arguments.Number("epoch", 0)}, had](CoreRig& rig) { return rig.Fence(epoch, {}, had); });
}

// configure NAME and what ParseConfigure takes [learnt=MS]
void GroupMasters::Configure(Arguments& arguments) {
  const std::string name = ParseServer(group_, arguments);
  const std::string learnt = arguments.Text("learnt", "");
  const TabletTime time =
      learnt.empty() ? TabletTime{} : TabletTime{static_cast<uint64_t>(ts::testing::kMorningMs + std::stoll(learnt))};
  Order(name,
        [configure = ParseConfigure(arguments, name), time](CoreRig& rig) { return rig.Configure(configure, time); });
}

// drop NAME epoch=N: the host removes what is left at once
void GroupMasters::Drop(Arguments& arguments) {
  const std::string name = ParseServer(group_, arguments);
  const Epoch epoch{arguments.Number("epoch", 0)};
  group_.Order(
      name, [epoch](CoreRig& rig) { return rig.Drop(epoch); },
      [this, name](const ts::ControlReply* reply) {
        news_.push_back("master hears of " + name + ": " + (reply == nullptr ? "nothing" : Show(*reply)));
        if (reply != nullptr && reply->status.ok() && reply->dropped && group_.at(name).store().state().tombstone)
          group_.at(name).Forget();
      });
}

// freeze NAME epoch=N into=TABLET
void GroupMasters::Freeze(Arguments& arguments) {
  const std::string name = ParseServer(group_, arguments);
  const Epoch epoch{arguments.Number("epoch", 0)};
  const TabletId into{arguments.Number("into", 0)};
  group_.Order(
      name, [epoch, into](CoreRig& rig) { return rig.Freeze(epoch, into); },
      [this, name](const ts::ControlReply* reply) {
        const std::string what = reply == nullptr     ? "nothing"
                                 : reply->status.ok() ? "frozen at " + reply->freeze.ToString()
                                                      : std::string(CodeName(reply->status.code()));
        news_.push_back("master hears of " + name + ": " + what);
      });
}

}  // namespace ebla::stories
