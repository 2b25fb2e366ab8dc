#include "tests/chaos/damage/case_run.h"

#include <algorithm>
#include <filesystem>
#include <thread>

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr auto kStartTimeMax = 20s;
constexpr auto kCallDeadline = 2s;
constexpr auto kReadDeadline = 700ms;
constexpr auto kServeTimeMax = 20s;  // of tablets with two sound replicas, or of a sound standalone
constexpr auto kAloneTimeMax = 3s;   // of a standalone, once it is ready
constexpr auto kDoubtTimeMax = 6s;   // of tablets that may have to wait
constexpr auto kMendTimeMax = 60s;
constexpr auto kScrubTimeMax = 10s;
constexpr auto kLookEvery = 100ms;
constexpr auto kCheckEvery = 250ms;
constexpr int kRestartsMax = 2;
constexpr int kLooksBeforeAsking = 10;
constexpr size_t kTextMax = 400;

std::string Flat(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  if (text.size() > kTextMax) text = text.substr(0, kTextMax) + "...";
  return text;
}

// The last words of a program that refuses to start. Its log before may name any file.
std::string RefusalOf(const std::string& output) {
  size_t at = std::string::npos;
  for (const std::string program : {"ebla-standalone: ", "ebla-tabletserver: "})
    if (const size_t found = output.rfind("\n" + program); found != output.npos)
      at = found + 1;
    else if (output.starts_with(program))
      at = 0;
  return at == std::string::npos ? output : output.substr(at);
}

std::string First(const std::vector<std::string>& texts) { return texts.empty() ? "" : texts.front(); }

}  // namespace

CaseRun::CaseRun(const Prepared& prepared, CaseRunOptions options)
    : prepared_(prepared),
      options_(std::move(options)),
      standalone_(options_.one.shape == Shape::kStandalone),
      victim_(standalone_ ? "standalone" : "ts-1"),
      root_("/case-" + std::to_string(options_.one.number)),
      facts_(FactsOf(options_.one.kind)),
      site_({.shape = options_.one.shape,
             .dir = options_.dir,
             .bin_dir = options_.bin_dir,
             .zookeeper = standalone_ ? "" : options_.trees->AddressOf(root_)}),
      records_(prepared.records),
      outcome_{.one = options_.one} {}

CaseRun::~CaseRun() {
  client_.reset();
  if (standalone_) return;
  for (const std::string& server : site_.servers()) (void)site_.Kill(server);
  (void)site_.Kill("m-1");
  options_.trees->Remove(root_);
}

Status CaseRun::Begin() {
  EBLA_TRY(CopyDirectory(prepared_.site(), options_.dir));
  if (!standalone_) EBLA_TRY(options_.trees->Write(root_, prepared_.tree));
  EBLA_TRY(site_.PickPorts());
  if (options_.one.damage == Damage::kForbidden) site_.ObeyPermissions();
  EBLA_TRY(site_.StartControl());
  EBLA_ASSIGN(client_, site_.Connect(kCallDeadline));
  return {};
}

Outcome CaseRun::Run() {
  const auto begin = steady_clock::now();
  Decided decided;
  if (const Status begun = Begin(); !begun.ok()) decided = Decide(Verdict::kBroken, begun.ToString());
  if (!decided) decided = standalone_ ? Standalone() : Cluster();
  outcome_.verdict = decided.value_or(disturbed_ ? Verdict::kMended : Verdict::kServed);
  if (outcome_.seconds == 0) outcome_.seconds = std::chrono::duration<double>(steady_clock::now() - begin).count();
  JudgeNeed(outcome_, !remade_.empty());
  return outcome_;
}

CaseRun::Decided CaseRun::Decide(Verdict verdict, std::string why) {
  outcome_.why = Flat(std::move(why));
  return verdict;
}

Result<Harm> CaseRun::HarmOf(const KindFacts& facts) const {
  const Damage damage = options_.one.damage;
  EBLA_ASSIGN(std::string path, FindFile(facts, site_.DataDir(victim_)));
  std::string other = older_;
  if (damage == Damage::kForeign) {
    EBLA_ASSIGN(other, FindFile(facts, prepared_.site() + "/ts-2"));
  } else if (damage == Damage::kSwapped) {
    EBLA_ASSIGN(other, FindFile(facts, site_.DataDir("ts-2")));
  } else if (other.empty()) {
    other = prepared_.OlderOf(victim_, facts, fs::path(path).filename());
  }
  return Harm{.path = std::move(path),
              .older = std::move(other),
              .damage = damage,
              .place = options_.one.place,
              .seed = options_.seed + static_cast<uint64_t>(options_.one.number) + done_.size(),
              .directory = facts.directory()};
}

