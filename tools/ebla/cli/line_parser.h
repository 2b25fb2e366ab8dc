// tools/ebla/cli/line_parser.h
// One line's words as a verb with its arguments, or what is wrong with them; help; and what may follow words that are
// there. Made anew for each line, as the arguments are kept in it.
// Place:   shell.h makes one for each line and for each key press that completes.
// Errors:  INVALID_ARGUMENT names the word that is wrong, and what may stand there.
// Threads: one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/ebla/verbs/verbs.h"

namespace ebla::shell {

// The possible next words after some words.
struct Expected {
  std::vector<std::string> words;  // verbs, options
  std::string value;               // as help calls it: "TABLE", "SERVER", "ID", "KIND"; empty: nothing, or anything
};

class LineParser {
 public:
  LineParser();
  LineParser(const LineParser&) = delete;
  LineParser& operator=(const LineParser&) = delete;

  // The verb to run; null: help is asked for, of the words in help_of. Verbs on records take `table_in_use`, where it
  // is not empty, as their TABLE.
  Result<const Verb*> Parse(const std::vector<std::string>& words, const std::string& table_in_use = {});
  // Help for a verb, a group or a subject; the overview if there are no words, and everything for "all".
  Result<std::string> Help(const std::vector<std::string>& words) const;
  // `option`: what is being typed begins with a dash.
  Expected Expect(const std::vector<std::string>& words, bool option) const;

  // The options and the verb of the line.
  std::vector<std::string> masters;
  std::optional<std::string> tls_dir, user, password_file;
  std::optional<std::chrono::milliseconds> deadline;
  bool json = false;
  std::string table;  // that its verb works on
  std::vector<std::string> help_of;

 private:
  // The place of the verb's words in the line.
  struct Spoken {
    std::string words;           // "table create"; "table" where that is enough; empty: there are none
    const Verb* verb = nullptr;  // null: a group alone, or nothing
    std::vector<size_t> places;
  };
  // The place behind the options of every verb that stand at `at`.
  size_t SkipGlobal(const std::vector<std::string>& words, size_t at) const;
  Result<Spoken> FindVerb(const std::vector<std::string>& words, bool group_is_enough) const;
  Error NoVerb(const std::string& group, const std::string& word) const;
  Status ParseArguments(const Verb& verb, std::vector<std::string> arguments, const std::string& table_in_use);

  Verbs verbs_;
  std::vector<Parameter> global_;  // of every verb
};

// A comma-separated list of host:port; INVALID_ARGUMENT when there is none.
Result<std::vector<std::string>> ParseMasters(std::string_view text);

}  // namespace ebla::shell
