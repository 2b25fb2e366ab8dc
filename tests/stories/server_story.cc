#include "tests/stories/server_story.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "common/rpc/idl_convert.h"

namespace ebla::stories {

namespace ts = ebla::tabletserver;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr milliseconds kAWhile{100};    // in which all is answered that nothing holds up
constexpr seconds kServerPatience{20};  // of `await`

std::string Show(idl::Code::type code) { return std::string(CodeName(rpc::FromIdl(code))); }

std::string Show(const idl::ReplyHeader& header) {
  std::string text = Show(header.code);
  if (header.__isset.range) text += " of " + rpc::FromIdl(header.range).ToString();
  return text;
}

std::string Show(const idl::WriteReply& reply) {
  std::ostringstream line;
  line << Show(reply.header);
  if (reply.__isset.version) line << " version " << rpc::FromIdl(reply.version);
  for (const int64_t counter : reply.counters) line << " counter " << counter;
  return line.str();
}

std::string Show(const idl::GetReply& reply) {
  std::ostringstream line;
  line << Show(reply.header);
  if (reply.__isset.record) line << " " << reply.record.value << " version " << rpc::FromIdl(reply.record.version);
  return line.str();
}

idl::Write ToIdl(const ts::Write& write) {
  idl::Write to;
  to.kind = static_cast<idl::WriteKind::type>(write.kind);
  to.key = write.key;
  if (write.kind == ts::WriteKind::kPut) to.__set_value(write.value);
  if (write.kind == ts::WriteKind::kIncrement) to.__set_delta(write.delta);
  using Kind = ts::Condition::Kind;
  if (write.condition.kind == Kind::kNone) return to;
  idl::Condition condition;
  condition.kind = write.condition.kind == Kind::kAbsent   ? idl::ConditionKind::ABSENT
                   : write.condition.kind == Kind::kExists ? idl::ConditionKind::EXISTS
                                                           : idl::ConditionKind::VERSION_IS;
  if (write.condition.kind == Kind::kVersionIs) condition.__set_version(rpc::ToIdl(write.condition.version));
  to.__set_condition(condition);
  return to;
}

idl::WriteLevel::type WriteLevelOf(const std::string& text) {
  if (text == "majority") return idl::WriteLevel::MAJORITY;
  if (text == "primary") return idl::WriteLevel::PRIMARY;
  throw std::invalid_argument("no level " + text);
}

idl::ReadLevel::type ReadLevelOf(const std::string& text) {
  if (text == "strong") return idl::ReadLevel::STRONG;
  if (text == "session") return idl::ReadLevel::SESSION;
  if (text == "eventual") return idl::ReadLevel::EVENTUAL;
  throw std::invalid_argument("no level " + text);
}

}  // namespace

// Members of the fixture that only tests may use.
class ServerStory::Servers final : public ts::GroupFixture {
 public:
  using GroupFixture::AskSplit, GroupFixture::at, GroupFixture::Configure, GroupFixture::coordination_,
      GroupFixture::copy_bytes_per_second_, GroupFixture::Crash, GroupFixture::Cut, GroupFixture::Fence,
      GroupFixture::Heal, GroupFixture::kTable, GroupFixture::kTablet, GroupFixture::Level, GroupFixture::Member,
      GroupFixture::options_, GroupFixture::PutOf, GroupFixture::Roles, GroupFixture::scheduler_, GroupFixture::Start,
      GroupFixture::TryDrop, GroupFixture::Until, GroupFixture::View, GroupFixture::WriteAs;
  static constexpr int64_t kChild = kTablet + 64;