CaseRun::Decided CaseRun::HarmFiles() {
  for (const FileKind kind : PartsOf(options_.one.kind)) {
    const auto harm = HarmOf(FactsOf(kind));
    if (!harm) return Decide(Verdict::kNoFile, harm.error().message());
    const auto done = Inflict(*harm);
    if (!done) {
      const Code code = done.error().code();
      const bool nothing = code == Code::kNotFound || code == Code::kConditionFailed;
      if (nothing && !done_.empty()) continue;
      return Decide(nothing ? Verdict::kNoFile : Verdict::kBroken, done.error().message());
    }
    done_.push_back(*harm);
    outcome_.harm += (outcome_.harm.empty() ? "" : ", ") + *done;
  }
  return std::nullopt;
}

CaseRun::Decided CaseRun::Launch(const std::string& server) {
  // With checkpoints much of the log soon counts no more, and without them the records count no more at a start.
  const bool checkpoints = options_.one.number % 2 == 0;
  const Status launched = site_.Launch(
      server, {checkpoints ? "--checkpoint_seconds=1" : "--checkpoint_seconds=86400", "--scrub_period_s=86400"});
  return launched.ok() ? std::nullopt : Decide(Verdict::kBroken, launched.ToString());
}

CaseRun::Decided CaseRun::AwaitStart(const std::string& server) {
  const Started started = site_.Await(server, kStartTimeMax);
  if (started.end == StartEnd::kRefused) {
    refused_ = true;
    const std::string refusal = RefusalOf(started.text);
    const bool all_data = facts_.kind == FileKind::kDataDirectory || facts_.kind == FileKind::kLateDataDirectory;
    const bool named = NamesFile(refusal) || (facts_.directory() && NamesDirectory(refusal)) ||
                       (all_data && NamesCause(refusal)) ||
                       (facts_.kind == FileKind::kIdentity && refusal.contains(site_.DataDir(server)));
    outcome_.why = Flat(refusal);
    return named ? std::nullopt : Decided(Verdict::kUnnamed);
  }
  if (started.end == StartEnd::kReady) return std::nullopt;
  disturbed_ = true;
  return NamesCause(started.text) ? std::nullopt
                                  : Decide(Verdict::kStuck, "not ready after its start: " + started.text);
}

void CaseRun::LookForMends() {
  if (const auto servers = client_->ListServers())
    for (const ServerSummary& server : *servers)
      disturbed_ = disturbed_ || (server.name == victim_ && server.scrub && server.scrub->since_damage);
  if (standalone_) return;
  const auto tablets = client_->ListTablets();
  if (!tablets) return;
  for (const TabletSummary& tablet : *tablets)
    for (const std::string& server : site_.servers())
      if (std::ranges::find(tablet.voters, server) == tablet.voters.end()) remade_.insert(server);
}

bool CaseRun::Names(const Reading& reading) {
  if (std::ranges::all_of(reading.refused, [](const std::string& text) { return NamesCause(text); })) return true;
  const testing::Shown health = site_.Ebla("health");
  return health.code != 0 && NamesCause(health.text);
}

bool CaseRun::IsFinal(const Reading& reading) const {
  return standalone_ && reading.refusals == last_.refusals &&
         std::ranges::all_of(reading.refused, [](const std::string& text) { return NamesFile(text); });
}

CaseRun::Decided CaseRun::ReadAll(milliseconds limit) {
  const auto deadline = steady_clock::now() + limit;
  last_ = {};
  for (;; std::this_thread::sleep_for(kLookEvery)) {
    Reading reading = records_.Read(*client_, kReadDeadline);
    const bool final = IsFinal(reading);
    last_ = std::move(reading);
    LookForMends();
    if (!last_.wrong.empty()) return Decide(Verdict::kWrong, First(last_.wrong));
    if (!last_.missing.empty()) return Decide(Verdict::kSilent, First(last_.missing));
    if (last_.whole()) return std::nullopt;
    if (final || steady_clock::now() >= deadline || (standalone_ && !site_.Runs(victim_))) break;
  }
  disturbed_ = true;
  const std::string why = std::to_string(last_.refusals) + " reads refused: " + First(last_.refused);
  // An end while it served is judged by the start that follows.
  if (standalone_ && !site_.Runs(victim_)) return std::nullopt;
  return Names(last_) ? std::nullopt : Decide(Verdict::kUnnamed, why + " " + site_.Ebla("health").text);
}

