// tools/ebla/format/json.h
// A JSON value, built by verbs and shown by output.h. Only json.cc includes the library that writes it, because the
// library's header takes longer to compile than a verb. docs/guide/json.md lists the fields on which programs may rely.
// Invariants: the fields of an object keep the order in which they were added.
// Threads:    as a value.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ebla::shell {

struct JsonField;

class Json {
 public:
  // Null: the value is not known. Explicit, so that {} cannot stand for null where a reader sees an empty object.
  explicit Json() = default;
  Json(std::nullptr_t) {}
  Json(bool value) : value_(value) {}
  Json(double value) : value_(value) {}
  Json(const char* text) : value_(std::string(text)) {}
  Json(std::string_view text) : value_(std::string(text)) {}
  Json(std::string text) : value_(std::move(text)) {}
  Json(std::integral auto number) : value_(static_cast<int64_t>(number)) {}
  Json(const std::vector<std::string>& texts);
  Json(std::initializer_list<JsonField> fields);  // an object
  template <class T>
  Json(const std::optional<T>& known) {
    if (known) *this = Json(*known);
  }
  Json(const Json&) = default;
  Json(Json&&) noexcept = default;
  Json& operator=(const Json&) = default;
  Json& operator=(Json&&) noexcept = default;
  ~Json() = default;

  static Json Array();
  static Json Object();
  // A rate or another measurement, without digits that mean nothing.
  static Json Rounded(double value, int decimals = 1);

  // Of an object: the field, which is added as null where it is new.
  Json& operator[](std::string_view name);
  // Appends to an array.
  void push_back(Json value);
  // Adds the fields of another object; null has none.
  void Update(const Json& other);
  // Whether an array or an object is empty.
  bool empty() const;

  // On one line; bytes that are no UTF-8 are replaced.
  std::string Dump() const;

  using Items = std::vector<Json>;
  using Fields = std::vector<std::pair<std::string, Json>>;
  using Value = std::variant<std::nullptr_t, bool, int64_t, double, std::string, Items, Fields>;
  const Value& value() const { return value_; }

 private:
  Value value_ = nullptr;
};

struct JsonField {
  std::string name;
  Json value;
};

}  // namespace ebla::shell
