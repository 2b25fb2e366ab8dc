// tabletserver/maintenance/page_comparison.h
// Decides whether two replicas differ, by pages of numbers read from each at different moments, during writes; and
// which of several replicas is wrong. Pure.
// Place:      replica_comparer.h reads the pages, and acts on the verdict.
// Equal:      the same records, whatever was applied at either.
// Different:  other records at the same position. Or other records at growing positions, in turns, where neither has
//             changed from its first look to its second:
//
//               one    A at 10 ............ A at 30             10 <= 20 <= 30 <= 40
//               other           B at 20 ............. B at 40
//
//             A record that A holds at 10 and, under the same version, at 30, was there at 20, too, because no version
//             is used twice. So sound replicas have all of A at 20, thus in B, and all of B at 30, thus in A. So A is
//             B. (Pages that end early are equal up to the first key in which they differ.) Hence even a tablet under
//             constant writes is compared, except for pages that change all the time.
// Neither:    pages of different ranges (a split is under way), or nothing is proven yet.
// Threads:    values.
#pragma once

#include <cstdint>
#include <vector>

#include "tabletserver/reads/record_page.h"

namespace ebla::tabletserver {

enum class PageVerdict : uint8_t { kOpen, kEqual, kDifferent };

// Compares one page of two replicas. The looks alternate, and each ends after the one before it.
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
  kUndecided,  // no majority tells which is right
};

struct Judgement {
  Difference difference = Difference::kNone;
  std::vector<ServerName> others;  // that differ from this one; kThisIsOdd: and agree

  friend bool operator==(const Judgement&, const Judgement&) = default;
};

// `voters`: of the tablet, this server among them; `others`: what was found of all but it. A replica that could not be
// read is no witness for either side.
Judgement Judge(size_t voters, const std::vector<ComparedReplica>& others);

}  // namespace ebla::tabletserver
