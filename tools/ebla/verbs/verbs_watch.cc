// Shows the cluster as it changes: cluster watch.
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>

#include "tools/ebla/reports/listing.h"
#include "tools/ebla/reports/watch.h"
#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kIntervalMin{100};
constexpr FrameSize kSizeOnce{120, 10'000};

// The terminal's alternate screen, without a cursor and with keys read as they are pressed. The destructor restores the
// terminal.
class Screen {
 public:
  explicit Screen(Output& out) : out_(out) {
    keys_ = tcgetattr(STDIN_FILENO, &before_) == 0;
    if (keys_) {
      termios raw = before_;
      raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
      raw.c_cc[VMIN] = 0;
      raw.c_cc[VTIME] = 0;
      tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    out_.Raw("\x1b[?1049h\x1b[?25l");
  }
  ~Screen() {
    out_.Raw("\x1b[?25h\x1b[?1049l");
    if (keys_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  static FrameSize Size() {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
    return {size.ws_col, size.ws_row};
  }
  void Draw(const std::vector<std::string>& lines) {
    std::string frame = "\x1b[H";
    for (size_t i = 0; i < lines.size(); ++i) frame += (i > 0 ? "\r\n" : "") + lines[i] + "\x1b[K";
    out_.Raw(frame + "\x1b[J");
  }
  // Waits for a key, at most so long; true: it was a q.
  bool Quit(milliseconds wait) const {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (poll(&input, keys_ ? 1 : 0, static_cast<int>(wait.count())) <= 0) return false;
    char key = 0;
    const ssize_t got = read(STDIN_FILENO, &key, 1);
    return got == 0 || key == 'q' || key == 'Q';
  }

 private:
  Output& out_;
  termios before_{};
  bool keys_ = false;  // the input is a terminal
};

Result<WatchView> Look(const Client& client) {
  WatchView view;
  EBLA_ASSIGN(view.info, client.DescribeCluster());
  if (!view.info.from_leader) return Error(Code::kUnavailable, "masters answer, but none of them is the leader");
  EBLA_ASSIGN(view.servers, client.ListServers());
  EBLA_ASSIGN(view.tables, client.ListTables());
  EBLA_ASSIGN(view.tablets, client.ListTablets());
  return view;
}

Json ToJson(const WatchView& view) {
  Json servers = Json::Array(), tablets = Json::Array();
  const auto now = [](const ServerSummary& server, Json value) { return Reports(server) ? value : Json(); };
  for (const ServerSummary& server : view.servers) {
    servers.push_back({{"name", server.name},
                       {"live", server.live},
                       {"silent", SilentFor(server).has_value()},
                       {"since_heartbeat_ms", server.since_heartbeat ? Json(server.since_heartbeat->count()) : Json()},
                       {"tablets", server.tablets},
                       {"primaries", now(server, server.leading)},
                       {"reads_per_second", now(server, Json::Rounded(server.reads_per_second))},
                       {"writes_per_second", now(server, Json::Rounded(server.writes_per_second))},
                       {"cpu_fraction", now(server, Json::Rounded(server.cpu_fraction, 3))}});
  }
  for (const TabletSummary& tablet : view.tablets) {
    tablets.push_back({{"id", tablet.id.value},
                       {"table", tablet.table},
                       {"range", RangeJson(tablet.range)},
                       {"primary", tablet.primary.empty() ? Json() : Json(tablet.primary)},
                       {"has_primary", tablet.load && tablet.load->leading},
                       {"learners", tablet.learners},
                       {"incomplete", tablet.incomplete}});
  }
  const auto copies = std::ranges::count(CopiesOf(view.tablets, view.servers), true, &Copy::answers);
  return {{"cluster_id", view.info.cluster_id},
          {"term", view.info.term},
          {"safe_mode", view.info.safe_mode},
          {"copies", copies},
          {"servers", servers},
          {"tablets", tablets}};
}

Status Once(Context& context, const Client& client) {
  EBLA_ASSIGN(const WatchView view, Look(client));
  if (context.out.json) {
    context.out.Value(ToJson(view));
  } else {
    for (const std::string& line : DrawFrame(view, kSizeOnce, false)) context.out.Line(line);
  }
  return {};
}

// One JSON value per turn, for programs.
Status Stream(Context& context, const Client& client, milliseconds interval) {
  while (!context.interrupted) {
    EBLA_TRY(Once(context, client));
    if (!Sleep(context, interval)) break;
  }
  return {};
}

Status Live(Context& context, const Client& client, milliseconds interval) {
  if (isatty(STDOUT_FILENO) != 1) {
    return Error(Code::kInvalidArgument,
                 "cluster watch needs a terminal; --once prints one frame, --json a line each time");
  }
  Screen screen(context.out);
  WatchView last;
  while (!context.interrupted) {
    const Result<WatchView> view = Look(client);
    if (view) last = *view;
    FrameSize size = Screen::Size();
    size.rows = std::max<size_t>(size.rows, 3) - 1;
    std::vector<std::string> lines = DrawFrame(last, size, true);
    lines.push_back(view ? "q ends" : "old view; now: " + view.error().ToString().substr(0, size.columns - 16));
    screen.Draw(lines);
    if (screen.Quit(interval)) break;
  }
  return {};
}

}  // namespace

void AddWatchVerbs(Verbs& verbs) {
  struct Arguments {
    milliseconds interval{2'000};
    bool once = false;
  };
  auto args = std::make_shared<Arguments>();
  verbs
      .Add("cluster watch", "Shows servers, tablets and copies as they change; q ends it",
           "cluster watch --interval 1s",
           [args](Context& context) -> Status {
             EBLA_ASSIGN(const Client client, context.connect());
             if (args->once) return Once(context, client);
             if (context.out.json) return Stream(context, client, args->interval);
             return Live(context, client, args->interval);
           })
      .StopsOnInterrupt()
      .Option("--interval", "DURATION", TakeDuration(args->interval, kIntervalMin), "Time between two looks (2s)")
      .Flag("--once", args->once, "Shows one frame and ends")
      .Notes("With --json each look is one line.");
}

}  // namespace ebla::shell
