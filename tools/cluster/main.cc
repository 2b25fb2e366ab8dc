// tools/cluster/main.cc: the command line of ebla-cluster, over launcher.h.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/base/count.h"
#include "common/process/process.h"
#include "tools/cluster/launcher.h"
#include "tools/cluster/probe.h"
#include "tools/cluster/removal.h"

namespace ebla::cluster {
namespace {

constexpr int kFailed = 1, kUsageError = 2;
constexpr const char* kNoCluster =
    ": start one with ebla-cluster start, or name the directory of an earlier one with --dir DIR\n";
constexpr int kUsualBasePort = 7398;  // ZooKeeper; then two for each process, m-1 having 7400 and 7401

struct Arguments {
  LauncherOptions launcher;
  StartOptions start;
  std::vector<std::string> names;
  std::string signal = "KILL";
  int lines = 20;
  int timeout_s = 30;
  int drain_timeout_s = 3600;
  bool leave_conflicts = false;
  bool json = false;
};

int Complain(const Status& status) {
  std::cerr << "ebla-cluster: " << status.message() << "\n";
  return kFailed;
}

// "9", "KILL" or "SIGKILL".
std::optional<int> ParseSignal(std::string text) {
  if (!text.empty() && text.size() <= 2 && std::all_of(text.begin(), text.end(), ::isdigit)) {
    const int number = std::stoi(text);
    return number >= 1 && number < NSIG ? std::optional(number) : std::nullopt;
  }
  if (text.starts_with("SIG")) text.erase(0, 3);
  for (int number = 1; number < NSIG; ++number)
    if (const char* name = sigabbrev_np(number); name != nullptr && text == name) return number;
  return std::nullopt;
}

std::string Duration(std::chrono::seconds time) {
  const int64_t s = time.count();
  if (s < 60) return std::to_string(s) + "s";
  if (s < 3600) return std::to_string(s / 60) + "m" + std::to_string(s % 60) + "s";
  return std::to_string(s / 3600) + "h" + std::to_string(s / 60 % 60) + "m";
}

std::string Join(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ",") + item;
  return text;
}

void PrintTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths(rows.front().size());
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    line.resize(line.find_last_not_of(' ') + 1);
    std::cout << line << "\n";
  }
}

void PrintJson(const Launcher& cluster, const std::vector<ProcessView>& views) {
  nlohmann::json value = {{"dir", cluster.dir()},
                          {"masters", cluster.Masters()},
                          {"zookeeper", cluster.ZooKeeper()},
                          {"processes", nlohmann::json::array()}};
  for (const ProcessView& view : views)
    value["processes"].push_back({{"name", view.name},
                                  {"role", RoleName(view.role)},
                                  {"state", StateName(view.state)},
                                  {"pid", view.pid},
                                  {"address", view.address},
                                  {"http", view.http_address},
                                  {"uptime_s", view.uptime.count()},
                                  {"log", view.log},
                                  {"reason", view.reason}});
  std::cout << value.dump(2) << "\n";
}

// Exit code 0 when every process is ready.
int Status(const Launcher& cluster, bool json) {
  const std::vector<ProcessView> views = cluster.Describe();
  const bool ready = std::all_of(views.begin(), views.end(),
                                 [](const ProcessView& view) { return view.state == ProcessState::kReady; });
  if (json) {
    PrintJson(cluster, views);
    return ready && !views.empty() ? 0 : kFailed;
  }
  if (views.empty()) {
    std::cout << "no cluster was started in " << cluster.dir() << kNoCluster;
    return kFailed;
  }
  std::vector<std::vector<std::string>> rows = {{"NAME", "STATE", "PID", "ADDRESS", "HTTP", "UP", "NOTE"}};
  for (const ProcessView& view : views)
    rows.push_back({view.name, std::string(StateName(view.state)), view.pid == 0 ? "-" : std::to_string(view.pid),
                    view.address, view.http_address.empty() ? "-" : view.http_address,
                    view.pid == 0 ? "-" : Duration(view.uptime), view.reason});
  PrintTable(rows);
  std::cout << "\nEBLA_MASTERS=" << Join(cluster.Masters()) << "\nlogs: " << cluster.dir() << "/NAME/\n";
  return ready ? 0 : kFailed;
}

