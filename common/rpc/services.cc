#include "common/rpc/services.h"

#include <map>

#include "common/base/key_range.h"

namespace ebla::rpc {
namespace {

// Names are shortened and escaped, because a caller without permission may send names as long as a message.
constexpr size_t kValueMax = 256, kSubjectMax = 4096;

// The IDL's name, or the received number.
std::string NameIn(const std::map<int, const char*>& names, int value) {
  const auto name = names.find(value);
  return name == names.end() ? std::to_string(value) : name->second;
}

}  // namespace

void SubjectText::Add(const char* name, const std::string& value) {
  if (value.empty()) return;
  if (text_.size() >= kSubjectMax) {
    ++left_out_;
    return;
  }
  text_ += (text_.empty() ? "" : " ") + std::string(name) + "=" + EscapeBytes(value.substr(0, kValueMax));
  if (value.size() > kValueMax) text_ += "...(" + std::to_string(value.size()) + " bytes)";
}

void SubjectText::Add(const idl::AccessChange& change) {
  Add("change", NameIn(idl::_AccessChangeKind_VALUES_TO_NAMES, change.kind));
  if (change.kind == idl::AccessChangeKind::GRANT || change.kind == idl::AccessChangeKind::REVOKE)
    Add("permission", NameIn(idl::_Permission_VALUES_TO_NAMES, change.permission));
  Add("name", change.name);
  Add("role", change.role);
  Add("table", change.table);
  Add("prefix", change.prefix);
  if (!change.__isset.limits) return;
  Add("operations", std::to_string(change.limits.operationsPerSecond));
  Add("bytes", std::to_string(change.limits.bytesPerSecond));
  Add("connections", std::to_string(change.limits.connections));
  Add("inFlight", std::to_string(change.limits.inFlight));
}

std::string SubjectText::Take() {
  if (left_out_ > 0) text_ += " and " + std::to_string(left_out_) + " more words";
  return std::move(text_);
}

}  // namespace ebla::rpc
