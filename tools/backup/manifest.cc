#include "tools/backup/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ebla::backup {
namespace {

using Json = nlohmann::json;

constexpr int kFormat = 1;
constexpr size_t kBlockBytes = 1 << 20;

// Keys are bytes, and JSON is text.
std::string ToHex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text.push_back(kDigits[static_cast<uint8_t>(byte) >> 4]);
    text.push_back(kDigits[static_cast<uint8_t>(byte) & 15]);
  }
  return text;
}
std::string FromHex(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return bytes;
}

template <class T, class To>
void Put(Json& json, const char* name, const std::optional<T>& value, To to) {
  if (value) json[name] = to(*value);
}
template <class T, class From>
void Take(const Json& json, const char* name, std::optional<T>& value, From from) {
  if (const auto found = json.find(name); found != json.end()) value = from(*found);
}

Json ToJson(const TableOptions& options) {
  Json json = Json::object();
  const auto number = [](auto value) { return static_cast<int64_t>(value); };
  const auto count = [](std::chrono::milliseconds value) { return value.count(); };
  Put(json, "replicas", options.replicas, number);
  Put(json, "compression", options.compression, number);
  Put(json, "durability", options.durability, number);
  Put(json, "interval_ms", options.interval, count);
  Put(json, "last_write_wins", options.last_write_wins, [](bool value) { return value; });
  Put(json, "default_ack", options.default_ack, number);
  Put(json, "default_ttl_ms", options.default_ttl, count);
  Put(json, "split_bytes", options.split_bytes, number);
  Put(json, "split_ops_per_second", options.split_ops_per_second, number);
  Put(json, "merge_bytes", options.merge_bytes, number);
  if (options.default_read) {
    json["default_read"] = number(options.default_read->level());
    json["default_bounded_ms"] = options.default_read->bound().count();
  }
  if (options.key_group && options.key_group->prefix_bytes)
    json["group_prefix_bytes"] = *options.key_group->prefix_bytes;
  if (options.key_group && options.key_group->delimiter)
    json["group_delimiter"] = static_cast<int>(static_cast<uint8_t>(*options.key_group->delimiter));
  return json;
}

TableOptions OptionsFrom(const Json& json) {
  TableOptions options;
  const auto time = [](const Json& value) { return std::chrono::milliseconds(value.get<int64_t>()); };
  const auto whole = [](const Json& value) { return value.get<uint64_t>(); };
  Take(json, "replicas", options.replicas, [](const Json& value) { return value.get<int>(); });
  Take(json, "compression", options.compression,
       [](const Json& value) { return static_cast<TableCompression>(value.get<int>()); });
  Take(json, "durability", options.durability,
       [](const Json& value) { return static_cast<TableDurability>(value.get<int>()); });
  Take(json, "interval_ms", options.interval, time);
  Take(json, "last_write_wins", options.last_write_wins, [](const Json& value) { return value.get<bool>(); });
  Take(json, "default_ack", options.default_ack, [](const Json& value) { return static_cast<Ack>(value.get<int>()); });
  Take(json, "default_ttl_ms", options.default_ttl, time);
  Take(json, "split_bytes", options.split_bytes, whole);
  Take(json, "split_ops_per_second", options.split_ops_per_second, whole);
  Take(json, "merge_bytes", options.merge_bytes, whole);
  Take(json, "default_read", options.default_read, [&](const Json& value) {
    switch (static_cast<Read::Level>(value.get<int>())) {
      case Read::Level::kStrong: return Read::Strong();
      case Read::Level::kSession: return Read::InSession();
      case Read::Level::kBounded: return Read::Bounded(time(json.at("default_bounded_ms")));
      case Read::Level::kEventual: return Read::Eventual();
      default: return Read();
    }
  });
  if (json.contains("group_prefix_bytes"))
    options.key_group.emplace().prefix_bytes = json.at("group_prefix_bytes").get<uint32_t>();
  if (json.contains("group_delimiter"))
    options.key_group.emplace().delimiter = static_cast<char>(json.at("group_delimiter").get<int>());
  return options;
}

Json ToJson(const Part& part) {
  Json json = {{"file", part.file},       {"start", ToHex(part.range.start)}, {"end", ToHex(part.range.end)},
               {"epoch", part.epoch},     {"applied", part.applied},          {"records", part.records},
               {"deletes", part.deletes}, {"bytes", part.file_bytes},         {"checksum", part.checksum}};
  if (part.goes_on) json["goes_on"] = true;
  return json;
}

