#include "tools/ebla/reports/watch.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <ranges>
#include <set>

#include "common/base/count.h"
#include "tools/ebla/format/output.h"
#include "tools/ebla/reports/listing.h"

namespace ebla::shell {

namespace {

constexpr size_t kCellsMin = 20;
constexpr size_t kOnTheWayMax = 10;
constexpr char kNoPrimary = '!';
constexpr const char* kPlain = "\x1b[0m";
constexpr std::array kColours = {"\x1b[32m", "\x1b[36m", "\x1b[33m", "\x1b[35m", "\x1b[34m", "\x1b[37m"};
constexpr const char* kAlarm = "\x1b[1;31m";

// A letter for each server; those beyond the alphabet share '#'.
using Letters = std::map<ServerName, char>;

Letters LettersOf(const std::vector<ServerSummary>& servers) {
  Letters letters;
  for (const ServerSummary& server : servers) {
    const size_t number = letters.size();
    letters[server.name] = number < 26 ? static_cast<char>('A' + number) : '#';
  }
  return letters;
}

const char* ColourOf(char letter) {
  if (letter == kNoPrimary) return kAlarm;
  const int number = std::toupper(static_cast<unsigned char>(letter)) - 'A';
  return number < 0 || number >= 26 ? kPlain : kColours[static_cast<size_t>(number) % kColours.size()];
}

bool IsAlarming(const ServerSummary& server) {
  return !Reports(server) || server.writes_refused || !server.disk.failure.empty();
}

std::string Painted(const std::string& cells, bool colour) {
  if (!colour) return cells;
  std::string text;
  char last = 0;
  for (const char cell : cells) {
    if (cell != last) text += cell == '|' ? kPlain : ColourOf(cell);
    text += cell;
    last = cell;
  }
  return text + kPlain;
}

// The letter of each tablet's cell.
using Cells = std::map<TabletId, char>;

Cells CellsOf(const WatchView& view, const Letters& letters) {
  std::set<ServerName> reporting;
  for (const ServerSummary& server : view.servers) {
    if (Reports(server)) reporting.insert(server.name);
  }
  Cells cells;
  for (const TabletSummary& tablet : view.tablets) {
    const bool led = tablet.load && tablet.load->leading && reporting.contains(tablet.primary);
    cells[tablet.id] = led ? letters.at(tablet.primary) : kNoPrimary;
  }
  for (const Copy& copy : CopiesOf(view.tablets, view.servers)) {
    char& cell = cells[copy.tablet->id];
    if (copy.answers) cell = static_cast<char>(std::tolower(static_cast<unsigned char>(cell)));
  }
  return cells;
}

// Tablets get equal parts, because keys have no measure. If there is no room for each, one cell shows several tablets,
// and it shows the one without a primary if there is one.
std::string KeyLine(const std::vector<const TabletSummary*>& tablets, const Cells& letter_of, size_t columns) {
  const size_t count = tablets.size();
  if (count * 2 + 1 > columns) {
    const size_t cells = std::max(columns, kCellsMin) - 2;
    std::string line = "|";
    for (size_t cell = 0; cell < std::min(cells, count); ++cell) {
      const size_t width = std::min(cells, count);
      char shown = 0;
      for (size_t i = cell * count / width; i < (cell + 1) * count / width; ++i) {
        const char one = letter_of.at(tablets[i]->id);
        if (shown == 0 || one == kNoPrimary) shown = one;
      }
      line += shown;
    }
    return line + "|";
  }
  const size_t width = count == 0 ? 0 : std::min<size_t>(12, (columns - 1) / count - 1);
  std::string line = "|";
  for (const TabletSummary* tablet : tablets) line += std::string(width, letter_of.at(tablet->id)) + "|";
  return line;
}

std::string Head(const WatchView& view, size_t copies) {
  const ClusterInfo& info = view.info;
  std::string leader = "no leader";
  for (const MasterSummary& master : info.masters) {
    if (master.leader) leader = master.name + " leads";
  }
  return "ebla  " + info.cluster_id + "  " + leader + " (term " + std::to_string(info.term) + ")  " +
         LiveServers(view.servers) + "  " + Count(info.tables, "table") + "  " + Count(info.tablets, "tablet") + "  " +
         Count(copies, "copy", "copies");
}

// Cuts what does not fit, between two characters of UTF-8.
std::string Clipped(std::string line, size_t columns) {
  if (line.size() <= columns) return line;
  size_t end = columns;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) --end;
  line.resize(end);
  return line;
}

class FrameBuilder {
 public:
  FrameBuilder(const WatchView& view, FrameSize size, bool colour)
      : view_(view),
        size_(size),
        colour_(colour),
        letters_(LettersOf(view.servers)),
        cells_(CellsOf(view, letters_)),
        copies_(CopiesOf(view.tablets, view.servers)) {}

