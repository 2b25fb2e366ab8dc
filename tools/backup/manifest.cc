#include "tools/backup/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/backup/table_options_json.h"

namespace ebla::backup {
namespace {

using Json = nlohmann::json;

constexpr int kFormat = 1;
constexpr size_t kManifestBlock = 1 << 20;

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
                      {"options", OptionsToJson(table.options)},
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
    to.options = OptionsFromJson(table.at("options"));
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
  for (size_t at = 0; at < text.size(); at += kManifestBlock)
    EBLA_TRY(writer.Write(std::string_view(text).substr(at, kManifestBlock)));
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
  const std::string path = store.LocationOf(backup + "/" + file);
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
