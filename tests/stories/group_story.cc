#include "tests/stories/group_story.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "tests/stories/master_story.h"
#include "tests/stories/server_story.h"
#include "tests/stories/tablet_story.h"

namespace ebla::stories {

namespace ts = ebla::tabletserver;
using std::chrono::milliseconds;
using ts::testing::CoreRig;
using ts::testing::GroupRig;

std::unique_ptr<Story> BeginStory(const std::string& first_line) {
  const std::vector<std::string> words = SplitWords(first_line);
  if (!words.empty() && words[0] == "group") return std::make_unique<GroupStory>();
  if (!words.empty() && words[0] == "servers") return std::make_unique<ServerStory>();
  if (!words.empty() && words[0] == "masters") return std::make_unique<MasterStory>();
  return std::make_unique<TabletStory>();
}

GroupStory::Verb GroupStory::Masters(void (GroupMasters::*verb)(Arguments&)) {
  return [verb](GroupStory& story, Arguments& arguments) {
    std::invoke(verb, *story.masters_, arguments);
    return story.News();
  };
}

const std::map<std::string, GroupStory::Verb>& GroupStory::Verbs() {
  using G = GroupStory;
  static const std::map<std::string, Verb> verbs{{"group", &G::Group},
                                                 {"messages", &G::Messages},
                                                 {"deliver", &G::Deliver},
                                                 {"lose", &G::Lose},
                                                 {"duplicate", &G::Duplicate},
                                                 {"hold", &G::Hold},
                                                 {"release", &G::Release},
                                                 {"settle", &G::Settle},
                                                 {"cut", &G::Cut},
                                                 {"heal", &G::Heal},
                                                 {"pass", &G::Pass},
                                                 {"beat", &G::Beat},
                                                 {"crash", &G::Crash},
                                                 {"flush", &G::Flush},
                                                 {"store", &G::Store},
                                                 {"checkpoint", &G::Checkpoint},
                                                 {"create", Masters(&GroupMasters::Create)},
                                                 {"failover", Masters(&GroupMasters::Failover)},
                                                 {"change", Masters(&GroupMasters::Change)},
                                                 {"transfer", Masters(&GroupMasters::Transfer)},
                                                 {"resend", Masters(&GroupMasters::Resend)},
                                                 {"fence", Masters(&GroupMasters::Fence)},
                                                 {"configure", Masters(&GroupMasters::Configure)},
                                                 {"drop", Masters(&GroupMasters::Drop)},
                                                 {"freeze", Masters(&GroupMasters::Freeze)},
                                                 {"catalog", &G::Catalog},
                                                 {"write", &G::Write},
                                                 {"purge", &G::Purge},
                                                 {"read", &G::Read},
                                                 {"confirm", &G::Confirm},
                                                 {"state", &G::State},
                                                 {"peers", &G::Peers},
                                                 {"log", &G::Log},
                                                 {"records", &G::Records},
                                                 {"rolled_back", &G::RolledBack},
                                                 {"time", &G::Time}};
  return verbs;
}

Result<Lines> GroupStory::Run(const std::string& line) {
  const bool begins = line.find_first_not_of(' ') == line.find("group");
  if (begins != (group_ == nullptr)) return Error(Code::kInvalidArgument, "a story of a group begins with it, once");
  return RunVerb(*this, Verbs(), line, parts_);
}

// ---- words ----------------------------------------------------------------------------------------------------------

bool GroupStory::Filter::Matches(const GroupRig::Parcel& parcel) const {
  return (from == "*" || from == parcel.from) && (to == "*" || to == parcel.to) &&
         (what.empty() || what == parcel.what);
}

GroupStory::Filter GroupStory::ParseFilter(Arguments& arguments) {
  const std::string route = arguments.Word();
  const size_t arrow = route.find('>');
  if (arrow == std::string::npos) throw std::invalid_argument("say from whom to whom: a>b");
  return {route.substr(0, arrow), route.substr(arrow + 1), arguments.Word()};
}

CoreRig& GroupStory::At(Arguments& arguments) { return group_->at(ParseServer(*group_, arguments)); }

bool GroupStory::Held(const GroupRig::Parcel& parcel) const {
  return std::any_of(held_.begin(), held_.end(), [&](const Filter& filter) { return filter.Matches(parcel); });
}

size_t GroupStory::Find(const Filter& filter) const {
  const auto& parcels = group_->parcels;
  const auto found =
      std::find_if(parcels.begin(), parcels.end(), [&](const auto& parcel) { return filter.Matches(parcel); });
  return static_cast<size_t>(found - parcels.begin());
}

// ---- the servers and the network ------------------------------------------------------------------------------------

// group NAME... [unapplied_bytes=N] [interval]: servers with nothing on them; the table is flushed at intervals
Lines GroupStory::Group(Arguments& arguments) {
  ts::TabletOptions options;
  options.tablet = TabletId{9};
  options.unapplied_bytes_max = arguments.Number("unapplied_bytes", 64 << 20);
  ts::TabletSchema schema = CoreRig::DefaultSchema();
  if (arguments.Flag("interval")) schema.durability = ts::FlushMode::kInterval;
  std::vector<ServerName> names;
  for (std::string name = arguments.Word(); !name.empty(); name = arguments.Word()) names.push_back(name);
  if (names.empty()) throw std::invalid_argument("a group of nobody");
  group_ = std::make_unique<GroupRig>(names, options, schema);
  masters_ = std::make_unique<GroupMasters>(*group_);
  return {};
}

// messages: what is under way, in order
Lines GroupStory::Messages(Arguments&) {
  Lines lines;
  for (const auto& parcel : group_->parcels) {
    lines.push_back(parcel.from + ">" + parcel.to + " " + parcel.what + (Held(parcel) ? " held" : ""));
  }
  return lines;
}

// deliver FROM>TO [KIND]: the first such thing; nothing such is an error
Lines GroupStory::Deliver(Arguments& arguments) {
  const size_t which = Find(ParseFilter(arguments));
  if (which == group_->parcels.size()) throw std::invalid_argument("nothing such is under way");
  group_->Deliver(which);
  return News();
}

// lose FROM>TO [KIND]
Lines GroupStory::Lose(Arguments& arguments) {
  const size_t which = Find(ParseFilter(arguments));
  if (which == group_->parcels.size()) throw std::invalid_argument("nothing such is under way");
  group_->Deliver(which, /*lost=*/true);
  return News();
}

// duplicate FROM>TO [KIND]: it will come a second time
Lines GroupStory::Duplicate(Arguments& arguments) {
  const size_t which = Find(ParseFilter(arguments));
  if (which == group_->parcels.size()) throw std::invalid_argument("nothing such is under way");
  const GroupRig::Parcel& parcel = group_->parcels[which];
  group_->parcels.push_back({parcel.from, parcel.to, parcel.what, parcel.run, {}});
  return {};
}

// hold FROM>TO [KIND]: `rest` leaves such things where they are, until `release`
Lines GroupStory::Hold(Arguments& arguments) {
  held_.push_back(ParseFilter(arguments));
  return {};
}

Lines GroupStory::Release(Arguments&) {
  held_.clear();
  return {};
}

// settle: delivers everything, and the messages that follow, except held ones
Lines GroupStory::Settle(Arguments&) {
  group_->Collect();
  const auto free = [&](const GroupRig::Parcel& parcel) { return !Held(parcel); };
  auto& parcels = group_->parcels;
  for (int i = 0; i < 20'000; ++i) {
    const auto next = std::find_if(parcels.begin(), parcels.end(), free);
    if (next == parcels.end()) return News();
    group_->Deliver(static_cast<size_t>(next - parcels.begin()));
  }
  throw std::runtime_error("they never come to rest");
}

// cut A B: nothing passes between them any more; either may be "master"
Lines GroupStory::Cut(Arguments& arguments) {
  const std::string one = arguments.Word(), other = arguments.Word();
  if (one.empty() || other.empty()) throw std::invalid_argument("cut whom from whom?");
  group_->cut.insert({one, other});
  group_->cut.insert({other, one});
  return {};
}

Lines GroupStory::Heal(Arguments&) {
  group_->cut.clear();
  return {};
}

// pass ms=N: every clock, and nothing else
Lines GroupStory::Pass(Arguments& arguments) {
  group_->Pass(milliseconds(arguments.Number("ms", 0)));
  return {};
}

// beat [ms=100]: time passes, then each ticks and sends its heartbeats
Lines GroupStory::Beat(Arguments& arguments) {
  group_->Pass(milliseconds(arguments.Number("ms", 100)));
  group_->Beat();
  return News();
}

// crash NAME [keep=N] keeps the flushed pieces and the first N unflushed ones. With [clock=MS] its time of day is off
// then. With [forgets [lost=N]] the machine failed under an interval table, and the last N flushed pieces are lost,
// too. With [loses=N] the disk lost the last N, promises among them, as the next start finds out. With [goes_back=N] it
// is as it was before the last N, and nothing at the start shows that
Lines GroupStory::Crash(Arguments& arguments) {
  const std::string name = ParseServer(*group_, arguments);
  const size_t keep = arguments.Number("keep", 0);
  const std::string clock = arguments.Text("clock", "");
  if (arguments.Flag("forgets")) group_->at(name).Forgets(arguments.Number("lost", 0));
  const size_t loses = arguments.Number("loses", 0);
  if (loses > 0) group_->at(name).Forgets(loses, CoreRig::Loses::kPromises);
  const size_t goes_back = arguments.Number("goes_back", 0);
  if (goes_back > 0) group_->at(name).Forgets(goes_back, CoreRig::Loses::kUnseen);
  group_->Crash(name, keep);
  if (!clock.empty()) group_->at(name).SkewClock(milliseconds(std::stoll(clock)));
  return News();
}

// flush NAME hold|one|go
Lines GroupStory::Flush(Arguments& arguments) {
  CoreRig& rig = At(arguments);
  const std::string word = arguments.Word();
  if (word == "one") {
    rig.FlushOne();
  } else if (word == "hold" || word == "go") {
    rig.HoldFlush(word == "hold");
  } else {
    throw std::invalid_argument("flush hold, flush one or flush go");
  }
  group_->Collect();
  return News();
}

// store NAME append=none|overloaded|internal apply=... keep=... (of what is rolled back)
Lines GroupStory::Store(Arguments& arguments) {
  CoreRig& rig = At(arguments);
  rig.store().failures.append = ParseFailure(arguments.Text("append", "none"));
  rig.store().failures.apply = ParseFailure(arguments.Text("apply", "none"));
  rig.store().failures.keep = ParseFailure(arguments.Text("keep", "none"));
  return {};
}

// checkpoint NAME [truncate]
Lines GroupStory::Checkpoint(Arguments& arguments) {
  At(arguments).Checkpoint(arguments.Flag("truncate"));
  return {};
}

// ---- clients --------------------------------------------------------------------------------------------------------

// write at=NAME and what ParseRequest takes; then ; put k v ; ...
Lines GroupStory::Write(Arguments& arguments) {
  CoreRig& rig = At(arguments);
  rig.Write(ParseRequest(arguments, parts_, rig.now()));
  group_->Collect();
  return News();
}

// purge at=NAME [reached=MS] KEY@E.L
Lines GroupStory::Purge(Arguments& arguments) {
  CoreRig& rig = At(arguments);
  const std::string reached = arguments.Text("reached", "");
  TabletTime time;
  if (!reached.empty()) time = TabletTime{static_cast<uint64_t>(ts::testing::kMorningMs + std::stoll(reached))};
  std::vector<ts::ExpiredKey> keys;
  for (std::string word = arguments.Word(); !word.empty(); word = arguments.Word()) {
    const size_t at = word.find('@');
    if (at == std::string::npos) throw std::invalid_argument("write KEY@VERSION");
    keys.push_back({word.substr(0, at), ParseVersion(word.substr(at + 1))});
  }
  rig.Purge(std::move(keys), time);
  group_->Collect();
  return News();
}

// read NAME KEY [applied]: STRONG, if the view lets it be read here; or the applied record, on any replica
Lines GroupStory::Read(Arguments& arguments) {
  const std::string name = ParseServer(*group_, arguments);
  const std::string key = arguments.Word();
  const CoreRig& rig = group_->at(name);
  const ts::TabletView& view = *rig.view;
  if (arguments.Flag("applied")) {
    if (view.incomplete) return {name + " refuses: incomplete"};
  } else {
    if (view.role != ts::RoleKind::kPrimary) return {name + " refuses: it is not the primary"};
    if (!view.barrier_applied) return {name + " refuses: its Barrier is not applied"};
    if (view.frozen) return {name + " refuses: it is frozen"};
    if (view.pending_primary) return {name + " waits for entry " + std::to_string(view.pending_primary.value)};
    if (rig.now() >= view.lease_until) return {name + " must ask a majority"};
  }
  const auto found = rig.store().records().find(key);
  return {name + " reads " + (found == rig.store().records().end() ? "no " + key : Show(key, found->second))};
}

// confirm NAME: what a STRONG read without a lease asks
Lines GroupStory::Confirm(Arguments& arguments) {
  At(arguments).Confirm();
  group_->Collect();
  return News();
}

// ---- pictures -------------------------------------------------------------------------------------------------------

// catalog: as the masters have it
Lines GroupStory::Catalog(Arguments&) {
  const auto& catalog = group_->catalog();
  std::ostringstream line;
  line << "epoch " << catalog.epoch << " primary " << catalog.primary << " voters";
  for (const auto& voter : catalog.voters) line << " " << voter;
  for (const auto& learner : catalog.learners) line << " learner " << learner;
  return {line.str()};
}

// state NAME...: all if none is named
Lines GroupStory::State(Arguments& arguments) {
  std::vector<ServerName> names;
  for (std::string name = arguments.Word(); !name.empty(); name = arguments.Word()) names.push_back(name);
  const auto all = group_->servers();
  if (names.empty()) names = all;
  Lines lines;
  for (const ServerName& name : names) {
    if (std::find(all.begin(), all.end(), name) == all.end()) throw std::invalid_argument("no server " + name);
    const CoreRig& rig = group_->at(name);
    const ts::ReplicaCore& replica = rig.core().replica();
    const ts::TabletView& view = *rig.view;
    static constexpr const char* kRoles[] = {" absent", " follows", " leads"};
    std::ostringstream line;
    line << name << kRoles[static_cast<int>(replica.role())] << " epoch " << replica.epoch() << " promised "
         << replica.state().promised << " log to " << Show(replica.last_appended()) << " flushed "
         << replica.log().flushed() << " committed " << replica.committed() << " applied "
         << replica.log().applied().lsn;
    if (replica.Leads() && view.barrier_applied && view.lease_until > rig.now()) line << " reads";
    if (view.frozen_into) line << " frozen for " << view.frozen_into;
    if (replica.state().incomplete) line << " incomplete";
    if (replica.receiving() != 0) line << " receiving";
    if (replica.state().may_have_lost_writes) line << " may_have_lost_writes";
    if (replica.state().lost) line << " lost";
    if (replica.state().tombstone) line << " tombstone";
    if (replica.standing().transfer().epoch())
      line << " transferred " << replica.standing().transfer().epoch() << " to "
           << replica.standing().transfer().target();
    if (replica.standing().refused_for()) line << " refused for " << replica.standing().refused_for();
    if (!replica.failure().ok()) line << " dead";
    lines.push_back(line.str());
  }
  return lines;
}

// peers NAME: a primary's view of its peers
Lines GroupStory::Peers(Arguments& arguments) {
  Lines lines;
  for (const ts::PeerProgress& peer : At(arguments).core().replica().standing().Progress()) {
    lines.push_back(peer.peer + (peer.voter ? " voter" : " learner") + (peer.incomplete ? " incomplete" : "") +
                    (peer.copying ? " copying" : "") + " flushed " + std::to_string(peer.flushed.value));
  }
  return lines;
}

Lines GroupStory::Log(Arguments& arguments) {
  Lines lines;
  for (const ts::LogEntry& entry : At(arguments).store().Log()) lines.push_back(Show(entry));
  return lines;
}

Lines GroupStory::Records(Arguments& arguments) {
  Lines lines;
  for (const auto& [key, record] : At(arguments).store().records()) lines.push_back(Show(key, record));
  return lines;
}

// rolled_back NAME: acknowledged PRIMARY writes that left its log, and are kept
Lines GroupStory::RolledBack(Arguments& arguments) {
  Lines lines;
  for (const ts::EntryPtr& entry : At(arguments).store().rolled_back) lines.push_back(Show(*entry));
  return lines;
}

// time NAME: tablet time there
Lines GroupStory::Time(Arguments& arguments) {
  const std::string name = ParseServer(*group_, arguments);
  return {name + ": " + Show(group_->at(name).tablet_time())};
}

Lines GroupStory::News() {
  Lines lines = masters_->TakeNews();
  for (const ServerName& name : group_->servers()) {
    CoreRig& rig = group_->at(name);
    for (const ts::WriteReply& reply : std::exchange(rig.writes, {})) lines.push_back(name + ": " + Show(reply));
    for (const ts::PurgeReply& reply : std::exchange(rig.purges, {})) lines.push_back(name + ": " + Show(reply));
    for (const ts::ConfirmReply& reply : std::exchange(rig.confirms, {})) {
      lines.push_back(name + ": confirm " + std::string(CodeName(reply.status.code())));
    }
    if (!rig.store().fault.empty()) lines.push_back(name + " FAULT " + rig.store().fault);
  }
  return lines;
}

}  // namespace ebla::stories