  std::vector<std::string> Build() {
    Line(Head(view_, static_cast<size_t>(std::ranges::count(copies_, true, &Copy::answers))));
    if (!view_.info.safe_mode.empty()) Line("SAFE MODE, nothing is repaired: " + view_.info.safe_mode, kAlarm);
    Servers();
    Tables();
    OnTheWay();
    if (lines_.size() > size_.rows) {
      lines_.resize(size_.rows);
      lines_.back() = Clipped("... (there is more than fits)", size_.columns);
    }
    return std::move(lines_);
  }

 private:
  void Line(std::string text, const char* colour = nullptr) {
    text = Clipped(std::move(text), size_.columns);
    lines_.push_back(colour != nullptr && colour_ ? colour + text + kPlain : text);
  }

  void Servers() {
    std::vector<std::vector<std::string>> rows = {
        {" ", "SERVER", "STATE", "TABLETS", "PRIMARIES", "READS/S", "WRITES/S", "CPU", "SIZE", "DISK_FREE"}};
    for (const ServerSummary& server : view_.servers) {
      std::vector<std::string> row = {std::string(1, letters_.at(server.name)), server.name, StateOf(server),
                                      std::to_string(server.tablets)};
      if (Reports(server)) {  // else what it said is of another time
        for (std::string cell :
             {std::to_string(server.leading), Rounded(server.reads_per_second), Rounded(server.writes_per_second),
              Rounded(server.cpu_fraction * 100) + "%", Bytes(server.size_bytes), SizeCell(server.disk_free_bytes)}) {
          row.push_back(std::move(cell));
        }
      }
      row.resize(rows.front().size(), "-");
      rows.push_back(std::move(row));
    }
    const std::vector<std::string> aligned = Aligned(rows);
    for (size_t i = 0; i < aligned.size(); ++i) {
      const bool alarm = i > 0 && IsAlarming(view_.servers[i - 1]);
      Line(aligned[i], alarm ? kAlarm : i > 0 ? ColourOf(letters_.at(view_.servers[i - 1].name)) : nullptr);
    }
  }

  void Tables() {
    for (const TableInfo& table : view_.tables) {
      std::vector<const TabletSummary*> tablets;
      for (const TabletSummary& tablet : view_.tablets) {
        if (tablet.table == table.name && tablet.status != TabletStatus::kDropping) tablets.push_back(&tablet);
      }
      Line("");
      Line(table.name + "  " + Count(tablets.size(), "tablet") + "  " + Rounded(table.reads_per_second) + " reads/s  " +
           Rounded(table.writes_per_second) + " writes/s  " + Bytes(table.size_bytes));
      lines_.push_back(Painted(KeyLine(tablets, cells_, size_.columns), colour_));
    }
  }

  void OnTheWay() {
    if (!copies_.empty()) Line("");
    for (const Copy& copy : copies_ | std::views::take(kOnTheWayMax)) {
      const TabletSummary& tablet = *copy.tablet;
      const std::string silence =
          copy.silent ? "which has been silent for " + SilenceText(*copy.silent) : "which does not answer";
      Line("tablet " + std::to_string(tablet.id.value) + " of " + tablet.table + " " + RangeCell(tablet.range) + ": " +
           (copy.answers ? "a copy is being made at " + copy.target
                         : "its primary waits for " + copy.target + ", " + silence));
    }
    if (copies_.size() > kOnTheWayMax) Line("and " + std::to_string(copies_.size() - kOnTheWayMax) + " more");
  }

  const WatchView& view_;
  const FrameSize size_;
  const bool colour_;
  const Letters letters_;
  const Cells cells_;
  const std::vector<Copy> copies_;
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> DrawFrame(const WatchView& view, FrameSize size, bool colour) {
  return FrameBuilder(view, size, colour).Build();
}

}  // namespace ebla::shell
