#include "tests/chaos/damage/results_file.h"

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

namespace ebla::chaos {
namespace {

std::string WordOf(Verdict verdict) {
  std::string word(Name(verdict));
  std::ranges::replace(word, ' ', '-');
  return word;
}

std::optional<Verdict> VerdictOf(const std::string& word) {
  for (int i = 0; i <= static_cast<int>(Verdict::kBroken); ++i) {
    if (WordOf(static_cast<Verdict>(i)) == word) return static_cast<Verdict>(i);
  }
  return std::nullopt;
}

}  // namespace

Result<std::vector<Outcome>> ResultsFile::Open(const std::string& file, const std::string& programs, uint64_t seed) {
  const std::string head = "programs " + programs + " " + std::to_string(seed);
  std::map<int, Case> cases;
  for (const Case& one : AllCases()) cases[one.number] = one;
  std::vector<Outcome> outcomes;
  std::ifstream in(file);
  std::string line;
  const bool there = static_cast<bool>(std::getline(in, line));
  if (there && line != head)
    return Error(Code::kInvalidArgument, file + " has results of other programs or of another seed: \"" + line +
                                             "\" and not \"" + head + "\"; name another file");
  while (std::getline(in, line)) {
    std::istringstream words(line);
    int number = -1;
    std::string verdict;
    double seconds = 0;
    words >> number >> verdict >> seconds;
    const auto known = cases.find(number);
    const auto named = VerdictOf(verdict);
    if (words.fail() || known == cases.end() || !named)
      return Error(Code::kInvalidArgument, file + " has a line that is no result: \"" + line + "\"");
    outcomes.push_back({.one = known->second, .verdict = *named, .seconds = seconds});
  }
  out_.open(file, std::ios::app);
  if (!there) out_ << head << std::endl;
  if (!out_) return Error(Code::kInvalidArgument, "cannot write " + file);
  return outcomes;
}

void ResultsFile::Add(const Outcome& outcome) {
  if (!out_.is_open() || outcome.verdict == Verdict::kBroken) return;
  out_ << outcome.one.number << " " << WordOf(outcome.verdict) << " " << outcome.seconds << std::endl;
}

}  // namespace ebla::chaos
