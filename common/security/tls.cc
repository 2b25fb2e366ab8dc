#include "common/security/tls.h"

#include <arpa/inet.h>
#include <glog/logging.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <filesystem>

#include "common/security/openssl_error.h"
#include "common/security/private_file.h"

namespace ebla::security {
namespace {

constexpr std::chrono::seconds kLookEvery{1};
constexpr size_t kRecordBytesMax = 16 * 1024;  // of plaintext, RFC 8446 5.1

// OpenSSL reads and writes the two members of the session.
struct Ends {
  std::string_view* in;
  std::string** out;
};

int ReadInput(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  std::string_view& in = *static_cast<Ends*>(BIO_get_data(bio))->in;
  const size_t taken = std::min(in.size(), static_cast<size_t>(size));
  if (taken == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  std::memcpy(into, in.data(), taken);
  in.remove_prefix(taken);
  return static_cast<int>(taken);
}

int WriteOutput(BIO* bio, const char* bytes, int size) {
  (*static_cast<Ends*>(BIO_get_data(bio))->out)->append(bytes, static_cast<size_t>(size));
  return size;
}

int FreeEnds(BIO* bio) {
  delete static_cast<Ends*>(BIO_get_data(bio));
  return 1;
}

long ControlEnds(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* EndsMethod() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "session");
    BIO_meth_set_read(made, &ReadInput);
    BIO_meth_set_write(made, &WriteOutput);
    BIO_meth_set_ctrl(made, &ControlEnds);
    BIO_meth_set_destroy(made, &FreeEnds);
    return made;
  }();
  return method;
}

std::string NamePart(X509_NAME* name, int part) {
  char text[256] = "";
  X509_NAME_get_text_by_NID(name, part, text, sizeof(text));
  return text;
}

Result<Identity> WhoIs(X509* certificate) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  const std::string unit = NamePart(subject, NID_organizationalUnitName);
  const std::string name = NamePart(subject, NID_commonName);
  using Kind = Identity::Kind;
  for (const Kind kind : {Kind::kUser, Kind::kOperator, Kind::kServer, Kind::kMaster, Kind::kGateway})
    if (unit == UnitOf(kind) && !name.empty()) return Identity{kind, name};
  return Error(Code::kUnavailable,
               "its certificate is of the unit \"" + unit +
                   "\", not of users, operators, servers, masters or gateways: make one with ebla cert");
}

// `advice`: how to make it, where it is not there.
Status CannotUse(const std::string& file, const std::string& advice) {
  std::error_code unseen;  // where it may not even look
  const bool missing = std::filesystem::status(file, unseen).type() == std::filesystem::file_type::not_found;
  return Status(Code::kInvalidArgument, "cannot use " + file + ": " + OpenSslError() + (missing ? advice : ""));
}

int64_t UnixTime(const ASN1_TIME* time) {
  tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : 0;
}

std::string Text(const ASN1_TIME* time) {
  const time_t at = UnixTime(time);
  tm parts{};
  char text[32] = "";
  std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&at, &parts));
  return text;
}

// `file`: holds `certificate`.
Status CheckDates(X509* certificate, const std::string& file) {
  if (const ASN1_TIME* end = X509_get0_notAfter(certificate); X509_cmp_current_time(end) < 0)
    return Status(Code::kInvalidArgument,
                  file + " has expired at " + Text(end) + ": put a new certificate in its place");
  if (const ASN1_TIME* begin = X509_get0_notBefore(certificate); X509_cmp_current_time(begin) > 0)
    return Status(Code::kInvalidArgument,
                  file + " is valid from " + Text(begin) + " on: is this machine's clock right?");
  return {};
}

// The chain sent with its own certificate: all certificates between it and the authority, which the peer has itself.
// Without a chain OpenSSL would search it in each handshake, check its signatures, and send the authority, too, which
// takes a third of a connection's time. It is looked for again when a file changes, so an authority in between that is
// renewed takes the old one's place in ca.crt.
bool FindChainOnce(SSL_CTX* context) {
  STACK_OF(X509)* given = nullptr;  // beside it in its file
  SSL_CTX_get0_chain_certs(context, &given);
  SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);  // also where none is found
  // The peer judges an incomplete or expired chain.
  constexpr int kAnyChain = SSL_BUILD_CHAIN_FLAG_IGNORE_ERROR | SSL_BUILD_CHAIN_FLAG_CLEAR_ERROR;
  return given != nullptr || SSL_CTX_build_cert_chain(context, SSL_BUILD_CHAIN_FLAG_NO_ROOT | kAnyChain) != 0;
}

