#include "tests/stories/master_story.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "common/rpc/idl_convert.h"

namespace ebla::stories {

using master::testing::FakeServer;
using master::testing::MasterRig;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr char kTable[] = "carts";
constexpr seconds kMasterPatience{60};  // of `await`

std::string Range(const idl::KeyRange& range) { return rpc::FromIdl(range).ToString(); }

}  // namespace

const std::map<std::string, MasterStory::Verb>& MasterStory::Verbs() {
  using M = MasterStory;
  static const std::map<std::string, Verb> verbs{
      {"masters", &M::Masters},   {"kill", &M::Kill},         {"server", &M::Server},
      {"create", &M::Create},     {"split", &M::Split},       {"pass", &M::Pass},
      {"transfer", &M::Transfer}, {"await", &M::Await},       {"coordinator", &M::Coordinator},
      {"catalog", &M::Catalog},   {"replicas", &M::Replicas}, {"merge", &M::Merge}};
  return verbs;
}

Result<Lines> MasterStory::Run(const std::string& line) {
  const bool begins = line.find_first_not_of(' ') == line.find("masters");
  if (begins != (cluster_ == nullptr))
    return Error(Code::kInvalidArgument, "a story of masters begins with them, once");
  return RunVerb(*this, Verbs(), line, parts_);
}

// By its name, or by what it was when the table was made: "primary", "follower".
FakeServer& MasterStory::ServerOf(std::string name) {
  if (name == "primary" && !voters_.empty()) name = voters_[0];
  if (name == "follower" && voters_.size() > 1) name = voters_[1];
  for (auto& server : cluster_->servers()) {
    if (server->name() == name) return *server;
  }
  throw std::invalid_argument("no server \"" + name + "\"");
}

template <class Reply, class Request>
void MasterStory::Ask(const std::string& what,
                      void (idl::MasterServiceCobSvIf::*method)(std::function<void(const Reply&)>, const Request&),
                      const Request& request) {
  const auto leader = cluster_->Leader();
  if (!leader) throw std::runtime_error("no leader");
  auto& asked = cluster_->master(*leader);
  asked.executor->Post([service = asked.master->service(), method, request, what, answers = answers_] {
    (service.get()->*method)(
        [what, answers](const Reply& reply) {
          answers->push_back(what + ": " + std::string(CodeName(rpc::FromIdl(reply.header.code))));
        },
        request);
  });
}

Lines MasterStory::News() {
  Lines lines = std::exchange(*answers_, {});
  for (const std::string& violation : cluster_->ledger().violations()) lines.push_back("FAULT " + violation);
  return lines;
}

// masters [servers=N]: two of them
Lines MasterStory::Masters(Arguments& arguments) {
  cluster_ = std::make_unique<MasterRig>(MasterRig::Shape{.masters = 2, .servers = arguments.Number("servers", 3)});
  if (!cluster_->WaitForLeader() || !cluster_->WaitForServers()) throw std::runtime_error("they do not come up");
  cluster_->scheduler().RunFor(seconds(2));
  return {};
}

// kill: the leading master dies, and the other leads, as soon as there is a coordinator
Lines MasterStory::Kill(Arguments&) {
  const auto leader = cluster_->Leader();
  if (!leader) throw std::runtime_error("no leader");
  cluster_->KillMaster(*leader);
  const bool away = !cluster_->coordination().available();
  if (!away && !cluster_->WaitForLeader()) throw std::runtime_error("nobody takes over");
  return News();
}

// coordinator away|back
Lines MasterStory::Coordinator(Arguments& arguments) {
  const std::string what = arguments.Word();
  if (what != "away" && what != "back") throw std::invalid_argument("a coordinator that is \"" + what + "\"");
  cluster_->coordination().SetAvailable(what == "back");
  return News();
}

