#include "common/coordination/znode_tree.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "idl/master_types.h"

namespace ebla::coordination {
namespace {

std::string Print(const ZnodeTree& tree) {
  std::string text;
  for (const auto& [path, entry] : tree.nodes()) {
    text += path + "=" + entry.data + "@" + std::to_string(entry.version) + "#" + std::to_string(entry.next_number) +
            "s" + std::to_string(entry.session) + "\n";
  }
  return text;
}

Op RandomOp() {
  static const std::vector<std::string> paths = {"/a", "/b", "/a/x", "/a/y", "/a/x/1", "/b/z", "/", "bad"};
  Op op;
  op.kind = static_cast<Op::Kind>(*rc::gen::inRange(0, 4));
  op.path = *rc::gen::elementOf(paths);
  op.data = *rc::gen::elementOf(std::vector<std::string>{"", "p", "q"});
  op.version = *rc::gen::elementOf(std::vector<int>{kAnyVersion, 0, 1});
  op.mode = static_cast<CreateMode>(*rc::gen::inRange(0, 4));
  return op;
}

TEST(ZnodeTree, AnyMultiHappensWholeOrNotAtAllAndCanBeTakenBack) {
  EXPECT_TRUE(rc::check([] {
    ZnodeTree tree;
    const int multis = *rc::gen::inRange(1, 30);
    for (int i = 0; i < multis; ++i) {
      std::vector<Op> ops;
      const int count = *rc::gen::inRange(1, 4);
      for (int k = 0; k < count; ++k) ops.push_back(RandomOp());
      const std::string before = Print(tree);
      const auto change = tree.Apply(ops, 1 + *rc::gen::inRange(0, 2));
      if (!change.has_value()) {
        RC_ASSERT(Print(tree) == before);
        RC_ASSERT(!change.error().status.ok());
        continue;
      }
      RC_ASSERT(change->result.items.size() == ops.size());
      if (*rc::gen::arbitrary<bool>()) {
        tree.Undo(*change);
        RC_ASSERT(Print(tree) == before);
      }
    }
    for (const auto& [path, entry] : tree.nodes()) {
      if (path == "/") continue;
      const auto parent = tree.nodes().find(ParentPath(path));
      RC_ASSERT(parent != tree.nodes().end());
      RC_ASSERT(parent->second.session == 0);
    }
    tree.EndSession(1);
    tree.EndSession(2);
    RC_ASSERT(tree.TakeSnapshot().size() == tree.nodes().size());
  }));
}

TEST(ZnodeTree, ChildrenAreTheDirectOnesWhateverTheirNames) {
  ZnodeTree tree;
  for (const char* path : {"/p", "/p/a", "/p/a-b", "/p/a/x", "/p/a/y", "/p/a.c", "/p/b", "/pq", "/p/b/z"}) {
    ASSERT_TRUE(tree.Apply({Op::Create(path, "")}, 0).has_value()) << path;
  }
  EXPECT_EQ(*tree.Children("/p"), (std::vector<std::string>{"a", "a-b", "a.c", "b"}));
  EXPECT_EQ(*tree.Children("/"), (std::vector<std::string>{"p", "pq"}));
  EXPECT_EQ(*tree.Children("/pq"), std::vector<std::string>());
}

TEST(Layout, PathsNameTheirShard) {
  EXPECT_EQ(layout::TabletPath(TabletId{0x1234}), "/tablets/34/0000000000001234");
  EXPECT_EQ(layout::TabletShardPath(10), "/tablets/0a");
  EXPECT_TRUE(layout::CheckName("ts-3.local_x", "server name").ok());
  for (const std::string& bad : {std::string(), std::string("a/b"), std::string("."), std::string(".."),
                                 std::string("a b"), std::string(129, 'a')}) {
    EXPECT_EQ(layout::CheckName(bad, "table name").code(), Code::kInvalidArgument) << bad;
  }
}

TEST(NodeCodec, ReadsBackWhatItWroteAndRefusesTheRest) {
  idl::ServerNode node;
  node.name = "ts-1";
  node.startCounter = 1 << 20;
  const std::string data = EncodeNode(node);
  EXPECT_EQ(data[0], kNodeFormat);
  EXPECT_EQ(DecodeNode<idl::ServerNode>(data, "/servers/ts-1")->startCounter, 1 << 20);
  const std::string levelled = EncodeNode(node, kLevelledFormat);
  EXPECT_EQ(levelled[0], kLevelledFormat) << "which builds that know no levels refuse";
  EXPECT_EQ(DecodeNode<idl::ServerNode>(levelled)->startCounter, 1 << 20);
  EXPECT_EQ(DecodeNode<idl::ServerNode>("", "/x").error().code(), Code::kInternal);
  for (size_t bytes = 1; bytes < data.size(); ++bytes) {
    EXPECT_EQ(DecodeNode<idl::ServerNode>(data.substr(0, bytes), "/x").error().code(), Code::kInternal) << bytes;
  }
  EXPECT_EQ(DecodeNode<idl::ServerNode>(data + "x", "/x").error().code(), Code::kInternal);
  const Status newer = DecodeNode<idl::ServerNode>("\x03" + data.substr(1), "/servers/ts-1").error();
  EXPECT_EQ(newer.code(), Code::kInvalidArgument);
  EXPECT_EQ(newer.message(),
            "node /servers/ts-1 of the coordinator has format 3, and this program knows up to 2: upgrade this program");
}

}  // namespace
}  // namespace ebla::coordination
