// common/testing/zookeeper_stranger.h
// A session of ZooKeeper's that is none of Ebla's: what it may do with Ebla's nodes.
// Threads: one test's; each call waits for its answer.
#pragma once

#include <gtest/gtest.h>

#ifndef THREADED
#define THREADED  // the C client's header: completions on its own threads
#endif
#include <zookeeper/zookeeper.h>

#include <string>
#include <utility>
#include <vector>

namespace ebla::testing {

class ZooKeeperStranger {
 public:
  ZooKeeperStranger(const std::string& server, const std::string& secret) {
    zoo_ = zookeeper_init(server.c_str(), nullptr, 10'000, nullptr, nullptr, 0);
    if (!secret.empty()) zoo_add_auth(zoo_, "digest", secret.data(), static_cast<int>(secret.size()), nullptr, nullptr);
  }
  ~ZooKeeperStranger() { zookeeper_close(zoo_); }

  int Get(const std::string& path) {
    char bytes[16];
    int size = sizeof(bytes);
    return Settled([&] { return zoo_get(zoo_, path.c_str(), 0, bytes, &size, nullptr); });
  }
  int Set(const std::string& path) {
    return Settled([&] { return zoo_set(zoo_, path.c_str(), "x", 1, -1); });
  }
  int Delete(const std::string& path) {
    return Settled([&] { return zoo_delete(zoo_, path.c_str(), -1); });
  }
  int Create(const std::string& path) {
    return Settled([&] { return zoo_create(zoo_, path.c_str(), "x", 1, &ZOO_OPEN_ACL_UNSAFE, 0, nullptr, 0); });
  }
  int List(const std::string& path, std::vector<std::string>* children = nullptr) {
    String_vector names{};
    const int rc = Settled([&] { return zoo_get_children(zoo_, path.c_str(), 0, &names); });
    if (rc != ZOK) return rc;
    if (children != nullptr) children->assign(names.data, names.data + names.count);
    deallocate_String_vector(&names);
    return rc;
  }
  // The node and all below it.
  std::vector<std::string> Tree(const std::string& path) {
    std::vector<std::string> all = {path}, names;
    const int rc = List(path, &names);
    EXPECT_TRUE(rc == ZOK || rc == ZNONODE) << path << ": " << zerror(rc);
    for (const std::string& name : names)
      for (std::string& below : Tree(path + "/" + name)) all.push_back(std::move(below));
    return all;
  }
  int Open(const std::string& path) {
    return Settled([&] { return zoo_set_acl(zoo_, path.c_str(), -1, &ZOO_OPEN_ACL_UNSAFE); });
  }

 private:
  template <class F>
  static int Settled(F call) {
    int rc = call();
    for (int i = 0; i < 20 && (rc == ZCONNECTIONLOSS || rc == ZOPERATIONTIMEOUT); ++i) rc = call();
    return rc;
  }
  zhandle_t* zoo_;
};

// Neither reads, writes, lists nor deletes a node of the tree below `top`, adds one or opens one. `friendly` sees them.
inline void ExpectClosed(ZooKeeperStranger& friendly, ZooKeeperStranger& stranger, const std::string& top) {
  for (const std::string& path : friendly.Tree(top)) {
    SCOPED_TRACE(path);
    EXPECT_EQ(stranger.Get(path), ZNOAUTH);
    EXPECT_EQ(stranger.Set(path), ZNOAUTH);
    EXPECT_EQ(stranger.List(path), ZNOAUTH);
    EXPECT_EQ(stranger.Create(path + "/theirs"), ZNOAUTH);
    EXPECT_EQ(stranger.Open(path), ZNOAUTH);
    // Nodes beside the cluster's path are not ours. A client that may delete there is stopped by the nodes below.
    EXPECT_EQ(stranger.Delete(path), path == top ? ZNOTEMPTY : ZNOAUTH);
  }
}

}  // namespace ebla::testing
