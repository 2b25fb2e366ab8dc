// tests/chaos/damage/verdict.h
// The verdict on a case, the names that an error must have, and the table of all verdicts.
// Judged:  1. No answer is older than what was acknowledged, and none denies that a record or table is there.
//          2. A refusal, of a start or of a read, names a file, a tablet or a server.
//          3. Three replicas of which one disk lies are whole within a minute, unless the server refuses to start.
//          4. Sound replicas are not made again, and none is where the damaged file does not count.
// Threads: values and functions of their arguments.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/chaos/damage/cases.h"

namespace ebla::chaos {

enum class Verdict : uint8_t {
  kServed,    // everything, all the time
  kMended,    // something was refused, found damaged, or made again; all is whole at the end
  kRefused,   // the server does not start, and names a file
  kWaits,     // what cannot be served is refused, with a name; the rest is served
  kNoFile,    // the server has no such file, or the damage changes nothing
  kWrong,     // an answer was older than what was acknowledged, or never written
  kSilent,    // a record or a table was said not to be there
  kUnnamed,   // a refusal names nothing
  kStuck,     // not whole within a minute, or neither started nor refused
  kNeedless,  // a sound replica was made again
  kBroken,    // the case could not be run
};
std::string_view Name(Verdict verdict);
bool IsBad(Verdict verdict);

// "WiredTiger.turtle", "0000000000000003.log", "data_7.wt". The directory of a damaged file is no name, because any
// error of a database has it.
bool NamesFile(std::string_view text);
// "/data/store", "/data/store/log", "/data/coordinator".
bool NamesDirectory(std::string_view text);
// A file, a tablet, a table or a server.
bool NamesCause(std::string_view text);

struct Outcome {
  Case one;
  Verdict verdict = Verdict::kBroken;
  double seconds = 0;  // of kMended: until it was whole
  std::string harm;    // what was done
  std::string why;     // what was seen
  std::string kept;    // the directory, if it is kept
};
// "case 17, ...: refused; bit 3 of ...; <why>".
std::string ToString(const Outcome& outcome);

class Results {
 public:
  void Add(Outcome outcome) { outcomes_.push_back(std::move(outcome)); }
  // Rows are kinds of file, columns damages, cells verdicts and how many cases have each. Markdown, for
  // docs/design/storage.md. One table for each shape that has a case.
  std::string Tables() const;
  // "2056 cases: 900 served, ..."
  std::string Sums() const;
  std::vector<Outcome> Bad() const;  // by number
  size_t size() const { return outcomes_.size(); }

 private:
  std::vector<Outcome> outcomes_;
};

}  // namespace ebla::chaos
