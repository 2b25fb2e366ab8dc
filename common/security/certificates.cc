#include "common/security/certificates.h"

#include <arpa/inet.h>
#include <glog/logging.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <utility>

#include "common/base/system_error.h"
#include "common/security/openssl_error.h"
#include "common/security/private_file.h"

namespace ebla::security {
namespace {

template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* owned) const {
    kFree(owned);
  }
};
using Certificate = std::unique_ptr<X509, Free<&X509_free>>;
using RevocationList = std::unique_ptr<X509_CRL, Free<&X509_CRL_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<&EVP_PKEY_free>>;
using File = std::unique_ptr<FILE, Free<&fclose>>;

constexpr long kDaySeconds = 24 * 60 * 60;
constexpr long kClockSkewSeconds = 60 * 60;  // a certificate is good this long before it was made
constexpr int kCrlDays = 3650;

Status Refused(const std::string& what) { return {Code::kInvalidArgument, what + ": " + OpenSslError()}; }

Result<File> OpenToRead(const std::string& path) {
  File file(std::fopen(path.c_str(), "r"));
  if (!file) return SystemError(Code::kInvalidArgument, "cannot read " + path);
  return file;
}

// Made anew, with these rights.
Result<File> Create(const std::string& path, mode_t mode) {
  const mode_t before = umask(0777 & ~mode);
  File file(std::fopen(path.c_str(), "wx"));
  umask(before);
  if (!file && errno == EEXIST)
    return Error(Code::kInvalidArgument, path + " is there already: move it away to make another");
  if (!file) return SystemError(Code::kInvalidArgument, "cannot write " + path);
  return file;
}

Status WriteKey(const std::string& path, EVP_PKEY* key) {
  EBLA_ASSIGN(const File file, Create(path, 0600));
  const bool written = PEM_write_PrivateKey(file.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1;
  return written && std::fflush(file.get()) == 0 ? Status() : Refused("cannot write " + path);
}

Status WriteCertificate(const std::string& path, X509* certificate) {
  EBLA_ASSIGN(const File file, Create(path, 0644));
  const bool written = PEM_write_X509(file.get(), certificate) == 1 && std::fflush(file.get()) == 0;
  return written ? Status() : Refused("cannot write " + path);
}

Result<Certificate> ReadCertificate(const std::string& path) {
  EBLA_ASSIGN(const File file, OpenToRead(path));
  Certificate certificate(PEM_read_X509(file.get(), nullptr, nullptr, nullptr));
  if (!certificate) return Error(Refused(path + " is no certificate"));
  return certificate;
}

struct Authority {
  Certificate certificate;
  Key key;

  static Result<Authority> Read(const std::string& directory) {
    Authority authority;
    EBLA_ASSIGN(authority.certificate, ReadCertificate(directory + "/ca.crt"));
    EBLA_TRY(CheckPrivate(directory + "/ca.key"));
    EBLA_ASSIGN(const File file, OpenToRead(directory + "/ca.key"));
    authority.key.reset(PEM_read_PrivateKey(file.get(), nullptr, nullptr, nullptr));
    if (!authority.key) return Error(Refused(directory + "/ca.key is no key"));
    return authority;
  }
};

Status AddExtension(X509* certificate, X509* issuer, int what, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Free<&X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str()));
  if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1)
    return Refused("\"" + value + "\" cannot be put into a certificate");
  return {};
}

void AddToName(X509_NAME* name, const char* part, const std::string& value) {
  X509_NAME_add_entry_by_txt(name, part, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                             static_cast<int>(value.size()), -1, 0);
}

// Without issuer, extensions and signature.
Certificate Unsigned(const std::string& unit, const std::string& name, EVP_PKEY* key, int days) {
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  unsigned char serial[16];
  CHECK_EQ(RAND_bytes(serial, sizeof(serial)), 1) << "OpenSSL has no random bytes: " << OpenSslError();
  serial[0] &= 0x7f;  // it is a positive number
  const std::unique_ptr<BIGNUM, Free<&BN_free>> number(BN_bin2bn(serial, sizeof(serial), nullptr));
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get()));
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kClockSkewSeconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), days * kDaySeconds);
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  AddToName(subject, "O", "Ebla");
  AddToName(subject, "OU", unit);
  AddToName(subject, "CN", name);
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

