#include "master/balancer/planner/balance.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <vector>

namespace ebla::master {
namespace {

constexpr double kCrumb = 0.2;  // of the margin

constexpr Dimension kAll[] = {Dimension::kCpu,  Dimension::kOperations, Dimension::kWriteBytes,
                              Dimension::kDisk, Dimension::kReplicas,   Dimension::kPrimaries};

// A server that is overloaded, and how far: margins above the mean.
struct Source {
  ServerIndex server;
  Dimension dimension;
  double excess;
};

// A piece of load that a server could give away: a tablet's leadership, or its replica, with the leadership if it
// leads.
struct Piece {
  TabletIndex tablet;
  double gain;
};

class Balancer {
 public:
  Balancer(Pass& pass, ServerLoads& loads)
      : pass_(pass), options_(pass.options.balance), loads_(loads), handed_(pass.view.servers.size()) {}

  void Run() {
    const std::vector<Source> sources = Sources();
    if (sources.empty()) return;
    ListTablets(sources);
    for (const Source& source : sources) {
      if (Exhausted()) {
        pass_.Reject(Rule::kBalance, Cause::kCap, {}, Server(source.server).name,
                     [&] { return Text(source) + "; as many moves are under way as the planner allows"; });
        continue;
      }
      Shed(source);
    }
  }

 private:
  const TabletView& At(TabletIndex tablet) const { return pass_.view.tablets[tablet]; }
  const PlannedServer& Server(ServerIndex server) const { return pass_.view.servers[server]; }
  bool Exhausted() const { return transfers_ >= options_.transfers && !pass_.RoomForCopies(); }

  std::string Text(const Source& source) const {
    const Dimension d = source.dimension;
    return Server(source.server).name + " has " + Amount(d, loads_.load(source.server, d)) + ", the mean is " +
           Amount(d, loads_.mean(d)) + " (" + Name(d) + ")";
  }

  // Judges each server in each dimension, and remembers it.
  std::vector<Source> Sources() {
    std::vector<Source> sources;
    for (ServerIndex i = 0; i < pass_.view.servers.size(); ++i) {
      if (!loads_.member(i)) {
        pass_.memory.servers.erase(Server(i).name);
        continue;
      }
      for (const Dimension d : kAll) {
        if (Overloaded(i, d)) sources.push_back({i, d, (loads_.load(i, d) - loads_.mean(d)) / loads_.margin(d)});
      }
    }
    std::ranges::stable_sort(sources, std::greater(), &Source::excess);
    return sources;
  }

  bool Overloaded(ServerIndex server, Dimension dimension) {
    const auto d = static_cast<size_t>(dimension);
    const double load = loads_.load(server, dimension);
    const auto found = pass_.memory.servers.find(Server(server).name);
    const bool was = found != pass_.memory.servers.end() && found->second.overloaded[d];
    if (load <= (was ? loads_.stop(dimension) : loads_.start(dimension))) {
      if (found == pass_.memory.servers.end()) return false;
      found->second.overloaded[d] = false;
      found->second.over[d] = {};
      if (found->second == ServerMemory()) pass_.memory.servers.erase(found);
      return false;
    }
    ServerMemory& memory = pass_.memory.servers[Server(server).name];
    memory.over[d].Count(pass_.now(), pass_.options.gap_max);
    if (memory.over[d].samples == 1) memory.overloaded[d] = false;  // after a gap
    memory.overloaded[d] |= memory.over[d].Lasts(pass_.now(), options_.sustained, options_.samples);
    if (!memory.overloaded[d]) {
      pass_.Reject(Rule::kBalance, Cause::kNotYet, {}, Server(server).name, [&] {
        return Text({server, dimension, 0}) + Lasting(pass_.now() - memory.over[d].since, options_.sustained);
      });
    }
    return memory.overloaded[d];
  }

  void ListTablets(const std::vector<Source>& sources) {
    held_.resize(pass_.view.servers.size());
    std::vector<bool> wanted(pass_.view.servers.size());
    for (const Source& source : sources) wanted[source.server] = true;
    for (TabletIndex i = 0; i < pass_.view.tablets.size(); ++i) {
      for (const ServerIndex voter : At(i).voters) {
        if (wanted[voter]) held_[voter].push_back(i);
      }
    }
  }

  // ---- one server in one dimension ----