CaseRun::Decided CaseRun::Scrub() {
  const auto passes = [&] { return site_.Figure(victim_, "ebla_scrub_passes_total"); };
  const auto begins = [&] {
    const auto begun = client_->Scrub(victim_);
    return begun && std::ranges::any_of(*begun, [](const ScrubBegun& one) { return one.status.ok(); });
  };
  const int64_t before = passes();
  bool begun = false;
  const auto deadline = steady_clock::now() + kScrubTimeMax;
  for (int look = 0; site_.Runs(victim_) && !StoreFailed(); ++look, std::this_thread::sleep_for(kLookEvery)) {
    LookForMends();
    if (begun && passes() > before) break;
    // A pass that ended by an error does not count, but makes room for the next.
    if ((!begun || look % kLooksBeforeAsking == 0) && begins()) {
      if (begun) break;
      begun = true;
    }
    if (steady_clock::now() >= deadline) return Decide(Verdict::kStuck, "its search for damage does not end");
  }
  LookForMends();
  return std::nullopt;
}

bool CaseRun::StoreFailed() const { return site_.Figure(victim_, "ebla_store_healthy") == 0; }

CaseRun::Decided CaseRun::KeepOlder() {
  if (options_.one.damage != Damage::kOlder || (facts_.directory() && !facts_.late)) return std::nullopt;
  if (PartsOf(facts_.kind).size() > 1) return std::nullopt;
  const auto path = FindFile(facts_, site_.DataDir(victim_));
  if (!path) return Decide(Verdict::kNoFile, path.error().message());
  older_ = options_.dir + "/older";
  std::error_code error;
  const Status copied = facts_.directory() ? CopyDirectory(*path, older_) : Status();
  if (!facts_.directory()) fs::copy_file(*path, older_, error);
  if (!copied.ok() || error) return Decide(Verdict::kBroken, "cannot copy " + *path);
  return std::nullopt;
}

CaseRun::Decided CaseRun::DamageRunning() {
  if (auto decided = AwaitStart(victim_); decided || refused_)
    return Decide(Verdict::kBroken, "it does not start undamaged: " + outcome_.why);
  if (auto decided = ReadAll(kServeTimeMax); decided || !last_.whole())
    return Decide(Verdict::kBroken, "it does not serve undamaged: " + First(last_.refused));
  const auto write = [&]() -> std::optional<Vouched> {
    const Ack ack = standalone_ ? Ack::kAll : Ack::kMajority;
    const Status written = records_.Write(*client_, 7, 0, ack, kCallDeadline);
    return written.ok() ? std::optional<Vouched>(site_.DataDir(victim_)) : std::nullopt;
  };
  if (auto decided = KeepOlder()) return decided;
  if (!older_.empty())
    if (const auto vouched = write()) vouched->Await();
  if (auto decided = HarmFiles()) return decided;
  disturbed_ = false;
  const auto vouched = write();
  if (auto decided = Scrub()) return decided;
  if (auto decided = ReadAll(standalone_ ? kAloneTimeMax : kDoubtTimeMax)) return decided;
  if (vouched && site_.Runs(victim_) && !StoreFailed()) vouched->Await();
  return std::nullopt;
}

CaseRun::Decided CaseRun::Standalone() {
  if (options_.one.moment == Moment::kRunning) {
    if (auto decided = Launch(victim_)) return decided;
    if (auto decided = DamageRunning()) return decided;
    (void)site_.Kill(victim_);
  } else if (auto decided = HarmFiles()) {
    return decided;
  }
  // The second start finds what the first one left.
  for (int start = 1; start <= 2; ++start) {
    if (auto decided = Launch(victim_)) return decided;
    if (auto decided = AwaitStart(victim_)) return decided;
    if (refused_) return Undone(Verdict::kRefused);
    if (auto decided = ReadAll(kAloneTimeMax)) return decided;
    if (start == 2) break;
    if (auto decided = Scrub()) return decided;
    (void)site_.Kill(victim_);
  }
  if (last_.whole()) return Undone(std::nullopt);
  return Undone(Decide(Verdict::kWaits, std::to_string(last_.refusals) + " reads refused: " + First(last_.refused)));
}

CaseRun::Decided CaseRun::Cluster() {
  const bool away = options_.one.shape == Shape::kOneAway, running = options_.one.moment == Moment::kRunning;
  if (running) {
    for (const std::string& server : site_.servers())
      if (!away || server != "ts-3")
        if (auto decided = Launch(server)) return decided;
    if (auto decided = DamageRunning()) return decided;
    (void)site_.Kill(victim_);
    if (away) (void)site_.Kill("ts-2");
  } else if (auto decided = HarmFiles()) {
    return decided;
  }
  const bool swapped = options_.one.damage == Damage::kSwapped;
  for (const std::string& server : site_.servers())
    if (!site_.Runs(server) && (!away || server != "ts-2"))
      if (auto decided = Launch(server)) return decided;
  const auto started = steady_clock::now();
  if (auto decided = AwaitStart(victim_)) return decided;
  if (swapped)
    if (auto decided = AwaitStart("ts-2")) return decided;
  if (away || swapped) {
    // Without the victim one of three is there, so nothing can be read.
    if (auto decided = ReadAll(refused_ ? 1s : kDoubtTimeMax)) return decided;
  }
  if (swapped) return Undone(refused_ ? Decided(Verdict::kRefused) : std::nullopt);
  if (away)
    if (auto decided = Launch("ts-2")) return decided;
  if (auto decided = AllRight()) return decided;
  outcome_.seconds = std::chrono::duration<double>(steady_clock::now() - started).count();
  disturbed_ = disturbed_ || !remade_.empty();
  return Undone(refused_ ? Decided(Verdict::kRefused) : std::nullopt);
}

