#include "tools/backup/table_options_json.h"

#include <nlohmann/json.hpp>

namespace ebla::backup {
using Json = nlohmann::json;
namespace {

template <class T, class To>
void Put(Json& json, const char* name, const std::optional<T>& value, To to) {
  if (value) json[name] = to(*value);
}
template <class T, class From>
void Take(const Json& json, const char* name, std::optional<T>& value, From from) {
  if (const auto found = json.find(name); found != json.end()) value = from(*found);
}

}  // namespace

Json OptionsToJson(const TableOptions& options) {
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
  if (options.key_group && options.key_group->all) json["group_all"] = true;
  return json;
}

TableOptions OptionsFromJson(const Json& json) {
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
  if (json.contains("group_all")) options.key_group.emplace().all = json.at("group_all").get<bool>();
  return options;
}

}  // namespace ebla::backup
