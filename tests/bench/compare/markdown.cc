#include "tests/bench/compare/markdown.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <thread>

#include "common/base/read_all.h"
#include "common/process/process.h"
#include "tests/bench/compare/chart.h"
#include "tests/bench/compare/page_sections.h"
#include "tests/bench/harness/format.h"

namespace ebla::bench {
namespace {

// The text behind "NAME" and a separator in a file of such lines, like /proc/cpuinfo and /etc/os-release.
std::string Named(const std::string& file, std::string_view name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(name)) continue;
    const size_t from = line.find_first_not_of("\t =:\"", name.size());
    return from == std::string::npos ? "" : line.substr(from, line.find_last_not_of('"') + 1 - from);
  }
  return "";
}

// The installed ones of these packages, each on a line as "- name version".
std::string PackageVersions(std::string_view packages) {
  if (packages.empty()) return "";
  const std::string command = "dpkg-query -W -f='- ${Package} ${Version}\\n' " + std::string(packages) + " 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> out(::popen(command.c_str(), "r"), &::pclose);
  std::string versions;
  for (int c = 0; out && (c = std::fgetc(out.get())) != EOF;) versions += static_cast<char>(c);
  return versions;
}

std::string Circumstances(const PartKind& kind, const BenchOptions& options) {
  utsname system{};
  ::uname(&system);
  const double gib = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGE_SIZE)) /
                     static_cast<double>(1 << 30);
  const std::time_t now = std::time(nullptr);
  char today[16] = {};
  std::strftime(today, sizeof(today), "%F", ::gmtime(&now));
  const int rounds = kind.Rounds(options);
  const std::string name(kind.name);
  std::string text = Format("**%s** (%s)\nwas measured on %s, in %d %s of %g s for each figure, with:\n\n",
                            name.c_str(), std::string(kind.what).c_str(), today, rounds,
                            rounds == 1 ? "round" : "rounds", std::chrono::duration<double>(options.each).count());
  text += Format("- %u cores, %s, %.0f GiB\n", std::thread::hardware_concurrency(),
                 Named("/proc/cpuinfo", "model name").c_str(), gib);
  text += "- " + Named("/etc/os-release", "PRETTY_NAME") + ", Linux " + system.release + "\n";
  return text + "- Ebla " + std::string(process::BuildVersion()) + "\n" + PackageVersions(kind.packages);
}

// Empty where nothing of the kind was measured.
std::string FigureTable(const std::vector<FigureRow>& rows) {
  std::string text;
  // Nothing where nothing was measured.
  const auto cell = [](double value, const char* unit) {
    return value > 0 ? Format(" %.*f %s |", value < 10 ? 1 : 0, value, unit) : " |";
  };
  for (const auto& [name, median, spread_percent] : rows) {
    if (median.timings.per_second <= 0) continue;
    text += "| " + name + Format(" | %.0f |", median.timings.per_second);
    text += cell(spread_percent, "%") + cell(median.timings.p50_us, "us") + cell(median.timings.p99_us, "us") +
            cell(median.cpu_us, "us") + cell(median.written_bytes / 1024, "KB") + "\n";
  }
  if (text.empty()) return text;
  return "| row, and how many in flight | operations/s | spread | p50 | p99 | servers' CPU | written |\n"
         "|---|---|---|---|---|---|---|\n" +
         text + "\n";
}

// Empty where nothing of the kind was measured.
std::string RoomTable(const std::vector<FigureRow>& rows) {
  std::string text;
  for (const auto& [name, median, spread_percent] : rows) {
    if (median.memory_bytes <= 0 && median.disk_bytes <= 0) continue;
    const auto cell = [](double value) { return value > 0 ? Format(" %.0f |", value) : " |"; };
    text += "| " + name + " |" + cell(median.memory_bytes) + cell(median.disk_bytes) + "\n";
  }
  if (text.empty()) return text;
  return "| bytes for each record of " + std::to_string(kValueBytes) +
         " bytes, at rest | in memory | on the disk |\n|---|---|---|\n" + text + "\n";
}

// Empty where nothing of the kind was measured.
std::string BeyondTable(const BenchOptions& options, const std::vector<FigureRow>& rows) {
  std::string text;
  for (const auto& [name, median, spread_percent] : rows) {
    if (median.written_share <= 0 && median.memory_share <= 0) continue;
    const auto cell = [](double value) { return value > 0 ? Format(" %.2f |", value) : " |"; };
    text += "| " + name + " |" + cell(median.written_share) + cell(median.disk_share) + cell(median.peak_share) +
            cell(median.slowdown) + cell(median.memory_share) + "\n";
  }
  if (text.empty()) return text;
  return Format("| %lld records of %zu bytes, a cache of %lld MiB | written | on the disk | at most | ",
                static_cast<long long>(options.storage_records), kValueBytes,
                static_cast<long long>(options.storage_cache_mb)) +
         "last million / second | memory / cache |\n|---|---|---|---|---|---|\n" + text + "\n";
}

// Empty where nothing of the kind was measured.
std::string HitsTable(const std::vector<FigureRow>& rows) {
  std::string text;
  for (const auto& [name, median, spread_percent] : rows)
    if (median.hit_percent > 0) text += "| " + name + Format(" | %.2f %% |\n", median.hit_percent);
  return text.empty() ? text : "| reads of a cache that is too small | hits |\n|---|---|\n" + text + "\n";
}

std::string PartText(const BenchOptions& options, const MeasuredPart& part) {
  std::string text = "\n" + Circumstances(part.kind, options) + "\n";
  if (!part.report.ratios().empty()) text += RatioTable(part.report.ratios()) + "\n";
  return text + FigureTable(part.rows) + RoomTable(part.rows) + BeyondTable(options, part.rows) + HitsTable(part.rows);
}

Result<std::string> PageWith(const BenchOptions& options, std::string_view part, const std::string& text) {
  std::vector<std::string_view> order;
  for (const PartKind& kind : kParts) order.push_back(kind.name);
  std::ifstream in(options.markdown);
  const std::string page = ReadAll(in);
  auto changed = WithSection(page, order, part, text);
  if (!changed) return Error(changed.error().code(), options.markdown + " " + changed.error().message());
  return changed;
}

}  // namespace

Status CheckMarkdown(const BenchOptions& options) {
  if (options.markdown.empty()) return {};
  const auto page = PageWith(options, kParts[0].name, "");
  return page ? Status() : page.error();
}

Status WriteMarkdown(const BenchOptions& options, const MeasuredPart& part) {
  if (options.markdown.empty()) return {};
  EBLA_ASSIGN(const std::string page, PageWith(options, part.kind.name, PartText(options, part)));
  std::vector<Report::RatioRow> charted;
  for (const PartKind& kind : kParts)
    if (kind.charted) std::ranges::copy(RatiosIn(SectionOf(page, kind.name)), std::back_inserter(charted));
  std::ofstream(std::filesystem::path(options.markdown).replace_extension(".svg")) << RatioChart(charted);
  std::ofstream(options.markdown) << page;
  return {};
}

}  // namespace ebla::bench
