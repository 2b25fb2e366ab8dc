#include "common/coordination/zookeeper_auth.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "common/security/private_file.h"

namespace ebla::coordination {
namespace {

constexpr size_t kSecretBytesMax = 1024;
constexpr size_t kSecretsMax = 4;

bool IsSecret(const std::string& line) {
  const size_t colon = line.find(':');
  return colon != std::string::npos && colon > 0 && colon + 1 < line.size() && line.size() <= kSecretBytesMax &&
         std::ranges::all_of(line, [](unsigned char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

Result<ZooKeeperAuth> LoadZooKeeperAuth(const std::string& file) {
  const auto bad = [&](const std::string& why) {
    return Error(Code::kInvalidArgument, file + ", the secret for ZooKeeper: " + why);
  };
  EBLA_TRY(security::CheckPrivate(file));
  std::ifstream in(file);
  if (!in) return bad("cannot be read: " + std::string(std::strerror(errno)));
  ZooKeeperAuth auth{.file = file};
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    if (line == "world:anyone") {
      auth.anyone = true;
    } else if (IsSecret(line)) {  // the text is not shown, because it may be most of a secret
      auth.secrets.push_back(line);
    } else {
      return bad("line " + std::to_string(number) + " is not user:password, in ASCII without blanks");
    }
  }
  if (in.bad()) return bad("cannot be read: " + std::string(std::strerror(errno)));
  if (auth.secrets.empty()) return bad("it holds none: write a line user:password");
  if (auth.secrets.size() > kSecretsMax) return bad("it holds more than " + std::to_string(kSecretsMax) + " secrets");
  return auth;
}

}  // namespace ebla::coordination