// A first cluster gets the ports that every tool assumes (its first master 7400), when they are free.
void ChoosePorts(const Launcher& cluster, StartOptions& start) {
  if (!cluster.empty() || start.base_port != 0) return;
  const int processes = 1 + (start.masters == 0 ? 2 : start.masters) + (start.servers == 0 ? 3 : start.servers);
  for (int port = kUsualBasePort; port < kUsualBasePort + 2 * processes; ++port)
    if (!PortIsFree(static_cast<uint16_t>(port))) return;
  start.base_port = kUsualBasePort;
}

int Start(Launcher& cluster, Arguments& arguments) {
  ChoosePorts(cluster, arguments.start);
  if (const auto status = cluster.Start(arguments.start); !status.ok()) return Complain(status);
  if (arguments.json) return Status(cluster, true);
  std::cout << "the cluster in " << cluster.dir() << (arguments.start.wait ? " is ready" : " has been started")
            << "; to use it:\n  export EBLA_MASTERS=" << Join(cluster.Masters()) << "\n";
  return 0;
}

int Kill(Launcher& cluster, const Arguments& arguments) {
  const std::optional<int> signal = ParseSignal(arguments.signal);
  if (!signal) {
    std::cerr << "ebla-cluster: there is no signal \"" << arguments.signal << "\"; try 9, KILL, TERM, STOP or CONT\n";
    return kUsageError;
  }
  for (const std::string& name : arguments.names) {
    if (const auto status = cluster.Kill(name, *signal); !status.ok()) return Complain(status);
    std::cout << "sent SIG" << sigabbrev_np(*signal) << " to " << name << "\n";
  }
  return 0;
}

int Restart(Launcher& cluster, const Arguments& arguments) {
  for (const std::string& name : arguments.names) {
    if (const auto status = cluster.Restart(name); !status.ok()) return Complain(status);
    std::cout << name << " is ready\n";
  }
  return 0;
}

int Logs(const Launcher& cluster, const Arguments& arguments) {
  std::vector<std::string> names = arguments.names;
  if (names.empty())
    for (const ProcessView& view : cluster.Describe()) names.push_back(view.name);
  for (const std::string& name : names) {
    if (const auto process = cluster.Process(name); !process) return Complain(process.error());
    for (const std::string& file : cluster.LogFiles(name)) {
      std::cout << "==> " << file << "\n";
      if (!arguments.names.empty()) std::cout << LastLines(file, arguments.lines) << "\n";
    }
  }
  return 0;
}

int AddServer(Launcher& cluster, const Arguments& arguments) {
  const Result<std::string> name = cluster.AddServer(arguments.start.wait);
  if (!name) return Complain(name.error());
  for (const ProcessView& view : cluster.Describe()) {
    if (view.name != *name) continue;
    if (arguments.json) {
      std::cout << nlohmann::json{{"added", view.name}, {"address", view.address}, {"http", view.http_address},
                                  {"pid", view.pid},    {"log", view.log},         {"state", StateName(view.state)}}
                       .dump()
                << "\n";
    } else {
      std::cout << view.name << (arguments.start.wait ? " is ready" : " has been started") << " at " << view.address
                << "; new tablets and moves give it replicas: see ebla server list\n";
    }
  }
  return 0;
}

// The directory is left to other launchers while the server is drained.
int RemoveServer(std::optional<Launcher> cluster, const Arguments& arguments) {
  const std::string& name = arguments.names.front();
  if (const auto status = cluster->CheckRemoval(name); !status.ok()) return Complain(status);
  RemovalOptions removal{.masters = cluster->Masters(),
                         .server = name,
                         .timeout = std::chrono::seconds(arguments.drain_timeout_s),
                         .leave_conflicts = arguments.leave_conflicts,
                         .say = arguments.launcher.say};
  cluster.reset();
  const Result<size_t> moved = Empty(removal);
  if (!moved) {
    const bool silent = moved.error().code() == Code::kUnavailable;
    return Complain({moved.error().code(),
                     moved.error().message() + (silent ? "; does the cluster run? ebla-cluster status" : "")});
  }
  auto again = Launcher::Open(arguments.launcher);
  if (!again) return Complain(again.error());
  // another was removed meanwhile
  if (const auto status = again->CheckRemoval(name); !status.ok()) return Complain(status);
  if (const auto status = again->End(name); !status.ok() && arguments.launcher.say)
    arguments.launcher.say(status.message());
  removal.timeout = std::chrono::seconds(arguments.timeout_s);
  if (const auto status = Forget(removal); !status.ok()) return Complain(status);
  if (const auto status = again->Remove(name); !status.ok()) return Complain(status);
  if (arguments.json) {
    std::cout << nlohmann::json{{"removed", name}, {"replicas_moved", *moved}, {"data", again->DataDir(name)}}.dump()
              << "\n";
  } else {
    std::cout << name << " is removed; " << Count(*moved, "replica") << (*moved == 1 ? " was" : " were")
              << " moved, and its remaining data is in " << again->DataDir(name) << "\n";
  }
  return 0;
}