  void TestBody() override {}
  bool Is(const std::string& name) const { return std::ranges::find(names, name) != names.end(); }
  bool Runs(const std::string& name) { return at(name).server != nullptr; }
  int64_t TabletTimeOf(const std::string& name) {
    const auto view = View(name);
    return view == nullptr ? 0 : static_cast<int64_t>(view->time.at.value);
  }
  static int64_t TabletOf(Arguments& arguments) {
    const std::string which = arguments.Text("tablet", "parent");
    if (which != "parent" && which != "child") throw std::invalid_argument("tablet=parent or tablet=child");
    return which == "child" ? kChild : kTablet;
  }
  // Its last entries are a SPLIT, and it is not applied there.
  bool LogsSplit(const std::string& name) {
    const auto view = View(name);
    if (view == nullptr || view->applied == view->last_appended) return false;
    const auto log = at(name).store->ReadLog(TabletId{kTablet}, view->applied.lsn.Next(), Lsn{UINT64_MAX}, 1 << 20);
    return log && std::ranges::any_of(*log, [](const auto& entry) { return entry.kind == ts::EntryKind::kSplit; });
  }

  std::vector<std::string> names;
  int64_t learnt_ms = 0;  // of every write of the story without its own
};

ServerStory::ServerStory() = default;
ServerStory::~ServerStory() = default;

const std::map<std::string, ServerStory::Verb>& ServerStory::Verbs() {
  using S = ServerStory;
  static const std::map<std::string, Verb> verbs{{"servers", &S::Begin},
                                                 {"cut", &S::Cut},
                                                 {"heal", &S::Heal},
                                                 {"crash", &S::Crash},
                                                 {"start", &S::Start},
                                                 {"disk", &S::Disk},
                                                 {"copies", &S::Copies},
                                                 {"checkpoint", &S::Checkpoint},
                                                 {"pass", &S::Pass},
                                                 {"await", &S::Await},
                                                 {"configure", &S::Configure},
                                                 {"fence", &S::Fence},
                                                 {"drop", &S::Drop},
                                                 {"split", &S::Split},
                                                 {"write", &S::Write},
                                                 {"fill", &S::Fill},
                                                 {"read", &S::Read},
                                                 {"ranges", &S::Ranges},
                                                 {"log", &S::Log}};
  return verbs;
}

Result<Lines> ServerStory::Run(const std::string& line) {
  const bool begins = line.find_first_not_of(' ') == line.find("servers");
  if (begins != (servers_ == nullptr))
    return Error(Code::kInvalidArgument, "a story of servers begins with them, once");
  return RunVerb(*this, Verbs(), line, parts_);
}

std::string ServerStory::Name(Arguments& arguments) {
  std::string name = arguments.Text("at", "");
  if (name.empty()) name = arguments.Word();
  if (!servers_->Is(name)) throw std::invalid_argument("no server \"" + name + "\"");
  return name;
}

Lines ServerStory::News() {
  servers_->scheduler_.RunFor(kAWhile);
  return std::exchange(answers_, {});
}

void ServerStory::Answered(const std::string& what, int number, const std::string& how) {
  answers_.push_back(what + " " + std::to_string(number) + ": " + how);
}

// ---- the servers and the network ------------------------------------------------------------------------------------

