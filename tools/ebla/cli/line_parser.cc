#include "tools/ebla/cli/line_parser.h"

#include <algorithm>
#include <array>

namespace ebla::shell {

namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done; 1 the answer is no (not found, condition failed, no such table, table exists); 2 wrong "
    "usage;\n"
    "3 not available now; 4 unknown whether the write took effect; 5 any other failure. health and check grade the\n"
    "cluster by theirs: see their help.\n"
    "Keys may have bytes as \\xNN. In the shell, 'quotes' keep blanks. help VERB shows a verb with an example.";

// How help is ordered: each verb by its first word.
struct Chapter {
  const char* title;
  std::vector<std::string_view> first_words;
};
const std::array<Chapter, 8>& Chapters() {
  static const std::array<Chapter, 8> chapters = {{
      {"Records", {"delete", "dump", "get", "incr", "load", "mget", "put", "scan", "token"}},
      {"Tables", {"table"}},
      {"Tablets", {"tablet", "locate"}},
      {"Servers", {"server"}},
      {"The cluster as a whole", {"check", "cluster", "health", "hot"}},
      {"What the master has under way", {"procedure"}},
      {"The planner, which splits and moves tablets by load", {"balance"}},
      {"Writes that a failover rolled back", {"conflict"}},
  }};
  return chapters;
}

// The place behind the options of every verb that stand at `at`.
size_t SkipGlobal(const std::vector<std::string>& words, size_t at) {
  for (; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (word == "--json" || word.starts_with("--masters=") || word.starts_with("--deadline=")) continue;
    if (word != "--masters" && word != "--deadline") break;
    ++at;
  }
  return std::min(at, words.size());
}

std::string Joined(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : std::string(separator)) + word;
  return text;
}

std::vector<std::string> NamesIn(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(verb->get_name());
  std::ranges::sort(names);
  return names;
}

bool IsDash(const std::string& word) { return word.size() > 1 && word.front() == '-'; }

bool TakesValue(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

std::vector<std::string> LongNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_lnames().empty()) names.push_back("--" + option->get_lnames().front());
  }
  return names;
}

// Verbs below each other, with what they do.
std::string Listed(std::vector<std::pair<std::string, std::string>> verbs, size_t width) {
  std::ranges::sort(verbs);
  std::string text;
  for (const auto& [verb, summary] : verbs)
    text += "  " + verb + std::string(width - std::min(width, verb.size()) + 2, ' ') + summary + "\n";
  return text;
}

size_t WidthOf(const std::vector<std::pair<std::string, std::string>>& verbs) {
  size_t width = 0;
  for (const auto& [verb, summary] : verbs) width = std::max(width, verb.size());
  return width;
}

}  // namespace

LineParser::LineParser() : app_("The shell of Ebla, a distributed ordered key-value store.", "ebla"), verbs_(app_) {
  app_.add_option("--masters", masters, "host:port of the masters (EBLA_MASTERS; 127.0.0.1:7400)")->type_name("LIST");
  app_.add_flag("--json", json, "Shows results as JSON, one value per line");
  app_.add_option("--deadline", deadline, "How long an operation may take")->type_name("DURATION");
  app_.require_subcommand(0, 1);
  AddAllVerbs(verbs_);
}

Result<std::vector<std::string>> LineParser::VerbOf(const std::vector<std::string>& words, bool group_is_enough) const {
  std::vector<std::string> verb;
  const CLI::App* app = &app_;
  for (size_t at = SkipGlobal(words, 0);; at = SkipGlobal(words, at + 1)) {
    const std::vector<std::string> names = NamesIn(*app);
    // the rest is the verb's, or the parser's to judge
    if (names.empty() || (at < words.size() && IsDash(words[at]))) return verb;
    const std::string choices = verb.empty() ? Joined(names, ", ") : Joined(verb, " ") + " has " + Joined(names, ", ");
    if (at == words.size()) {
      if (group_is_enough || verb.empty()) return verb;
      return Error(Code::kInvalidArgument,
                   "\"" + Joined(verb, " ") + "\" alone is no verb: " + choices + " (try: help " + verb.front() + ")");
    }
    verb.push_back(words[at]);
    app = verbs_.Find(verb);
    if (app == nullptr)
      return Error(Code::kInvalidArgument,
                   "there is no verb \"" + Joined(verb, " ") + "\": " + choices + " (try: help)");
  }
}

