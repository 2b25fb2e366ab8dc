#include "common/coordination/node_codec.h"

namespace ebla::coordination {
namespace {

std::string Named(std::string_view path) { return path.empty() ? "a node" : "node " + std::string(path); }

}  // namespace

Status CheckNodeFormat(std::string_view data, std::string_view path) {
  if (data.empty()) return DamagedNode(path, "it holds no data");
  if (data[0] == kNodeFormat || data[0] == kLevelledFormat) return Status::Ok();
  const int format = static_cast<unsigned char>(data[0]);
  if (format == 0) return DamagedNode(path, "its format byte is 0");
  return Error(Code::kInvalidArgument, Named(path) + " of the coordinator has format " + std::to_string(format) +
                                           ", and this program knows up to " + std::to_string(kLevelledFormat) +
                                           ": upgrade this program");
}

Status DamagedNode(std::string_view path, std::string_view why) {
  return Error(Code::kInternal, Named(path) + " of the coordinator is damaged: " + std::string(why));
}

}  // namespace ebla::coordination