// `server NAME stops|starts|mute|speaks|silent|heard|loses-split-answers|refuses-splits|comes-again|refuses-freezes|
// loses-freeze-answers|obeys|holds-splits|applies-splits|empty`
Lines MasterStory::Server(Arguments& arguments) {
  FakeServer& server = ServerOf(arguments.Word());
  const std::string what = arguments.Word();
  if (what == "stops") {
    server.Stop();
  } else if (what == "starts") {
    server.Start();
  } else if (what == "silent" || what == "heard") {
    server.silent = what == "silent";
  } else if (what == "mute" || what == "speaks") {
    server.mute = what == "mute";
  } else if (what == "loses-split-answers") {
    server.lose_split_answers = true;
  } else if (what == "refuses-splits") {
    server.refuse_split = idl::Code::INVALID_ARGUMENT;
  } else if (what == "comes-again") {
    server.refuse_split = idl::Code::COME_AGAIN;
  } else if (what == "refuses-freezes") {
    server.refuse_freeze = idl::Code::COME_AGAIN;
  } else if (what == "loses-freeze-answers") {
    server.lose_freeze_answers = true;
  } else if (what == "obeys") {
    server.refuse_split.reset();
    server.refuse_freeze.reset();
    server.lose_split_answers = server.lose_freeze_answers = false;
  } else if (what == "holds-splits" || what == "applies-splits") {
    server.hold_splits = what == "holds-splits";
  } else if (what == "empty") {
    server.mutable_replicas().clear();
  } else {
    throw std::invalid_argument("a server that does what: \"" + what + "\"");
  }
  return News();
}

// create [replicas=N]: one tablet
Lines MasterStory::Create(Arguments& arguments) {
  idl::TableOptions options;
  options.__set_replicas(static_cast<int>(arguments.Number("replicas", 3)));
  const auto reply = cluster_->Create(kTable, {}, options);
  if (reply.header.code != idl::Code::OK) return {reply.header.message};
  if (!cluster_->RunUntil([&] { return cluster_->WhyNotServing(kTable).empty(); }, kMasterPatience))
    return {"it does not serve"};
  const idl::TabletInfo made = cluster_->Tablets().begin()->second;
  voters_ = {made.primary};
  for (const std::string& voter : made.voters) {
    if (voter != made.primary) voters_.push_back(voter);
  }
  cluster_->scheduler().RunFor(seconds(2));  // and everybody has reported
  return News();
}

// split key=KEY [ms=N]: asked for, and so much time passes
Lines MasterStory::Split(Arguments& arguments) {
  idl::SplitTabletRequest request;
  request.table = kTable;
  request.key = arguments.Text("key", "m");
  Ask("split", &idl::MasterServiceCobSvIf::splitTablet, request);
  cluster_->scheduler().RunFor(milliseconds(arguments.Number("ms", 300)));
  return News();
}

// merge [key=KEY] [ms=N | until=frozen|intended]: with the tablet before it; all of both primaries' are frozen; the
// catalog is to have one
Lines MasterStory::Merge(Arguments& arguments) {
  idl::MergeTabletsRequest request;
  request.table = kTable;
  request.key = arguments.Text("key", "m");
  request.deadlineMs = 20'000;
  Ask("merge", &idl::MasterServiceCobSvIf::mergeTablets, request);
  const std::string until = arguments.Text("until", "");
  if (until.empty()) {
    cluster_->scheduler().RunFor(milliseconds(arguments.Number("ms", 300)));
    return News();
  }
  if (until != "frozen" && until != "intended") throw std::invalid_argument("until what?");
  const auto has_come = [&](const auto& item) {
    const auto path = coordination::layout::TabletPath(TabletId{static_cast<uint64_t>(item.first)});
    if (until == "intended")
      return coordination::DecodeNode<idl::TabletNode>(cluster_->coordination().tree().Get(path)->data)->__isset.merge;
    return ServerOf(item.second.primary).replicas().at(item.first).freeze.has_value();
  };
  const bool came =
      cluster_->RunUntil([&] { return std::ranges::all_of(cluster_->Tablets(), has_come); }, kMasterPatience);
  Lines lines = News();
  if (!came) lines.push_back("it never comes to that");
  return lines;
}

