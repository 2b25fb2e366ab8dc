#include "tools/backup/archive/archive_files.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "common/base/encoding.h"
#include "tools/backup/table_options_json.h"

namespace ebla::backup {
namespace {

using Json = nlohmann::json;

constexpr int kFormat = 1;
constexpr size_t kBlockBytes = 256 << 10;
constexpr const char* kIndex = "index";

enum class EffectKind : uint8_t { kPut = 1, kDelete = 2 };

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
          {"dropped_ms", table.dropped_ms}};
}
ArchivedTable TableFrom(const Json& json) {
  ArchivedTable table{.id = json.at("id").get<uint64_t>(),
                      .name = json.at("name").get<std::string>(),
                      .options = OptionsFromJson(json.at("options")),
                      .spans = {},
                      .whole = json.at("whole").get<bool>(),
                      .dropped_ms = json.at("dropped_ms").get<int64_t>()};
  for (const Json& span : json.at("spans"))
    table.spans.push_back({span.at(0).get<int64_t>(), span.at(1).get<int64_t>()});
  return table;
}

Json ToJson(const TabletChains::State& state) {
  Json tablets = Json::array(), tables = Json::array(), starts = Json::array();
  for (const auto& tablet : state.tablets)
    tablets.push_back({tablet.tablet.value, tablet.table.value, tablet.emitted, tablet.offset_ms, tablet.offset_epoch,
                       tablet.floor_ms});
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
  return {{"tablets", std::move(tablets)}, {"tables", std::move(tables)}, {"starts", std::move(starts)}};
}
TabletChains::State StateFrom(const Json& json) {
  TabletChains::State state;
  for (const Json& tablet : json.at("tablets"))
    state.tablets.push_back({TabletId{tablet.at(0).get<uint64_t>()}, TableId{tablet.at(1).get<uint64_t>()},
                             tablet.at(2).get<uint64_t>(), tablet.at(3).get<int64_t>(), tablet.at(4).get<uint64_t>(),
                             tablet.at(5).get<int64_t>()});
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

// "000000000042-1764045000000-1764045010000.log"
std::optional<ArchiveFile> ParseFileName(const std::string& name) {
  ArchiveFile file{.name = name};
  const char* at = name.data();
  const char* const end = at + name.size();
  const auto number = [&](auto& to, char after) {
    const auto [next, error] = std::from_chars(at, end, to);
    if (error != std::errc() || next == end || *next != after) return false;
    at = next + 1;
    return true;
  };
  if (!number(file.number, '-') || !number(file.from_ms, '-') || !number(file.through_ms, '.')) return std::nullopt;
  if (std::string_view(at, static_cast<size_t>(end - at)) != "log") return std::nullopt;
  return file;
}

std::string FileName(uint64_t number, const Span& span) {
  std::string digits = std::to_string(number);
  digits.insert(0, digits.size() < 12 ? 12 - digits.size() : 0, '0');
  return digits + "-" + std::to_string(span.from_ms) + "-" + std::to_string(span.through_ms) + ".log";
}

void Encode(const ArchivedEntry& entry, ByteWriter& to) {
  to.Varint(entry.table.value).Varint(entry.tablet.value).Varint(entry.version.epoch.value);
  to.Varint(entry.version.lsn.value).Varint(static_cast<uint64_t>(entry.at_ms)).Varint(entry.effects.size());
  for (const UnresolvedEffect& effect : entry.effects) {
    to.Byte(static_cast<uint8_t>(effect.is_delete ? EffectKind::kDelete : EffectKind::kPut)).Bytes(effect.key);
    if (effect.is_delete) continue;
    const auto expires = effect.expires ? effect.expires->time_since_epoch() : Expiry::duration(0);
    const int64_t ms = std::chrono::duration_cast<std::chrono::milliseconds>(expires).count();
    to.Bytes(effect.value).Varint(static_cast<uint64_t>(std::max<int64_t>(ms, 0)));
  }
}

ArchivedEntry Decode(ByteReader& from) {
  ArchivedEntry entry{.table = TableId{from.Varint()},
                      .tablet = TabletId{from.Varint()},
                      .version = {Epoch{from.Varint()}, Lsn{from.Varint()}},
                      .at_ms = static_cast<int64_t>(from.Varint()),
                      .effects = {}};
  entry.effects.resize(from.Count(2));
  for (UnresolvedEffect& effect : entry.effects) {
    effect.is_delete = from.Byte() == static_cast<uint8_t>(EffectKind::kDelete);
    effect.key = from.Bytes();
    if (effect.is_delete) continue;
    effect.value = from.Bytes();
    if (const uint64_t ms = from.Varint(); ms != 0) effect.expires = Expiry(std::chrono::milliseconds(ms));
  }
  return entry;
}

// By number.
Result<std::vector<ArchiveFile>> AllFiles(BackupStore& store, const std::string& cluster) {
  EBLA_ASSIGN(const std::vector<std::string> names, store.List(ArchiveFolder(cluster)));
  std::vector<ArchiveFile> files;
  for (const std::string& name : names) {
    if (std::optional<ArchiveFile> file = ParseFileName(name)) files.push_back(*std::move(file));
  }
  std::ranges::sort(files, {}, &ArchiveFile::number);
  return files;
}

}  // namespace

