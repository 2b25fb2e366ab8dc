#include "master/procedures/create_table.h"

#include <glog/logging.h>

#include <algorithm>

#include "master/catalog/table_rules.h"

namespace ebla::master {
namespace {

// The range of tablet `index` of the table.
idl::KeyRange RangeOf(const idl::TableNode& table, size_t index) {
  idl::KeyRange range;
  if (index > 0) range.startKey = table.pendingSplitPoints[index - 1];
  if (index < table.pendingSplitPoints.size()) range.endKey = table.pendingSplitPoints[index];
  return range;
}

TabletId IdOf(const idl::TableNode& table, size_t index) {
  return TabletId{static_cast<uint64_t>(table.firstTabletId) + index};
}

// Tablets of one Multi, which is never larger.
constexpr size_t kTabletsPerStepMax = 1'000;

}  // namespace

std::string CreateTableName(const std::string& table) { return "create table " + table; }

Result<Change> BeginTable(const Image& image, const std::string& name, const idl::TableOptions& options,
                          const std::vector<std::string>& split_points) {
  if (const TableEntry* table = image.Table(name)) {
    static constexpr const char* kStates[] = {"exists already, and is being created", "exists already",
                                              "is still being dropped"};
    return Error(Code::kTableExists, "table " + name + " " + kStates[static_cast<int>(table->node.state)]);
  }
  idl::TableNode node;
  node.schema.tableId = static_cast<int64_t>(image.next_id());
  node.schema.name = name;
  node.schema.schemaVersion = 1;
  node.schema.options = options;
  node.state = idl::TableState::CREATING;
  node.pendingSplitPoints = split_points;
  node.firstTabletId = node.schema.tableId + 1;
  Change change;
  change.SetNextId(image.next_id() + 1 + split_points.size() + 1);
  change.PutTable(std::move(node));
  return change;
}

CreateTable::CreateTable(const Context& context, std::string table, std::function<void(TabletId)> consider)
    : context_(context), table_(std::move(table)), consider_(std::move(consider)) {}

void CreateTable::Step(coordination::Callback<Progress> done) {
  const TableEntry* table = context_.image().Table(table_);
  if (!table || table->node.state == idl::TableState::DROPPING) {
    return done(Progress::Done(Error(Code::kNoSuchTable, "table " + table_ + " was dropped while it was created")));
  }
  if (table->serving()) return done(Progress::Done());
  if (id_ != table->id()) Begin(*table);
  if (!MadeAll(*table)) {
    context_.catalog.Commit([this](const Image& image) { return NextTablets(image); },
                            [this, done = std::move(done)](Status status) mutable {
                              if (!status.ok()) return done(Progress::Later(std::move(status)));
                              for (const TabletId tablet : made_) consider_(tablet);
                              done(Progress::Again());
                            });
    return;
  }
  if (const size_t unserved = CountUnserved(); unserved > 0) {
    for (const TabletId tablet : unserved_) consider_(tablet);
    const size_t wanted = table->tablets_wanted();
    return done(
        Progress::Later(Error(Code::kUnavailable, std::to_string(wanted - unserved) + " of " + std::to_string(wanted) +
                                                      " tablets serve" + AbsentServers())));
  }
  context_.catalog.Commit([this](const Image& image) { return Complete(image); },
                          [done = std::move(done)](Status status) mutable {
                            done(status.ok() ? Progress::Again() : Progress::Later(std::move(status)));
                          });
}

void CreateTable::Begin(const TableEntry& table) {
  id_ = table.id();
  made_to_ = 0;
  unserved_.clear();
  for (size_t index = 0; index < table.tablets_wanted(); ++index) unserved_.push_back(IdOf(table.node, index));
}

bool CreateTable::MadeAll(const TableEntry& table) {
  const size_t wanted = table.tablets_wanted();
  while (made_to_ < wanted && context_.image().Tablet(IdOf(table.node, made_to_))) ++made_to_;
  return made_to_ == wanted;
}

size_t CreateTable::CountUnserved() {
  std::erase_if(unserved_, [this](TabletId id) {
    const TabletEntry* tablet = context_.image().Tablet(id);
    return tablet && !tablet->creating();
  });
  return unserved_.size();
}

// The first of them that waits for servers, for people.
std::string CreateTable::AbsentServers() const {
  for (const TabletId id : unserved_) {
    const TabletEntry* tablet = context_.image().Tablet(id);
    if (!tablet) continue;
    std::vector<ServerName> away = tablet->node.info.voters;
    std::erase_if(away, [this](const ServerName& voter) { return context_.servers.IsLive(voter); });
    const bool majority_lives = 2 * away.size() < tablet->node.info.voters.size();
    if (!majority_lives) return "; tablet " + std::to_string(id.value) + " waits for " + Joined(away) + " (away)";
  }
  return "";
}

// A tablet that the catalog has not made yet is nowhere, unless the catalog is an older one: then it may have served,
// and must not be created again.
Status CreateTable::CheckNowhere(const std::vector<TabletId>& tablets) const {
  for (const auto& [name, server] : context_.servers.all()) {
    if (server.live && !server.CurrentReport()) {
      return Error(Code::kUnavailable, "server " + name + " is live, but has not reported yet what it holds");
    }
    for (const TabletId tablet : tablets) {
      if (!server.report || !server.report->Find(tablet)) continue;
      return Error(Code::kUnavailable,
                   "server " + name + " holds tablet " + std::to_string(tablet.value) + " already: was the " +
                       "coordinator (ZooKeeper) restored from an older state? See ebla cluster adopt");
    }
  }
  return {};
}

Result<Change> CreateTable::NextTablets(const Image& image) {
  made_.clear();
  Change change;
  const TableEntry* table = image.Table(table_);
  // If another table of that name exists now, this step begins nothing, and the next one reports it.
  if (!table || table->node.state != idl::TableState::CREATING || table->id() != id_) return change;
  std::vector<size_t> missing;
  std::vector<TabletId> ids;
  for (size_t index = made_to_; index < table->tablets_wanted() && ids.size() < kTabletsPerStepMax; ++index) {
    const TabletId id = IdOf(table->node, index);
    if (image.Tablet(id)) continue;
    missing.push_back(index);
    ids.push_back(id);
  }
  EBLA_TRY(CheckNowhere(ids));
  EBLA_ASSIGN(const auto placements,
              PlaceNewTablets(ViewCluster(image, context_.servers), missing.size(), ReplicasOf(table->node.schema)));
  for (size_t i = 0; i < missing.size() && !change.full(); ++i) {
    idl::TabletNode node;
    node.info.tabletId = table->node.firstTabletId + static_cast<int64_t>(missing[i]);
    node.info.tableId = table->node.schema.tableId;
    node.info.range = RangeOf(table->node, missing[i]);
    node.info.epoch = 1;
    node.info.primary = placements[i].primary;
    node.info.voters = placements[i].voters;
    node.info.state = idl::TabletState::CREATING;
    VLOG(1) << "tablet " << node.info.tabletId << " to " << placements[i].primary << ": " << placements[i].reason;
    made_.push_back(TabletId{static_cast<uint64_t>(node.info.tabletId)});
    change.PutTablet(std::move(node));
  }
  return change;
}

Result<Change> CreateTable::Complete(const Image& image) const {
  Change change;
  const TableEntry* table = image.Table(table_);
  if (!table || table->node.state != idl::TableState::CREATING) return change;
  idl::TableNode node = table->node;
  node.state = idl::TableState::SERVING;
  node.pendingSplitPoints.clear();
  change.PutTable(std::move(node));
  return change;
}

}  // namespace ebla::master
