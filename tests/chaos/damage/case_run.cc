#include "tests/chaos/damage/case_run.h"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <thread>

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr auto kStartTimeMax = 20s;
constexpr auto kReadDeadline = 2s;
constexpr auto kServeTimeMax = 20s;  // of tablets with two sound replicas, or of a sound standalone
constexpr auto kAloneTimeMax = 3s;   // of a standalone, once it is ready
constexpr auto kDoubtTimeMax = 6s;   // of tablets that may have to wait
constexpr auto kMendTimeMax = 60s;
constexpr auto kScrubTimeMax = 10s;
constexpr auto kLookEvery = 100ms;
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
      site_(prepared.members, options_.dir, options_.bin_dir),
      records_(prepared.records),
      outcome_{.one = options_.one} {}

Outcome CaseRun::Run() {
  const auto begin = steady_clock::now();
  Decided decided;
  if (const Status copied = CopyDirectory(prepared_.site(), options_.dir); !copied.ok())
    decided = Decide(Verdict::kBroken, copied.ToString());
  if (!decided) decided = standalone_ ? Standalone() : Cluster();
  outcome_.verdict = decided.value_or(disturbed_ ? Verdict::kMended : Verdict::kServed);
  if (outcome_.seconds == 0) outcome_.seconds = std::chrono::duration<double>(steady_clock::now() - begin).count();
  const bool sound = outcome_.verdict == Verdict::kServed || !FactsOf(options_.one.kind).unread;
  if (!sound && !IsBad(outcome_.verdict) && outcome_.verdict != Verdict::kNoFile) {
    outcome_.why += " (nothing in this file counts)";
    outcome_.verdict = Verdict::kNeedless;
  }
  client_.reset();
  return outcome_;
}

CaseRun::Decided CaseRun::Decide(Verdict verdict, std::string why) {
  outcome_.why = Flat(std::move(why));
  return verdict;
}

CaseRun::Decided CaseRun::Damage() {
  const KindFacts& facts = FactsOf(options_.one.kind);
  const std::string data_dir = site_.DataDir(victim_);
  const auto path = FindFile(facts, data_dir);
  if (!path) return Decide(Verdict::kNoFile, path.error().message());
  const auto done =
      Inflict({.path = *path,
               .older = older_.empty() ? prepared_.OlderOf(victim_, facts, fs::path(*path).filename()) : older_,
               .damage = options_.one.damage,
               .place = options_.one.place,
               .seed = options_.seed + static_cast<uint64_t>(options_.one.number),
               .directory = facts.directory()});
  if (done) {
    outcome_.harm = *done;
    return std::nullopt;
  }
  const Code code = done.error().code();
  const bool nothing = code == Code::kNotFound || code == Code::kConditionFailed;
  return Decide(nothing ? Verdict::kNoFile : Verdict::kBroken, done.error().message());
}

CaseRun::Decided CaseRun::Launch(const std::string& server) {
  // With checkpoints much of the log soon counts no more, and without them the records count no more at a start.
  const bool checkpoints = options_.one.number % 2 == 0;
  const Status launched = site_.Launch(
      server, {checkpoints ? "--checkpoint_seconds=1" : "--checkpoint_seconds=86400", "--scrub_period_s=86400"});
  return launched.ok() ? std::nullopt : Decide(Verdict::kBroken, launched.ToString());
}