// `revokes`: the list of what is revoked must be there.
Status Fill(SSL_CTX* context, const std::string& directory, const std::string& name, TlsCredentials::Own own,
            bool revokes) {
  const std::string authority = directory + "/ca.crt", certificate = directory + "/" + name + ".crt",
                    key = directory + "/" + name + ".key", revoked = directory + "/ca.crl";
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_num_tickets(context, 0);  // connections last, so none is resumed
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  ERR_clear_error();
  if (SSL_CTX_load_verify_locations(context, authority.c_str(), nullptr) != 1)
    return CannotUse(authority, "; ebla cert create-ca makes an authority");
  SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(authority.c_str()));
  const std::string advice = "; ebla cert create-" + name + " makes a certificate and its key";
  if (own != TlsCredentials::Own::kOptional || std::filesystem::exists(certificate)) {
    if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) return CannotUse(certificate, advice);
    if (own != TlsCredentials::Own::kOfAnyTime) EBLA_TRY(CheckDates(SSL_CTX_get0_certificate(context), certificate));
    EBLA_TRY(CheckPrivate(key));
    if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) return CannotUse(key, advice);
    if (!FindChainOnce(context)) return CannotUse(certificate, advice);
  }
  if (!std::filesystem::exists(revoked)) {
    if (!revokes) return {};
    return Status(Code::kInvalidArgument, revoked +
                                              " is gone: what it revoked stays revoked until this process ends; "
                                              "put the list back");
  }
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  if (X509_STORE_load_file(store, revoked.c_str()) != 1) return CannotUse(revoked, "; ebla cert revoke writes it");
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
  return {};
}

bool Revokes(const std::shared_ptr<ssl_ctx_st>& context) {
  if (context == nullptr) return false;
  return (X509_VERIFY_PARAM_get_flags(X509_STORE_get0_param(SSL_CTX_get_cert_store(context.get()))) &
          X509_V_FLAG_CRL_CHECK) != 0;
}

}  // namespace

Result<std::shared_ptr<TlsCredentials>> TlsCredentials::Load(std::string directory, std::string name, Own own) {
  auto credentials = std::shared_ptr<TlsCredentials>(new TlsCredentials(std::move(directory), std::move(name), own));
  EBLA_ASSIGN([[maybe_unused]] const bool read, credentials->Refresh());
  return credentials;
}

Result<Identity> TlsCredentials::Self() {
  const std::shared_ptr<ssl_ctx_st> context = Context();
  X509* const certificate = SSL_CTX_get0_certificate(context.get());
  if (certificate == nullptr) return Error(Code::kNotFound, "there is no " + name_ + ".crt in " + directory_);
  return WhoIs(certificate);
}

std::optional<int64_t> TlsCredentials::NotAfter() {
  const std::shared_ptr<ssl_ctx_st> context = Context();
  X509* const certificate = SSL_CTX_get0_certificate(context.get());
  return certificate == nullptr ? std::nullopt : std::optional(UnixTime(X509_get0_notAfter(certificate)));
}

std::string TlsCredentials::FileChanges() const {
  std::string changes;
  for (const std::string& file : {std::string("ca.crt"), std::string("ca.crl"), name_ + ".crt", name_ + ".key"}) {
    struct stat about{};
    if (stat((directory_ + "/" + file).c_str(), &about) != 0) about = {};
    changes += std::to_string(about.st_ino) + " " + std::to_string(about.st_size) + " " +
               std::to_string(about.st_mtim.tv_sec) + "." + std::to_string(about.st_mtim.tv_nsec) + "\n";
  }
  return changes;
}

Result<bool> TlsCredentials::Refresh() {
  std::string changes = FileChanges();
  bool revokes;
  {
    MutexLock lock(mutex_);
    if (changes == file_changes_) return false;
    revokes = Revokes(context_);
  }
  std::shared_ptr<ssl_ctx_st> context(SSL_CTX_new(TLS_method()), &SSL_CTX_free);
  EBLA_TRY(Fill(context.get(), directory_, name_, own_, revokes));
  MutexLock lock(mutex_);
  context_ = std::move(context);
  file_changes_ = std::move(changes);
  looked_ = std::chrono::steady_clock::now();
  return true;
}

std::shared_ptr<ssl_ctx_st> TlsCredentials::Context() {
  const auto now = std::chrono::steady_clock::now();
  bool look;
  {
    MutexLock lock(mutex_);
    look = now - looked_ >= kLookEvery;
    if (look) looked_ = now;
  }
  if (look) {
    const Result<bool> read = Refresh();
    if (read.has_value() && *read) LOG(INFO) << "certificates are read again from " << directory_;
    MutexLock lock(mutex_);
    const std::string wrong = read.has_value() ? "" : read.error().message();
    if (wrong != wrong_ && !wrong.empty()) LOG(ERROR) << "the certificates stay as they were: " << wrong;
    wrong_ = wrong;
  }
  MutexLock lock(mutex_);
  return context_;
}

