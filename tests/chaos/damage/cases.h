// tests/chaos/damage/cases.h
// The cases of `./dev chaos --only damage`: kinds of file, times damages, times places in the file, times a stopped or
// a running server, times shapes of a cluster. All in a fixed order, so that a number names a case for good; new cases
// are appended.
// Place:   harm.h damages a file, case_run.h runs a case, verdict.h counts the verdicts.
// Threads: values and functions of their arguments.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ebla::chaos {

// kOneAway: ts-3 is away while records are overwritten. Then the two servers that have them are killed, and the damaged
// one starts with ts-3 alone; the sound one follows.
enum class Shape : uint8_t { kStandalone, kThree, kOneAway };
inline constexpr std::array kShapes = {Shape::kStandalone, Shape::kThree, Shape::kOneAway};
std::string_view Name(Shape shape);

// When the file is damaged: between two lives of its server, or within one.
enum class Moment : uint8_t { kStopped, kRunning };
std::string_view Name(Moment moment);

enum class Damage : uint8_t {
  kBit,
  kPage,
  kExchanged,
  kHalf,
  kEmptied,
  kDeleted,
  kOlder,
  kDirectory,  // a directory is in the file's place
  kForbidden,  // no permission to open it, which is no damage: the file is whole
  kForeign,    // a copy of another server's
  kSwapped,    // as kForeign, and the other server has this one's: two disks are exchanged
};
inline constexpr std::array kDamages = {Damage::kBit,       Damage::kPage,    Damage::kExchanged, Damage::kHalf,
                                        Damage::kEmptied,   Damage::kDeleted, Damage::kOlder,     Damage::kDirectory,
                                        Damage::kForbidden, Damage::kForeign, Damage::kSwapped};
std::string_view Name(Damage damage);
// Whether what was before can be put back.
bool IsUndone(Damage damage);
// Whether the damage is somewhere in the file, or all of it.
bool HasPlace(Damage damage);

enum class FileKind : uint8_t {
  kIdentity,
  kInventory,
  kStoreInventory,
  kFormat,
  kFirstSegment,
  kMiddleSegment,
  kLastSegment,
  kTable,
  kRun,
  kApplied,
  kWindow,
  kRuns,
  kMetadata,
  kTurtle,
  kBaseConfig,
  kVersion,
  kCatalogMetadata,
  kCatalogTurtle,
  kCatalogMeta,
  kCatalogNodes,
  kCatalogLog,
  kCatalogMark,
  kStoreDirectory,
  kLogDirectory,
  kCatalogDirectory,
  // Kinds of later cases.
  kInventories,
  kDataDirectory,
  kLateDataDirectory,
};

// Which of several files that match.
enum class Pick : uint8_t { kFirst, kMiddle, kLast, kLargest };

struct KindFacts {
  FileKind kind;
  std::string_view name;
  std::string_view folder;  // below the data directory; of a directory: itself
  std::string_view prefix;  // of the file's name; empty: a directory
  std::string_view suffix;
  Pick pick = Pick::kFirst;
  std::optional<Shape> only = {};  // kStandalone: there is none elsewhere; kThree: a standalone could not tell
  bool unread = false;             // nothing in it counts, so its damage changes nothing
  bool doubled = false;            // another file tells the same, so its damage stops nothing
  bool late = false;               // its older copy is of the server's last life

  bool directory() const { return prefix.empty() && suffix.empty(); }
};
const std::vector<KindFacts>& AllKinds();
const KindFacts& FactsOf(FileKind kind);
// The kinds that are damaged together: itself, or several.
std::vector<FileKind> PartsOf(FileKind kind);

struct Case {
  int number = 0;  // in the order of AllCases()
  Shape shape = Shape::kStandalone;
  Moment moment = Moment::kStopped;
  FileKind kind = FileKind::kIdentity;
  Damage damage = Damage::kBit;
  int place = 0;  // percent of the file's content; 0 unless HasPlace()
};
// "case 17, standalone, stopped, IDENTITY: bit at 25 %".
std::string ToString(const Case& one);

std::vector<Case> AllCases();

struct Choice {
  std::optional<Shape> shape;  // none: all
  std::optional<int> first;    // the cases from this number on, without a gap; none: a sample spread over all
  std::optional<int> count;    // none: all
  uint64_t seed = 1;           // decides the sample
};
// In their order.
std::vector<Case> ChooseCases(const Choice& choice);

}  // namespace ebla::chaos