// Options of every command.
void AddCommon(CLI::App* command, Arguments& arguments) {
  command->add_option("--dir", arguments.launcher.dir, "The directory of the cluster's data and logs")
      ->type_name("DIR")
      ->capture_default_str();
}

int Execute(const std::string& command, Arguments& arguments) {
  arguments.launcher.start_timeout = std::chrono::seconds(arguments.timeout_s);
  if (!arguments.json) arguments.launcher.say = [](const std::string& text) { std::cerr << text << std::endl; };
  // Not even a lock file is made where there is nothing to look at.
  std::error_code ignored;
  const std::string dir = std::filesystem::absolute(arguments.launcher.dir, ignored).lexically_normal().string();
  const bool none = command != "start" && !arguments.json && !std::filesystem::exists(dir + "/cluster.json", ignored);
  if (none) {
    std::cerr << "ebla-cluster: no cluster was started in " << dir << kNoCluster;
    return command == "stop" ? 0 : kFailed;
  }
  auto cluster = Launcher::Open(arguments.launcher);
  if (!cluster) return Complain(cluster.error());
  if (command == "start") return Start(*cluster, arguments);
  if (command == "status") return Status(*cluster, arguments.json);
  if (command == "kill") return Kill(*cluster, arguments);
  if (command == "restart") return Restart(*cluster, arguments);
  if (command == "logs") return Logs(*cluster, arguments);
  if (command == "add-server") return AddServer(*cluster, arguments);
  if (command == "remove-server") return RemoveServer(std::move(*cluster), arguments);
  const auto stopped = cluster->Stop();
  return stopped.ok() ? 0 : Complain(stopped);
}

void AddExamples(CLI::App* command, const std::vector<std::string>& lines) {
  std::string footer = lines.size() == 1 ? "Example:" : "Examples:";
  for (const std::string& line : lines) footer += "\n  ebla-cluster " + line;
  command->footer(footer);
}

void AddServerCommands(CLI::App& app, Arguments& arguments) {
  CLI::App* add = app.add_subcommand("add-server", "Starts one more tablet server and waits until it is ready");
  AddCommon(add, arguments);
  add->add_option("--bin_dir", arguments.launcher.bin_dir,
                  "The directory of the servers' programs (that of this program)")
      ->type_name("DIR");
  add->add_flag("--wait,!--no-wait", arguments.start.wait,
                "Waits until it is ready (the default), or only until it has started");
  add->add_option("--timeout", arguments.timeout_s, "Seconds to wait")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 3600).description(""))
      ->capture_default_str();
  add->add_flag("--json", arguments.json, "Shows the started server as JSON");
  AddExamples(add, {"add-server", "add-server --dir /tmp/try --json"});

  CLI::App* remove = app.add_subcommand(
      "remove-server",
      "Moves the replicas of a tablet server to other servers, then stops and removes it; its data directory stays");
  remove->add_option("NAME", arguments.names, "ts-4")->required()->expected(1);
  AddCommon(remove, arguments);
  remove
      ->add_option("--timeout", arguments.drain_timeout_s,
                   "Seconds to wait until it is empty; afterwards it continues to drain")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 1'000'000).description(""))
      ->capture_default_str();
  remove->add_flag("--leave-conflicts", arguments.leave_conflicts,
                   "Continues although the server holds conflict records, which stay in its data directory because no "
                   "drain moves them");
  remove->add_flag("--json", arguments.json, "Shows the removed server as JSON");
  AddExamples(remove, {"remove-server ts-4", "remove-server ts-4 --timeout 60 --json"});
}