// transfer to=NAME [key=KEY] [ms=N | until=decided|released]: the catalog names it; the primary before has let go
Lines MasterStory::Transfer(Arguments& arguments) {
  idl::TransferTabletRequest request;
  request.table = kTable;
  request.toServer = ServerOf(arguments.Text("to", "")).name();
  request.key = arguments.Text("key", "a");
  request.deadlineMs = 500;
  Ask("transfer", &idl::MasterServiceCobSvIf::transferTablet, request);
  const std::string until = arguments.Text("until", "");
  if (until.empty()) {
    cluster_->scheduler().RunFor(milliseconds(arguments.Number("ms", 1000)));
    return News();
  }
  const idl::TabletInfo before = cluster_->Tablets().begin()->second;
  const bool came = cluster_->RunUntil(
      [&] {
        if (until == "decided") return cluster_->Tablets().begin()->second.epoch > before.epoch;
        if (until != "released") throw std::invalid_argument("until what?");
        return ServerOf(before.primary).replicas().at(before.tabletId).released == before.epoch;
      },
      kMasterPatience);
  Lines lines = News();
  if (!came) lines.push_back("it never comes to that");
  return lines;
}

Lines MasterStory::Pass(Arguments& arguments) {
  cluster_->scheduler().RunFor(milliseconds(arguments.Number("ms", 0)));
  return News();
}

// await tablets=N | serving | held=NAME: that many tablets; all as it should be; the server has a replica of each
Lines MasterStory::Await(Arguments& arguments) {
  const size_t tablets = arguments.Number("tablets", 0);
  const std::string held = arguments.Text("held", "");
  const FakeServer* holder = held.empty() ? nullptr : &ServerOf(held);
  if (tablets == 0 && holder == nullptr && !arguments.Flag("serving")) throw std::invalid_argument("await what?");
  const bool came = cluster_->RunUntil(
      [&] {
        if (tablets > 0) return cluster_->Tablets().size() == tablets;
        if (holder != nullptr) return holder->replicas().size() == cluster_->Tablets().size();
        return cluster_->WhyNotServing(kTable).empty();
      },
      kMasterPatience);
  Lines lines = News();
  if (!came) lines.push_back("it never comes to that: " + cluster_->WhyNotServing(kTable));
  return lines;
}

// catalog: its tablets, as the coordinator has them
Lines MasterStory::Catalog(Arguments&) {
  Lines lines;
  for (const auto& [id, info] : cluster_->Tablets()) {
    const auto path = coordination::layout::TabletPath(TabletId{static_cast<uint64_t>(id)});
    const auto node = coordination::DecodeNode<idl::TabletNode>(cluster_->coordination().tree().Get(path)->data);
    std::string line =
        Range(info.range) + " epoch " + std::to_string(info.epoch) + " primary " + info.primary + " voters";
    for (const auto& voter : info.voters) line += " " + voter;
    if (node->__isset.split) line += " to be split at " + node->split.key;
    if (node->__isset.merge) line += node->merge.givenUp ? " not to be merged" : " to be merged";
    lines.push_back(line);
  }
  return lines;
}

// replicas: what each server has; * it leads it, ~ it is frozen, ! it is incomplete
Lines MasterStory::Replicas(Arguments&) {
  Lines lines;
  for (const auto& server : cluster_->servers()) {
    std::string line = server->name() + (server->running() ? "" : " is away");
    for (const auto& [id, replica] : server->replicas()) {
      line += " " + Range(replica.range) + (replica.leading ? "*" : "") + (replica.freeze ? "~" : "") +
              (replica.incomplete ? "!" : "");
    }
    lines.push_back(line);
  }
  return lines;
}

}  // namespace ebla::stories