  void Shed(const Source& source) {
    resting_ = 0;
    short_of_disk_.clear();
    const double before = loads_.load(source.server, source.dimension);
    const double target = Target(source);
    // Leadership moves none of the dimensions of data.
    const bool leads = source.dimension != Dimension::kDisk && source.dimension != Dimension::kReplicas &&
                       source.dimension != Dimension::kWriteBytes;
    if (leads && HasRoom(source.server, true)) Give(source, Pieces(source, true), target, true);
    // More than that its leadership costs a server nothing.
    if (source.dimension != Dimension::kPrimaries && HasRoom(source.server, false))
      Give(source, Pieces(source, false), target, false);
    const double after = loads_.load(source.server, source.dimension);
    if (after < before) return;
    const Cause cause = unplaceable_ ? Cause::kAlone : resting_ > 0 ? Cause::kCoolDown : Cause::kNoPlace;
    pass_.Reject(Rule::kBalance, cause, {}, Server(source.server).name, [&] {
      return Text(source) +
             (unplaceable_ ? "; tablet " + std::to_string(At(*unplaceable_).id.value) +
                                 " alone is more than any server has room for"
                           : "; nothing that it could give fits elsewhere") +
             ", and " + std::to_string(resting_) + " of its tablets are in cool-down" + ShortOfDisk();
    });
  }

  std::string ShortOfDisk() const {
    if (short_of_disk_.empty()) return "";
    std::string names;
    for (const ServerIndex server : short_of_disk_) names += (names.empty() ? "" : ", ") + Server(server).name;
    return "; too little disk is free at " + names;
  }

  // Down to where it gives: below stop(), or to little more than the one tablet that fits nowhere.
  double Target(const Source& source) {
    const Dimension d = source.dimension;
    unplaceable_ = std::nullopt;
    largest_room_ = loads_.Order(d).empty() ? 0 : loads_.stop(d) - loads_.Order(d).begin()->first;
    double largest = 0;
    for (const TabletIndex tablet : held_[source.server]) {
      const double cost = CostAt(tablet, source.server)[static_cast<size_t>(d)];
      if (cost > std::max(largest, largest_room_)) {
        largest = cost;
        unplaceable_ = tablet;
      }
    }
    return std::max(loads_.stop(d), unplaceable_ ? largest + loads_.margin(d) * options_.stop : 0);
  }

  Loads CostAt(TabletIndex tablet, ServerIndex server) const {
    return loads_.Cost(tablet, At(tablet).primary() == server);
  }

  // The largest first; of equals, those with the least to copy.
  std::vector<Piece> Pieces(const Source& source, bool leading) {
    std::vector<Piece> pieces;
    for (const TabletIndex tablet : held_[source.server]) {
      if (leading && (At(tablet).primary() != source.server || At(tablet).voters.size() < 2)) continue;
      const Loads cost = leading ? loads_.CostOfLeading(tablet) : CostAt(tablet, source.server);
      const double gain = cost[static_cast<size_t>(source.dimension)];
      if (gain > 0 && tablet != unplaceable_) pieces.push_back({tablet, gain});
    }
    std::ranges::stable_sort(pieces, [&](const Piece& a, const Piece& b) {
      return a.gain != b.gain ? a.gain > b.gain : At(a.tablet).size_bytes < At(b.tablet).size_bytes;
    });
    return pieces;
  }

  void Give(const Source& source, const std::vector<Piece>& pieces, double target, bool leading) {
    const auto over = [&] { return loads_.load(source.server, source.dimension) - loads_.mean(source.dimension); };
    const auto done = [&] {
      return loads_.load(source.server, source.dimension) <= target || !HasRoom(source.server, leading);
    };
    // Beside a tablet that is more than a server's share, crumbs are not worth a copy.
    const double least = unplaceable_ && !leading ? kCrumb * loads_.margin(source.dimension) : 0;
    for (const Piece& piece : pieces) {
      if (done() || piece.gain < least) break;
      if (piece.gain <= over()) Try(source, piece, leading);
    }
    // The smallest of those that leave it below the mean.
    for (auto piece = pieces.rbegin(); piece != pieces.rend() && !done(); ++piece) {
      if (piece->gain > over() && piece->gain >= least) Try(source, *piece, leading);
    }
  }

  bool HasRoom(ServerIndex server, bool leading) const {
    if (!leading) return pass_.RoomForCopy(server);
    return transfers_ < options_.transfers && handed_[server] < options_.transfers_per_server;
  }