void AddStart(CLI::App& app, Arguments& arguments) {
  CLI::App* start =
      app.add_subcommand("start", "Starts the processes that are not running and waits until they are ready");
  AddCommon(start, arguments);
  start->add_option("--masters", arguments.start.masters, "Masters of the cluster (2)")
      ->type_name("NUMBER")
      ->check(CLI::Range(1, 9).description(""));
  start->add_option("--servers", arguments.start.servers, "Tablet servers of the cluster (3)")
      ->type_name("NUMBER")
      ->check(CLI::Range(1, 100).description(""));
  start
      ->add_option("--base_port", arguments.start.base_port,
                   "The first port (7398 if these ports are free, else any free ones)")
      ->type_name("PORT")
      ->check(CLI::Range(1024, 65000).description(""));
  start
      ->add_option("--bin_dir", arguments.launcher.bin_dir,
                   "The directory of the servers' programs (that of this program)")
      ->type_name("DIR");
  start->add_option("--master_flag", arguments.start.master_flags, "A flag for every master, such as --v=1")
      ->type_name("FLAG");
  start->add_option("--server_flag", arguments.start.server_flags, "A flag for every tablet server")->type_name("FLAG");
  start->add_flag("--wait,!--no-wait", arguments.start.wait,
                  "Waits until all are ready (the default), or only until they have started");
  start->add_option("--timeout", arguments.timeout_s, "Seconds to wait")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 3600).description(""))
      ->capture_default_str();
  start->add_flag("--json", arguments.json, "Shows the status as JSON");
  AddExamples(start, {"start", "start --dir /tmp/try --masters 2 --servers 4", "start --server_flag=--v=1"});
}

void AddProcessCommands(CLI::App& app, Arguments& arguments) {
  CLI::App* status = app.add_subcommand("status", "Shows every process; the exit code is 0 if all are ready");
  AddCommon(status, arguments);
  status->add_flag("--json", arguments.json, "Shows the status as JSON");
  AddExamples(status, {"status", "status --dir /tmp/try --json"});

  CLI::App* kill = app.add_subcommand("kill", "Sends a signal (SIGKILL) to processes");
  kill->add_option("NAME", arguments.names, "zookeeper, m-1, ts-2, ...")->required();
  kill->add_option("--signal", arguments.signal, "The signal's number or name")
      ->type_name("SIGNAL")
      ->capture_default_str();
  AddCommon(kill, arguments);
  AddExamples(kill, {"kill ts-2", "kill ts-2 ts-3 --signal STOP"});

  CLI::App* restart =
      app.add_subcommand("restart", "Stops processes, starts them again and waits until they are ready");
  restart->add_option("NAME", arguments.names, "zookeeper, m-1, ts-2, ...")->required();
  restart
      ->add_option("--bin_dir", arguments.launcher.bin_dir,
                   "The directory of the servers' programs (that of this program)")
      ->type_name("DIR");
  AddCommon(restart, arguments);
  AddExamples(restart, {"restart ts-2"});

  CLI::App* logs = app.add_subcommand("logs", "Shows the log files, or the last lines of some");
  logs->add_option("NAME", arguments.names, "The process whose lines are shown; without a name, all files are listed");
  logs->add_option("--lines", arguments.lines, "Number of lines")
      ->type_name("NUMBER")
      ->check(CLI::Range(1, 100'000).description(""))
      ->capture_default_str();
  AddCommon(logs, arguments);
  AddExamples(logs, {"logs", "logs ts-2 --lines 50"});

  CLI::App* stop = app.add_subcommand("stop", "Stops all processes, in order; the data stays");
  AddCommon(stop, arguments);
  AddExamples(stop, {"stop", "stop --dir /tmp/try"});
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Runs an Ebla cluster on this machine: ZooKeeper, masters and tablet servers", "ebla-cluster");
  app.set_version_flag("--version", "ebla-cluster " + std::string(process::BuildVersion()));
  app.require_subcommand(1);
  AddStart(app, arguments);
  AddProcessCommands(app, arguments);
  AddServerCommands(app, arguments);
  app.footer("ebla-cluster COMMAND --help shows a command with examples.");

  // Left to itself, the library would say no more than that a subcommand is required.
  const auto commands = app.get_subcommands([](CLI::App*) { return true; });
  if (argc > 1 && argv[1][0] != '-' &&
      std::none_of(commands.begin(), commands.end(), [argv](CLI::App* c) { return c->get_name() == argv[1]; })) {
    std::string all;
    for (const CLI::App* command : commands) all += (all.empty() ? "" : ", ") + command->get_name();
    std::cerr << "ebla-cluster: there is no command \"" << argv[1] << "\": " << all << " (try: --help)\n";
    return kUsageError;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  return Execute(app.get_subcommands().front()->get_name(), arguments);
}

}  // namespace
}  // namespace ebla::cluster

int main(int argc, char** argv) { return ebla::cluster::Main(argc, argv); }
