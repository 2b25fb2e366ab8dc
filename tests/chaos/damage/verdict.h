// tests/chaos/damage/verdict.h
// The verdict on a case, the names that an error must have, and the table of all verdicts.
// Judged:  1. No answer is older than what was acknowledged, and none denies that a record or table is there.
//          2. A refusal, of a start or of a read, names a file, a tablet or a server.
//          3. Three replicas of which one disk lies are whole within a minute, unless the server refuses to start.
//          4. Sound replicas are not made again. If the damaged file does not count, or another file tells the same,
//             no replica is made again, and no start refused. A missing permission is no damage, but for a table's.
//          5. A server that has another's identity or store does not serve it.
//          6. A search for damage ends.
// Threads: values and functions of their arguments.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "tests/chaos/damage/cases.h"

namespace ebla::chaos {

enum class Verdict : uint8_t {
  kServed,    // everything, all the time
  kMended,    // something was refused, found damaged, or made again; all is whole at the end
  kRefused,   // the server does not start, or its store fails after each start, and names a file
  kWaits,     // what cannot be served is refused, with a name; the rest is served
  kNoFile,    // the server has no such file, or the damage changes nothing
  kWrong,     // an answer was older than what was acknowledged, or never written
  kSilent,    // a record or a table was said not to be there
  kUnnamed,   // a refusal names nothing
  kStuck,     // not whole within a minute, neither started nor refused, or a search for damage without an end
  kNeedless,  // a sound replica was made again, or a start refused without need
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
// Makes a good verdict a bad one, by rules 4 and 5. `remade`: replicas of the harmed server were made again.
void JudgeNeed(Outcome& outcome, bool remade);
// "case 17, ...: refused; bit 3 of ...; <why>".
std::string ToString(const Outcome& outcome);

// A page with this text between the lines "<!-- damage: begin -->" and "<!-- damage: end -->". INVALID_ARGUMENT: it
// lacks them.
Result<std::string> WithTables(std::string_view page, std::string_view text);

class Results {
 public:
  void Add(Outcome outcome) { outcomes_.push_back(std::move(outcome)); }
  // Two tables, of kinds of file and of damages: how many cases of each shape have which verdict. Markdown, for
  // docs/design/storage.md.
  std::string Tables() const;
  // "2056 cases: 900 served, ..."
  std::string Sums() const;
  std::vector<Outcome> Bad() const;  // by number
  size_t size() const { return outcomes_.size(); }

 private:
  std::vector<Outcome> outcomes_;
};

}  // namespace ebla::chaos
