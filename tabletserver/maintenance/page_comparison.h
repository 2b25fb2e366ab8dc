// tabletserver/maintenance/page_comparison.h
// Decides whether two replicas differ, by pages of numbers that were read of each at different moments, while the tablet
// is written; and of several replicas, who is wrong. Pure.
// Place:      replica_comparer.h reads the pages, and acts on what this says.
// Equal:      the same records, whatever was applied at either.
// Different:  other records at the same position. Or other records at growing positions, in turns, where neither has
//             changed from its first look to its second:
//
//               one    A at 10 ............ A at 30             10 <= 20 <= 30 <= 40
//               other           B at 20 ............. B at 40
//
//             What stands in A at 10 and, under the same version, at 30, stood there at 20: a version is never used
//             again. So sound replicas have all of A at 20, thus in B. And all of B at 30, thus in A. So A is B.
//             (Where pages end early, the same goes up to the first key in which they differ.) Hence a tablet that is
//             written without a pause is compared, too, but for pages that are themselves written all the time.
// Neither:    of different ranges (a split is on its way), or nothing is proven yet.
// Threads:    values.
#pragma once

#include <cstdint>
#include <vector>

#include "tabletserver/reads/record_page.h"

namespace ebla::tabletserver {

enum class PageVerdict : uint8_t { kOpen, kEqual, kDifferent };

// Of one page of two replicas. They are looked at in turns; each look ends after the one before it.
class PageComparison {
 public:
  enum class Side : uint8_t { kOne, kOther };

  PageVerdict Look(Side side, const RecordPage& page);

 private:
  struct Seen {
    Side side;
    RecordPage page;
  };
  bool Proven() const;

  std::vector<Seen> looks_;  // the last four
};

// How another replica compares with this server's.
struct ComparedReplica {
  ServerName server;
  PageVerdict verdict = PageVerdict::kOpen;
  bool answered = false;
  RecordPage page;  // its latest answer
};

enum class Difference : uint8_t {
  kNone,
  kThisIsOdd,  // most of the voters agree that this one is wrong
  kOthersAre,  // most of the voters agree with this one
  kUndecided,  // nobody can tell who is right
};

struct Judgement {
  Difference difference = Difference::kNone;
  std::vector<ServerName> others;  // that differ from this one; kThisIsOdd: and agree

  friend bool operator==(const Judgement&, const Judgement&) = default;
};

// `voters`: of the tablet, this server among them; `others`: what was found of all but it. One that could not be read is
// no witness for either side.
Judgement Judge(size_t voters, const std::vector<ComparedReplica>& others);

}  // namespace ebla::tabletserver
