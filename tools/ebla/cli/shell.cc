#include "tools/ebla/cli/shell.h"

#include <algorithm>
#include <istream>
#include <ostream>

#include "tools/ebla/cli/line_parser.h"
#include "tools/ebla/format/parse.h"

namespace ebla::shell {

namespace {

constexpr std::chrono::milliseconds kNamesFor{3'000};
// A key press must not wait long.
constexpr std::chrono::milliseconds kNamesDeadline{500};

// With a client of its own that gives up soon.
Result<std::vector<std::string>> AskNames(const std::vector<std::string>& masters, const std::string& value) {
  std::vector<std::string> names;
  EBLA_ASSIGN(const Client client, Client::Connect({.masters = masters, .deadline = kNamesDeadline}));
  if (value == "TABLE") {
    EBLA_ASSIGN(const std::vector<TableInfo> tables, client.ListTables());
    for (const TableInfo& table : tables) names.push_back(table.name);
  } else if (value == "SERVER") {
    EBLA_ASSIGN(const std::vector<ServerSummary> servers, client.ListServers());
    for (const ServerSummary& server : servers) names.push_back(server.name);
  } else {
    EBLA_ASSIGN(const Procedures procedures, client.ListProcedures());
    for (const ProcedureInfo& one : procedures.listed) names.push_back(one.id);
  }
  return names;
}

}  // namespace

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
  const Result<bool> verb = parser.Parse(words);
  out_.json = out_.json || parser.json || ((!verb || !*verb) && std::ranges::find(words, "--json") != words.end());
  if (!verb) return fail(verb.error());
  if (!*verb) {
    const Result<std::string> help = parser.Help(parser.help_of);
    if (!help) return fail(help.error());
    out_.Line(*help);
    return 0;
  }
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

std::vector<std::string> Shell::Complete(const std::vector<std::string>& words, std::string_view prefix) {
  LineParser parser;
  Expected expected = parser.Expect(words, prefix.starts_with("-"));
  std::vector<std::string> candidates = std::move(expected.words);
  if (expected.value == "KIND") {
    candidates = ProcedureKinds();
  } else if (expected.value == "TABLE" || expected.value == "SERVER" || expected.value == "ID") {
    candidates = NamesOf(expected.value);
  }
  std::erase_if(candidates, [&](const std::string& candidate) { return !candidate.starts_with(prefix); });
  std::ranges::sort(candidates);
  return candidates;
}

const std::vector<std::string>& Shell::NamesOf(const std::string& value) {
  Names& known = names_[value];
  const auto now = std::chrono::steady_clock::now();
  if (now < known.until) return known.names;
  known.until = now + kNamesFor;
  if (connected_masters_.empty()) connected_masters_ = settings_.masters;
  if (auto names = AskNames(connected_masters_, value)) known.names = *std::move(names);
  return known.names;
}

}  // namespace ebla::shell
