#include "tools/ebla/shell.h"

#include <algorithm>
#include <istream>
#include <ostream>

#include "tools/ebla/parse.h"

namespace ebla::shell {

namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done; 1 the answer is no (not found, condition failed, no such table, table exists); 2 wrong "
    "usage;\n"
    "3 not available now; 4 unknown whether the write took effect; 5 any other failure.\n"
    "Keys may have bytes as \\xNN. In the shell, 'quotes' keep blanks. help VERB shows a verb with an example.";

}  // namespace

// The parser of one line: made anew for each, as arguments are kept in it.
class LineParser {
 public:
  LineParser() : app_("The shell of Ebla, a distributed ordered key-value store.", "ebla"), verbs_(app_) {
    app_.add_option("--masters", masters, "host:port of the masters (EBLA_MASTERS; 127.0.0.1:7400)")->type_name("LIST");
    app_.add_flag("--json", json, "Shows results as JSON, one value per line");
    app_.add_option("--deadline", deadline, "How long an operation may take")->type_name("DURATION");
    app_.require_subcommand(0, 1);
    app_.footer(kFooter);
    AddAllVerbs(verbs_);
  }

  CLI::App& app() { return app_; }
  Verbs& verbs() { return verbs_; }

  std::string masters, deadline;
  bool json = false;

 private:
  CLI::App app_;
  Verbs verbs_;
};

Shell::Shell(Settings settings, std::ostream& out, std::ostream& err)
    : settings_(std::move(settings)), out_(out, err) {}

Result<std::vector<std::string>> ParseMasters(std::string_view text) {
  std::vector<std::string> masters;
  for (size_t start = 0; start <= text.size();) {
    const size_t comma = std::min(text.find(',', start), text.size());
    if (comma > start) masters.emplace_back(text.substr(start, comma - start));
    start = comma + 1;
  }
  if (masters.empty()) return Error(Code::kInvalidArgument, "--masters names none: write host:port[,host:port...]");
  return masters;
}

Result<Client> Shell::Connected() {
  if (client_) return *client_;
  EBLA_ASSIGN(client_, Client::Connect({.masters = connected_masters_, .deadline = connected_deadline_}));
  return *client_;
}

int Shell::Run(const std::vector<std::string>& words) {
  interrupted_ = false;
  LineParser parser;
  out_.json = settings_.json;
  const auto fail = [&](const Status& status) {
    out_.Failed(status);
    return ExitCode(status);
  };
  if (!words.empty() && words.front() == "help") {
    ShowHelp({words.begin() + 1, words.end()});
    return 0;
  }
  try {
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    parser.app().parse(reversed);
  } catch (const CLI::CallForHelp&) {
    std::vector<std::string> verb;
    for (CLI::App* app = &parser.app(); !app->get_subcommands().empty();) {
      app = app->get_subcommands().front();
      verb.push_back(app->get_name());
    }
    ShowHelp(verb);
    return 0;
  } catch (const CLI::ParseError& error) {
    out_.json = out_.json || std::ranges::find(words, "--json") != words.end();
    return fail(Status(Code::kInvalidArgument, std::string(error.what()) + " (try: help)"));
  }
  out_.json = out_.json || parser.json;
  Context context{[this] { return Connected(); }, out_, interrupted_, session_, settings_.deadline, 0};
  if (!parser.deadline.empty()) {
    const auto deadline = ParseDuration(parser.deadline);
    if (!deadline) return fail(deadline.error());
    if (deadline->count() == 0) return fail(Status(Code::kInvalidArgument, "--deadline must be above 0"));
    context.deadline = *deadline;
  }
  std::vector<std::string> masters = settings_.masters;
  if (!parser.masters.empty()) {
    auto parsed = ParseMasters(parser.masters);
    if (!parsed) return fail(parsed.error());
    masters = *std::move(parsed);
  }
  if (masters != connected_masters_ || context.deadline != connected_deadline_) {
    client_.reset();
    connected_masters_ = std::move(masters);
    connected_deadline_ = context.deadline;
  }
  if (!parser.verbs().chosen()) return fail(Status(Code::kInvalidArgument, "no verb given (try: help)"));
  const Status status = parser.verbs().chosen()(context);
  session_ = context.session;
  return status.ok() ? context.exit_code : fail(status);
}