// servers NAME... [log_retention=N] [window_bytes=N]: started, with nothing on them. They take only the checkpoints of
// the story.
Lines ServerStory::Begin(Arguments& arguments) {
  servers_ = std::make_unique<Servers>();
  servers_->options_.checkpoint = {
      .period = seconds(600'000), .log_bytes = size_t{1} << 40, .look_every = milliseconds(500)};
  if (const size_t kept = arguments.Number("log_retention", 0))
    servers_->options_.shard.log_retention.entries_max = kept;
  servers_->options_.shard.dedup_window.bytes_max =
      arguments.Number("window_bytes", servers_->options_.shard.dedup_window.bytes_max);
  for (std::string name = arguments.Word(); !name.empty(); name = arguments.Word()) {
    servers_->names.push_back(name);
    servers_->Start(name);
  }
  if (servers_->names.empty()) throw std::invalid_argument("no servers");
  return {};
}

// cut A B: nothing passes between them any more
Lines ServerStory::Cut(Arguments& arguments) {
  const std::string one = Name(arguments);
  servers_->Cut(one, Name(arguments));
  return {};
}

Lines ServerStory::Heal(Arguments&) {
  servers_->Heal();
  return News();
}

// crash NAME [process]: its machine, or its process alone
Lines ServerStory::Crash(Arguments& arguments) {
  using Kind = ts::SimulatedDisk::CrashKind;
  const Kind kind = arguments.Flag("process") ? Kind::kProcess : Kind::kMachine;
  servers_->Crash(Name(arguments), kind);
  answers_.clear();  // whom the process has not answered by now it never does
  return {};
}

Lines ServerStory::Start(Arguments& arguments) {
  servers_->Start(Name(arguments));
  return News();
}

// disk NAME [ms=N]: so long takes whatever it is asked to flush
Lines ServerStory::Disk(Arguments& arguments) {
  const auto each = milliseconds(arguments.Number("ms", 0));
  servers_->at(Name(arguments)).disk.SetLatency(each, each);
  return {};
}

// copies [bytes=N]: bytes per second of all copies; without a number, no limit
Lines ServerStory::Copies(Arguments& arguments) {
  servers_->copy_bytes_per_second_ =
      static_cast<int64_t>(arguments.Number("bytes", static_cast<uint64_t>(ts::CopyThrottle::kDefaultBytesPerSecond)));
  return {};
}

// checkpoint NAME [truncate] [discarded]: truncate drops the applied part of the parent's log; discarded takes it just
// when a copy has discarded the parent's records
Lines ServerStory::Checkpoint(Arguments& arguments) {
  const bool truncate = arguments.Flag("truncate");
  const bool discarded = arguments.Flag("discarded");
  const std::string name = Name(arguments);
  Servers::Member& member = servers_->at(name);
  if (discarded && !member.store->ForgetReplica(TabletId{Servers::kTablet}).ok()) return {"nothing is discarded"};
  bool taken = false;
  member.store->Checkpoint(*member.executor, [&](const auto& result) { taken = result.has_value(); });
  if (!servers_->Until([&] { return taken; }, kServerPatience)) return {"no checkpoint"};
  if (!truncate) return {};
  const Status status = member.store->TruncateLog(TabletId{Servers::kTablet}, servers_->View(name)->applied.lsn);
  return status.ok() ? Lines{} : Lines{status.ToString()};
}

// pass ms=N
Lines ServerStory::Pass(Arguments& arguments) {
  servers_->scheduler_.RunFor(milliseconds(arguments.Number("ms", 0)));
  return std::exchange(answers_, {});
}

std::function<bool()> ServerStory::Condition(const std::string& name, const std::string& what, int64_t tablet,
                                             const std::string& of) {
  const auto view = [this, name, tablet] { return servers_->View(name, tablet); };
  if (what == "serves") return [view] { return view() != nullptr && view()->barrier_applied; };
  if (what == "there") return [view] { return view() != nullptr; };
  if (what == "gone") return [view] { return view() == nullptr; };
  if (what == "copied") return [view] { return view() != nullptr && view()->incomplete && view()->applied; };
  if (what == "logs-split") return [this, name] { return servers_->LogsSplit(name); };
  if (what == "level") return [this, name, tablet, of] { return servers_->Level(name, of, tablet); };
  throw std::invalid_argument("nothing to wait for: \"" + what + "\"");
}

// await NAME serves|there|gone|copied|logs-split|level [of=PRIMARY] [tablet=child]
Lines ServerStory::Await(Arguments& arguments) {
  const std::string name = Name(arguments);
  const int64_t tablet = Servers::TabletOf(arguments);
  const std::string of = arguments.Text("of", "");
  const std::string what = arguments.Word();
  const auto holds = Condition(name, what, tablet, of);
  if (!servers_->Until(holds, kServerPatience)) answers_.push_back("it never comes to that");
  return std::exchange(answers_, {});
}

// ---- masters --------------------------------------------------------------------------------------------------------

// configure NAME epoch=N [voters=A,B] [learners=C] [tablet=child] [start=K] [end=K] [fenced]: configures the named
// servers
Lines ServerStory::Configure(Arguments& arguments) {
  Servers::Roles roles;
  const int64_t epoch = static_cast<int64_t>(arguments.Number("epoch", 1));
  roles.voters = SplitNames(arguments.Text("voters", ""));
  roles.learners = SplitNames(arguments.Text("learners", ""));
  roles.tablet = Servers::TabletOf(arguments);
  roles.start = arguments.Text("start", "");
  roles.end = arguments.Text("end", "");
  const bool fenced = arguments.Flag("fenced");
  roles.primary = Name(arguments);
  if (roles.voters.empty()) roles.voters = {roles.primary};
  if (!servers_->Configure(epoch, roles, fenced)) answers_.push_back(roles.primary + " does not obey");
  if (servers_->learnt_ms == 0) servers_->learnt_ms = servers_->TabletTimeOf(roles.primary);
  return News();
}

// fence A,B epoch=N [tablet=child]
Lines ServerStory::Fence(Arguments& arguments) {
  const int64_t epoch = static_cast<int64_t>(arguments.Number("epoch", 0));
  const int64_t tablet = Servers::TabletOf(arguments);
  if (!servers_->Fence(epoch, SplitNames(arguments.Word()), tablet)) answers_.push_back("not all promise it");
  return News();
}

// drop NAME epoch=N [tablet=child] [child]: the last means that the catalog has the child
Lines ServerStory::Drop(Arguments& arguments) {
  const int64_t epoch = static_cast<int64_t>(arguments.Number("epoch", 0));
  const int64_t tablet = Servers::TabletOf(arguments);
  std::vector<int64_t> splits;
  if (arguments.Flag("child")) splits.push_back(Servers::kChild);
  answers_.push_back("drop: " + Show(servers_->TryDrop(Name(arguments), epoch, tablet, std::move(splits))));
  return News();
}

// split NAME [key=KEY] [epoch=N] [now]: the last, without any time for it
Lines ServerStory::Split(Arguments& arguments) {
  const std::string key = arguments.Text("key", "m");
  const bool now = arguments.Flag("now");
  const int64_t epoch = static_cast<int64_t>(arguments.Number("epoch", 1));
  const std::string name = Name(arguments);
  servers_->AskSplit(name, epoch, key, Servers::kChild, [this, number = ++asked_](const idl::SplitResult& result) {
    std::ostringstream line;
    line << Show(result.status.code);
    if (result.__isset.split) {
      line << " tablet " << result.split.childId << " at " << result.split.position.epoch << "."
           << result.split.position.lsn << " by " << result.split.primary;
    }
    Answered("split", number, line.str());
  });
  return now ? Lines{} : News();
}

// ---- clients --------------------------------------------------------------------------------------------------------

// write NAME client=N seq=N [level=L] [learnt=now]; then ; put k v ; ...
Lines ServerStory::Write(Arguments& arguments) {
  idl::WriteRequest request;
  request.header.tableId = Servers::kTable;
  request.clientId = static_cast<int64_t>(arguments.Number("client", 1));
  request.sequence = static_cast<int64_t>(arguments.Number("seq", 0));
  request.firstIncomplete = static_cast<int64_t>(arguments.Number("first", 1));
  const std::string level = arguments.Text("level", "majority");
  request.level = WriteLevelOf(level);
  const bool now = arguments.Text("learnt", "") == "now";
  const std::string name = Name(arguments);
  request.header.__set_tabletTimeMs(now ? servers_->TabletTimeOf(name) : servers_->learnt_ms);
  for (size_t i = 1; i < parts_.size(); ++i) request.writes.push_back(ToIdl(ParseWrite(parts_[i])));
  const auto answered = [this, number = ++asked_](const idl::WriteReply& reply) {
    Answered("write", number, Show(reply));
  };
  servers_->at(name).server->tablet_service()->write(answered, request);
  return News();
}

// fill NAME PREFIX count=N [bytes=N]: so many records, each in a write of its own
Lines ServerStory::Fill(Arguments& arguments) {
  const uint64_t count = arguments.Number("count", 0), bytes = arguments.Number("bytes", 1);
  const std::string name = Name(arguments), prefix = arguments.Word();
  for (uint64_t i = 0; i < count; ++i) {
    const auto reply =
        servers_->WriteAs(name, 1'000'000, static_cast<int64_t>(++asked_),
                          {Servers::PutOf(prefix + std::to_string(10'000 + i), std::string(bytes, 'x'))});
    if (reply.header.code != idl::Code::OK) return {"fill: " + Show(reply)};
  }
  return {};
}

// read NAME KEY [level=strong|session|eventual] [token=E.L[,E.L]] [pending=E.L]: the token has the position that the
// session has seen applied, for all keys, and its own PRIMARY writes
Lines ServerStory::Read(Arguments& arguments) {
  idl::GetRequest request;
  request.header.tableId = Servers::kTable;
  request.options.level = ReadLevelOf(arguments.Text("level", "strong"));
  request.__isset.options = true;
  const std::string applied = arguments.Text("token", ""), pending = arguments.Text("pending", "");
  if (!applied.empty() || !pending.empty()) {
    idl::TokenRange seen;
    if (!applied.empty()) seen.applied = rpc::ToIdl(ParseVersion(applied));
    if (!pending.empty()) seen.__set_pendingPrimary({rpc::ToIdl(ParseVersion(pending))});
    idl::SessionToken token;
    token.tableId = Servers::kTable;
    token.ranges = {seen};
    request.header.__set_token(token);
  }
  const std::string name = Name(arguments);
  request.key = arguments.Word();
  const auto answered = [this, number = ++asked_](const idl::GetReply& reply) {
    Answered("read", number, Show(reply));
  };
  servers_->at(name).server->tablet_service()->get(answered, request);
  return News();
}

// ---- pictures -------------------------------------------------------------------------------------------------------

// ranges NAME...: all running servers if none is named. Each range has * if the server is its primary, ! if it is
// incomplete
Lines ServerStory::Ranges(Arguments& arguments) {
  std::vector<std::string> names;
  for (std::string name = arguments.Word(); !name.empty(); name = arguments.Word()) names.push_back(name);
  if (names.empty()) names = servers_->names;
  Lines lines;
  for (const std::string& name : names) {
    if (!servers_->Is(name)) throw std::invalid_argument("no server " + name);
    if (!servers_->Runs(name)) continue;
    std::string line = name;
    const auto snapshot = servers_->at(name).server->directory().snapshot();
    const ts::TabletDirectory::Ranges* ranges = snapshot->Table(TableId{Servers::kTable});
    for (size_t i = 0; ranges != nullptr && i < ranges->size(); ++i) {
      const auto& entry = (*ranges)[i];
      const auto view = entry.handle->view();
      const bool child = entry.handle->tablet == TabletId{Servers::kChild};
      line += std::string(child ? " child" : " parent") + entry.range.ToString();
      if (view == nullptr) continue;
      if (view->role == ts::RoleKind::kPrimary) line += "*";
      if (view->incomplete) line += "!";
      line += " promised " + std::to_string(view->promised.value);
    }
    lines.push_back(line);
  }
  return lines;
}

// log NAME [tablet=child]: the kinds of what is stored, with their positions
Lines ServerStory::Log(Arguments& arguments) {
  const int64_t tablet = Servers::TabletOf(arguments);
  const std::string name = Name(arguments);
  const auto log =
      servers_->at(name).store->ReadLog(TabletId{static_cast<uint64_t>(tablet)}, Lsn{1}, Lsn{UINT64_MAX}, 1 << 20);
  if (!log) return {log.error().ToString()};
  Lines lines;
  for (const ts::LogEntry& entry : *log) {
    std::string line = entry.version.ToString() + (entry.kind == ts::EntryKind::kSplit     ? " split"
                                                   : entry.kind == ts::EntryKind::kBarrier ? " barrier"
                                                   : entry.kind == ts::EntryKind::kFloor   ? " floor"
                                                                                           : " write");
    for (const ts::Effect& effect : entry.effects) line += " " + effect.key + "=" + effect.value;
    lines.push_back(line);
  }
  return lines;
}

}  // namespace ebla::stories
