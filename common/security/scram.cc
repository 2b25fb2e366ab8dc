#include "common/security/scram.h"

#include <glog/logging.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>

#include "common/security/openssl_error.h"
#include "common/security/private_file.h"

namespace ebla::security {
namespace {

constexpr size_t kSaltBytes = 16;
constexpr size_t kNonceBytes = 18;
constexpr size_t kMessageBytesMax = 4096;

std::string RandomBytes(size_t size) {
  std::string bytes(size, '\0');
  CHECK_EQ(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size)), 1)
      << "OpenSSL has no random bytes: " << OpenSslError();
  return bytes;
}

const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string Hmac(std::string_view key, std::string_view text) {
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(text), text.size(),
       reinterpret_cast<unsigned char*>(out.data()), nullptr);
  return out;
}

std::string Sha256(std::string_view text) {
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  SHA256(Bytes(text), text.size(), reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

std::string Xor(std::string_view a, std::string_view b) {
  std::string out(a);
  for (size_t i = 0; i < out.size() && i < b.size(); ++i) out[i] = static_cast<char>(out[i] ^ b[i]);
  return out;
}

bool Same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string ToBase64(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  out.resize(static_cast<size_t>(
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), Bytes(bytes), static_cast<int>(bytes.size()))));
  return out;
}

Result<std::string> FromBase64(std::string_view text) {
  std::string out(text.size() / 4 * 3, '\0');
  const int size = text.empty() || text.size() % 4 != 0 ? -1
                                                        : EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                                                          Bytes(text), static_cast<int>(text.size()));
  if (size < 0) return Error(Code::kInvalidArgument, "a login message has no base64 where it should");
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  out.resize(static_cast<size_t>(size) - padding);
  return out;
}

// RFC 5802 5.1: "," and "=" stand otherwise in names.
std::string EscapeName(std::string_view name) {
  std::string out;
  for (const char c : name) out += c == ',' ? "=2C" : c == '=' ? "=3D" : std::string(1, c);
  return out;
}

Result<std::string> UnescapeName(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') {
      out += text[i];
      continue;
    }
    const std::string_view code = text.substr(i, 3);
    if (code != "=2C" && code != "=3D") return Error(Code::kInvalidArgument, "a login message has a malformed name");
    out += code == "=2C" ? ',' : '=';
    i += 2;
  }
  return out;
}

// "a=1,b=2" by letter; what a message lacks is empty.
Result<std::map<char, std::string>> Attributes(std::string_view message) {
  std::map<char, std::string> found;
  while (!message.empty()) {
    const std::string_view part = message.substr(0, message.find(','));
    if (part.size() < 2 || part[1] != '=') return Error(Code::kInvalidArgument, "a login message is malformed");
    if (!found.emplace(part[0], part.substr(2)).second)
      return Error(Code::kInvalidArgument, "a login message says something twice");
    message.remove_prefix(std::min(message.size(), part.size() + 1));
  }
  return found;
}

std::string Salted(std::string_view password, std::string_view salt, int iterations) {
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), Bytes(salt), static_cast<int>(salt.size()),
                    iterations, EVP_sha256(), SHA256_DIGEST_LENGTH, reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

Error Denied() { return Error(Code::kPermissionDenied, "wrong user or password"); }

}  // namespace

Result<std::string> ReadPassword(const std::string& file) {
  std::error_code ignored;
  std::ifstream in(file);
  std::string password;
  if (!std::filesystem::is_regular_file(file, ignored) || !std::getline(in, password))
    return Error(Code::kInvalidArgument, "cannot read a password from the first line of " + file);
  EBLA_TRY(CheckPrivate(file));
  if (password.empty()) return Error(Code::kInvalidArgument, "the first line of " + file + " is empty");
  return password;
}

Result<idl::Secret> MakeSecret(std::string_view password, int iterations) {
  if (password.empty()) return Error(Code::kInvalidArgument, "the password is empty");
  if (password.size() > 1024) return Error(Code::kInvalidArgument, "a password has at most 1024 bytes");
  idl::Secret secret;
  secret.salt = RandomBytes(kSaltBytes);
  secret.iterations = iterations;
  const std::string salted = Salted(password, secret.salt, iterations);
  secret.storedKey = Sha256(Hmac(salted, "Client Key"));
  secret.serverKey = Hmac(salted, "Server Key");
  return secret;
}

std::string MakeUnknownUserKey() { return RandomBytes(32); }

Status CheckSecret(const idl::Secret& secret) {
  if (secret.salt.size() != kSaltBytes || secret.storedKey.size() != SHA256_DIGEST_LENGTH ||
      secret.serverKey.size() != SHA256_DIGEST_LENGTH || secret.iterations != kScramIterations) {
    return Error(Code::kInvalidArgument, "the secret is none of SCRAM-SHA-256 with " +
                                             std::to_string(kScramIterations) + " iterations and a salt of " +
                                             std::to_string(kSaltBytes) + " bytes");
  }
  return {};
}

constexpr std::string_view kSecretName = "SCRAM-SHA-256$";

std::string FormatSecret(const idl::Secret& secret) {
  return std::string(kSecretName) + std::to_string(secret.iterations) + ":" + ToBase64(secret.salt) + "$" +
         ToBase64(secret.storedKey) + ":" + ToBase64(secret.serverKey);
}

