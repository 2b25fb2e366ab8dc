#include "tools/backup/block_file.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <zlib.h>
#include <zstd.h>

#include <fstream>

#include "common/base/crc32.h"
#include "common/security/private_file.h"

namespace ebla::backup {
namespace {

constexpr std::string_view kMagic = "EBLABKP2", kMagicOfBefore = "EBLABKP1";
constexpr int kCompressionLevel = 1;  // zstd's fastest with a good ratio
constexpr uint8_t kData = 1, kEnd = 2;
constexpr size_t kNonceBytes = 12, kTagBytes = 16;
constexpr size_t kBlockBytesMax = 64 << 20;  // of what a damaged length may ask for

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

template <class T>
std::string LittleEndian(T number) {
  std::string bytes;
  for (size_t i = 0; i < sizeof(T); ++i) bytes.push_back(static_cast<char>(number >> (8 * i)));
  return bytes;
}
template <class T>
T FromLittleEndian(std::string_view bytes) {
  T number = 0;
  for (size_t i = sizeof(T); i-- > 0;) number = static_cast<T>(number << 8 | static_cast<uint8_t>(bytes[i]));
  return number;
}

std::string Place(const std::string& name, uint64_t block, uint8_t kind) {
  return name + '\0' + LittleEndian(block) + static_cast<char>(kind);
}

Result<std::string> Compress(std::string_view plain) {
  std::string stored(ZSTD_compressBound(plain.size()), '\0');
  const size_t size = ZSTD_compress(stored.data(), stored.size(), plain.data(), plain.size(), kCompressionLevel);
  if (ZSTD_isError(size) != 0) return Error(Code::kInternal, std::string("zstd: ") + ZSTD_getErrorName(size));
  stored.resize(size);
  return stored;
}

// None: they are not what was compressed, or not of `size`.
std::optional<std::string> Decompress(std::string_view stored, size_t size, bool of_before) {
  std::string plain(size, '\0');
  if (!of_before) {
    const size_t got = ZSTD_decompress(plain.data(), size, stored.data(), stored.size());
    return got == size ? std::optional(std::move(plain)) : std::nullopt;  // an error is larger than any size
  }
  uLongf got = size;
  const int result = uncompress(reinterpret_cast<Bytef*>(plain.data()), &got,
                                reinterpret_cast<const Bytef*>(stored.data()), stored.size());
  return result == Z_OK && got == size ? std::optional(std::move(plain)) : std::nullopt;
}

Result<std::string> Encrypt(const Key& key, const std::string& place, std::string_view plain) {
  std::string out(kNonceBytes + plain.size() + kTagBytes, '\0');
  auto* bytes = reinterpret_cast<unsigned char*>(out.data());
  const Cipher cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int length = 0;
  const bool done =
      RAND_bytes(bytes, kNonceBytes) == 1 &&
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, reinterpret_cast<const unsigned char*>(key.data()),
                         bytes) == 1 &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &length, reinterpret_cast<const unsigned char*>(place.data()),
                        static_cast<int>(place.size())) == 1 &&
      EVP_EncryptUpdate(cipher.get(), bytes + kNonceBytes, &length,
                        reinterpret_cast<const unsigned char*>(plain.data()), static_cast<int>(plain.size())) == 1 &&
      EVP_EncryptFinal_ex(cipher.get(), bytes + kNonceBytes + length, &length) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, bytes + kNonceBytes + plain.size()) == 1;
  if (!done) return Error(Code::kInternal, "OpenSSL cannot encrypt");
  return out;
}

// None: it is not what was encrypted there with this key.
std::optional<std::string> Decrypt(const Key& key, const std::string& place, std::string stored) {
  if (stored.size() < kNonceBytes + kTagBytes) return std::nullopt;
  std::string plain(stored.size() - kNonceBytes - kTagBytes, '\0');
  auto* bytes = reinterpret_cast<unsigned char*>(stored.data());
  auto* out = reinterpret_cast<unsigned char*>(plain.data());
  const Cipher cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int length = 0;
  const bool done =
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, reinterpret_cast<const unsigned char*>(key.data()),
                         bytes) == 1 &&
      EVP_DecryptUpdate(cipher.get(), nullptr, &length, reinterpret_cast<const unsigned char*>(place.data()),
                        static_cast<int>(place.size())) == 1 &&
      EVP_DecryptUpdate(cipher.get(), out, &length, bytes + kNonceBytes, static_cast<int>(plain.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, bytes + kNonceBytes + plain.size()) == 1 &&
      EVP_DecryptFinal_ex(cipher.get(), out + length, &length) == 1;
  return done ? std::optional(std::move(plain)) : std::nullopt;
}

// The part of the name after the last /.
std::string NameOf(const std::string& object) { return object.substr(object.rfind('/') + 1); }

}  // namespace

