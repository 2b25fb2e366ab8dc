#!/usr/bin/env python3
"""Circles of members are found, and what is none is not taken for one."""
import pathlib
import tempfile
import unittest

from member_circles import member_circles


class MemberCirclesTest(unittest.TestCase):
    def circles(self, headers):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in headers.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return list(member_circles(root, sorted(headers)))

    def test_two_that_hold_each_other(self):
        found = self.circles(
            {
                "master/a.h": "class B;\nclass A {\n public:\n  explicit A(B& b) : b_(b) {}\n private:\n  B& b_;\n};\n",
                "master/b.h": "class A;\nclass B {\n  std::vector<std::unique_ptr<A>> as_;\n};\n",
            }
        )
        self.assertEqual([names for names, _ in found], [["A", "B"]])
        self.assertIn(
            'A has "B& b_" (master/a.h); B has "std::vector<std::unique_ptr<A>> as_" (master/b.h)', found[0][1]
        )

    def test_three_of_which_one_holds_a_struct_of_references(self):
        found = self.circles(
            {
                "master/a.h": "class A {\n public:\n  struct Parts {\n    B& b;\n    D& d;\n  };\n  A(const Parts& parts) : parts_(parts) {}\n"
                " private:\n  const Parts parts_;\n};\n",
                "master/b.h": "class B {\n  const Context shard_;\n};\nclass D {};\n",
                "master/context.h": "struct Context {\n  C& c;\n  int number = 0;\n};\n",
                "master/c.h": "class C : public D {\n  A* a_ = nullptr;\n};\n",
            }
        )
        self.assertEqual([names for names, _ in found], [["A", "B", "Context", "C"]])

    def test_an_alias_hides_nothing(self):
        found = self.circles(
            {
                "master/a.h": "struct A {\n  BPtr b;\n};\nusing BPtr = std::shared_ptr<B>;\nstruct B {\n  std::weak_ptr<A> a;\n};\n"
            }
        )
        self.assertEqual([names for names, _ in found], [["A", "BPtr", "B"]])

    def test_what_holds_nothing(self):
        self.assertEqual(
            self.circles(
                {
                    "master/a.h": "class A {\n  B& b() const;\n  void Take(B* b) { B& again = *b; }\n  static B& Make();\n"
                    "  std::function<void(B&)> told_;\n  void (*run_)(B&) = nullptr;\n  friend class B;\n};\n",
                    "master/b.h": "class B {\n  A& a_;  // B& in words\n  std::vector<B*> children_;\n  class Part {\n    B& whole_;\n  };\n  Part part_;\n};\n",
                }
            ),
            [],
        )

    def test_a_name_is_looked_for_nearby(self):
        a = "class A {\n  Peer& peer_;\n};\n"
        peer = "class Peer {\n  A* a_;\n};\n"
        self.assertEqual(
            self.circles({"master/x/a.h": a, "master/y/peer.h": peer, "master/x/peer.h": "class Peer {};\n"}), []
        )
        self.assertEqual(self.circles({"master/x/a.h": a, "client/x/peer.h": peer}), [], "of another component")
        self.assertEqual(len(self.circles({"master/x/a.h": a, "master/y/peer.h": peer})), 1)

    def test_each_circle_is_named_once(self):
        found = self.circles(
            {"master/a.h": "struct A {\n  B* b;\n  C* c;\n};\nstruct B {\n  A* a;\n};\nstruct C {\n  A* a;\n};\n"}
        )
        self.assertEqual([names for names, _ in found], [["A", "B"], ["A", "C"]])


if __name__ == "__main__":
    unittest.main()
