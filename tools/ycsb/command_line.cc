#include "tools/ycsb/command_line.h"

namespace ebla::ycsb {

const char kUsage[] =
    R"(ebla-ycsb: the Yahoo! Cloud Serving Benchmark's core workload against an Ebla cluster

usage: ebla-ycsb load|run [OPTIONS]

  load                 inserts the workload's records; creates the table if it is missing
  run                  runs the workload's operations on these records

  -P FILE              a workload file, such as conf/ycsb/workloada; later files override earlier ones
  -p NAME=VALUE        a property; overrides the files
  -threads N           threads, each with ebla.pipeline (1) operations in flight; more raise the load (1)
  -target OPS          operations per second of all threads together (0: as many as possible)
  -s                   a status line on stderr every status.interval (10) seconds
  -l LABEL             label of the status lines
  -h, --help           shows this text
  --version            shows the version

properties of Ebla, in addition to those of YCSB (recordcount, operationcount, fieldlength, requestdistribution, ...):
  ebla.masters=HOST:PORT,...   addresses of the masters ($EBLA_MASTERS, else 127.0.0.1:7400)
  ebla.tls_dir=DIRECTORY       this user's certificate ($EBLA_TLS_DIR, else no TLS)
  ebla.user=USER               logs in by a password instead of a certificate
  ebla.password_file=FILE      file whose first line is the password
  ebla.read=LEVEL              strong, session, bounded=500ms, eventual (the table's default)
  ebla.write=LEVEL             majority, all, primary, any (the table's default); any: updates are unconditional
  ebla.rack=NAME               rack of this client; reads below strong prefer replicas in the same rack
  ebla.deadline_ms=N           deadline of an operation with its retries (10000)
  ebla.pipeline=N              operations in flight of each thread; N of them load the cluster as N threads do, and
                               take less of this machine (1)
  ebla.hotspot.jump_s=S        moves the hot keys of requestdistribution=hotspot or zipfian every S seconds
                               (0: never); insertorder=ordered with zeropadding=12 moves a range of keys
  ebla.seed=N                  the same seed repeats the same operations (0: random ones)
and for the table that load makes:
  ebla.splits=N                tablets of the new table, split by the workload's keys (1)
  ebla.replicas=N  ebla.durability=sync|interval  ebla.interval_ms=N  ebla.compression=none|snappy|zlib
  ebla.last_write_wins=true|false

for example:
  ebla-ycsb load -P conf/ycsb/workloada -p recordcount=100000 -p ebla.splits=12 -threads 16
  ebla-ycsb run  -P conf/ycsb/workloada -p recordcount=100000 -p operationcount=100000 -threads 16 -s

It exits with 0 when every operation succeeded, 1 when some failed, 2 for wrong usage, 130 when interrupted.
)";

namespace {

// Takes the argument after the present one.
class Arguments {
 public:
  explicit Arguments(std::span<const std::string_view> rest) : rest_(rest) {}
  bool Next(std::string_view& argument) {
    if (rest_.empty()) return false;
    argument = rest_.front();
    rest_ = rest_.subspan(1);
    return true;
  }

 private:
  std::span<const std::string_view> rest_;
};

Status ApplyOption(std::string_view option, Arguments& rest, CommandLine& line) {
  struct Named {
    std::string_view option;
    const char* property;
  };
  constexpr Named kNamed[] = {{"-threads", "threadcount"}, {"-target", "target"}, {"-l", "label"}, {"-db", "db"}};
  if (option == "-s") {
    line.properties.Set("status", "true");
    return Status::Ok();
  }
  std::string_view value;
  const auto needs_value = [&](const char* what) {
    return Error(Code::kInvalidArgument, std::string(option) + " needs " + what);
  };
  if (option == "-P") {
    if (!rest.Next(value)) return needs_value("a file");
    return line.properties.AddFile(std::string(value));
  }
  if (option == "-p") {
    if (!rest.Next(value)) return needs_value("name=value");
    return line.properties.AddArgument(value);
  }
  for (const Named& named : kNamed) {
    if (option != named.option && option != "-" + std::string(named.option)) continue;
    if (!rest.Next(value)) return needs_value("a value");
    line.properties.Set(named.property, std::string(value));
    return Status::Ok();
  }
  return Error(Code::kInvalidArgument, "unknown option \"" + std::string(option) + "\"");
}

}  // namespace

Result<CommandLine> ParseCommandLine(std::span<const std::string_view> arguments) {
  CommandLine line;
  Arguments rest(arguments);
  std::string_view argument;
  bool chosen = false;
  while (rest.Next(argument)) {
    if (argument == "-h" || argument == "-help" || argument == "--help") {
      line.action = CommandLine::Action::kHelp;
      return line;
    }
    if (argument == "--version") {
      line.action = CommandLine::Action::kVersion;
      return line;
    }
    if (argument.starts_with("-")) {
      EBLA_TRY(ApplyOption(argument, rest, line));
      continue;
    }
    if (chosen) return Error(Code::kInvalidArgument, "\"" + std::string(argument) + "\" is one argument too many");
    if (argument != "load" && argument != "run")
      return Error(Code::kInvalidArgument, "\"" + std::string(argument) + "\" is neither load nor run");
    line.action = argument == "load" ? CommandLine::Action::kLoad : CommandLine::Action::kRun;
    chosen = true;
  }
  if (!chosen) return Error(Code::kInvalidArgument, "neither load nor run is given");
  return line;
}

}  // namespace ebla::ycsb