Part PartFrom(const Json& json) {
  return {.file = json.at("file").get<std::string>(),
          .range = {FromHex(json.at("start").get<std::string>()), FromHex(json.at("end").get<std::string>())},
          .epoch = json.at("epoch").get<uint64_t>(),
          .applied = json.at("applied").get<uint64_t>(),
          .records = json.at("records").get<uint64_t>(),
          .deletes = json.at("deletes").get<uint64_t>(),
          .file_bytes = json.at("bytes").get<uint64_t>(),
          .checksum = json.at("checksum").get<uint32_t>(),
          .goes_on = json.value("goes_on", false)};
}

Json ToJson(const Manifest& manifest) {
  Json tables = Json::array();
  for (const TablePart& table : manifest.tables) {
    Json parts = Json::array();
    for (const Part& part : table.parts) parts.push_back(ToJson(part));
    tables.push_back({{"name", table.name},
                      {"id", table.id},
                      {"whole", table.whole},
                      {"options", ToJson(table.options)},
                      {"parts", std::move(parts)}});
  }
  Json documents = Json::array();
  for (const Document& document : manifest.documents)
    documents.push_back({{"name", document.name}, {"hex", ToHex(document.text)}});
  return {{"documents", std::move(documents)}, {"format", kFormat},           {"name", manifest.name},
          {"since", manifest.since},           {"cluster", manifest.cluster}, {"began_ms", manifest.began_ms},
          {"ended_ms", manifest.ended_ms},     {"tables", std::move(tables)}};
}

Manifest ManifestFrom(const Json& json) {
  Manifest manifest{.name = json.at("name").get<std::string>(),
                    .since = json.at("since").get<std::string>(),
                    .cluster = json.at("cluster").get<std::string>(),
                    .began_ms = json.at("began_ms").get<int64_t>(),
                    .ended_ms = json.at("ended_ms").get<int64_t>(),
                    .tables = {},
                    .documents = {}};
  for (const Json& document : json.value("documents", Json::array()))
    manifest.documents.push_back(
        {document.at("name").get<std::string>(), FromHex(document.at("hex").get<std::string>())});
  for (const Json& table : json.at("tables")) {
    TablePart& to = manifest.tables.emplace_back();
    to.name = table.at("name").get<std::string>();
    to.id = table.at("id").get<uint64_t>();
    to.whole = table.at("whole").get<bool>();
    to.options = OptionsFrom(table.at("options"));
    for (const Json& part : table.at("parts")) to.parts.push_back(PartFrom(part));
  }
  return manifest;
}

}  // namespace

const TablePart* Manifest::Find(std::string_view table) const {
  const auto found = std::ranges::find(tables, table, &TablePart::name);
  return found == tables.end() ? nullptr : &*found;
}

uint64_t Manifest::file_bytes() const {
  uint64_t bytes = 0;
  for (const TablePart& table : tables)
    for (const Part& part : table.parts) bytes += part.file_bytes;
  return bytes;
}

uint64_t Manifest::records() const {
  uint64_t records = 0;
  for (const TablePart& table : tables)
    for (const Part& part : table.parts) records += part.records;
  return records;
}

Status CheckBackupName(const std::string& name) {
  const bool right =
      !name.empty() && name.size() <= 128 && name[0] != '.' && name[0] != '-' && std::ranges::all_of(name, [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
      });
  if (right) return {};
  return Error(Code::kInvalidArgument, "\"" + EscapeBytes(name) +
                                           "\" is no name of a backup: 1 to 128 of A-Z a-z 0-9 _ - . that do not "
                                           "begin with - or .");
}

Status WriteManifest(BackupStore& store, const std::string& file, const Manifest& manifest, const Key& key) {
  EBLA_ASSIGN(BlockWriter writer, BlockWriter::Create(store, manifest.name + "/" + file, key));
  const std::string text = ToJson(manifest).dump();
  for (size_t at = 0; at < text.size(); at += kBlockBytes)
    EBLA_TRY(writer.Write(std::string_view(text).substr(at, kBlockBytes)));
  return writer.Finish();
}

Result<Manifest> ReadManifest(BackupStore& store, const std::string& backup, const std::string& file, const Key& key) {
  EBLA_ASSIGN(BlockReader reader, BlockReader::Open(store, backup + "/" + file, key));
  std::string text;
  while (true) {
    EBLA_ASSIGN(const std::optional<std::string> block, reader.Next());
    if (!block) break;
    text += *block;
  }
  const std::string path = store.Where(backup + "/" + file);
  try {
    const Json json = Json::parse(text);
    if (const int format = json.at("format").get<int>(); format > kFormat)
      return Error(Code::kInvalidArgument, path + " has format " + std::to_string(format) +
                                               "; this build reads up to " + std::to_string(kFormat));
    return ManifestFrom(json);
  } catch (const std::exception& error) {
    return Error(Code::kInvalidArgument, path + " is no list of a backup: " + error.what());
  }
}

}  // namespace ebla::backup
