#include "tests/bench/compare/markdown.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "common/base/read_all.h"
#include "common/process/process.h"
#include "tests/bench/compare/chart.h"
#include "tests/bench/harness/format.h"

namespace ebla::bench {
namespace {

constexpr std::string_view kBegin = "<!-- compare: begin -->\n";
constexpr std::string_view kEnd = "<!-- compare: end -->\n";

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

// The installed packages, each on a line as "- name version".
std::string PackageVersions() {
  constexpr char kCommand[] =
      "dpkg-query -W -f='- ${Package} ${Version}\\n' redis-server memcached etcd-server libwiredtiger0 "
      "rocksdb-tools 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> out(::popen(kCommand, "r"), &::pclose);
  std::string versions;
  for (int c = 0; out && (c = std::fgetc(out.get())) != EOF;) versions += static_cast<char>(c);
  return versions;
}

std::string Circumstances(const BenchOptions& options) {
  utsname system{};
  ::uname(&system);
  const double gib = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGE_SIZE)) /
                     static_cast<double>(1 << 30);
  const std::time_t now = std::time(nullptr);
  char today[16] = {};
  std::strftime(today, sizeof(today), "%F", ::gmtime(&now));
  std::string text =
      Format("Measured on %s, %d %s of %g s for each figure%s:\n\n", today, options.rounds,
             options.rounds == 1 ? "round" : "rounds", std::chrono::duration<double>(options.each).count(),
             options.part.empty() ? "" : (", part `" + options.part + "` alone").c_str());
  text += Format("- %u cores, %s, %.0f GiB\n", std::thread::hardware_concurrency(),
                 Named("/proc/cpuinfo", "model name").c_str(), gib);
  text += "- " + Named("/etc/os-release", "PRETTY_NAME") + ", Linux " + system.release + "\n";
  return text + "- Ebla " + std::string(process::BuildVersion()) + "\n" + PackageVersions();
}

std::string RatioTable(const Report& report) {
  std::string text = "| ratio, or a row's own figure | is | wanted | |\n|---|---|---|---|\n";
  for (const Report::RatioRow& row : report.ratios()) {
    const std::string unit = row.unit.empty() ? "" : " " + row.unit;
    text +=
        "| " + row.name + Format(" | %.2f", row.value) + unit + " | " + row.Wanted() + " | " + row.Verdict() + " |\n";
  }
  return text;
}

std::string FigureTable(const std::vector<FigureRow>& rows) {
  std::string text =
      "| row, and how many in flight | operations/s | spread | p50 | p99 | servers' CPU | written |\n"
      "|---|---|---|---|---|---|---|\n";
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
  return text;
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

}  // namespace

Status WriteMarkdown(const BenchOptions& options, const std::vector<FigureRow>& rows, const Report& report) {
  std::ifstream in(options.markdown);
  const std::string page = ReadAll(in);
  const size_t begin = page.find(kBegin), end = page.find(kEnd);
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    return Status(Code::kInvalidArgument, options.markdown + " has no lines " +
                                              std::string(kBegin.substr(0, kBegin.size() - 1)) + " and " +
                                              std::string(kEnd.substr(0, kEnd.size() - 1)));
  }
  const std::filesystem::path chart = std::filesystem::path(options.markdown).replace_extension(".svg");
  std::ofstream(chart) << RatioChart(report.ratios());
  std::ofstream(options.markdown) << page.substr(0, begin) << kBegin << "\n"
                                  << Circumstances(options) << "\n![the ratios of the first table]("
                                  << chart.filename().string() << ")\n\n"
                                  << RatioTable(report) << "\n"
                                  << FigureTable(rows) << "\n"
                                  << RoomTable(rows) << BeyondTable(options, rows) << page.substr(end);
  return {};
}

}  // namespace ebla::bench
