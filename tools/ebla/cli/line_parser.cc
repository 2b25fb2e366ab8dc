#include "tools/ebla/cli/line_parser.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <map>

#include "common/base/split_text.h"
#include "common/base/suggest.h"
#include "tools/ebla/cli/habits.h"
#include "tools/ebla/cli/help.h"

namespace ebla::shell {

namespace {

std::string Lower(std::string word) {
  std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return word;
}

// The first word of a line as the table of verbs has it: in lower case, and without other stores' names.
std::string Meant(const std::string& word) {
  const auto alias = Aliases().find(Lower(word));
  return alias == Aliases().end() ? Lower(word) : alias->second;
}

std::string Joined(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : std::string(separator)) + word;
  return text;
}

bool IsDash(const std::string& word) { return word.size() > 1 && word.front() == '-'; }

std::vector<std::string> LongNames(const std::vector<Parameter>& parameters) {
  std::vector<std::string> names;
  for (const Parameter& parameter : parameters) {
    if (parameter.option()) names.push_back(parameter.LongName());
  }
  return names;
}

const Parameter* FindOption(const std::vector<Parameter>& parameters, std::string_view name) {
  const auto found = std::ranges::find_if(
      parameters, [&](const Parameter& parameter) { return parameter.option() && parameter.Answers(name); });
  return found == parameters.end() ? nullptr : &*found;
}

// The words given for each parameter.
using Given = std::map<const Parameter*, std::vector<std::string>>;

// Adds a parameter to the library's parser, where its name is `name`.
CLI::Option* AddTo(CLI::App& app, const Parameter& parameter, const std::string& name, Given& given) {
  if (parameter.flag()) {
    return app.add_flag_callback(
        name,
        [&parameter, &given] {
          given[&parameter].emplace_back();
          (void)parameter.take("");  // a flag cannot be wrong
        },
        parameter.help);
  }
  const CLI::callback_t take = [&parameter, &given](const CLI::results_t& texts) {
    for (const std::string& text : texts) {
      given[&parameter].push_back(text);
      const Status status = parameter.take(text);
      if (!status.ok()) throw CLI::ValidationError(parameter.LongName(), status.message());
    }
    return true;
  };
  CLI::Option* option = app.add_option(name, take, parameter.help);
  option->type_name(parameter.value);
  if (parameter.repeated && parameter.option()) option->take_all();
  if (parameter.repeated && !parameter.option()) option->expected(1, 1'000'000)->allow_extra_args();
  return option;
}

// Rejects words that are left over after every parameter has taken its words.
Status CheckLeftOver(const std::vector<std::string>& left, const std::vector<std::string>& options,
                     const std::string& table_in_use) {
  const auto rest = std::ranges::find_if(left, [](const std::string& word) { return word != "--"; });
  if (rest == left.end()) return {};
  for (const std::string& word : left) {
    if (!IsDash(word) || word == "--") continue;
    const std::string name = word.substr(0, word.find('='));
    const std::string meant = DidYouMean(name, options);
    return Error(Code::kInvalidArgument,
                 "there is no option " + name +
                     (meant.empty() ? "; write -- before an argument that begins with a dash" : meant));
  }
  return Error(Code::kInvalidArgument,
               "\"" + *rest + "\" is one argument too many" +
                   (table_in_use.empty() ? "" : "; table " + table_in_use + " is in use, so leave TABLE out"));
}

Status CheckRequired(const Verb& verb, const Given& given) {
  for (const Parameter& parameter : verb.parameters()) {
    if (!parameter.required || given.contains(&parameter)) continue;
    return Error(Code::kInvalidArgument, parameter.LongName() + " is missing");
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> ParseMasters(std::string_view text) {
  std::vector<std::string> masters = SplitText(text, ',', EmptyParts::kDrop);
  if (masters.empty()) return Error(Code::kInvalidArgument, "no master is named: write host:port[,host:port...]");
  return masters;
}

LineParser::LineParser() {
  AddAllVerbs(verbs_);
  Verb every("", "", "", {});
  every.Option(
      "--masters", "LIST",
      [this](std::string_view text) -> Status {
        EBLA_ASSIGN(masters, ParseMasters(text));
        return {};
      },
      "");
  every.Option("--tls-dir", "DIRECTORY", TakeText(tls_dir), "");
  every.Option("--user", "USER", TakeText(user), "");
  every.Option("--password-file", "FILE", TakeText(password_file), "");
  every.Option(
      "--deadline", "DURATION",
      [this](std::string_view text) -> Status {
        return TakeDuration(deadline.emplace(), std::chrono::milliseconds(1))(text);
      },
      "");
  every.Flag("--json", json, "");
  global_ = every.parameters();
}

size_t LineParser::SkipGlobal(const std::vector<std::string>& words, size_t at) const {
  for (; at < words.size(); ++at) {
    const size_t equals = words[at].find('=');
    const Parameter* option = FindOption(global_, words[at].substr(0, equals));
    if (option == nullptr) break;
    if (!option->flag() && equals == std::string::npos) ++at;
  }
  return std::min(at, words.size());
}

Error LineParser::NoVerb(const std::string& group, const std::string& word) const {
  const std::vector<std::string> names = verbs_.NamesIn(group);
  const std::string whole = group.empty() ? word : group + " " + word;
  std::string meant = DidYouMean(word, names);
  if (meant.empty() && group.empty()) {
    for (const Verb& verb : verbs_.all()) {  // "create" where "table create" is meant
      if (meant.empty() && verb.words().ends_with(" " + word)) meant = ", did you mean \"" + verb.words() + "\"?";
    }
  }
  if (group.empty() && !Equivalent(Meant(word)).empty()) meant = ": " + std::string(Equivalent(Meant(word)));
  if (meant.empty() && !group.empty()) meant = ": " + group + " has " + Joined(names, ", ");
  return Error(Code::kInvalidArgument, "there is no verb \"" + whole + "\"" + meant + " (try: help)");
}

Result<LineParser::Spoken> LineParser::FindVerb(const std::vector<std::string>& words, bool group_is_enough) const {
  Spoken spoken;
  size_t at = SkipGlobal(words, 0);
  if (at == words.size() || IsDash(words[at])) return spoken;
  spoken.words = Meant(words[at]);
  spoken.places.push_back(at);
  spoken.verb = verbs_.Find(spoken.words);
  if (spoken.verb != nullptr) return spoken;
  const std::string group = spoken.words;
  if (!verbs_.IsGroup(group)) return NoVerb("", words[at]);
  at = SkipGlobal(words, at + 1);
  if (at < words.size() && !IsDash(words[at])) {
    spoken.words += " " + Lower(words[at]);
    spoken.places.push_back(at);
    spoken.verb = verbs_.Find(spoken.words);
    if (spoken.verb == nullptr) return NoVerb(group, words[at]);
    return spoken;
  }
  const bool help = at < words.size() && (words[at] == "--help" || words[at] == "-h");
  if (group_is_enough || help) return spoken;
  return Error(Code::kInvalidArgument, "\"" + group + "\" alone is not a verb: " + group + " has " +
                                           Joined(verbs_.NamesIn(group), ", ") + " (try: help " + group + ")");
}

Result<const Verb*> LineParser::Parse(const std::vector<std::string>& words, const std::string& table_in_use) {
  const size_t first = SkipGlobal(words, 0);
  if (first < words.size() && Meant(words[first]) == "help") {
    help_of.assign(words.begin() + static_cast<ptrdiff_t>(first) + 1, words.end());
    return nullptr;
  }
  EBLA_ASSIGN(const Spoken spoken, FindVerb(words, false));
  std::vector<std::string> arguments;
  for (size_t i = 0; i < words.size(); ++i) {
    if (std::ranges::find(spoken.places, i) == spoken.places.end()) arguments.push_back(words[i]);
  }
  const bool help =
      std::ranges::any_of(arguments, [](const std::string& word) { return word == "--help" || word == "-h"; });
  if (spoken.verb == nullptr) {
    if (!help && first < words.size()) {
      EBLA_TRY(CheckLeftOver({words[first]}, LongNames(global_), ""));
    }
    if (!help) return Error(Code::kInvalidArgument, "no verb is given (try: help)");
    if (!spoken.words.empty()) help_of = {spoken.words};
    return nullptr;
  }
  const Status status =
      ParseArguments(*spoken.verb, std::move(arguments), spoken.verb->on_table_in_use() ? table_in_use : "");
  if (!status.ok()) return Error(status.code(), status.message() + " (try: help " + spoken.words + ")");
  return help_of.empty() ? spoken.verb : nullptr;
}

Status LineParser::ParseArguments(const Verb& verb, std::vector<std::string> arguments,
                                  const std::string& table_in_use) {
  Given given;
  CLI::App app;
  app.allow_extras();
  for (const Parameter& parameter : global_) AddTo(app, parameter, parameter.name, given);
  for (const Parameter& parameter : verb.parameters()) {
    if (parameter.name == "TABLE" && !table_in_use.empty()) {
      given[&parameter].push_back(table_in_use);
      EBLA_TRY(parameter.take(table_in_use));
      continue;
    }
    AddTo(app, parameter, parameter.name, given);
    for (const std::string& once : parameter.once_named) AddTo(app, parameter, once, given)->group("");
  }
  try {
    std::ranges::reverse(arguments);
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    help_of = {verb.words()};
    return {};
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string text = error.what();
    return Error(Code::kInvalidArgument, text.substr(0, text.find(':')) + " takes one value");
  } catch (const CLI::ParseError& error) {
    return Error(Code::kInvalidArgument, error.what());
  }
  std::vector<std::string> options = LongNames(verb.parameters());
  std::ranges::copy(LongNames(global_), std::back_inserter(options));
  EBLA_TRY(CheckLeftOver(app.remaining(), options, table_in_use));
  for (const auto& [parameter, texts] : given) {
    if (parameter->name == "TABLE" || parameter->value == "TABLE") table = texts.back();
  }
  return CheckRequired(verb, given);
}

Result<std::string> LineParser::Help(const std::vector<std::string>& words) const {
  std::vector<std::string> asked;
  for (size_t at = SkipGlobal(words, 0); at < words.size(); at = SkipGlobal(words, at + 1)) asked.push_back(words[at]);
  if (asked.empty()) return HelpOverview(verbs_);
  for (std::string& word : asked) word = &word == &asked.front() ? Meant(word) : Lower(word);
  if (asked.size() == 1 && asked.front() == "all") return HelpOfAll(verbs_);
  if (asked.size() == 1 && asked.front() == "options") return HelpOfOptions();
  if (asked.size() == 1 && verbs_.Find(asked.front()) == nullptr) {
    if (std::string help = HelpOfSubject(verbs_, asked.front()); !help.empty()) return help;
  }
  // "help table create", also as one word
  if (asked.size() == 1 && verbs_.Find(asked.front()) != nullptr) {
    const size_t blank = asked.front().find(' ');
    if (blank != std::string::npos) asked = {asked.front().substr(0, blank), asked.front().substr(blank + 1)};
  }
  EBLA_ASSIGN(const Spoken spoken, FindVerb(asked, true));
  if (spoken.verb == nullptr) return HelpOfSubject(verbs_, spoken.words);
  const Verb& verb = *spoken.verb;
  const size_t blank = verb.words().find(' ');
  const std::string group = blank == std::string::npos ? "" : " " + verb.words().substr(0, blank);
  Given given;
  CLI::App app(verb.summary(), verb.words().substr(blank + 1));
  app.set_help_flag("-h,--help", "Shows this help");
  app.get_formatter()->label("REQUIRED", "");
  app.get_formatter()->label("Positionals", "Arguments");
  for (const Parameter& parameter : verb.parameters())
    AddTo(app, parameter, parameter.name, given)->required(parameter.required);
  const std::string also = AliasesOf(verb.words());
  const std::string notes =
      (also.empty() ? "" : "\n\nAlso typed: " + also) + (verb.notes().empty() ? "" : "\n\n" + Wrapped(verb.notes()));
  return Wrapped(app.help("ebla" + group)) + "\n\nExample:\n" + WrappedCommands(verb.example()) + notes;
}

Expected LineParser::Expect(const std::vector<std::string>& words, bool option) const {
  Expected expected;
  size_t at = SkipGlobal(words, 0);
  const bool help = at < words.size() && words[at] == "help";
  at = SkipGlobal(words, help ? at + 1 : at);
  std::string spoken;
  const Verb* verb = nullptr;
  for (; at < words.size() && verb == nullptr; at = SkipGlobal(words, at + 1)) {
    spoken += (spoken.empty() ? "" : " ") + words[at];
    verb = verbs_.Find(spoken);
    if (verb == nullptr && !verbs_.IsGroup(spoken)) return expected;
  }
  if (option && !help) {
    if (verb != nullptr) expected.words = LongNames(verb->parameters());
    std::ranges::copy(LongNames(global_), std::back_inserter(expected.words));
    return expected;
  }
  if (verb == nullptr) {
    expected.words = verbs_.NamesIn(spoken);
    const std::vector<std::string> more = !spoken.empty() ? std::vector<std::string>()
                                          : help          ? Subjects()
                                                          : std::vector<std::string>{"help", "history", "exit", "quit"};
    expected.words.insert(expected.words.end(), more.begin(), more.end());
    return expected;
  }
  if (help) return expected;
  size_t given = 0;  // arguments that no option takes
  for (; at < words.size(); ++at) {
    if (!IsDash(words[at])) {
      ++given;
      continue;
    }
    const Parameter* named = FindOption(verb->parameters(), words[at]);
    if (named == nullptr) named = FindOption(global_, words[at]);
    if (named == nullptr || named->flag()) continue;
    if (++at == words.size()) {
      expected.value = named->value;
      return expected;
    }
  }
  for (const Parameter& argument : verb->parameters()) {
    if (argument.option()) continue;
    if (given-- == 0) {
      expected.value = argument.name;
      break;
    }
  }
  return expected;
}

}  // namespace ebla::shell