CaseRun::Decided CaseRun::AllRight() {
  if (auto decided = ReadAll(kServeTimeMax)) return decided;
  if (!last_.whole())
    return Decide(Verdict::kStuck, "two replicas are sound, and " + std::to_string(last_.refusals) +
                                       " reads are refused: " + First(last_.refused));
  // A file that cannot be opened may fail the store until it can be.
  const bool whole = options_.one.damage != Damage::kForbidden || undone_;
  if (!refused_)
    if (auto decided = whole ? AwaitMended() : Scrub()) return decided;
  if (remade_.contains("ts-2") || remade_.contains("ts-3"))
    return Decide(Verdict::kNeedless, "replicas of a sound server were made again");
  return std::nullopt;
}

CaseRun::Decided CaseRun::Undone(Decided before) {
  if (!IsUndone(options_.one.damage)) return before;
  const std::string seen = outcome_.why;
  std::vector<std::string> harmed = {victim_};
  if (options_.one.damage == Damage::kSwapped) harmed.emplace_back("ts-2");
  for (const std::string& server : harmed) (void)site_.Kill(server);
  for (const Harm& harm : done_)
    if (const Status undone = Undo(harm); !undone.ok() && undone.code() != Code::kNotFound)
      return Decide(Verdict::kBroken, undone.ToString());
  refused_ = false;
  undone_ = true;
  for (const std::string& server : harmed)
    if (auto decided = Launch(server)) return decided;
  for (const std::string& server : harmed)
    if (auto decided = AwaitStart(server); decided || refused_)
      return Decide(Verdict::kStuck, "once the damage is undone, " + server + " does not start: " + outcome_.why);
  if (standalone_) {
    if (auto decided = ReadAll(kServeTimeMax)) return decided;
    if (!last_.whole())
      return Decide(Verdict::kStuck, "once the damage is undone, reads are refused: " + First(last_.refused));
  } else if (auto decided = AllRight()) {
    return decided;
  }
  if (refused_) return Decide(Verdict::kStuck, "once the damage is undone, it serves, but restarts no more");
  outcome_.why = seen;
  return before;
}

// A failed store is like a refused start, unless a single table's file is damaged.
CaseRun::Decided CaseRun::StoreStaysFailed() {
  const testing::Shown health = site_.Ebla("health");
  const bool bad = facts_.kind == FileKind::kTable || facts_.kind == FileKind::kRun || undone_;
  refused_ = true;
  return Decide(bad                      ? Verdict::kStuck
                : NamesFile(health.text) ? Verdict::kRefused
                                         : Verdict::kUnnamed,
                "its store fails after each start: " + health.text);
}

CaseRun::Decided CaseRun::AwaitMended() {
  bool scrubbed = false;
  int restarts = 0;
  testing::Shown health, check;
  for (const auto deadline = steady_clock::now() + kMendTimeMax; steady_clock::now() < deadline;
       std::this_thread::sleep_for(kCheckEvery)) {
    LookForMends();
    if (!site_.Runs(victim_) || StoreFailed()) {
      if (++restarts > kRestartsMax) return StoreStaysFailed();
      // Only a restart brings a failed store back.
      disturbed_ = true;
      (void)site_.Kill(victim_);
      if (auto decided = Launch(victim_)) return decided;
      if (auto decided = AwaitStart(victim_)) return decided;
      if (refused_) return std::nullopt;
    }
    if (auto decided = ReadAll(kServeTimeMax)) return decided;
    health = site_.Ebla("health");
    check = health.code == 0 ? site_.Ebla("check") : check;
    if (health.code != 0 || check.code != 0) continue;
    if (scrubbed) return std::nullopt;
    // A pass finds damage that no read has met yet.
    scrubbed = true;
    if (auto decided = Scrub()) return decided;
  }
  return Decide(Verdict::kStuck, "not whole within a minute: " + (health.code != 0 ? health.text : check.text));
}

}  // namespace ebla::chaos
