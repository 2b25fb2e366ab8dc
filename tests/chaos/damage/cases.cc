#include "tests/chaos/damage/cases.h"

#include <algorithm>
#include <random>

namespace ebla::chaos {
namespace {

constexpr std::array kPlaces = {0, 25, 50, 75, 100};

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
  }
  return "?";
}

bool HasPlace(Damage damage) {
  return damage == Damage::kBit || damage == Damage::kPage || damage == Damage::kExchanged;
}

const std::vector<KindFacts>& AllKinds() {
  static const std::vector<KindFacts> kinds = {
      {FileKind::kIdentity, "IDENTITY", "", "IDENTITY", ""},
      {FileKind::kInventory, "INVENTORY", "", "INVENTORY", ""},
      {FileKind::kStoreInventory, "store/INVENTORY", "store", "INVENTORY", ""},
      {FileKind::kFormat, "store/FORMAT", "store", "FORMAT", ""},
      {FileKind::kFirstSegment, "log segment, first", "store/log", "0", ".log", Pick::kFirst},
      {FileKind::kMiddleSegment, "log segment, middle", "store/log", "0", ".log", Pick::kMiddle},
      {FileKind::kLastSegment, "log segment, last", "store/log", "0", ".log", Pick::kLast},
      {FileKind::kTable, "table in place, data_*", "store", "data_", ".wt", Pick::kLargest},
      {FileKind::kRun, "sorted table, run_*", "store", "run_", ".wt", Pick::kLargest},
      {FileKind::kApplied, "applied", "store", "applied", ".wt"},
      {FileKind::kWindow, "window", "store", "window", ".wt"},
      {FileKind::kRuns, "runs", "store", "runs", ".wt"},
      {FileKind::kMetadata, "WiredTiger.wt", "store", "WiredTiger", ".wt"},
      {FileKind::kTurtle, "WiredTiger.turtle", "store", "WiredTiger", ".turtle"},
      {FileKind::kBaseConfig, "WiredTiger.basecfg", "store", "WiredTiger", ".basecfg", Pick::kFirst, false, true},
      {FileKind::kVersion, "WiredTiger", "store", "WiredTiger", ""},
      {FileKind::kCatalogMetadata, "coordinator/WiredTiger.wt", "coordinator", "WiredTiger", ".wt", Pick::kFirst, true},
      {FileKind::kCatalogTurtle, "coordinator/WiredTiger.turtle", "coordinator", "WiredTiger", ".turtle", Pick::kFirst,
       true},
      {FileKind::kCatalogMeta, "coordinator/meta", "coordinator", "meta", ".wt", Pick::kFirst, true},
      {FileKind::kCatalogNodes, "coordinator/nodes", "coordinator", "nodes", ".wt", Pick::kFirst, true},
      {FileKind::kCatalogLog, "coordinator/ log", "coordinator", "WiredTigerLog.", "", Pick::kLast, true},
      {FileKind::kCatalogMark, "CATALOG", "", "CATALOG", "", Pick::kFirst, true},
      {FileKind::kStoreDirectory, "directory store/", "store", "", ""},
      {FileKind::kLogDirectory, "directory store/log/", "store/log", "", ""},
      {FileKind::kCatalogDirectory, "directory coordinator/", "coordinator", "", "", Pick::kFirst, true},
  };
  return kinds;
}

const KindFacts& FactsOf(FileKind kind) { return *std::ranges::find(AllKinds(), kind, &KindFacts::kind); }

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
  for (const Shape shape : kShapes) {
    for (const Moment moment : {Moment::kStopped, Moment::kRunning}) {
      for (const KindFacts& facts : AllKinds()) {
        if (facts.standalone && shape != Shape::kStandalone) continue;
        for (const Damage damage : kDamages) {
          const bool of_parts = HasPlace(damage) || damage == Damage::kHalf;
          if (facts.directory() && of_parts) continue;
          if (!HasPlace(damage)) {
            add({.shape = shape, .moment = moment, .kind = facts.kind, .damage = damage});
            continue;
          }
          for (const int place : kPlaces)
            add({.shape = shape, .moment = moment, .kind = facts.kind, .damage = damage, .place = place});
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
