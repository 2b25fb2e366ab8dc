// Verbs that make fewer tablets of many: tablet merge, table merge-small.
#include <algorithm>

#include "common/base/count.h"
#include "tools/ebla/verbs/arguments.h"
#include "tools/ebla/verbs/tablet_argument.h"

namespace ebla::shell {

namespace {

constexpr auto kAskAgain = std::chrono::milliseconds(200);
constexpr uint64_t kMergeBytes = uint64_t{2} << 30;  // for a table without the option

struct MergeArguments {
  TabletArgument tablet;
  std::string at;
};

// The table, and the key at which the second of the two tablets begins.
Result<std::pair<std::string, std::string>> MergePlace(const MergeArguments& args, const Client& client) {
  if (!args.at.empty()) return std::pair(args.tablet.table, args.at);
  EBLA_ASSIGN(const NamedTablet tablet, args.tablet.Find(client));
  if (!tablet.range.end.empty()) return std::pair(tablet.table, tablet.range.end);
  return Error(Code::kInvalidArgument, NameOfTablet(tablet.id, tablet.table, tablet.range) +
                                           " is the last of its table: name the tablet before it");
}

Status MergeTwo(const MergeArguments& args, Context& context) {
  const bool named = args.tablet.Check().ok();
  if (args.at.empty() != named || args.tablet.table.empty()) {
    return Error(Code::kInvalidArgument,
                 "tablet merge needs --at, the key at which the second tablet begins, or the first of the two tablets: "
                 "any key of it, or its id");
  }
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const auto place, MergePlace(args, client));
  EBLA_ASSIGN(const TabletMerge merge, client.MergeTablets(place.first, place.second));
  context.out.Ok(NameOfTablet(merge.tablet, place.first, merge.range),
                 {{"table", place.first}, {"tablet", merge.tablet.value}, {"range", RangeJson(merge.range)}});
  return {};
}

void AddTabletMerge(Verbs& verbs) {
  auto args = std::make_shared<MergeArguments>();
  Verb& verb =
      verbs.Add("tablet merge", "Merges two neighbouring tablets", "tablet merge carts --at user5\n  tablet merge 17",
                [args](Context& context) { return MergeTwo(*args, context); });
  args->tablet.AddTo(verb);
  verb.Option("--at", "KEY", TakeBytes(args->at), R"(The key at which the second of the two begins; \xNN is a byte)")
      .Notes(
          "Without --at the tablet is merged with the one after it.\n"
          "If both have the same servers, no record is copied. Otherwise the smaller tablet is moved first.");
}

// Neighbours that are to become one: from the first's start to the last's end, and where those after the first begin.
struct SmallOnes {
  KeyRange range;
  std::vector<std::string> at;
  uint64_t bytes = 0;
};

// From the left, takes as many neighbours each time as stay below the size together. A tablet of unknown size stays as
// it is.
std::vector<SmallOnes> FindSmall(std::vector<TabletSummary> tablets, uint64_t below) {
  std::ranges::sort(tablets, {}, [](const TabletSummary& tablet) { return tablet.range.start; });
  std::vector<SmallOnes> found;
  SmallOnes open;
  bool known = false;
  const auto close = [&] {
    if (!open.at.empty()) found.push_back(std::move(open));
    open = {};
  };
  for (const TabletSummary& tablet : tablets) {
    const uint64_t bytes = tablet.load ? static_cast<uint64_t>(std::max<int64_t>(0, tablet.load->size_bytes)) : 0;
    const bool joins = known && tablet.load && open.range.end == tablet.range.start && open.bytes + bytes < below;
    if (!joins) {
      close();
      open = {tablet.range, {}, bytes};
      known = tablet.load.has_value();
      continue;
    }
    open.at.push_back(tablet.range.start);
    open.range.end = tablet.range.end;
    open.bytes += bytes;
  }
  close();
  return found;
}

// Waits for a merge that takes longer than one request may, because replicas are moved for it. A request after the
// merge is answered that no tablet begins at the key any more.
Status MergeAt(Context& context, const Client& client, const std::string& table, const std::string& key) {
  for (bool under_way = false;; under_way = true) {
    const Result<TabletMerge> merge = client.MergeTablets(table, key);
    if (merge) return {};
    const Status& status = merge.error();
    if (under_way && status.code() == Code::kInvalidArgument) return {};
    if (status.code() != Code::kUnknownOutcome) return status;
    context.out.Note(status.message());
    if (!Sleep(context, kAskAgain)) return status;
  }
}

Json ToJson(const SmallOnes& small) {
  Json object = {{"range", RangeJson(small.range)}, {"tablets", small.at.size() + 1}, {"size_bytes", small.bytes}};
  return object;
}

std::string ToText(const SmallOnes& small) {
  return RangeCell(small.range) + ": " + Count(small.at.size() + 1, "tablet") + ", " + FormatBytes(small.bytes);
}

Result<uint64_t> Threshold(const Client& client, const std::string& table, std::optional<uint64_t> below) {
  if (below) return *below;
  EBLA_ASSIGN(const TableInfo info, client.DescribeTable(table));
  return 2 * info.options.merge_bytes.value_or(kMergeBytes);
}

Status MergeSmall(Context& context, const std::string& table, std::optional<uint64_t> below, bool dry_run) {
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const uint64_t threshold, Threshold(client, table, below));
  EBLA_ASSIGN(const std::vector<TabletSummary> tablets, client.ListTablets(table));
  const std::vector<SmallOnes> small = FindSmall(tablets, threshold);
  size_t merges = 0, done = 0;
  for (const SmallOnes& ones : small) merges += ones.at.size();
  const auto so_far = [&] { return std::to_string(done) + " of " + Count(merges, "merge"); };
  Json merged = Json::Array();
  for (const SmallOnes& ones : small) {
    for (const std::string& key : ones.at) {
      if (dry_run) break;
      if (context.interrupted) return Error(Code::kUnavailable, "interrupted: " + so_far() + " done");
      const Status status = MergeAt(context, client, table, key);
      if (!status.ok()) return Error(status.code(), status.message() + " (" + so_far() + " done)");
      ++done;
      context.out.Note(so_far() + ": \"" + EscapeBytes(key) + "\"");
    }
    merged.push_back(ToJson(ones));
    if (!context.out.json) context.out.Line(ToText(ones));
  }
  const size_t left = tablets.size() - merges;
  const std::string text =
      dry_run
          ? Count(tablets.size(), "tablet") + " would be " + std::to_string(left) + "; nothing has been changed"
          : Count(tablets.size(), "tablet") + (tablets.size() == 1 ? " is " : " are ") + std::to_string(left) + " now";
  context.out.Ok(merges == 0 ? "no neighbours are below " + FormatBytes(threshold) + " together" : text,
                 {{"merges", merges},
                  {"tablets", left},
                  {"below_bytes", threshold},
                  {"dry_run", dry_run},
                  {"merged", std::move(merged)}});
  return {};
}

void AddTableMergeSmall(Verbs& verbs) {
  struct Arguments {
    std::string table;
    std::optional<uint64_t> below;
    bool dry_run = false;
  };
  auto args = std::make_shared<Arguments>();
  verbs
      .Add("table merge-small", "Merges neighbouring tablets that are small even together, one pair after another",
           "table merge-small carts --below 512MiB --dry-run",
           [args](Context& context) { return MergeSmall(context, args->table, args->below, args->dry_run); })
      .StopsOnInterrupt()
      .Argument("TABLE", TakeText(args->table))
      .Option("--below", "SIZE", TakeSize(args->below),
              "A merged tablet stays smaller than this (twice the merge size of the table)")
      .Flag("--dry-run", args->dry_run, "Only shows the merges that it would make");
}

}  // namespace

void AddMergeVerbs(Verbs& verbs) {
  AddTabletMerge(verbs);
  AddTableMergeSmall(verbs);
}

}  // namespace ebla::shell
