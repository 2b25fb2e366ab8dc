#include "common/coordination/zookeeper_address.h"

#include <algorithm>

#include "common/coordination/znode_tree.h"

namespace ebla::coordination {

Status SplitZooKeeperServers(const std::string& text, std::string* hosts, std::string* root) {
  const size_t slash = text.find('/');
  *hosts = text.substr(0, slash);
  *root = slash == std::string::npos ? "" : text.substr(slash);
  if (*root == "/") root->clear();
  const auto bad = [&](const std::string& why) {
    return Error(Code::kInvalidArgument,
                 "ZooKeeper address \"" + text + "\": " + why + "; write host:port[,host:port...][/path]");
  };
  if (hosts->empty()) return bad("it names no host");
  for (size_t at = 0; at <= hosts->size();) {
    const size_t end = std::min(hosts->find(',', at), hosts->size());
    const std::string host = hosts->substr(at, end - at);
    const size_t colon = host.rfind(':');
    const std::string port = colon == std::string::npos ? "" : host.substr(colon + 1);
    const bool digits = !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
    if (colon == 0 || !digits || std::stoi(port) == 0 || std::stoi(port) > 65535) {
      return bad("\"" + host + "\" is not host:port");
    }
    at = end + 1;
  }
  if (!root->empty()) {
    if (Status status = CheckPath(*root); !status.ok()) return bad(status.message());
  }
  return Status::Ok();
}

}  // namespace ebla::coordination
