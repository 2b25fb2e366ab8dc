// The Thrift handlers of a FakeCluster's tablet servers: each takes the lock, asks the model, answers.
#include <algorithm>

#include "client/testing/fake_cluster.h"
#include "common/base/mutex.h"
#include "common/rpc/idl_convert.h"

namespace ebla::client::testing {

namespace {

template <class Reply>
using Cob = std::function<void(const Reply&)>;

}  // namespace

class FakeCluster::ServerHandler final : public idl::TabletServiceCobSvNull {
 public:
  ServerHandler(FakeCluster& cluster, ServerName name) : cluster_(cluster), name_(std::move(name)) {}

  void get(Cob<idl::GetReply> done, const idl::GetRequest& request) override {
    idl::GetReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      ++cluster_.counts_.gets;
      Served served;
      if (!cluster_.Refused(name_, request.header, &request.options, request.key, reply.header, served)) {
        if (const Stored* stored = cluster_.Live(*served.data, request.key)) {
          reply.__set_record(cluster_.ToRecord(*stored));
        } else {
          reply.header.__set_code(idl::Code::NOT_FOUND);
        }
      }
    }
    done(reply);
  }

  void multiGet(Cob<idl::MultiGetReply> done, const idl::MultiGetRequest& request) override {
    idl::MultiGetReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      ++cluster_.counts_.multi_gets;
      Served served;
      int room = cluster_.multi_get_room_;
      if (!cluster_.Refused(name_, request.header, &request.options, request.keys.front(), reply.header, served)) {
        for (const std::string& key : request.keys) {
          idl::MultiGetResult result;
          const Stored* stored = cluster_.Live(*served.data, key);
          if (!served.tablet->range.Contains(key) && cluster_.At(*served.table, key).primary != name_) {
            result.code = idl::Code::WRONG_TABLET;
          } else if (stored == nullptr) {
            result.code = idl::Code::NOT_FOUND;
          } else if (room-- <= 0) {
            result.code = idl::Code::OVERLOADED;
          } else {
            result.__set_record(cluster_.ToRecord(*stored));
          }
          reply.results.push_back(std::move(result));
        }
      }
    }
    done(reply);
  }

  void write(Cob<idl::WriteReply> done, const idl::WriteRequest& request) override {
    idl::WriteReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      ++cluster_.counts_.write_attempts;
      cluster_.write_log_.push_back(request);
      Served served;
      const Table* table = cluster_.ById(request.header.tableId);
      const bool any =
          request.level == idl::WriteLevel::ANY || (request.level == idl::WriteLevel::DEFAULT && table != nullptr &&
                                                    table->options.defaultWriteLevel == idl::WriteLevel::ANY);
      idl::ReadOptions eventual;  // where one may be read, the other is taken
      eventual.level = idl::ReadLevel::EVENTUAL;
      const idl::ReadOptions last = cluster_.last_read_;
      const std::string& key = request.writes.front().key;
      if (!cluster_.Refused(name_, request.header, any ? &eventual : nullptr, key, reply.header, served)) {
        cluster_.Execute(*served.table, *served.tablet, request, reply);
        if (any) reply.__isset.version = false;
      }
      cluster_.last_read_ = last;
      if (served.tablet != nullptr) reply.header.__set_tabletTimeMs(cluster_.TimeOf(*served.tablet));
    }
    done(reply);
  }

  void scan(Cob<idl::ScanReply> done, const idl::ScanRequest& request) override {
    idl::ScanReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      ++cluster_.counts_.scans;
      Table* table = cluster_.ById(request.header.tableId);
      std::string key = request.range.startKey;
      if (request.reverse && table != nullptr) {
        // Whoever serves the last keys below the end.
        auto it =
            request.range.endKey.empty() ? table->tablets.end() : table->tablets.lower_bound(request.range.endKey);
        key = std::max(key, std::prev(it)->first);
      }
      Served served;
      if (!cluster_.Refused(name_, request.header, &request.options, key, reply.header, served)) {
        cluster_.Scan(served, request, reply);
      }
    }
    done(reply);
  }

  // One at a time, so that whoever lists has to ask for more.
  void listKept(Cob<idl::ListKeptReply> done, const idl::ListKeptRequest& request) override {
    idl::ListKeptReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      const auto place = [](int64_t tablet, const idl::Version& version) {
        return std::tuple(tablet, version.epoch, version.lsn);
      };
      for (const idl::KeptWrite& write : cluster_.unresolved_[{name_, request.header.tableId}]) {
        if (place(write.tabletId, write.version) <= place(request.afterTabletId, request.afterVersion)) continue;
        reply.more = !reply.writes.empty();
        if (reply.more) break;
        reply.writes.push_back(write);
      }
    }
    done(reply);
  }

  // Every server has one store here: what a table's tablets hold differs in what the server has applied.
  void checksum(Cob<idl::ChecksumReply> done, const idl::ChecksumRequest& request) override {
    idl::ChecksumReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      if (!cluster_.Fails(name_, reply.header)) cluster_.Sum(name_, request, reply);
    }
    done(reply);
  }

  void forgetKept(Cob<idl::ForgetKeptReply> done, const idl::ForgetKeptRequest& request) override {
    idl::ForgetKeptReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      const auto gone =
          std::erase_if(cluster_.unresolved_[{name_, request.header.tableId}], [&](const idl::KeptWrite& write) {
            return write.tabletId == request.tabletId && write.version == request.version;
          });
      if (gone == 0) reply.header.__set_code(idl::Code::NOT_FOUND);
    }
    done(reply);
  }

 private:
  FakeCluster& cluster_;
  const ServerName name_;
};

std::shared_ptr<idl::TabletServiceCobSvIf> FakeCluster::Server(const ServerName& name) {
  return std::make_shared<ServerHandler>(*this, name);
}
}  // namespace ebla::client::testing