Result<idl::Secret> ParseSecret(std::string_view text) {
  const auto malformed = [] {
    return Error(Code::kInvalidArgument, "a secret is SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>");
  };
  if (!text.starts_with(kSecretName)) return malformed();
  text.remove_prefix(kSecretName.size());
  std::array<std::string_view, 4> parts;
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t end = i + 1 == parts.size() ? text.size() : text.find(i == 1 ? '$' : ':');
    if (end == std::string_view::npos) return malformed();
    parts[i] = text.substr(0, end);
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  idl::Secret secret;
  const auto [at, error] = std::from_chars(parts[0].data(), parts[0].data() + parts[0].size(), secret.iterations);
  if (error != std::errc() || at != parts[0].data() + parts[0].size()) return malformed();
  for (const auto& [part, into] :
       {std::pair{parts[1], &secret.salt}, {parts[2], &secret.storedKey}, {parts[3], &secret.serverKey}}) {
    Result<std::string> bytes = FromBase64(part);
    if (!bytes) return malformed();
    *into = *std::move(bytes);
  }
  EBLA_TRY(CheckSecret(secret));
  return secret;
}

Result<std::string> ScramCredentials::SaltedPassword(const std::string& salt, int iterations) const {
  if (iterations < kScramIterationsMin || iterations > kScramIterationsMax)
    return Error(Code::kPermissionDenied,
                 "the server asks for " + std::to_string(iterations) + " iterations: it is not trusted");
  {
    MutexLock lock(mutex_);
    if (salt == salt_ && iterations == iterations_) return salted_;
  }
  std::string salted = Salted(password_, salt, iterations);
  MutexLock lock(mutex_);
  salt_ = salt;
  iterations_ = iterations;
  salted_ = salted;
  return salted;
}

ScramClient::ScramClient(std::shared_ptr<const ScramCredentials> credentials)
    : credentials_(std::move(credentials)),
      nonce_(ToBase64(RandomBytes(kNonceBytes))),
      first_bare_("n=" + EscapeName(credentials_->user()) + ",r=" + nonce_) {}

Result<std::string> ScramClient::Final(std::string_view server_first) {
  EBLA_ASSIGN(auto said, Attributes(server_first));
  if (!said['r'].starts_with(nonce_) || said['r'] == nonce_)
    return Error(Code::kPermissionDenied, "the server's answer is to another login");
  EBLA_ASSIGN(const std::string salt, FromBase64(said['s']));
  int iterations = 0;
  std::from_chars(said['i'].data(), said['i'].data() + said['i'].size(), iterations);
  EBLA_ASSIGN(const std::string salted, credentials_->SaltedPassword(salt, iterations));
  const std::string client_key = Hmac(salted, "Client Key");
  const std::string final_bare = "c=biws,r=" + said['r'];
  const std::string auth_message = first_bare_ + "," + std::string(server_first) + "," + final_bare;
  server_signature_ = Hmac(Hmac(salted, "Server Key"), auth_message);
  return final_bare + ",p=" + ToBase64(Xor(client_key, Hmac(Sha256(client_key), auth_message)));
}

Status ScramClient::Check(std::string_view server_final) const {
  EBLA_ASSIGN(auto said, Attributes(server_final));
  EBLA_ASSIGN(const std::string signature, FromBase64(said['v']));
  if (!Same(signature, server_signature_))
    return Status(Code::kPermissionDenied, "the server does not know the user's password: it is not trusted");
  return {};
}

Result<std::string> ScramServer::First(std::string_view client_first, const FindSecret& find,
                                       const std::string& unknown_user_key) {
  if (client_first.size() > kMessageBytesMax) return Error(Code::kInvalidArgument, "a login message is too long");
  if (!client_first.starts_with("n,,"))
    return Error(Code::kInvalidArgument, "a login begins with \"n,,\": no channel binding, no other identity");
  const std::string_view bare = client_first.substr(3);
  EBLA_ASSIGN(auto said, Attributes(bare));
  if (said['n'].empty() || said['r'].empty()) return Error(Code::kInvalidArgument, "a login names user and nonce");
  EBLA_ASSIGN(user_, UnescapeName(said['n']));
  std::optional<idl::Secret> secret = find(user_);
  known_ = secret.has_value();
  if (known_) {
    secret_ = *std::move(secret);
  } else {
    // The same for each login of an unknown name, as it is for a known one.
    static const std::string random = MakeUnknownUserKey();
    const std::string& own = unknown_user_key.empty() ? random : unknown_user_key;
    secret_.salt = Hmac(own, user_).substr(0, kSaltBytes);
    secret_.iterations = kScramIterations;
    secret_.storedKey = Hmac(own, "stored" + user_);
    secret_.serverKey = Hmac(own, "server" + user_);
  }
  nonce_ = said['r'] + ToBase64(RandomBytes(kNonceBytes));
  std::string answer = "r=" + nonce_ + ",s=" + ToBase64(secret_.salt) + ",i=" + std::to_string(secret_.iterations);
  auth_message_ = std::string(bare) + "," + answer;
  return answer;
}

Result<std::string> ScramServer::Final(std::string_view client_final) {
  if (client_final.size() > kMessageBytesMax) return Error(Code::kInvalidArgument, "a login message is too long");
  EBLA_ASSIGN(auto said, Attributes(client_final));
  if (said['c'] != "biws" || said['r'] != nonce_) return Denied();
  EBLA_ASSIGN(const std::string proof, FromBase64(said['p']));
  if (proof.size() != SHA256_DIGEST_LENGTH) return Denied();
  const std::string auth_message = auth_message_ + "," + std::string(client_final.substr(0, client_final.rfind(",p=")));
  const std::string client_key = Xor(proof, Hmac(secret_.storedKey, auth_message));
  const bool right = Same(Sha256(client_key), secret_.storedKey);
  if (!right || !known_) return Denied();
  return "v=" + ToBase64(Hmac(secret_.serverKey, auth_message));
}

}  // namespace ebla::security