std::unique_ptr<TlsSession> TlsCredentials::Accept(bool nobody) {
  SSL* ssl = SSL_new(Context().get());
  if (nobody) SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
  SSL_set_accept_state(ssl);
  return std::unique_ptr<TlsSession>(new TlsSession(ssl, trusts_itself_));
}

ssl_st* TlsCredentials::AcceptAnonymous() {
  SSL* ssl = SSL_new(Context().get());
  SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
  return ssl;
}

std::optional<Identity> TlsCredentials::PeerOf(ssl_st* ssl) {
  X509* certificate = SSL_is_init_finished(ssl) != 0 ? SSL_get0_peer_certificate(ssl) : nullptr;
  if (certificate == nullptr || SSL_get_verify_result(ssl) != X509_V_OK) return std::nullopt;
  Result<Identity> who = WhoIs(certificate);
  return who.has_value() && !who->is_anonymous() ? std::optional(*std::move(who)) : std::nullopt;
}

std::unique_ptr<TlsSession> TlsCredentials::Connect(const std::string& host) {
  SSL* ssl = SSL_new(Context().get());
  SSL_set_connect_state(ssl);
  in6_addr address;
  const bool numeric =
      inet_pton(AF_INET, host.c_str(), &address) == 1 || inet_pton(AF_INET6, host.c_str(), &address) == 1;
  if (numeric) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
  } else {
    SSL_set1_host(ssl, host.c_str());
    SSL_set_tlsext_host_name(ssl, host.c_str());
  }
  return std::unique_ptr<TlsSession>(new TlsSession(ssl, trusts_itself_));
}

TlsSession::TlsSession(ssl_st* ssl, bool trusts_itself) : ssl_(ssl), trusts_itself_(trusts_itself) {
  BIO* bio = BIO_new(EndsMethod());
  BIO_set_data(bio, new Ends{&in_, &out_});
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

Status TlsSession::Failure(const std::string& what) {
  const long verified = SSL_get_verify_result(ssl_);
  if (!established_ && verified != X509_V_OK) {
    ERR_clear_error();
    return Status(Code::kUnavailable,
                  what + ": its certificate is refused: " + X509_verify_cert_error_string(verified));
  }
  return Status(Code::kUnavailable, what + ": " + OpenSslError());
}

Status TlsSession::Start(std::string& out) {
  out_ = &out;
  return SSL_is_server(ssl_) ? Status() : Handshake();
}

Status TlsSession::Handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result != 1) {
    if (SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ) return {};
    return Failure("TLS handshake");
  }
  peer_ = {Identity::Kind::kAnonymous, ""};
  X509* const peer = SSL_get0_peer_certificate(ssl_);
  if (peer != nullptr) {
    EBLA_ASSIGN(peer_, WhoIs(peer));
  }
  if (X509* const certificate = SSL_get_certificate(ssl_); certificate != nullptr && trusts_itself_) {
    EBLA_ASSIGN(const Identity own, WhoIs(certificate));
    if (peer_ == own && peer_.is_process() && peer_.name != kAnyServer) peer_.kind = Identity::Kind::kTrusted;
  }
  established_ = true;
  return {};
}

Status TlsSession::Receive(std::string_view bytes, std::string& plain, std::string& out) {
  in_ = bytes;
  out_ = &out;
  if (!established_) EBLA_TRY(Handshake());
  while (established_ && !ended_) {
    const size_t before = plain.size();
    int got = 0;
    plain.resize_and_overwrite(before + kRecordBytesMax, [&](char* memory, size_t) {
      ERR_clear_error();
      got = SSL_read(ssl_, memory + before, kRecordBytesMax);
      return before + static_cast<size_t>(std::max(got, 0));
    });
    if (got > 0) continue;
    const int error = SSL_get_error(ssl_, got);
    if (error == SSL_ERROR_WANT_READ) break;
    if (error != SSL_ERROR_ZERO_RETURN) return Failure("TLS");
    ended_ = true;
  }
  in_ = {};
  return {};
}

Status TlsSession::Send(std::string_view plain, std::string& out) {
  out_ = &out;
  while (!plain.empty()) {
    ERR_clear_error();
    size_t written = 0;
    if (SSL_write_ex(ssl_, plain.data(), plain.size(), &written) != 1) return Failure("TLS");
    plain.remove_prefix(written);
  }
  return {};
}

}  // namespace ebla::security
