// Cutting a table that is there into more tablets: table presplit.
#include <algorithm>

#include "common/base/count.h"
#include "tools/ebla/verbs/arguments.h"
#include "tools/ebla/verbs/presplit.h"
#include "tools/ebla/verbs/split_points.h"

namespace ebla::shell {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// Servers report every second, and estimate sizes and middle keys every ten.
constexpr milliseconds kSplitPoll{500};
constexpr size_t kTabletsMost = 10'001;  // as many as a table may be made with

struct PresplitArguments {
  std::string table, sample, pattern;
  std::vector<std::string> at;
  milliseconds timeout = std::chrono::minutes(10);
  size_t into = 0;
  uint64_t count = 0;
  size_t look_at = 1'000'000;
  bool dry_run = false;
};

// Splits one after another, and tells of each.
class Presplit {
 public:
  Presplit(Context& context, const Client& client, const PresplitArguments& args)
      : context_(context), client_(client), args_(args) {}

  Status Run() {
    until_ = Clock::now() + args_.timeout;
    EBLA_ASSIGN(const TableInfo table, client_.DescribeTable(args_.table));
    EBLA_TRY(CheckSplits(table));
    group_ = table.options.key_group;
    EBLA_ASSIGN(tablets_, client_.ListTablets(args_.table));
    EBLA_ASSIGN(const std::vector<std::string> keys, Keys());
    if (!keys.empty()) return SplitAt(keys);
    if (tablets_.size() >= args_.into) return End();
    return ByData();
  }

 private:
  Result<std::vector<std::string>> Keys() const {
    if (!args_.at.empty()) return args_.at;
    if (args_.sample.empty() && args_.pattern.empty()) return std::vector<std::string>();
    EBLA_ASSIGN(std::vector<std::string> keys, SampleKeys(args_.sample, args_.pattern, args_.count));
    return SplitByQuantiles(std::move(keys), args_.into);
  }

  Status SplitAt(const std::vector<std::string>& keys) {
    EBLA_ASSIGN(const std::vector<PresplitCut> cuts, CutsAt(keys, tablets_));
    if (args_.dry_run) return Show(cuts, keys.size() - cuts.size());
    for (const PresplitCut& cut : cuts) EBLA_TRY(Split(cut, cuts.size()));
    return End();
  }

  // All keys of the table, in order, if they are not too many; one of a table that has more. Servers' estimates are of
  // ten seconds ago.
  Result<std::vector<std::string>> AllKeys() {
    EBLA_ASSIGN(const Table table, client_.OpenTable(args_.table));
    std::vector<std::string> keys;
    Scanner scan = table.Scan({.keys_only = true});
    while (scan.Next()) {
      if (context_.interrupted) return Error(Code::kUnavailable, "interrupted" + SoFar());
      keys.push_back(scan.key());
      if (keys.size() > args_.look_at) return std::vector<std::string>(1, keys.front());
    }
    EBLA_TRY(scan.status());
    all_seen_ = true;
    return keys;
  }

  Status ByData() {
    const size_t all = args_.into - tablets_.size();
    EBLA_ASSIGN(const std::vector<std::string> keys, AllKeys());
    if (!all_seen_) return ByEstimates(all);
    if (keys.empty()) {
      return Error(Code::kInvalidArgument, "table " + args_.table +
                                               " is empty, so its keys are unknown: name keys with --at, or give " +
                                               "typical keys with --sample FILE or --pattern 'user%08d' --count M");
    }
    const std::vector<PresplitCut> cuts = CutsOfKeys(keys, tablets_, all, group_);
    if (cuts.size() < all) {
      return Error(Code::kInvalidArgument, "the table's " + Count(keys.size(), "key") + " can be cut into " +
                                               Count(tablets_.size() + cuts.size(), "tablet") +
                                               " at most; nothing was split");
    }
    if (args_.dry_run) return Show(cuts, 0);
    for (const PresplitCut& cut : cuts) EBLA_TRY(Split(cut, all));
    return End();
  }

  // By the middle keys that the servers estimate, the largest first.
  Status ByEstimates(size_t all) {
    if (args_.dry_run) return ShowFirst();
    while (done_.size() < all) {
      if (const auto cut = NextCut(tablets_, group_)) {
        EBLA_TRY(Split(*cut, all));
      } else if (Clock::now() >= until_) {
        return Error(Code::kUnavailable,
                     "no tablet that is large enough to split has a known middle key" + SoFar() +
                         ": servers report middle keys for tablets of 64 MiB and more; see ebla tablet stats");
      } else if (!Sleep(context_, kSplitPoll)) {
        return Error(Code::kUnavailable, "interrupted" + SoFar());
      }
      EBLA_ASSIGN(tablets_, client_.ListTablets(args_.table));
    }
    return End();
  }

  Status Split(const PresplitCut& cut, size_t all) {
    if (context_.interrupted) return Error(Code::kUnavailable, "interrupted" + SoFar());
    const Result<TabletSplit> split = client_.SplitTablet(args_.table, cut.key);
    if (!split)
      return Error(split.error().code(), "at \"" + EscapeBytes(cut.key) + "\": " + split.error().message() + SoFar());
    done_.push_back({split->tablet, cut.key});
    children_.push_back(split->child);
    context_.out.Note(std::to_string(done_.size()) + " of " + std::to_string(all) + ": tablet " +
                      std::to_string(split->tablet.value) + " is split at \"" + EscapeBytes(cut.key) + "\"; tablet " +
                      std::to_string(split->child.value) + " begins there");
    return {};
  }

