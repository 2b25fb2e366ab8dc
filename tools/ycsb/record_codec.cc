#include "tools/ycsb/record_codec.h"

#include <algorithm>

namespace ebla::ycsb {
namespace {

constexpr char kFormat = 1;

void AppendSized(std::string_view text, std::string& out) {
  size_t size = text.size();
  for (; size >= 0x80; size >>= 7) out += static_cast<char>((size & 0x7f) | 0x80);
  out += static_cast<char>(size);
  out += text;
}

bool TakeSized(std::string_view& rest, std::string_view& text) {
  uint64_t size = 0;
  for (int shift = 0;; shift += 7) {
    if (rest.empty() || shift > 28) return false;  // no value is that long
    const auto byte = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    size |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) break;
  }
  if (size > rest.size()) return false;
  text = rest.substr(0, size);
  rest.remove_prefix(size);
  return true;
}

}  // namespace

std::string EncodeRecord(const Fields& fields) {
  size_t size = 1;
  for (const Field& field : fields) size += field.name.size() + field.value.size() + 8;
  std::string value;
  value.reserve(size);
  value += kFormat;
  for (const Field& field : fields) {
    AppendSized(field.name, value);
    AppendSized(field.value, value);
  }
  return value;
}

Status DecodeRecord(std::string_view value, const std::vector<std::string>& names, Fields& fields) {
  fields.clear();
  if (value.empty() || value.front() != kFormat)
    return Error(Code::kInternal, "the record was not written by ebla-ycsb (or by a newer one)");
  value.remove_prefix(1);
  while (!value.empty()) {
    std::string_view name, content;
    if (!TakeSized(value, name) || !TakeSized(value, content))
      return Error(Code::kInternal, "the record was not written by ebla-ycsb: a field is cut short");
    if (names.empty() || std::find(names.begin(), names.end(), name) != names.end())
      fields.push_back({std::string(name), std::string(content)});
  }
  return Status::Ok();
}

void MergeFields(const Fields& changes, Fields& record) {
  for (const Field& change : changes) {
    const auto same = [&change](const Field& field) { return field.name == change.name; };
    if (const auto it = std::find_if(record.begin(), record.end(), same); it != record.end())
      it->value = change.value;
    else
      record.push_back(change);
  }
}

}  // namespace ebla::ycsb