Result<bool> LineParser::Parse(const std::vector<std::string>& words) {
  const size_t first = SkipGlobal(words, 0);
  if (first < words.size() && words[first] == "help") {
    help_of.assign(words.begin() + static_cast<ptrdiff_t>(first) + 1, words.end());
    return false;
  }
  EBLA_ASSIGN(const std::vector<std::string> verb, VerbOf(words, false));
  try {
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    app_.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    help_of = verb;
    return false;
  } catch (const CLI::ParseError& error) {
    return Error(Code::kInvalidArgument,
                 std::string(error.what()) + " (try: help" + (verb.empty() ? "" : " " + Joined(verb, " ")) + ")");
  }
  if (!verbs_.chosen()) return Error(Code::kInvalidArgument, "no verb given (try: help)");
  return true;
}

Result<std::string> LineParser::Help(const std::vector<std::string>& words) {
  EBLA_ASSIGN(const std::vector<std::string> verb, VerbOf(words, true));
  if (verb.empty()) return HelpOfAll();
  CLI::App* app = verbs_.Find(verb);
  if (!NamesIn(*app).empty()) return HelpOfGroup(Joined(verb, " "), app);
  std::vector<std::string> before(verb.begin(), verb.end() - 1);
  before.insert(before.begin(), "ebla");
  return app->help(Joined(before, " "));
}

std::string LineParser::HelpOfAll() const {
  std::string text =
      "The shell of Ebla, a distributed ordered key-value store.\n\n"
      "Usage: ebla [OPTIONS] VERB ...      or just ebla, for an interactive shell\n\n"
      "Options of every verb:\n"
      "  --masters LIST       host:port of the masters (EBLA_MASTERS; 127.0.0.1:7400)\n"
      "  --json               shows results as JSON, one value per line\n"
      "  --deadline DURATION  how long an operation may take (10s)\n";
  std::vector<std::pair<std::string, std::string>> left = verbs_.list();
  const size_t width = WidthOf(left);
  const auto take = [&](const std::vector<std::string_view>& first_words) {
    std::vector<std::pair<std::string, std::string>> taken;
    std::erase_if(left, [&](const auto& verb) {
      const bool fits = std::ranges::find(first_words, std::string_view(verb.first).substr(0, verb.first.find(' '))) !=
                        first_words.end();
      if (fits) taken.push_back(verb);
      return fits;
    });
    return taken;
  };
  for (const Chapter& chapter : Chapters())
    text += "\n" + std::string(chapter.title) + ":\n" + Listed(take(chapter.first_words), width);
  if (!left.empty()) text += "\nOthers:\n" + Listed(left, width);
  return text + "\n" + kFooter;
}

std::string LineParser::HelpOfGroup(const std::string& group, CLI::App* app) const {
  std::vector<std::pair<std::string, std::string>> verbs;
  for (const auto& [verb, summary] : verbs_.list()) {
    if (verb.starts_with(group + " ")) verbs.emplace_back(verb, summary);
  }
  return "Usage: ebla " + group + " VERB ...\n\n" + Listed(verbs, WidthOf(verbs)) + "\nhelp " + group + " " +
         NamesIn(*app).front() + " shows one of them with its options and an example.";
}

Expected LineParser::Expect(const std::vector<std::string>& words, bool option) {
  Expected expected;
  size_t at = SkipGlobal(words, 0);
  const bool help = at < words.size() && words[at] == "help";
  CLI::App* app = &app_;
  for (at = SkipGlobal(words, help ? at + 1 : at); at < words.size(); at = SkipGlobal(words, at + 1)) {
    CLI::App* next = Subcommand(app, words[at]);
    if (next == nullptr) break;
    app = next;
  }
  const std::vector<std::string> verbs = NamesIn(*app);
  if (option && !help) {
    expected.words = LongNames(*app);
    if (app != &app_) std::ranges::copy(LongNames(app_), std::back_inserter(expected.words));
    return expected;
  }
  if (!verbs.empty()) {
    if (at == words.size()) expected.words = verbs;
    if (app == &app_ && at == words.size() && !help)
      expected.words.insert(expected.words.end(), {"help", "exit", "quit"});
    return expected;
  }
  if (help) return expected;
  size_t given = 0;  // arguments that no option takes
  for (; at < words.size(); ++at) {
    if (!IsDash(words[at])) {
      ++given;
      continue;
    }
    const CLI::Option* named = app->get_option_no_throw(words[at]);
    if (named == nullptr) named = app_.get_option_no_throw(words[at]);
    if (named == nullptr || !TakesValue(*named)) continue;
    if (++at == words.size()) {
      expected.value = named->get_type_name();
      return expected;
    }
  }
  for (const CLI::Option* argument : app->get_options()) {
    if (!argument->get_positional()) continue;
    if (given-- == 0) {
      expected.value = argument->get_name();
      break;
    }
  }
  return expected;
}

}  // namespace ebla::shell