const Span* ArchivedTable::Covering(int64_t from_ms, int64_t through_ms) const {
  const auto covers = [&](const Span& span) { return span.from_ms <= from_ms && through_ms <= span.through_ms; };
  const auto found = std::ranges::find_if(spans, covers);
  return found == spans.end() ? nullptr : &*found;
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
  const Json json = {{"format", kFormat},
                     {"cluster", index.cluster},
                     {"writer", index.writer},
                     {"last_file", index.last_file},
                     {"tables", std::move(tables)},
                     {"places", std::move(places)},
                     {"chains", ToJson(index.chains)}};
  EBLA_ASSIGN(BlockWriter writer, BlockWriter::Create(store, ArchiveFolder(index.cluster) + "/" + kIndex, key));
  const std::string text = json.dump();
  for (size_t at = 0; at < text.size(); at += kBlockBytes)
    EBLA_TRY(writer.Write(std::string_view(text).substr(at, kBlockBytes)));
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
    if (const int format = json.at("format").get<int>(); format > kFormat)
      return Error(Code::kInvalidArgument, store.Where(object) + " has format " + std::to_string(format) +
                                               "; this build reads up to " + std::to_string(kFormat));
    ArchiveIndex index{.cluster = json.at("cluster").get<std::string>(),
                       .writer = json.at("writer").get<std::string>(),
                       .last_file = json.at("last_file").get<uint64_t>(),
                       .tables = {},
                       .places = {},
                       .chains = StateFrom(json.at("chains"))};
    for (const Json& table : json.at("tables")) index.tables.push_back(TableFrom(table));
    for (const auto& [server, place] : json.at("places").items()) index.places[server] = PlaceFrom(place);
    return index;
  } catch (const std::exception& error) {
    return Error(Code::kInvalidArgument, store.Where(object) + " is no index of an archive: " + error.what());
  }
}

Result<std::vector<ArchiveFile>> ListArchiveFiles(BackupStore& store, const ArchiveIndex& index) {
  EBLA_ASSIGN(std::vector<ArchiveFile> files, AllFiles(store, index.cluster));
  std::erase_if(files, [&](const ArchiveFile& file) { return file.number > index.last_file; });
  for (size_t i = 0; i < files.size(); ++i) {
    if (files[i].number != files.front().number + i || (i + 1 == files.size() && files[i].number != index.last_file))
      return Error(Code::kInvalidArgument, "a file of the archive lacks in " +
                                               store.Where(ArchiveFolder(index.cluster)) + " beside " + files[i].name);
  }
  if (files.empty() && index.last_file > 0)
    return Error(Code::kInvalidArgument,
                 "the files of the archive lack in " + store.Where(ArchiveFolder(index.cluster)));
  return files;
}

Status DeleteUnnamedFiles(BackupStore& store, const ArchiveIndex& index) {
  EBLA_ASSIGN(const std::vector<ArchiveFile> files, AllFiles(store, index.cluster));
  for (const ArchiveFile& file : files) {
    if (file.number > index.last_file) EBLA_TRY(store.Delete(ArchiveFolder(index.cluster) + "/" + file.name));
  }
  return {};
}

Status WriteArchiveFile(BackupStore& store, const std::string& cluster, uint64_t number,
                        const std::vector<ArchivedEntry>& entries, const Key& key) {
  const auto [first, last] = std::ranges::minmax(entries, {}, &ArchivedEntry::at_ms);
  const std::string name = FileName(number, {first.at_ms, last.at_ms});
  EBLA_ASSIGN(BlockWriter writer, BlockWriter::Create(store, ArchiveFolder(cluster) + "/" + name, key));
  ByteWriter block;
  for (const ArchivedEntry& entry : entries) {
    Encode(entry, block);
    if (block.view().size() < kBlockBytes) continue;
    EBLA_TRY(writer.Write(block.view()));
    block.Clear();
  }
  if (!block.view().empty()) EBLA_TRY(writer.Write(block.view()));
  return writer.Finish();
}

Status ReadArchiveFile(BackupStore& store, const std::string& cluster, const ArchiveFile& file, const Key& key,
                       const std::function<Status(ArchivedEntry)>& visit) {
  const std::string object = ArchiveFolder(cluster) + "/" + file.name;
  EBLA_ASSIGN(BlockReader reader, BlockReader::Open(store, object, key));
  while (true) {
    EBLA_ASSIGN(const std::optional<std::string> block, reader.Next());
    if (!block) return {};
    ByteReader from(*block);
    while (!from.done()) {
      ArchivedEntry entry = Decode(from);
      if (!from.ok()) return Error(Code::kInvalidArgument, store.Where(object) + " has a malformed entry");
      EBLA_TRY(visit(std::move(entry)));
    }
  }
}

}  // namespace ebla::backup
