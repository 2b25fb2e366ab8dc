#include "tools/backup/s3_store.h"

#include <algorithm>
#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <sstream>

namespace ebla::backup {
namespace {

class S3Writer : public ObjectWriter {
 public:
  S3Writer(S3Client& client, std::string name, std::string where)
      : client_(client), name_(std::move(name)), where_(std::move(where)) {}

  Status Write(std::string_view bytes) override {
    bytes_.append(bytes);
    return {};
  }
  Status Finish() override {
    EBLA_ASSIGN(const S3Reply reply, client_.Send({.method = "PUT", .object = name_, .body = bytes_}));
    if (reply.status / 100 != 2) return client_.Refusal(reply, where_);
    return {};
  }

 private:
  S3Client& client_;
  const std::string name_, where_;
  std::string bytes_;
};

class S3Reader : public ObjectReader {
 public:
  S3Reader(S3Client& client, std::string name, std::string where)
      : client_(client), name_(std::move(name)), where_(std::move(where)) {}

  // Requests the first bytes, so that opening a missing object fails at once.
  Status Begin() { return Fill(); }

  Result<std::string> Read(size_t bytes) override {
    std::string read;
    while (true) {
      const size_t taken = std::min(bytes - read.size(), bytes_.size() - taken_);
      read.append(bytes_, taken_, taken);
      taken_ += taken;
      if (read.size() == bytes || ended_) return read;
      EBLA_TRY(Fill());
    }
  }

 private:
  Status Fill() {
    const std::string range = std::to_string(next_) + "-" + std::to_string(next_ + S3Store::kReadBytes - 1);
    EBLA_ASSIGN(S3Reply reply, client_.Send({.method = "GET", .object = name_, .byte_range = range}));
    bytes_.clear();
    taken_ = 0;
    if (reply.status == 416) {  // nothing is left
      ended_ = true;
      return {};
    }
    if (reply.status / 100 != 2) return client_.Refusal(reply, where_);
    // A store that knows no ranges sends all of it.
    ended_ = reply.status == 200 || reply.body.size() < S3Store::kReadBytes;
    next_ += reply.body.size();
    bytes_ = std::move(reply.body);
    return {};
  }

  S3Client& client_;
  const std::string name_, where_;
  uint64_t next_ = 0;  // what to ask for
  std::string bytes_;  // what has come, and how much of it was taken
  size_t taken_ = 0;
  bool ended_ = false;  // bytes_ are the last
};

}  // namespace

Result<std::unique_ptr<ObjectWriter>> S3Store::Create(const std::string& name) {
  return std::make_unique<S3Writer>(client_, name, LocationOf(name));
}

Result<std::unique_ptr<ObjectReader>> S3Store::Open(const std::string& name) {
  auto reader = std::make_unique<S3Reader>(client_, name, LocationOf(name));
  EBLA_TRY(reader->Begin());
  return reader;
}

Result<bool> S3Store::Exists(const std::string& name) {
  EBLA_ASSIGN(const S3Reply reply, client_.Send({.method = "HEAD", .object = name}));
  if (reply.status / 100 == 2) return true;
  if (reply.status != 404) return client_.Refusal(reply, LocationOf(name));
  return false;
}

Result<std::vector<std::string>> S3Store::List(const std::string& folder) {
  const std::string prefix = client_.settings().prefix + (folder.empty() ? "" : folder + "/");
  std::vector<std::string> names;
  std::string token;
  do {
    // Sorted by name, as signing needs it.
    std::string query = token.empty() ? "" : "continuation-token=" + EncodeForUrl(token) + "&";
    query += "delimiter=%2F&list-type=2&prefix=" + EncodeForUrl(prefix);
    EBLA_ASSIGN(const S3Reply reply, client_.Send({.method = "GET", .query = query}));
    if (reply.status / 100 != 2) return client_.Refusal(reply, LocationOf(folder));
    token.clear();
    try {
      std::istringstream in(reply.body);
      boost::property_tree::ptree tree;
      boost::property_tree::read_xml(in, tree);
      const boost::property_tree::ptree& result = tree.get_child("ListBucketResult");
      for (const auto& [tag, child] : result) {
        const std::string name = tag == "Contents"         ? child.get("Key", "")
                                 : tag == "CommonPrefixes" ? child.get("Prefix", "")
                                                           : std::string();
        if (name.size() > prefix.size() && name.starts_with(prefix)) names.push_back(name.substr(prefix.size()));
      }
      if (result.get("IsTruncated", "false") == "true") token = result.get<std::string>("NextContinuationToken");
    } catch (const std::exception& error) {
      return Error(Code::kInvalidArgument, LocationOf(folder) + ": no S3 store answers there: " + error.what());
    }
  } while (!token.empty());
  std::ranges::sort(names);
  return names;
}

Status S3Store::Delete(const std::string& name) {
  EBLA_ASSIGN(const S3Reply reply, client_.Send({.method = "DELETE", .object = name}));
  if (reply.status / 100 != 2 && reply.status != 404) return client_.Refusal(reply, LocationOf(name));
  return {};
}

std::string S3Store::LocationOf(const std::string& name) const {
  std::string where = "s3://" + client_.settings().bucket + "/" + client_.settings().prefix + name;
  if (name.empty() && where.ends_with('/')) where.pop_back();
  return where;
}

}  // namespace ebla::backup
