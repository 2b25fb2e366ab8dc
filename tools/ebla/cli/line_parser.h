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

// What may follow some words.
struct Expected {
  std::vector<std::string> words;  // verbs, options
  std::string value;               // as help calls it: "TABLE", "SERVER", "ID", "KIND"; empty: nothing, or anything
};

class LineParser {
 public:
  LineParser();
  LineParser(const LineParser&) = delete;
  LineParser& operator=(const LineParser&) = delete;

  // True: run what verbs().chosen() says. False: help is asked for, of the verb in help_of.
  Result<bool> Parse(const std::vector<std::string>& words);
  // Of everything where there are no words.
  Result<std::string> Help(const std::vector<std::string>& words);
  // `option`: what is being typed begins with a dash.
  Expected Expect(const std::vector<std::string>& words, bool option);

  const Verbs& verbs() const { return verbs_; }

  std::string masters, deadline;
  bool json = false;
  std::vector<std::string> help_of;

 private:
  // The words of the verb, without the options of every verb; INVALID_ARGUMENT: there is none of that name.
  Result<std::vector<std::string>> VerbOf(const std::vector<std::string>& words, bool group_is_enough) const;
  std::string HelpOfAll() const;
  std::string HelpOfGroup(const std::string& group, CLI::App* app) const;

  CLI::App app_;
  Verbs verbs_;
};

}  // namespace ebla::shell