std::string AlternativeNames(const std::vector<std::string>& hosts) {
  std::string names;
  for (const std::string& host : hosts) {
    in6_addr address;
    const bool numeric =
        inet_pton(AF_INET, host.c_str(), &address) == 1 || inet_pton(AF_INET6, host.c_str(), &address) == 1;
    names += (names.empty() ? "" : ",") + std::string(numeric ? "IP:" : "DNS:") + host;
  }
  return names;
}

bool Listens(const CertificateOptions& options) { return Identity{options.kind, options.name}.listens(); }

Status CheckOptions(const CertificateOptions& options) {
  if (options.name.empty() || options.name.size() > 64)
    return {Code::kInvalidArgument, "the name \"" + options.name + "\" must be 1 to 64 bytes"};
  if (!Listens(options)) return {};
  if (options.hosts.empty())
    return {Code::kInvalidArgument, "a server's certificate names the hosts under which others reach it: give one"};
  for (const std::string& host : options.hosts)
    if (host.empty() || host.find_first_of(",: \t\n") != std::string::npos)
      if (in6_addr address; inet_pton(AF_INET6, host.c_str(), &address) != 1)
        return {Code::kInvalidArgument, "\"" + host + "\" is no host: give a name or an address, without a port"};
  return {};
}

Status CopyAuthority(const std::string& from, const std::string& to) {
  std::error_code failed;
  const bool same = std::filesystem::equivalent(from, to, failed);
  if (same || std::filesystem::exists(to + "/ca.crt")) return {};
  std::filesystem::copy_file(from + "/ca.crt", to + "/ca.crt", failed);
  if (failed) return {Code::kInvalidArgument, "cannot write " + to + "/ca.crt: " + failed.message()};
  return {};
}

Status MakeDirectory(const std::string& directory) {
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed) return {Code::kInvalidArgument, "cannot make " + directory + ": " + failed.message()};
  return {};
}

Result<RevocationList> ReadRevocations(const std::string& path) {
  if (!std::filesystem::exists(path)) {
    RevocationList list(X509_CRL_new());
    X509_CRL_set_version(list.get(), X509_CRL_VERSION_2);
    return list;
  }
  EBLA_ASSIGN(const File file, OpenToRead(path));
  RevocationList list(PEM_read_X509_CRL(file.get(), nullptr, nullptr, nullptr));
  if (!list) return Error(Refused(path + " is no revocation list"));
  return list;
}

Status WriteRevocations(const std::string& path, X509_CRL* list, const Authority& authority) {
  const std::unique_ptr<ASN1_TIME, Free<&ASN1_TIME_free>> now(X509_gmtime_adj(nullptr, 0)),
      next(X509_gmtime_adj(nullptr, kCrlDays * kDaySeconds));
  X509_CRL_set_issuer_name(list, X509_get_subject_name(authority.certificate.get()));
  X509_CRL_set1_lastUpdate(list, now.get());
  X509_CRL_set1_nextUpdate(list, next.get());
  X509_CRL_sort(list);
  if (X509_CRL_sign(list, authority.key.get(), EVP_sha256()) == 0) return Refused("cannot sign");
  // A concurrent reader reads the old file or the new one.
  const std::string fresh = path + ".new";
  std::filesystem::remove(fresh);
  {
    EBLA_ASSIGN(const File file, Create(fresh, 0644));
    if (PEM_write_X509_CRL(file.get(), list) != 1 || std::fflush(file.get()) != 0)
      return Refused("cannot write " + fresh);
  }
  std::error_code failed;
  std::filesystem::rename(fresh, path, failed);
  if (failed) return {Code::kInvalidArgument, "cannot write " + path + ": " + failed.message()};
  return {};
}

