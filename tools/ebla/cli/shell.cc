#include "tools/ebla/cli/shell.h"

#include <algorithm>
#include <istream>
#include <ostream>

#include "common/base/count.h"
#include "common/base/key_range.h"
#include "common/base/suggest.h"
#include "common/security/scram.h"
#include "tools/ebla/cli/line_parser.h"
#include "tools/ebla/format/parse.h"

namespace ebla::shell {

namespace {

constexpr std::chrono::milliseconds kNamesFor{3'000};
constexpr std::chrono::milliseconds kClientFor{5'000};
// A key press must not wait long.
constexpr std::chrono::milliseconds kNamesDeadline{500};
constexpr std::chrono::milliseconds kBannerDeadline{1'500};

// The client's options for this connection.
Result<ClientOptions> OptionsOf(const Shell::Connection& connection) {
  ClientOptions options;
  options.masters = connection.masters;
  options.deadline = connection.deadline;
  options.tls_dir = connection.tls_dir;
  options.user = connection.user;
  if (connection.user.empty()) return options;
  if (connection.password_file.empty())
    return Error(Code::kInvalidArgument, "a user is named without a password: --password-file or EBLA_PASSWORD_FILE");
  EBLA_ASSIGN(options.password, security::ReadPassword(connection.password_file));
  return options;
}

// With a client of its own that gives up soon.
Result<std::vector<std::string>> AskNames(const Shell::Connection& connection, const std::string& value) {
  std::vector<std::string> names;
  EBLA_ASSIGN(ClientOptions options, OptionsOf(connection));
  options.deadline = options.connect_timeout = kNamesDeadline;
  EBLA_ASSIGN(const Client client, Client::Connect(std::move(options)));
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

// Explains why no master answers. A refused certificate stays refused, so its code is not UNAVAILABLE, after which
// scripts retry.
Status NotConnected(const Status& why, const Shell::Connection& connection) {
  if (why.code() != Code::kUnavailable) return why;
  const std::string& message = why.message();
  const bool of_certificates =
      message.contains("its certificate is refused") || (message.contains(": TLS") && message.contains(" alert "));
  if (of_certificates)
    return {Code::kPermissionDenied, message + " (the certificates are those of " + connection.tls_dir + ")"};
  // If a server closes a connection with unread bytes, the system reports a reset.
  const bool hung_up = message.contains("closed by the server") || message.contains("Connection reset by peer");
  if (connection.tls_dir.empty() && hung_up)
    return {why.code(),
            message +
                " (perhaps they need certificates: name a directory of them with --tls-dir or EBLA_TLS_DIR; "
                "name them with --masters or EBLA_MASTERS)"};
  return {why.code(), message + " (name them with --masters or EBLA_MASTERS)"};
}

}  // namespace

Shell::Shell(Settings settings, std::ostream& out, std::ostream& err)
    : settings_(std::move(settings)), out_(out, err) {}

// Asks for a master again now and then: one that died since is told within two seconds, not at a call's deadline.
Result<Client> Shell::Connected() {
  const auto now = std::chrono::steady_clock::now();
  if (client_ && now < client_until_) return *client_;
  EBLA_ASSIGN(ClientOptions options, OptionsOf(connected_));
  auto client = Client::Connect(std::move(options));
  if (!client) return Error(NotConnected(client.error(), connected_));
  client_ = *std::move(client);
  client_until_ = now + kClientFor;
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
  const Result<const Verb*> verb = parser.Parse(words, table_in_use_);
  out_.json =
      out_.json || parser.json || ((!verb || *verb == nullptr) && std::ranges::find(words, "--json") != words.end());
  if (!verb) return fail(verb.error());
  if (*verb == nullptr) {
    const Result<std::string> help = parser.Help(parser.help_of);
    if (!help) return fail(help.error());
    out_.Line(*help);
    return 0;
  }
  Context context{[this] { return Connected(); }, out_, interrupted_, session_,
                  parser.deadline.value_or(settings_.connection.deadline)};
  context.ask = ask_;
  context.version = settings_.version;
  context.table_in_use = table_in_use_;
  const Connection& own = settings_.connection;
  Connection wanted{.masters = parser.masters.empty() ? own.masters : parser.masters,
                    .deadline = context.deadline,
                    .tls_dir = parser.tls_dir.value_or(own.tls_dir),
                    .user = parser.user.value_or(own.user),
                    .password_file = parser.password_file.value_or(own.password_file)};
  if (wanted != connected_) {
    client_.reset();
    connected_ = std::move(wanted);
  }
  if (catch_interrupts_ && (*verb)->stops_on_interrupt()) catch_interrupts_();
  const Status status = (*verb)->run()(context);
  session_ = context.session;
  table_in_use_ = context.table_in_use;
  return status.ok() ? context.exit_code : fail(Explained(status, parser.table));
}

Status Shell::Explained(const Status& status, const std::string& table) {
  if (status.code() == Code::kUnknownOutcome || status.code() == Code::kDeadlineExceeded)
    return Error(status.code(), status.message() + " (`ebla health` shows whether something is wrong)");
  const bool named = table.find_first_not_of("0123456789") != std::string::npos;  // not by a tablet's id
  if (status.code() == Code::kPermissionDenied && named && !status.message().contains(table))
    return Error(status.code(), status.message() + " (table \"" + EscapeBytes(table) + "\")");
  if (status.code() != Code::kNoSuchTable || table.empty()) return status;
  names_.erase("TABLE");  // what completion knew may be older than the answer
  return Error(Code::kNoSuchTable, "no table \"" + EscapeBytes(table) + "\"" + DidYouMean(table, NamesOf("TABLE")));
}

std::string Shell::Banner() {
  const std::string help = "\"help\" lists the verbs, Tab completes, \"exit\" leaves.";
  connected_ = settings_.connection;
  std::string masters;
  for (const std::string& master : connected_.masters) masters += (masters.empty() ? "" : ", ") + master;
  Result<ClientOptions> options = OptionsOf(connected_);
  if (!options) return options.error().message() + ". " + help;
  options->deadline = kBannerDeadline;
  const auto client = Client::Connect(*std::move(options));
  const Result<ClusterInfo> info = client ? client->DescribeCluster() : Error(client.error());
  if (!info && info.error().code() == Code::kPermissionDenied) return info.error().message() + ". " + help;
  if (!info) return "No master answers at " + masters + ". " + help;
  return "Cluster " + info->cluster_id + ": " + std::to_string(info->live_servers) + " of " +
         Count(info->known_servers, "server") + " live, " + Count(info->tables, "table") + ". " + help;
}

int Shell::RunLine(std::string_view line) {
  const Result<std::vector<std::string>> words = SplitWords(line);
  if (!words) {
    out_.Failed(words.error());
    return ExitCode(words.error());
  }
  return words->empty() ? 0 : Run(*words);
}

bool Shell::Leaves(std::string_view line) {
  const Result<std::vector<std::string>> words = SplitWords(line);
  return words && words->size() == 1 && (words->front() == "exit" || words->front() == "quit");
}

int Shell::RunScript(std::istream& input) {
  int first = 0;
  std::string line;
  while (std::getline(input, line)) {
    if (Leaves(line)) break;
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
  if (connected_.masters.empty()) {
    connected_ = settings_.connection;
  }
  if (auto names = AskNames(connected_, value)) known.names = *std::move(names);
  return known.names;
}

}  // namespace ebla::shell
