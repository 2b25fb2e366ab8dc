#include "tests/chaos/damage/cases.h"

#include <algorithm>
#include <random>

namespace ebla::chaos {
namespace {

constexpr std::array kPlaces = {0, 25, 50, 75, 100};

bool IsLater(FileKind kind, Damage damage) { return kind >= FileKind::kInventories || damage >= Damage::kDirectory; }

// Whether there is such a case.
bool IsTried(Shape shape, Moment moment, const KindFacts& facts, Damage damage) {
  const bool alone = shape == Shape::kStandalone;
  if (facts.only && (*facts.only == Shape::kStandalone) != alone) return false;
  const bool all_data = facts.kind == FileKind::kDataDirectory, late_data = facts.kind == FileKind::kLateDataDirectory;
  switch (damage) {
    case Damage::kBit:
    case Damage::kPage:
    case Damage::kExchanged:
    case Damage::kHalf: return !facts.directory();
    case Damage::kEmptied:
    case Damage::kDeleted: return !late_data;
    // With one away, no server that is there knows that more was acknowledged.
    case Damage::kOlder: return !late_data || shape == Shape::kThree;
    case Damage::kDirectory: return !facts.directory();
    case Damage::kForbidden: return !all_data && !late_data;
    case Damage::kForeign: return !alone && moment == Moment::kStopped && !late_data;
    case Damage::kSwapped:
      return shape == Shape::kThree && moment == Moment::kStopped &&
             (facts.kind == FileKind::kStoreDirectory || facts.kind == FileKind::kIdentity || all_data);
  }
  return false;
}

}  // namespace

std::string_view Name(Shape shape) {
  switch (shape) {
    case Shape::kStandalone: return "standalone";
    case Shape::kThree: return "three replicas";
    case Shape::kOneAway: return "three replicas, one away";
  }
  return "?";
}

std::string_view Name(Moment moment) { return moment == Moment::kStopped ? "stopped" : "running"; }

std::string_view Name(Damage damage) {
  switch (damage) {
    case Damage::kBit: return "bit";
    case Damage::kPage: return "page zero";
    case Damage::kExchanged: return "pages exchanged";
    case Damage::kHalf: return "cut by half";
    case Damage::kEmptied: return "emptied";
    case Damage::kDeleted: return "deleted";
    case Damage::kOlder: return "older copy";
    case Damage::kDirectory: return "a directory instead";
    case Damage::kForbidden: return "no permission";
    case Damage::kForeign: return "another server's";
    case Damage::kSwapped: return "exchanged with another server's";
  }
  return "?";
}

bool HasPlace(Damage damage) {
  return damage == Damage::kBit || damage == Damage::kPage || damage == Damage::kExchanged;
}

bool IsUndone(Damage damage) { return damage == Damage::kForbidden || damage == Damage::kSwapped; }

const std::vector<KindFacts>& AllKinds() {
  constexpr Shape kAlone = Shape::kStandalone;
  static const std::vector<KindFacts> kinds = {
      {FileKind::kIdentity, "IDENTITY", "", "IDENTITY", ""},
      {.kind = FileKind::kInventory, .name = "INVENTORY", .prefix = "INVENTORY", .doubled = true, .late = true},
      {.kind = FileKind::kStoreInventory,
       .name = "store/INVENTORY",
       .folder = "store",
       .prefix = "INVENTORY",
       .doubled = true,
       .late = true},
      {FileKind::kFormat, "store/FORMAT", "store", "FORMAT", ""},
      {.kind = FileKind::kFirstSegment,
       .name = "log segment, first",
       .folder = "store/log",
       .prefix = "0",
       .suffix = ".log",
       .pick = Pick::kFirst,
       .late = true},
      {.kind = FileKind::kMiddleSegment,
       .name = "log segment, middle",
       .folder = "store/log",
       .prefix = "0",
       .suffix = ".log",
       .pick = Pick::kMiddle,
       .late = true},
      {.kind = FileKind::kLastSegment,
       .name = "log segment, last",
       .folder = "store/log",
       .prefix = "0",
       .suffix = ".log",
       .pick = Pick::kLast,
       .late = true},
      {FileKind::kTable, "table in place, data_*", "store", "data_", ".wt", Pick::kLargest},
      {FileKind::kRun, "sorted table, run_*", "store", "run_", ".wt", Pick::kLargest},
      {FileKind::kApplied, "applied", "store", "applied", ".wt"},
      {FileKind::kWindow, "window", "store", "window", ".wt"},
      {FileKind::kRuns, "runs", "store", "runs", ".wt"},
      {FileKind::kMetadata, "WiredTiger.wt", "store", "WiredTiger", ".wt"},
      {FileKind::kTurtle, "WiredTiger.turtle", "store", "WiredTiger", ".turtle"},
      {FileKind::kBaseConfig, "WiredTiger.basecfg", "store", "WiredTiger", ".basecfg", Pick::kFirst, {}, true},
      {FileKind::kVersion, "WiredTiger", "store", "WiredTiger", ""},
      {FileKind::kCatalogMetadata, "coordinator/WiredTiger.wt", "coordinator", "WiredTiger", ".wt", Pick::kFirst,
       kAlone},
      {FileKind::kCatalogTurtle, "coordinator/WiredTiger.turtle", "coordinator", "WiredTiger", ".turtle", Pick::kFirst,
       kAlone},
      {FileKind::kCatalogMeta, "coordinator/meta", "coordinator", "meta", ".wt", Pick::kFirst, kAlone},
      {FileKind::kCatalogNodes, "coordinator/nodes", "coordinator", "nodes", ".wt", Pick::kFirst, kAlone},
      {FileKind::kCatalogLog, "coordinator/ log", "coordinator", "WiredTigerLog.", "", Pick::kLast, kAlone},
      {.kind = FileKind::kCatalogMark, .name = "CATALOG", .prefix = "CATALOG", .only = kAlone, .doubled = true},
      {FileKind::kStoreDirectory, "directory store/", "store", "", ""},
      {.kind = FileKind::kLogDirectory, .name = "directory store/log/", .folder = "store/log", .late = true},
      {FileKind::kCatalogDirectory, "directory coordinator/", "coordinator", "", "", Pick::kFirst, kAlone},
      {.kind = FileKind::kInventories, .name = "INVENTORY, both", .prefix = "INVENTORY", .late = true},
      {.kind = FileKind::kDataDirectory, .name = "all data", .only = Shape::kThree},
      {.kind = FileKind::kLateDataDirectory, .name = "all data, a little older", .only = Shape::kThree, .late = true},
  };
  return kinds;
}

const KindFacts& FactsOf(FileKind kind) { return *std::ranges::find(AllKinds(), kind, &KindFacts::kind); }

std::vector<FileKind> PartsOf(FileKind kind) {
  if (kind == FileKind::kInventories) return {FileKind::kInventory, FileKind::kStoreInventory};
  return {kind};
}

std::string ToString(const Case& one) {
  std::string text = "case " + std::to_string(one.number) + ", " + std::string(Name(one.shape)) + ", " +
                     std::string(Name(one.moment)) + ", " + std::string(FactsOf(one.kind).name) + ": " +
                     std::string(Name(one.damage));
  if (HasPlace(one.damage)) text += " at " + std::to_string(one.place) + " %";
  return text;
}

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  const auto add = [&](Case one) {
    one.number = static_cast<int>(cases.size());
    cases.push_back(one);
  };
  for (const bool later : {false, true}) {
    for (const Shape shape : kShapes) {
      for (const Moment moment : {Moment::kStopped, Moment::kRunning}) {
        for (const KindFacts& facts : AllKinds()) {
          for (const Damage damage : kDamages) {
            if (IsLater(facts.kind, damage) != later || !IsTried(shape, moment, facts, damage)) continue;
            for (const int place : kPlaces)
              if (place == 0 || HasPlace(damage))
                add({.shape = shape, .moment = moment, .kind = facts.kind, .damage = damage, .place = place});
          }
        }
      }
    }
  }
  return cases;
}

std::vector<Case> ChooseCases(const Choice& choice) {
  std::vector<Case> all = AllCases();
  std::erase_if(all, [&](const Case& one) {
    return (choice.shape && one.shape != *choice.shape) || one.number < choice.first.value_or(0);
  });
  const size_t total = all.size();
  const size_t count = choice.count ? std::min(static_cast<size_t>(std::max(*choice.count, 0)), total) : total;
  if (choice.first || count == total) {
    all.resize(count);
    return all;
  }
  // A random one of each of so many equal parts: with equal steps the same damage could be met again and again.
  std::mt19937_64 random(choice.seed);
  std::vector<Case> chosen;
  for (size_t i = 0; i < count; ++i) {
    const size_t begin = i * total / count, end = (i + 1) * total / count;
    chosen.push_back(all[begin + random() % (end - begin)]);
  }
  return chosen;
}

}  // namespace ebla::chaos
