#include "tools/ebla/cli/help.h"

#include <algorithm>
#include <array>
#include <sstream>

#include "tools/ebla/cli/habits.h"

namespace ebla::shell {

namespace {

constexpr size_t kColumns = 80;  // of the narrowest screen

constexpr const char* kHead =
    "The shell of Ebla, a distributed ordered key-value store.\n"
    "Usage: ebla [OPTIONS] VERB ..., or ebla alone for an interactive shell\n";

constexpr const char* kOptions =
    "Options of every verb:\n"
    "  --masters LIST        the masters' host:port (EBLA_MASTERS, else 127.0.0.1:7400)\n"
    "  --json                results as JSON\n"
    "  --deadline DURATION   how long an operation may take (10s)\n"
    "  --tls-dir DIRECTORY   the cluster's and this user's certificates (EBLA_TLS_DIR, else no TLS)\n"
    "  --user USER           a login instead of a certificate (EBLA_USER)\n"
    "  --password-file FILE  the login's password, as the first line of a file (EBLA_PASSWORD_FILE)\n";

constexpr const char* kExitCodes =
    "Exit codes:  0 done  1 the answer is no  2 wrong usage  3 not available now\n"
    "             4 outcome unknown  5 another failure\n";

constexpr const char* kTyping =
    "In keys, \\xNN is a byte and \\\\ a backslash. In the shell, 'quotes' keep blanks.\n"
    "After use TABLE, verbs on records take no TABLE. At a prompt, history shows earlier lines.\n";

// How help is ordered: each verb by its first word.
struct Subject {
  const char* name;
  const char* title;
  std::vector<std::string_view> first_words;

