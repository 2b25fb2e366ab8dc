#include "common/process/flags.h"

#include <gflags/gflags.h>
#include <glog/logging.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string_view>
#include <vector>

#include "common/base/suggest.h"
#include "common/process/bounded_flag.h"
#include "common/process/process.h"

namespace ebla::process {
namespace {

constexpr int kFlagFilesDeep = 8;

bool OptionIsSet(const char* name) {
  std::string value;
  return gflags::GetCommandLineOption(name, &value) && value == "true";
}

// The compiler may have been given the file by an absolute or a relative path.
bool IsOurs(std::string_view file) {
  static constexpr std::string_view kFolders[] = {"common/",  "master/", "tabletserver/",
                                                  "gateway/", "tools/",  "tests/"};
  return std::ranges::any_of(kFolders, [file](std::string_view folder) {
    return file.starts_with(folder) || file.contains("/" + std::string(folder));
  });
}

// Ebla's own flags; the libraries' flags (glog's, gflags' own) would bury them.
std::vector<gflags::CommandLineFlagInfo> OwnFlags() {
  std::vector<gflags::CommandLineFlagInfo> flags;
  gflags::GetAllFlags(&flags);
  std::erase_if(flags, [](const auto& flag) { return !IsOurs(flag.filename); });
  for (const auto& flag : flags) {
    const bool number = flag.type != "bool" && flag.type != "string" && !flag.filename.contains("tests/");
    CHECK(!number || BoundsOf(flag.name)) << "--" << flag.name << " holds a number and has no bounds: DEFINE_BOUNDED";
  }
  return flags;
}

// The default value as a person would write it; gflags prints 0.1 with all digits of a double.
std::string DefaultOf(const gflags::CommandLineFlagInfo& flag) {
  if (flag.default_value.empty()) return "\"\"";
  if (flag.type != "double") return flag.default_value;
  char shortest[32];
  const double value = std::strtod(flag.default_value.c_str(), nullptr);
  const auto end = std::to_chars(shortest, shortest + sizeof shortest, value).ptr;
  return {shortest, end};
}

std::string HelpText(const ProcessOptions& options) {
  std::string text = options.usage + "\n\nFlags (or one per line in a file, with --flagfile=FILE):\n";
  for (const auto& flag : OwnFlags()) {
    const auto bounds = BoundsOf(flag.name);
    text += "  --" + flag.name + "=" + DefaultOf(flag) + "\n      " + flag.description +
            (bounds ? " From " + bounds->ToString() + "." : "") + "\n";
  }
  return text + "  --flagfile, --version, --help\n";
}

[[noreturn]] void ExitWithUsage(const std::string& what) {
  std::cerr << what << "\n(--help lists the flags)\n";
  std::exit(kUsageError);
}

// The flags as they were given, those of files among them, each of which its flag takes.
class GivenFlags {
 public:
  void AddArguments(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      const std::string_view argument = argv[i];
      if (!argument.starts_with('-') || argument == "-" || argument == "--")
        ExitWithUsage("unexpected argument \"" + std::string(argument) + "\": flags begin with --");
      if (NeedsValue(argument) && i + 1 < argc) {
        Add("", std::string(argument) + "=" + argv[++i], 0);
      } else {
        Add("", argument, 0);
      }
    }
  }

  const std::vector<std::string>& all() const { return all_; }

 private:
  static bool Find(std::string name, gflags::CommandLineFlagInfo& info) {
    std::ranges::replace(name, '-', '_');
    return gflags::GetCommandLineFlagInfo(name.c_str(), &info);
  }

  static std::string_view WithoutDashes(std::string_view flag) {
    flag.remove_prefix(flag.starts_with("--") ? 2 : 1);
    return flag;
  }

  static bool NeedsValue(std::string_view flag) {
    gflags::CommandLineFlagInfo info;
    return !flag.contains('=') && Find(std::string(WithoutDashes(flag)), info) && info.type != "bool";
  }

  // `place`: where it was given, for errors.
  void Add(const std::string& place, std::string_view flag, int depth) {
    flag = WithoutDashes(flag);
    const size_t equals = flag.find('=');
    const std::string name(flag.substr(0, equals));
    std::string value = equals == std::string_view::npos ? "true" : std::string(flag.substr(equals + 1));
    gflags::CommandLineFlagInfo info;
    if (!Find(name, info)) {
      const bool off = equals == std::string_view::npos && name.starts_with("no") && Find(name.substr(2), info);
      if (!off || info.type != "bool") ExitWithUsage(place + "there is no flag --" + name + Suggestion(name));
      value = "false";
    } else if (equals == std::string_view::npos && info.type != "bool") {
      ExitWithUsage(place + "--" + info.name + " takes a value: --" + info.name + "=VALUE");
    }
    if (info.name == "flagfile") return AddFile(place, value, depth);
    if (const Status taken = CheckFlagValue(info, value); !taken.ok()) ExitWithUsage(place + taken.message());
    all_.push_back("--" + info.name + "=" + value);
  }

  void AddFile(const std::string& place, const std::string& path, int depth) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error))
      ExitWithUsage(place + "cannot read the flag file " + path + ": it is a directory");
    if (depth >= kFlagFilesDeep)
      ExitWithUsage(place + "cannot read the flag file " + path + ": flag files name each other");
    std::ifstream file(path);
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
      line.erase(0, line.find_first_not_of(" \t\r"));
      line.erase(line.find_last_not_of(" \t\r") + 1);
      if (line.empty() || line.front() == '#') continue;
      const std::string line_place = path + ", line " + std::to_string(number) + ": ";
      if (line.front() != '-') ExitWithUsage(line_place + "\"" + line + "\" is not a flag: flags begin with --");
      Add(line_place, line, depth + 1);
    }
    if (!file.eof()) ExitWithUsage(place + "cannot read the flag file " + path);
  }

  static std::string Suggestion(const std::string& name) {
    std::vector<std::string> names = {"--flagfile", "--help", "--version"};
    for (const auto& flag : OwnFlags()) names.push_back("--" + flag.name);
    return DidYouMean("--" + name, names);
  }

  std::vector<std::string> all_;
};

}  // namespace

void ParseFlags(const ProcessOptions& options, int argc, char** argv) {
  GivenFlags given;
  given.AddArguments(argc, argv);
  OwnFlags();  // whether all have bounds
  gflags::SetVersionString(std::string(BuildVersion()));
  gflags::SetUsageMessage(options.usage);
  std::vector<std::string> flags = given.all();
  std::vector<char*> arguments = {argv[0]};
  for (std::string& flag : flags) arguments.push_back(flag.data());
  int count = static_cast<int>(arguments.size());
  char** first = arguments.data();
  gflags::ParseCommandLineNonHelpFlags(&count, &first, /*remove_flags=*/false);
  for (const char* help : {"help", "helpfull", "helpshort"}) {
    if (!OptionIsSet(help)) continue;
    std::cout << HelpText(options);
    std::exit(0);
  }
  if (OptionIsSet("version")) {
    std::cout << options.role << " " << BuildVersion() << "\n";
    std::exit(0);
  }
}

}  // namespace ebla::process
