#include "tools/backup/archive/archive_index.h"

#include <openssl/sha.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/backup/table_options_json.h"

namespace ebla::backup {
namespace {

using Json = nlohmann::json;

constexpr int kIndexFormat = 2;  // 1: files were counted, and not named
constexpr size_t kIndexBlockBytes = 256 << 10;
constexpr const char* kIndex = "index";

Json ToJson(const LogPlace& place) { return Json::array({place.log, place.segment, place.offset, place.sequence}); }
LogPlace PlaceFrom(const Json& json) {
  return {.log = json.at(0).get<uint64_t>(),
          .segment = json.at(1).get<uint64_t>(),
          .offset = json.at(2).get<int64_t>(),
          .sequence = json.at(3).get<uint64_t>()};
}

Json ToJson(const ArchivedTable& table) {
  Json spans = Json::array();
  for (const Span& span : table.spans) spans.push_back({span.from_ms, span.through_ms});
  return {{"id", table.id},
          {"name", table.name},
          {"options", OptionsToJson(table.options)},
          {"spans", std::move(spans)},
          {"whole", table.whole},
          {"unseen_ms", table.unseen_ms},
          {"seen_ms", table.seen_ms},
          {"dropped_ms", table.dropped_ms}};
}
ArchivedTable TableFrom(const Json& json) {
  ArchivedTable table{.id = json.at("id").get<uint64_t>(),
                      .name = json.at("name").get<std::string>(),
                      .options = OptionsFromJson(json.at("options")),
                      .spans = {},
                      .whole = json.at("whole").get<bool>(),
                      .unseen_ms = json.value("unseen_ms", int64_t{0}),
                      .seen_ms = json.value("seen_ms", int64_t{0}),
                      .dropped_ms = json.at("dropped_ms").get<int64_t>()};
  for (const Json& span : json.at("spans"))
    table.spans.push_back({span.at(0).get<int64_t>(), span.at(1).get<int64_t>()});
  return table;
}

Json ToJson(const ArchivedFiles& files) {
  Json json = {{"first", files.first}, {"last", files.last}, {"recent", files.recent}};
  if (files.sum) json["sum"] = *files.sum;
  return json;
}
ArchivedFiles FilesFrom(const Json& index) {
  ArchivedFiles files;
  if (!index.contains("files")) {
    files.first = 0;
    files.last = index.at("last_file").get<uint64_t>();
    return files;
  }
  const Json& json = index.at("files");
  files.first = json.at("first").get<uint64_t>();
  files.last = json.at("last").get<uint64_t>();
  if (json.contains("sum")) files.sum = json.at("sum").get<uint64_t>();
  files.recent = json.at("recent").get<std::vector<std::string>>();
  return files;
}

Json ToJson(const TabletChains::State& state) {
  Json tablets = Json::array(), tables = Json::array(), starts = Json::array();
  for (const auto& tablet : state.tablets) {
    Json epochs = Json::array();
    for (const TabletChains::EpochStart& start : tablet.epochs) epochs.push_back({start.lsn, start.epoch.value});
    tablets.push_back({tablet.tablet.value, tablet.table.value, tablet.emitted, tablet.offset_ms, tablet.offset_epoch,
                       tablet.floor_ms, tablet.was_listed, std::move(epochs)});
  }
  for (const auto& table : state.tables) {
    Json json = {{"id", table.table.value}};
    if (table.coverage) {
      json["from_ms"] = table.coverage->span.from_ms;
      json["through_ms"] = table.coverage->span.through_ms;
      json["whole"] = table.coverage->whole;
    }
    tables.push_back(std::move(json));
  }
  for (const LoggedStart& start : state.starts) {
    Json origins = Json::array();
    for (const auto& [tablet, lsn] : start.origins) origins.push_back({tablet.value, lsn});
    starts.push_back({start.tablet.value, start.table.value, start.lsn, std::move(origins)});
  }
  return {{"tablets", std::move(tablets)},
          {"tables", std::move(tables)},
          {"starts", std::move(starts)},
          {"looked_ms", state.looked_ms}};
}

TabletChains::State::Tablet TabletFrom(const Json& json) {
  TabletChains::State::Tablet tablet{.tablet = TabletId{json.at(0).get<uint64_t>()},
                                     .table = TableId{json.at(1).get<uint64_t>()},
                                     .emitted = json.at(2).get<uint64_t>(),
                                     .offset_ms = json.at(3).get<int64_t>(),
                                     .offset_epoch = json.at(4).get<uint64_t>(),
                                     .floor_ms = json.at(5).get<int64_t>(),
                                     .was_listed = true,
                                     .epochs = {}};
  if (json.size() == 6) return tablet;
  tablet.was_listed = json.at(6).get<bool>();
  for (const Json& start : json.at(7))
    tablet.epochs.push_back({start.at(0).get<uint64_t>(), Epoch{start.at(1).get<uint64_t>()}});
  return tablet;
}

TabletChains::State StateFrom(const Json& json) {
  TabletChains::State state;
  state.looked_ms = json.value("looked_ms", int64_t{0});
  for (const Json& tablet : json.at("tablets")) state.tablets.push_back(TabletFrom(tablet));
  for (const Json& table : json.at("tables")) {
    TabletChains::State::Table& to = state.tables.emplace_back();
    to.table = TableId{table.at("id").get<uint64_t>()};
    if (!table.contains("from_ms")) continue;
    to.coverage = {.span = {table.at("from_ms").get<int64_t>(), table.at("through_ms").get<int64_t>()},
                   .whole = table.at("whole").get<bool>()};
  }
  for (const Json& start : json.at("starts")) {
    LoggedStart& to = state.starts.emplace_back();
    to.tablet = TabletId{start.at(0).get<uint64_t>()};
    to.table = TableId{start.at(1).get<uint64_t>()};
    to.lsn = start.at(2).get<uint64_t>();
    for (const Json& origin : start.at(3))
      to.origins.emplace_back(TabletId{origin.at(0).get<uint64_t>()}, origin.at(1).get<uint64_t>());
  }
  return state;
}

}  // namespace

const Span* ArchivedTable::Covering(int64_t from_ms, int64_t through_ms) const {
  const auto covers = [&](const Span& span) { return span.from_ms <= from_ms && through_ms <= span.through_ms; };
  const auto found = std::ranges::find_if(spans, covers);
  return found == spans.end() ? nullptr : &*found;
}

// Uses the key, so that only its holder can make another name count as much.
uint64_t ArchivedFiles::SumOf(const std::string& name, const Key& key) {
  const std::string text = key + name;
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  uint64_t sum = 0;
  for (int i = 0; i < 8; ++i) sum = sum << 8 | digest[i];
  return sum;
}

void ArchivedFiles::Add(const std::string& name, const Key& key) {
  ++last;
  sum = sum.value_or(0) + SumOf(name, key);
  recent.push_back(name);
  if (recent.size() > kRecent) recent.erase(recent.begin());
}

void ArchivedFiles::RemoveFirst(const std::string& name, const Key& key) {
  ++first;
  sum = sum.value_or(0) - SumOf(name, key);
  if (!recent.empty() && recent.front() == name) recent.erase(recent.begin());
}

ArchivedTable* ArchiveIndex::Find(uint64_t id) {
  const auto found = std::ranges::find(tables, id, &ArchivedTable::id);
  return found == tables.end() ? nullptr : &*found;
}

std::string ArchiveFolder(const std::string& cluster) { return ".archive/" + cluster; }

Status WriteArchiveIndex(BackupStore& store, const ArchiveIndex& index, const Key& key) {
  Json tables = Json::array(), places = Json::object();
  for (const ArchivedTable& table : index.tables) tables.push_back(ToJson(table));
  for (const auto& [server, place] : index.places) places[server] = ToJson(place);
  const Json json = {{"format", kIndexFormat},      {"cluster", index.cluster},      {"writer", index.writer},
                     {"every_ms", index.every_ms},  {"files", ToJson(index.files)},  {"tables", std::move(tables)},
                     {"places", std::move(places)}, {"chains", ToJson(index.chains)}};
  const std::string object = ArchiveFolder(index.cluster) + "/" + kIndex;
  EBLA_ASSIGN(BlockWriter writer, BlockWriter::Create(store, object, key));
  const std::string text = json.dump();
  for (size_t at = 0; at < text.size(); at += kIndexBlockBytes)
    EBLA_TRY(writer.Write(std::string_view(text).substr(at, kIndexBlockBytes)));
  return writer.Finish();
}

Result<ArchiveIndex> ReadArchiveIndex(BackupStore& store, const std::string& cluster, const Key& key) {
  const std::string object = ArchiveFolder(cluster) + "/" + kIndex;
  EBLA_ASSIGN(BlockReader reader, BlockReader::Open(store, object, key));
  std::string text;
  while (true) {
    EBLA_ASSIGN(const std::optional<std::string> block, reader.Next());
    if (!block) break;
    text += *block;
  }
  try {
    const Json json = Json::parse(text);
    if (const int format = json.at("format").get<int>(); format > kIndexFormat)
      return Error(Code::kInvalidArgument, store.LocationOf(object) + " has format " + std::to_string(format) +
                                               "; this build reads up to " + std::to_string(kIndexFormat));
    ArchiveIndex index{.cluster = json.at("cluster").get<std::string>(),
                       .writer = json.at("writer").get<std::string>(),
                       .every_ms = json.value("every_ms", int64_t{0}),
                       .files = FilesFrom(json),
                       .tables = {},
                       .places = {},
                       .chains = StateFrom(json.at("chains"))};
    for (const Json& table : json.at("tables")) index.tables.push_back(TableFrom(table));
    for (const auto& [server, place] : json.at("places").items()) index.places[server] = PlaceFrom(place);
    return index;
  } catch (const std::exception& error) {
    return Error(Code::kInvalidArgument, store.LocationOf(object) + " is no index of an archive: " + error.what());
  }
}

}  // namespace ebla::backup
