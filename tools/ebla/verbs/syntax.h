// tools/ebla/verbs/syntax.h
// A verb's arguments, options and flags as a plain table, with functions that take their texts.
// Place:   verbs_*.cc fill it; only cli/line_parser.cc passes it to the parsing library, whose header takes longer to
//          compile than any verb.
// Errors:  a Take explains the fault of a text, and the parser adds the parameter's name.
// Threads: one.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ebla/ebla.h"

namespace ebla::shell {

struct Context;

// Checks a text that was typed and keeps what it means.
using Take = std::function<Status(std::string_view)>;

Take TakeText(std::string& to);
Take TakeText(std::optional<std::string>& to);
Take TakeTexts(std::vector<std::string>& to);  // of an argument that may be repeated
// Bytes, typed with \xNN and \\.
Take TakeBytes(std::string& to);
Take TakeBytes(std::optional<std::string>& to);
Take TakeEachBytes(std::vector<std::string>& to);
Take TakeListOfBytes(std::vector<std::string>& to);  // "f,m,t"
Take TakeDuration(std::chrono::milliseconds& to, std::chrono::milliseconds least = std::chrono::milliseconds(0));
Take TakeDuration(std::optional<std::chrono::milliseconds>& to);
Take TakeSize(std::optional<uint64_t>& to);
Take TakeLevel(std::optional<Ack>& to);
Take TakeLevel(std::optional<Read>& to);
Take TakeVersion(std::optional<Version>& to);
Take TakeOneOf(std::string& to, std::vector<std::string> choices);

// "seven" is not a whole number from 1 to 7.
Result<int64_t> ParseWhole(std::string_view text, int64_t least, int64_t most);
template <std::integral T>
Take TakeWhole(T& to, int64_t least = 0, int64_t most = std::numeric_limits<int64_t>::max()) {
  return [&to, least, most](std::string_view text) -> Status {
    EBLA_ASSIGN(const int64_t number, ParseWhole(text, least, most));
    to = static_cast<T>(number);
    return {};
  };
}

struct Parameter {
  std::string name;   // an argument "TABLE"; an option "--ttl"; with a short name "-v,--verbose"
  std::string value;  // what help calls an option's value; empty: a flag, or an argument
  std::string help;
  Take take;
  bool required = false;
  bool repeated = false;                // it may come several times
  std::vector<std::string> once_named;  // names that an option had before, and that scripts may use

  bool option() const { return name.starts_with('-'); }
  bool flag() const { return option() && value.empty(); }
  std::string LongName() const;  // "--verbose"
  bool Answers(std::string_view typed) const;
};

// One verb: how it is typed, what help says, and what it does.
class Verb {
 public:
  using Run = std::function<Status(Context&)>;

  Verb(std::string words, std::string summary, std::string example, Run run)
      : words_(std::move(words)), summary_(std::move(summary)), example_(std::move(example)), run_(std::move(run)) {}

  Verb& Argument(std::string name, Take take, std::string help = "");
  Verb& Optional(std::string name, Take take, std::string help);  // an argument that may be left out
  Verb& Repeated(std::string name, Take take, std::string help);
  Verb& Option(std::string name, std::string value, Take take, std::string help);
  Verb& Required(std::string name, std::string value, Take take, std::string help);  // an option
  Verb& Several();  // the latest option may be given more than once
  Verb& Flag(std::string name, bool& to, std::string help);
  // --yes. Without it, a dangerous verb asks for confirmation, or refuses if there is no terminal. `once_named`: flags
  // that meant the same in earlier versions.
  Verb& Dangerous(bool& yes, std::vector<std::string> once_named = {});
  Verb& Notes(std::string text);  // shown by help, below the example
  // TABLE may be left out where the shell has a table in use.
  Verb& OnTableInUse();
  // Ctrl-C is told to it (Context::interrupted), also where it is all that the program runs, and it stops in good
  // order.
  Verb& StopsOnInterrupt();

  const std::string& words() const { return words_; }  // "table create"
  const std::string& summary() const { return summary_; }
  const std::string& example() const { return example_; }
  const std::string& notes() const { return notes_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  const Run& run() const { return run_; }
  bool on_table_in_use() const { return on_table_in_use_; }
  bool stops_on_interrupt() const { return stops_on_interrupt_; }

 private:
  std::string words_, summary_, example_, notes_;
  std::vector<Parameter> parameters_;
  Run run_;
  bool on_table_in_use_ = false;
  bool stops_on_interrupt_ = false;
};

}  // namespace ebla::shell
