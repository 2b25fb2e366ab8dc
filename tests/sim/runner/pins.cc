#include "tests/sim/runner/pins.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <tuple>

#include "tests/sim/runner/hunt.h"

namespace ebla::sim {
namespace {

// None: the line is empty, or a comment.
std::optional<Pin> ParsePin(const std::string& line) {
  std::istringstream words(line.substr(0, line.find('#')));
  Pin pin;
  if (!(words >> pin.bug)) return std::nullopt;
  words >> pin.seed >> pin.faults;
  return pin;
}

Result<std::vector<std::string>> ReadLines(const std::string& path) {
  std::ifstream in(path);
  if (!in) return Error(Code::kNotFound, "there is no file " + path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// For each run, in their order, whether it found a fault.
std::vector<bool> FindFaults(const std::vector<RunOptions>& runs, int jobs) {
  std::vector<bool> found;
  size_t begun = 0;
  RunInProcesses({.jobs = jobs,
                  .next = [&]() -> std::optional<RunOptions> {
                    if (begun == runs.size()) return std::nullopt;
                    return runs[begun++];
                  },
                  .done =
                      [&](const RunOptions&, RunReport report) {
                        found.push_back(FoundFault(report));
                        return true;
                      }});
  return found;
}

}  // namespace

Result<std::vector<Pin>> ReadPins(const std::string& path) {
  EBLA_ASSIGN(const std::vector<std::string> lines, ReadLines(path));
  std::vector<Pin> pins;
  for (const std::string& line : lines) {
    std::optional<Pin> pin = ParsePin(line);
    if (!pin) continue;
    const bool known_faults = pin->faults.empty() || !FaultsNamed(pin->faults).empty();
    if (!ParseBug(pin->bug) || pin->seed == 0 || !known_faults)
      return Error(Code::kInvalidArgument, path + ": \"" + line + "\" is no \"bug seed [faults]\"");
    pins.push_back(*std::move(pin));
  }
  return pins;
}

std::vector<bool> VerifyPins(const std::vector<Pin>& pins, int jobs) {
  std::vector<RunOptions> trials;
  std::vector<RunOptions> sound;  // the same without a bug, once where several pins share it
  std::map<std::tuple<uint64_t, std::string, bool, bool, bool>, size_t> index;
  std::vector<size_t> sound_of;
  for (const Pin& pin : pins) {
    trials.push_back(TrialOf(*ParseBug(pin.bug), pin.seed, FaultsNamed(pin.faults)));
    const RunOptions& trial = trials.back();
    const auto [at, added] =
        index.try_emplace({trial.seed, pin.faults, trial.splits, trial.merges, trial.memory_loss}, sound.size());
    sound_of.push_back(at->second);
    if (!added) continue;
    sound.push_back(trial);
    sound.back().bug = {};
  }
  std::vector<bool> caught = FindFaults(trials, jobs);
  const std::vector<bool> fails = FindFaults(sound, jobs);
  for (size_t i = 0; i < pins.size(); ++i) caught[i] = caught[i] && !fails[sound_of[i]];
  return caught;
}

Status WritePin(const std::string& path, const Pin& pin) {
  EBLA_ASSIGN(std::vector<std::string> lines, ReadLines(path));
  for (std::string& line : lines) {
    const std::optional<Pin> old = ParsePin(line);
    if (!old || old->bug != pin.bug) continue;
    line = pin.bug + " " + std::to_string(pin.seed) + (pin.faults.empty() ? "" : " " + pin.faults);
  }
  std::ofstream out(path);
  for (const std::string& line : lines) out << line << "\n";
  out.flush();
  return out ? Status() : Status(Code::kInternal, "cannot write " + path);
}

}  // namespace ebla::sim