  std::string SoFar() const {
    return done_.empty() ? "; nothing was split"
                         : "; " + Count(done_.size(), "split") + " done before the error remain";
  }

  Json Cuts(const std::vector<PresplitCut>& cuts) const {
    Json all = Json::Array();
    for (size_t i = 0; i < cuts.size(); ++i) {
      Json one = {{"tablet", cuts[i].tablet.value}};
      PutBytes(one, "at", cuts[i].key);
      one["child"] = i < children_.size() ? Json(children_[i].value) : Json();
      all.push_back(std::move(one));
    }
    return all;
  }

  Status Show(const std::vector<PresplitCut>& cuts, size_t there) {
    if (context_.out.json) {
      context_.out.Value({{"dry_run", true},
                          {"tablets", tablets_.size()},
                          {"tablets_then", tablets_.size() + cuts.size()},
                          {"splits", Cuts(cuts)}});
      return {};
    }
    for (const PresplitCut& cut : cuts) {
      context_.out.Line("would split tablet " + std::to_string(cut.tablet.value) + " at \"" + EscapeBytes(cut.key) +
                        "\"");
    }
    if (there > 0) context_.out.Line("at " + Count(there, "key") + " a tablet begins already");
    context_.out.Line(Count(tablets_.size(), "tablet") + ", then " + std::to_string(tablets_.size() + cuts.size()));
    return {};
  }

  // Only what is known now: where the halves are cut shows when they are there.
  Status ShowFirst() {
    std::vector<PresplitCut> cuts;
    std::vector<TabletSummary> left = tablets_;
    while (tablets_.size() + cuts.size() < args_.into) {
      const auto cut = NextCut(left, group_);
      if (!cut) break;
      cuts.push_back(*cut);
      std::erase_if(left, [&](const TabletSummary& tablet) { return tablet.id == cut->tablet; });
    }
    const size_t later = args_.into - tablets_.size() - cuts.size();
    EBLA_TRY(Show(cuts, 0));
    if (!context_.out.json && later > 0) {
      context_.out.Line("and " + Count(later, "split") + " more, of the largest tablets then, at keys not known yet");
    }
    return {};
  }

  Status End() {
    EBLA_ASSIGN(tablets_, client_.ListTablets(args_.table));
    const size_t tablets = tablets_.size();
    context_.out.Ok(done_.empty() ? "no split is needed: table " + args_.table + " has " + Count(tablets, "tablet")
                                  : Count(done_.size(), "split") + ", " + Count(tablets, "tablet"),
                    {{"tablets", tablets}, {"splits", Cuts(done_)}});
    return {};
  }

  Context& context_;
  const Client& client_;
  const PresplitArguments& args_;
  Clock::time_point until_;
  std::optional<TableKeyGroup> group_;
  std::vector<TabletSummary> tablets_;
  std::vector<PresplitCut> done_;
  std::vector<TabletId> children_;
  bool all_seen_ = false;  // all keys of the table
};

Status Check(const PresplitArguments& args) {
  const bool keys = !args.sample.empty() || !args.pattern.empty();
  if (args.at.empty() == (args.into == 0)) {
    return Error(Code::kInvalidArgument, "table presplit needs --into N or --at KEYS, one of the two");
  }
  if (!args.at.empty() && keys)
    return Error(Code::kInvalidArgument, "--at names the keys: leave out --sample and --pattern");
  if (args.into > kTabletsMost)
    return Error(Code::kInvalidArgument, "--into " + std::to_string(args.into) + ": at most 10001 tablets");
  if (keys && args.into < 2)
    return Error(Code::kInvalidArgument, "--into 1 with a sample: it must be 2 tablets or more");
  return {};
}

}  // namespace

void AddPresplitVerbs(Verbs& verbs) {
  auto args = std::make_shared<PresplitArguments>();
  verbs
      .Add("table presplit", "Splits a table before its load grows; no data moves",
           "table presplit carts --into 8\n  table presplit carts --at f,m,t --dry-run\n"
           "  table presplit empty --into 16 --pattern 'user%08d' --count 1000000",
           [args](Context& context) -> Status {
             EBLA_TRY(Check(*args));
             EBLA_ASSIGN(const Client client, context.connect());
             return Presplit(context, client, *args).Run();
           })
      .StopsOnInterrupt()
      .Argument("TABLE", TakeText(args->table))
      .Option("--into", "NUMBER", TakeWhole(args->into, 1),
              "Number of tablets after the splits. The largest are halved by their data, or cut as --sample or "
              "--pattern directs")
      .Option("--at", "KEYS", TakeListOfBytes(args->at), "The keys to split at, for example f,m,t")
      .Option("--sample", "PATH", TakeText(args->sample), "A file of typical keys, one per line")
      .Option("--pattern", "PATTERN", TakeText(args->pattern),
              "Pattern of the table's future keys, for example 'user%08d'")
      .Option("--count", "NUMBER", TakeWhole(args->count, 1), "Number of future keys of this pattern")
      .Option("--look-at", "NUMBER", TakeWhole(args->look_at),
              "Number of keys above which the table is not read; its servers then estimate middle keys (1000000)")
      .Option("--timeout", "DURATION", TakeDuration(args->timeout), "Time limit for such an estimate (10m)")
      .Flag("--dry-run", args->dry_run, "Only shows the splits that it would make");
}

}  // namespace ebla::shell
