// tools/backup/archive/server_logs.h
// Reads the logs of all servers on, each to its end, for one round of the archiver. They take turns, a page each: an
// entry that one log has waits for the mark that another has, so none should be far ahead.
//   held up     by an entry of which its server does not know whether it is committed: for a moment, as a rule. After
//               kHeldUp in one place its tablet is passed over there, until an entry of it is shown
//   a clock     of a server that is apart from this machine's: its marks do not count, and nothing of its tablets is
//               known until the two agree
//   unreadable  a log holds up what others lack, for as long as servers keep their logs, and no longer
// Place:   archiver.h's; tablet_chains.h takes the pages.
// Threads: one.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ebla/client.h"
#include "tools/backup/archive/tablet_chains.h"

namespace ebla::backup {

class ServerLogs {
 public:
  using Clock = std::chrono::steady_clock;
  using Places = std::map<ServerName, LogPlace>;
  static constexpr std::chrono::seconds kHeldUp{30};
  static constexpr std::chrono::seconds kHeldUpToo{3};  // by another, behind one that is passed over
  static constexpr std::chrono::seconds kStuck{5};      // in one place: what others lack may be behind it
  static constexpr std::chrono::minutes kUnreadable{10}, kPassedOver{10};
  static constexpr std::chrono::seconds kRoundsApart{10};  // at most; a longer pause counts as a gap between looks
  static constexpr std::chrono::milliseconds kClocksApart{5'000};

  // A page of the server's log.
  using Follow = std::function<Result<LogPage>(const ServerSummary& server, const FollowLogOptions& options)>;
  struct Ports {
    Follow follow;
    std::function<int64_t()> wall_clock_ms;
    std::function<Clock::time_point()> now;
    std::function<void(const std::string&)> say;
  };
  explicit ServerLogs(Ports ports) : ports_(std::move(ports)) {}

  const Places& places() const { return places_; }
  void SetPlaces(Places places) { places_ = std::move(places); }

  // `saved`: where a run begins that follows this one. `goes_on`: false ends it where it is. Whether all were read to
  // their end.
  bool Read(const std::vector<ServerSummary>& servers, const Places& saved, TabletChains& chains,
            const std::function<bool()>& goes_on);

 private:
  struct Server {
    std::map<TabletId, Clock::time_point> waits_for;    // since when, in this place
    std::map<TabletId, Clock::time_point> passed_over;  // since when
    Clock::time_point came_on{};                        // or was at its end; since it was first tried
    Clock::time_point warned{};
  };
  enum class Step { kMore, kEnd, kHeldUp, kFailed };

  Step ReadPage(const ServerSummary& server, const Places& saved, TabletChains& chains);
  bool IsRead(const Server& state, Step step) const;
  void NoteWaits(Server& state, const LogPage& page);
  void CheckClock(const ServerName& name, Server& state, int64_t asked_ms, LogPage& page);

  Ports ports_;
  Places places_;
  std::map<ServerName, Server> servers_;
  Clock::time_point looked_{};
};

}  // namespace ebla::backup
