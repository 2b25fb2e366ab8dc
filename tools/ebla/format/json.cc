#include "tools/ebla/format/json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace ebla::shell {

namespace {

using Spelled = nlohmann::ordered_json;

Spelled Spell(const Json& json) {
  return std::visit(
      [](const auto& value) -> Spelled {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, Json::Items>) {
          Spelled items = Spelled::array();
          for (const Json& item : value) items.push_back(Spell(item));
          return items;
        } else if constexpr (std::is_same_v<T, Json::Fields>) {
          Spelled object = Spelled::object();
          for (const auto& [name, field] : value) object[name] = Spell(field);
          return object;
        } else {
          return value;
        }
      },
      json.value());
}

}  // namespace

Json::Json(const std::vector<std::string>& texts) : value_(Items(texts.begin(), texts.end())) {}

Json::Json(std::initializer_list<JsonField> fields) : value_(Fields()) {
  for (const JsonField& field : fields) std::get<Fields>(value_).emplace_back(field.name, field.value);
}

Json Json::Array() {
  Json json;
  json.value_ = Items();
  return json;
}

Json Json::Object() {
  Json json;
  json.value_ = Fields();
  return json;
}

Json Json::Rounded(double value, int decimals) {
  const double unit = std::pow(10.0, decimals);
  return std::round(value * unit) / unit;
}

Json& Json::operator[](std::string_view name) {
  if (std::holds_alternative<std::nullptr_t>(value_)) value_ = Fields();
  Fields& fields = std::get<Fields>(value_);
  const auto found = std::ranges::find(fields, name, [](const auto& field) { return std::string_view(field.first); });
  if (found != fields.end()) return found->second;
  return fields.emplace_back(std::string(name), Json()).second;
}

void Json::push_back(Json value) { std::get<Items>(value_).push_back(std::move(value)); }

void Json::Update(const Json& other) {
  if (std::holds_alternative<std::nullptr_t>(other.value_)) return;
  for (const auto& [name, field] : std::get<Fields>(other.value_)) (*this)[name] = field;
}

bool Json::empty() const {
  if (const Items* items = std::get_if<Items>(&value_)) return items->empty();
  if (const Fields* fields = std::get_if<Fields>(&value_)) return fields->empty();
  return std::holds_alternative<std::nullptr_t>(value_);
}

std::string Json::Dump() const { return Spell(*this).dump(-1, ' ', false, Spelled::error_handler_t::replace); }

}  // namespace ebla::shell