Result<Key> ReadKey(const std::string& file) {
  std::ifstream in(file);
  std::string text;
  if (!(in >> text)) return Error(Code::kInvalidArgument, "cannot read a key from " + file);
  EBLA_TRY(security::CheckPrivate(file));
  Key key;
  for (size_t i = 0; i + 1 < text.size() && std::isxdigit(text[i]) && std::isxdigit(text[i + 1]); i += 2)
    key.push_back(static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16)));
  if (key.size() == kKeyBytes && text.size() == 2 * kKeyBytes) return key;
  return Error(Code::kInvalidArgument, file + " holds no key: a key is 64 hexadecimal digits (openssl rand -hex 32)");
}

// ---- writing --------------------------------------------------------------------------------------------------------

Result<BlockWriter> BlockWriter::Create(BackupStore& store, const std::string& object, Key key) {
  EBLA_ASSIGN(std::unique_ptr<ObjectWriter> to, store.Create(object));
  BlockWriter writer(std::move(to), NameOf(object), std::move(key));
  EBLA_TRY(writer.Put(kMagic));
  return writer;
}

Status BlockWriter::Put(std::string_view bytes) {
  EBLA_TRY(object_->Write(bytes));
  bytes_ += bytes.size();
  checksum_ = Crc32(bytes, checksum_);
  return {};
}

Status BlockWriter::WriteBlock(uint8_t kind, std::string_view plain) {
  EBLA_ASSIGN(std::string stored, Compress(plain));
  if (!key_.empty()) {
    EBLA_ASSIGN(stored, Encrypt(key_, Place(name_, blocks_, kind), stored));
  }
  std::string block = LittleEndian(static_cast<uint32_t>(stored.size()));
  block.push_back(static_cast<char>(kind));
  block += LittleEndian(static_cast<uint32_t>(plain.size())) + stored;
  block += LittleEndian(Crc32(block));
  return Put(block);
}

Status BlockWriter::Write(std::string_view plain) {
  EBLA_TRY(WriteBlock(kData, plain));
  ++blocks_;
  return {};
}

Status BlockWriter::Finish() {
  EBLA_TRY(WriteBlock(kEnd, LittleEndian(blocks_)));
  return object_->Finish();
}

// ---- reading --------------------------------------------------------------------------------------------------------

Result<BlockReader> BlockReader::Open(BackupStore& store, const std::string& object, Key key) {
  EBLA_ASSIGN(std::unique_ptr<ObjectReader> from, store.Open(object));
  BlockReader reader(std::move(from), store.LocationOf(object), NameOf(object), std::move(key));
  EBLA_ASSIGN(const std::string magic, reader.Take(kMagic.size()));
  reader.of_before_ = magic == kMagicOfBefore;
  if (magic != kMagic && !reader.of_before_) return reader.Damaged("it does not begin like a backup's file");
  return reader;
}

Error BlockReader::Damaged(const std::string& what) const {
  return Error(Code::kInvalidArgument, where_ + " is damaged in block " + std::to_string(blocks_) + ": " + what);
}

Result<std::string> BlockReader::Take(size_t bytes) {
  EBLA_ASSIGN(std::string taken, object_->Read(bytes));
  if (taken.size() != bytes) return Damaged("it ends too early");
  checksum_ = Crc32(taken, checksum_);
  return taken;
}

Result<std::optional<std::string>> BlockReader::Next() {
  if (ended_) return std::nullopt;
  EBLA_ASSIGN(std::string block, Take(9));
  const auto length = FromLittleEndian<uint32_t>(block);
  const auto kind = static_cast<uint8_t>(block[4]);
  const auto size = FromLittleEndian<uint32_t>(std::string_view(block).substr(5));
  if (length > kBlockBytesMax || size > kBlockBytesMax) return Damaged("its length is impossible");
  EBLA_ASSIGN(std::string stored, Take(length));
  block += stored;
  EBLA_ASSIGN(const std::string sum, Take(4));
  if (FromLittleEndian<uint32_t>(sum) != Crc32(block)) return Damaged("its checksum differs");
  if (!key_.empty()) {
    std::optional<std::string> plain = Decrypt(key_, Place(name_, blocks_, kind), std::move(stored));
    if (!plain) return Damaged("it was encrypted with another key, or is in the wrong place");
    stored = *std::move(plain);
  }
  std::optional<std::string> plain = Decompress(stored, size, of_before_);
  // Its checksum is right: what was written there, without this key, cannot be read without it.
  if (!plain && key_.empty())
    return Error(Code::kInvalidArgument, where_ + " is encrypted: its key is needed (--key-file)");
  if (!plain) return Damaged("it cannot be decompressed");
  if (kind == kData) {
    ++blocks_;
    return plain;
  }
  if (kind != kEnd || *plain != LittleEndian(blocks_)) return Damaged("it is neither data nor the end");
  EBLA_ASSIGN(const std::string after, object_->Read(1));
  if (!after.empty()) return Damaged("bytes follow its end");
  ended_ = true;
  return std::nullopt;
}

}  // namespace ebla::backup