  void Try(const Source& source, const Piece& piece, bool leading) {
    if (!MayMove(piece.tablet, leading)) return;
    const std::optional<ServerIndex> to = leading ? BestLeader(source, piece) : BestPlace(source, piece);
    if (!to) return;
    const std::string reason = Text(source) + ", " + Server(*to).name + " " +
                               Amount(source.dimension, loads_.load(*to, source.dimension)) + "; the tablet takes " +
                               Amount(source.dimension, piece.gain);
    if (leading) {
      loads_.Shift(loads_.CostOfLeading(piece.tablet), source.server, *to);
      ++transfers_;
      ++handed_[source.server];
      ++handed_[*to];
      pass_.Transfer(Rule::kBalance, piece.tablet, *to, reason);
    } else {
      loads_.Shift(CostAt(piece.tablet, source.server), source.server, *to);
      loads_.NoteCopy(*to, static_cast<double>(At(piece.tablet).size_bytes));
      pass_.Move(Rule::kBalance, piece.tablet, source.server, *to, reason);
    }
  }

  bool MayMove(TabletIndex index, bool leading) {
    const TabletView& tablet = At(index);
    if (pass_.taken(index)) return false;
    if (pass_.Blocked(Rule::kBalance, index)) return false;
    if (pass_.now() < tablet.held_until) {
      pass_.Reject(Rule::kBalance, Cause::kHeld, tablet.id, "",
                   [&] { return "the hold ends in " + Amount(tablet.held_until - pass_.now()); });
      return false;
    }
    if (pass_.Rests(tablet.id)) {
      ++resting_;
      if (listed_.insert(index).second) pass_.RejectResting(Rule::kBalance, tablet.id);
      return false;
    }
    return leading || Whole(pass_.view, tablet);
  }

  // ---- where to ----

  // May take the piece: see invariant 1.
  bool Takes(const Source& source, const Piece& piece, const Loads& cost, ServerIndex to) const {
    const Dimension d = source.dimension;
    if (!loads_.member(to) || !Server(to).usable()) return false;
    const double now = loads_.load(to, d), then = now + piece.gain;
    const bool fits = now < loads_.mean(d) && then <= loads_.stop(d);
    // Two pieces too large for any server do not stay on one.
    const bool apart = piece.gain > largest_room_ && then + loads_.margin(d) <= loads_.load(source.server, d);
    if (!fits && !apart) return false;
    return apart || loads_.Fits(to, cost, d);
  }

  std::optional<ServerIndex> BestLeader(const Source& source, const Piece& piece) const {
    const Loads cost = loads_.CostOfLeading(piece.tablet);
    std::optional<ServerIndex> best;
    for (const ServerIndex voter : At(piece.tablet).voters) {
      if (voter == source.server || !HasRoom(voter, true) || !Takes(source, piece, cost, voter)) continue;
      if (!best || loads_.load(voter, source.dimension) < loads_.load(*best, source.dimension)) best = voter;
    }
    return best;
  }

  // The least loaded that may. Servers with the least load are first, and most of them qualify, so few are examined.
  std::optional<ServerIndex> BestPlace(const Source& source, const Piece& piece) {
    constexpr size_t kLookedAt = 256;
    const TabletView& tablet = At(piece.tablet);
    const Loads cost = CostAt(piece.tablet, source.server);
    size_t looked_at = 0;
    for (const auto& [load, to] : loads_.Order(source.dimension)) {
      if (++looked_at > kLookedAt) break;
      if (tablet.voters.Contains(to) || !pass_.RoomForCopy(to) || !Takes(source, piece, cost, to)) continue;
      if (!loads_.DiskHas(to, static_cast<double>(tablet.size_bytes))) {
        short_of_disk_.insert(to);
        continue;
      }
      if (KeepsRackSpread(pass_.view, tablet, source.server, to)) return to;
    }
    return std::nullopt;
  }

  Pass& pass_;
  const BalanceOptions& options_;
  ServerLoads& loads_;
  std::vector<size_t> handed_;  // transfers planned to or from a server
  size_t transfers_ = 0;
  std::vector<std::vector<TabletIndex>> held_;  // by overloaded servers
  std::set<TabletIndex> listed_;                // resting tablets that the plan names already
  // Of the source in hand:
  double largest_room_ = 0;                 // that any server has
  std::optional<TabletIndex> unplaceable_;  // its largest piece, where no server has room for it
  size_t resting_ = 0;
  std::set<ServerIndex> short_of_disk_;  // that could take what it gives but for that
};

}  // namespace

void PlanBalance(Pass& pass, ServerLoads& loads) { Balancer(pass, loads).Run(); }

}  // namespace ebla::master