  bool Has(const Verb& verb) const {
    const std::string_view words = verb.words();
    return std::ranges::find(first_words, words.substr(0, words.find(' '))) != first_words.end();
  }
};

const std::array<Subject, 9>& AllSubjects() {
  static const std::array<Subject, 9> subjects = {{
      {"records",
       "Records, and writes that a failover rolled back",
       {"conflict", "delete", "dump", "get", "incr", "load", "mget", "put", "scan", "token", "use"}},
      {"tables", "Tables", {"table"}},
      {"tablets", "Tablets", {"tablet", "locate"}},
      {"servers", "Servers", {"server"}},
      {"cluster", "The cluster as a whole", {"check", "cluster", "completion", "health", "hot", "scrub", "version"}},
      {"planner",
       "The planner, which splits and moves tablets by load, and procedures under way",
       {"balance", "procedure"}},
      {"recovery", "Backups", {"backup"}},
      {"users", "Users and their permissions", {"grant", "revoke", "role", "user"}},
      {"security", "Certificates in files of this machine; limits of users and tables", {"cert", "limit"}},
  }};
  return subjects;
}

std::vector<const Verb*> VerbsOf(const Verbs& verbs, const Subject& subject) {
  std::vector<const Verb*> found;
  for (const Verb& verb : verbs.all()) {
    if (subject.Has(verb)) found.push_back(&verb);
  }
  std::ranges::sort(found, {}, &Verb::words);
  return found;
}

// Verbs below each other, with what they do.
std::string Listed(const std::vector<const Verb*>& verbs, size_t width) {
  std::string text;
  for (const Verb* verb : verbs) {
    const std::string& words = verb->words();
    text += "  " + words + std::string(width - std::min(width, words.size()) + 2, ' ') + verb->summary() + "\n";
  }
  return text;
}

size_t WidthOf(const std::vector<const Verb*>& verbs) {
  size_t width = 0;
  for (const Verb* verb : verbs) width = std::max(width, verb->words().size());
  return width;
}

// "get, put" or "table alter, create, drop": a group's name once.
std::string Names(const std::vector<const Verb*>& verbs) {
  std::string text, group;
  for (const Verb* verb : verbs) {
    const size_t blank = verb->words().find(' ');
    const std::string first = blank == std::string::npos ? "" : verb->words().substr(0, blank);
    if (!text.empty()) text += first == group ? ", " : "; ";
    if (!first.empty() && first == group) {
      text += verb->words().substr(blank + 1);
    } else {
      text += verb->words();
    }
    group = first;
  }
  return text;
}

// The table of aliases: other words for verbs.
std::string OtherWords() {
  std::string text = "Other words for verbs:\n";
  for (const auto& [typed, meant] : Aliases()) text += "  " + typed + std::string(8 - typed.size(), ' ') + meant + "\n";
  return text;
}

// The column at which a broken line continues: behind "  --option   ", or the line's own indent.
size_t HangingIndent(const std::string& line) {
  const size_t begin = line.find_first_not_of(' ');
  if (begin == std::string::npos) return 0;
  if (begin == 0 || begin > 4) return begin;
  const size_t gap = line.find("  ", begin);
  const size_t text = gap == std::string::npos ? gap : line.find_first_not_of(' ', gap);
  return text == std::string::npos ? begin : text;
}

}  // namespace

std::string HelpOverview(const Verbs& verbs) {
  std::string text = kHead + std::string("\n");
  for (const Subject& subject : AllSubjects()) {
    const std::string name = subject.name;
    text += Wrapped("  " + name + std::string(11 - name.size(), ' ') + Names(VerbsOf(verbs, subject))) + "\n";
  }
  return text + "\n" + kExitCodes +
         "help VERB shows a verb with an example, help SUBJECT the verbs of a subject,\n"
         "help all everything, help options --masters, --json and others of every verb.";
}

std::string HelpOfOptions() { return Wrapped(kOptions + std::string("\n") + kExitCodes + "\n" + kTyping); }

std::string HelpOfAll(const Verbs& verbs) {
  std::vector<const Verb*> every;
  for (const Verb& verb : verbs.all()) every.push_back(&verb);
  const size_t width = WidthOf(every);
  std::string text = kHead + std::string("\n") + kOptions;
  for (const Subject& subject : AllSubjects()) {
    text += "\n" + std::string(subject.title) + ":\n" + Listed(VerbsOf(verbs, subject), width);
  }
  std::erase_if(every, [](const Verb* verb) {
    return std::ranges::any_of(AllSubjects(), [&](const Subject& subject) { return subject.Has(*verb); });
  });
  if (!every.empty()) text += "\nOthers:\n" + Listed(every, width);
  return Wrapped(text + "\n" + OtherWords() + "\n" + kExitCodes +
                 "The help of health, check and scrub explains their own exit codes 1 and 3.\n\n" + kTyping +
                 "help VERB shows a verb with an example.");
}

std::string HelpOfSubject(const Verbs& verbs, std::string_view subject) {
  for (const Subject& one : AllSubjects()) {
    const bool group = verbs.IsGroup(subject) && std::ranges::find(one.first_words, subject) != one.first_words.end();
    if (subject != one.name && !group) continue;
    const std::vector<const Verb*> listed = VerbsOf(verbs, one);
    const std::string usage = group ? "Usage: ebla " + std::string(subject) + " VERB ...\n\n" : "";
    return Wrapped(usage + one.title + ":\n" + Listed(listed, WidthOf(listed)) + "\nhelp " + listed.front()->words() +
                   " shows one of them with its options and an example.");
  }
  return "";
}

std::string Wrapped(const std::string& text) {
  std::string wrapped, line, next;
  std::istringstream input(text);
  size_t indent = 0;
  bool broken = false;  // the line before was too long: a line below it, at its indent, continues it
  const auto put = [&] {
    indent = HangingIndent(line);
    broken = line.size() > kColumns;
    while (line.size() > kColumns) {
      const size_t blank = line.rfind(' ', kColumns);
      if (blank == std::string::npos || blank <= indent) break;
      wrapped += line.substr(0, blank) + "\n";
      line = std::string(indent, ' ') + line.substr(blank + 1);
    }
  };
  for (bool first = true; std::getline(input, next); first = false) {
    const size_t begin = next.find_first_not_of(' ');
    if (!first && broken && begin != std::string::npos && begin == indent) {
      line += " " + next.substr(begin);
      put();
      broken = true;
      continue;
    }
    if (!first) wrapped += line + "\n";
    line = next;
    put();
  }
  wrapped += line;
  while (wrapped.ends_with('\n')) wrapped.pop_back();
  return wrapped;
}

std::string WrappedCommands(const std::string& commands) {
  std::string wrapped;
  std::istringstream input("  " + commands);
  for (std::string line; std::getline(input, line);) {
    while (line.size() > kColumns) {
      size_t blank = line.rfind(" --", kColumns - 2);  // an option stays with its value
      if (blank == std::string::npos || blank <= 6) blank = line.rfind(' ', kColumns - 2);
      if (blank == std::string::npos || blank <= 6) break;
      wrapped += line.substr(0, blank) + " \\\n";
      line = std::string(6, ' ') + line.substr(blank + 1);
    }
    wrapped += line + "\n";
  }
  wrapped.pop_back();
  return wrapped;
}

std::vector<std::string> Subjects() {
  std::vector<std::string> names = {"all", "options"};
  for (const Subject& subject : AllSubjects()) names.emplace_back(subject.name);
  return names;
}

}  // namespace ebla::shell
