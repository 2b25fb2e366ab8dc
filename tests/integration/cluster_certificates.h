// tests/integration/cluster_certificates.h
// Certificates for a secured cluster's processes and callers: those of one authority below one directory, and the
// secret that the processes share with ZooKeeper.
// Threads: thread-compatible.
#pragma once

#include <sys/stat.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "common/security/certificates.h"

namespace ebla::testing {

class ClusterCertificates {
 public:
  static constexpr char kSecret[] = "ebla:correct-horse";
  static constexpr char kOperator[] = "operator";

  explicit ClusterCertificates(std::string dir) : dir_(std::move(dir)) {}

  // The authority, one certificate for all servers, one for all masters, an operator's, and the secret.
  Status Make() const {
    using Kind = security::Identity::Kind;
    EBLA_TRY(security::CreateAuthority(Path("ca"), 10));
    EBLA_TRY(Make("server", {.kind = Kind::kServer, .name = "*", .hosts = {"127.0.0.1"}}));
    EBLA_TRY(Make("master", {.kind = Kind::kMaster, .name = "masters", .hosts = {"127.0.0.1"}}));
    EBLA_TRY(Make(kOperator, {.kind = Kind::kOperator, .name = "olga"}));
    std::ofstream(Path("secret")) << kSecret << "\n";
    if (::chmod(Path("secret").c_str(), 0600) == 0) return Status::Ok();
    return Error(Code::kInternal, "cannot write " + Path("secret"));
  }
  // Makes one more, in a directory of this name.
  Status Make(const std::string& name, const security::CertificateOptions& options) const {
    return security::CreateCertificate(Path("ca"), Path(name), options);
  }
  std::string Path(const std::string& name) const { return dir_ + "/" + name; }
  std::vector<std::string> MasterFlags() const { return Flags("master"); }
  std::vector<std::string> ServerFlags() const { return Flags("server"); }

 private:
  std::vector<std::string> Flags(const std::string& who) const {
    return {"--tls_dir=" + Path(who), "--zookeeper_auth_file=" + Path("secret")};
  }

  const std::string dir_;
};

}  // namespace ebla::testing