int Shell::RunLine(std::string_view line) {
  const Result<std::vector<std::string>> words = SplitWords(line);
  if (!words) {
    out_.Failed(words.error());
    return ExitCode(words.error());
  }
  return words->empty() ? 0 : Run(*words);
}

int Shell::RunScript(std::istream& input) {
  int first = 0;
  std::string line;
  while (std::getline(input, line)) {
    const int code = RunLine(line);
    if (first == 0) first = code;
  }
  return first;
}

void Shell::ShowHelp(const std::vector<std::string>& words) {
  LineParser parser;
  if (words.empty()) {
    out_.Line("The shell of Ebla, a distributed ordered key-value store.\n");
    out_.Line("Usage: ebla [OPTIONS] VERB ...      or just ebla, for an interactive shell\n");
    out_.Line("Options of every verb:");
    out_.Line("  --masters LIST       host:port of the masters (EBLA_MASTERS; 127.0.0.1:7400)");
    out_.Line("  --json               shows results as JSON, one value per line");
    out_.Line("  --deadline DURATION  how long an operation may take (10s)\n");
    out_.Line("Verbs:");
    for (const auto& [verb, summary] : parser.verbs().list()) {
      out_.Line("  " + verb + std::string(verb.size() < 16 ? 16 - verb.size() : 1, ' ') + summary);
    }
    out_.Line(std::string("\n") + kFooter);
    return;
  }
  CLI::App* app = parser.verbs().Find(words);
  if (app == nullptr) {
    std::string all;
    for (const std::string& word : words) all += (all.empty() ? "" : " ") + word;
    out_.Line("There is no verb \"" + all + "\"; help shows all.");
    return;
  }
  out_.Line(app->help());
}

std::vector<std::string> Shell::Complete(const std::vector<std::string>& words, std::string_view prefix) {
  LineParser parser;
  std::vector<std::string> candidates;
  const bool help = !words.empty() && words.front() == "help";
  size_t at = help ? 1 : 0;
  CLI::App* app = &parser.app();
  for (; at < words.size(); ++at) {
    CLI::App* next = Subcommand(app, words[at]);
    if (next == nullptr) break;
    app = next;
  }
  for (CLI::App* verb : app->get_subcommands({})) candidates.push_back(verb->get_name());
  if (app == &parser.app()) {
    candidates.insert(candidates.end(), {"help", "exit", "quit"});
  } else if (candidates.empty() && prefix.starts_with("-")) {
    for (const CLI::Option* option : app->get_options()) {
      if (!option->get_lnames().empty()) candidates.push_back("--" + option->get_lnames().front());
    }
  } else if (candidates.empty() && at == words.size() && !help) {
    // The first argument of every verb that has one is a table.
    for (const CLI::Option* option : app->get_options()) {
      if (option->get_positional() && (option->get_name() == "TABLE" || option->get_name() == "NAME")) {
        candidates = TableNames();
        break;
      }
    }
  }
  std::erase_if(candidates, [&](const std::string& candidate) { return !candidate.starts_with(prefix); });
  std::ranges::sort(candidates);
  return candidates;
}

const std::vector<std::string>& Shell::TableNames() {
  const auto now = std::chrono::steady_clock::now();
  if (now < tables_until_) return tables_;
  tables_until_ = now + std::chrono::seconds(3);
  // With a client of its own that gives up soon: a key press must not wait long.
  if (connected_masters_.empty()) connected_masters_ = settings_.masters;
  const auto client = Client::Connect({.masters = connected_masters_, .deadline = std::chrono::milliseconds(500)});
  if (!client) return tables_;
  if (const auto tables = client->ListTables()) {
    tables_.clear();
    for (const TableInfo& table : *tables) tables_.push_back(table.name);
  }
  return tables_;
}

}  // namespace ebla::shell