CaseRun::Decided CaseRun::StartVictim() {
  const Started started = site_.Await(victim_, kStartTimeMax);
  if (started.end == StartEnd::kRefused) {
    refused_ = true;
    const std::string refusal = RefusalOf(started.text);
    const bool named = NamesFile(refusal) || (FactsOf(options_.one.kind).directory() && NamesDirectory(refusal));
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

CaseRun::Decided CaseRun::ReadAll(milliseconds limit) {
  const auto deadline = steady_clock::now() + limit;
  for (;; std::this_thread::sleep_for(kLookEvery)) {
    last_ = records_.Read(*client_, kReadDeadline);
    LookForMends();
    if (!last_.wrong.empty()) return Decide(Verdict::kWrong, First(last_.wrong));
    if (!last_.missing.empty()) return Decide(Verdict::kSilent, First(last_.missing));
    if (last_.whole()) return std::nullopt;
    if (steady_clock::now() >= deadline || (standalone_ && !site_.Runs(victim_))) break;
  }
  disturbed_ = true;
  const std::string why = std::to_string(last_.refusals) + " reads refused: " + First(last_.refused);
  // An end while it served is judged by the start that follows.
  if (standalone_ && !site_.Runs(victim_)) return std::nullopt;
  return Names(last_) ? std::nullopt : Decide(Verdict::kUnnamed, why + " " + site_.Ebla("health").text);
}

void CaseRun::Scrub() {
  const auto passes = [&] { return site_.Figure(victim_, "ebla_scrub_passes_total"); };
  const int64_t before = passes();
  (void)client_->Scrub(victim_);
  const auto deadline = steady_clock::now() + kScrubTimeMax;
  while (site_.Runs(victim_) && passes() <= before && !StoreFailed() && steady_clock::now() < deadline) {
    LookForMends();
    std::this_thread::sleep_for(kLookEvery);
  }
  LookForMends();
}

bool CaseRun::StoreFailed() const { return site_.Figure(victim_, "ebla_store_healthy") == 0; }

CaseRun::Decided CaseRun::DamageRunning() {
  if (auto decided = StartVictim(); decided || refused_)
    return Decide(Verdict::kBroken, "it does not start undamaged: " + outcome_.why);
  if (auto decided = ReadAll(kServeTimeMax); decided || !last_.whole())
    return Decide(Verdict::kBroken, "it does not serve undamaged: " + First(last_.refused));
  const auto write = [&] {
    (void)records_.Write(*client_, 7, 0, standalone_ ? Ack::kAll : Ack::kMajority, kReadDeadline);
  };
  const KindFacts& facts = FactsOf(options_.one.kind);
  // The older copy is of this life, so that the file is one that this life has written.
  if (const auto path = FindFile(facts, site_.DataDir(victim_));
      path && options_.one.damage == Damage::kOlder && !facts.directory()) {
    older_ = options_.dir + "/older";
    std::error_code error;
    fs::copy_file(*path, older_, error);
    write();
    std::this_thread::sleep_for(kVouchedAfter);
  }
  if (auto decided = Damage()) return decided;
  disturbed_ = false;
  write();
  Scrub();
  if (auto decided = ReadAll(standalone_ ? kAloneTimeMax : kDoubtTimeMax)) return decided;
  std::this_thread::sleep_for(kVouchedAfter);
  return std::nullopt;
}

CaseRun::Decided CaseRun::Standalone() {
  auto client = site_.Connect(kReadDeadline);
  if (!client) return Decide(Verdict::kBroken, client.error().ToString());
  client_.emplace(*client);
  const bool running = options_.one.moment == Moment::kRunning;
  if (running) {
    if (auto decided = Launch(victim_)) return decided;
    if (auto decided = DamageRunning()) return decided;
    (void)site_.Kill(victim_);
  } else if (auto decided = Damage()) {
    return decided;
  }
  // The second start finds what the first one left.
  for (int start = 1; start <= 2; ++start) {
    if (auto decided = Launch(victim_)) return decided;
    if (auto decided = StartVictim()) return decided;
    if (refused_) return Verdict::kRefused;
    if (auto decided = ReadAll(kAloneTimeMax)) return decided;
    if (start == 1) Scrub();
    if (start == 1) (void)site_.Kill(victim_);
  }
  if (last_.whole()) return std::nullopt;
  return Decide(Verdict::kWaits, std::to_string(last_.refusals) + " reads refused: " + First(last_.refused));
}

CaseRun::Decided CaseRun::Cluster() {
  const bool away = options_.one.shape == Shape::kOneAway, running = options_.one.moment == Moment::kRunning;
  if (const Status control = site_.StartControl(); !control.ok()) return Decide(Verdict::kBroken, control.ToString());
  auto client = site_.Connect(kReadDeadline);
  if (!client) return Decide(Verdict::kBroken, client.error().ToString());
  client_.emplace(*client);
  std::vector<std::string> beside = away ? std::vector<std::string>{"ts-3"} : std::vector<std::string>{"ts-2", "ts-3"};
  if (running) {
    for (const std::string& server : site_.servers())
      if (!away || server != "ts-3")
        if (auto decided = Launch(server)) return decided;
    if (auto decided = DamageRunning()) return decided;
    (void)site_.Kill(victim_);
    if (away) (void)site_.Kill("ts-2");
  } else if (auto decided = Damage()) {
    return decided;
  }
  if (auto decided = Launch(victim_)) return decided;
  for (const std::string& server : beside)
    if (!site_.Runs(server))
      if (auto decided = Launch(server)) return decided;
  const auto started = steady_clock::now();
  if (auto decided = StartVictim()) return decided;
  if (away) {
    // Without the victim one of three is there, so nothing can be read.
    if (auto decided = ReadAll(refused_ ? 1s : kDoubtTimeMax)) return decided;
    if (auto decided = Launch("ts-2")) return decided;
  }
  if (auto decided = ReadAll(kServeTimeMax)) return decided;
  if (!last_.whole())
    return Decide(Verdict::kStuck, "two replicas are sound, and " + std::to_string(last_.refusals) +
                                       " reads are refused: " + First(last_.refused));
  if (refused_) return Verdict::kRefused;
  if (auto decided = AwaitMended()) return decided;
  outcome_.seconds = std::chrono::duration<double>(steady_clock::now() - started).count();
  if (remade_.contains("ts-2") || remade_.contains("ts-3"))
    return Decide(Verdict::kNeedless, "replicas of a sound server were made again");
  disturbed_ = disturbed_ || !remade_.empty();
  return std::nullopt;
}

CaseRun::Decided CaseRun::AwaitMended() {
  bool restarted = false, scrubbed = false;
  testing::Shown health, check;
  for (const auto deadline = steady_clock::now() + kMendTimeMax; steady_clock::now() < deadline;
       std::this_thread::sleep_for(kLookEvery)) {
    LookForMends();
    if (!site_.Runs(victim_) || (!restarted && StoreFailed())) {
      // Only a restart brings a failed store back.
      disturbed_ = restarted = true;
      (void)site_.Kill(victim_);
      if (auto decided = Launch(victim_)) return decided;
      if (auto decided = StartVictim()) return decided;
      if (refused_) return Verdict::kRefused;
    }
    if (auto decided = ReadAll(kServeTimeMax)) return decided;
    health = site_.Ebla("health");
    check = health.code == 0 ? site_.Ebla("check") : check;
    if (health.code != 0 || check.code != 0) continue;
    if (scrubbed) return std::nullopt;
    // A pass finds damage that no read has met yet.
    scrubbed = true;
    Scrub();
  }
  return Decide(Verdict::kStuck, "not whole within a minute: " + (health.code != 0 ? health.text : check.text));
}

}  // namespace ebla::chaos