// No two authorities have the same: by it a certificate's list of revoked ones is found.
std::string AuthorityName() {
  uint64_t number = 0;
  CHECK_EQ(RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof(number)), 1)
      << "OpenSSL has no random bytes: " << OpenSslError();
  return "Ebla authority " + std::to_string(number);
}

}  // namespace

Status CreateAuthority(const std::string& directory, int days) {
  EBLA_TRY(MakeDirectory(directory));
  Key key(EVP_EC_gen("P-256"));
  Certificate certificate = Unsigned("authority", AuthorityName(), key.get(), days);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
  EBLA_TRY(AddExtension(certificate.get(), certificate.get(), NID_basic_constraints, "critical,CA:TRUE"));
  EBLA_TRY(AddExtension(certificate.get(), certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign"));
  EBLA_TRY(AddExtension(certificate.get(), certificate.get(), NID_subject_key_identifier, "hash"));
  if (X509_sign(certificate.get(), key.get(), EVP_sha256()) == 0) return Refused("cannot sign");
  EBLA_TRY(WriteKey(directory + "/ca.key", key.get()));
  EBLA_TRY(WriteCertificate(directory + "/ca.crt", certificate.get()));
  EBLA_ASSIGN(const RevocationList none, ReadRevocations(directory + "/ca.crl"));
  return WriteRevocations(directory + "/ca.crl", none.get(), {std::move(certificate), std::move(key)});
}

Status CreateCertificate(const std::string& authority_directory, const std::string& directory,
                         const CertificateOptions& options) {
  EBLA_TRY(CheckOptions(options));
  EBLA_ASSIGN(const Authority authority, Authority::Read(authority_directory));
  EBLA_TRY(MakeDirectory(directory));
  const bool server = Listens(options);
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate = Unsigned(UnitOf(options.kind), options.name, key.get(), options.days);
  X509* issuer = authority.certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer));
  EBLA_TRY(AddExtension(certificate.get(), issuer, NID_basic_constraints, "critical,CA:FALSE"));
  EBLA_TRY(AddExtension(certificate.get(), issuer, NID_key_usage, "critical,digitalSignature"));
  EBLA_TRY(AddExtension(certificate.get(), issuer, NID_ext_key_usage, server ? "serverAuth,clientAuth" : "clientAuth"));
  EBLA_TRY(AddExtension(certificate.get(), issuer, NID_subject_key_identifier, "hash"));
  EBLA_TRY(AddExtension(certificate.get(), issuer, NID_authority_key_identifier, "keyid"));
  if (server) EBLA_TRY(AddExtension(certificate.get(), issuer, NID_subject_alt_name, AlternativeNames(options.hosts)));
  if (X509_sign(certificate.get(), authority.key.get(), EVP_sha256()) == 0) return Refused("cannot sign");
  const std::string base = directory + (server ? "/server" : "/client");
  EBLA_TRY(WriteKey(base + ".key", key.get()));
  EBLA_TRY(WriteCertificate(base + ".crt", certificate.get()));
  return CopyAuthority(authority_directory, directory);
}

Status Revoke(const std::string& authority_directory, const std::string& certificate_file) {
  EBLA_ASSIGN(const Authority authority, Authority::Read(authority_directory));
  EBLA_ASSIGN(const Certificate certificate, ReadCertificate(certificate_file));
  if (X509_verify(certificate.get(), authority.key.get()) != 1)
    return {Code::kInvalidArgument, certificate_file + " was not signed by this authority"};
  const std::string path = authority_directory + "/ca.crl";
  EBLA_ASSIGN(const RevocationList list, ReadRevocations(path));
  const std::unique_ptr<ASN1_TIME, Free<&ASN1_TIME_free>> now(X509_gmtime_adj(nullptr, 0));
  std::unique_ptr<X509_REVOKED, Free<&X509_REVOKED_free>> entry(X509_REVOKED_new());
  X509_REVOKED_set_serialNumber(entry.get(), X509_get_serialNumber(certificate.get()));
  X509_REVOKED_set_revocationDate(entry.get(), now.get());
  X509_CRL_add0_revoked(list.get(), entry.release());
  return WriteRevocations(path, list.get(), authority);
}

}  // namespace ebla::security
