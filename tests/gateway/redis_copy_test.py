#!/usr/bin/env python3
"""ebla-redis-copy from a real redis-server into Ebla, and back."""
import importlib.machinery
import importlib.util
import pathlib
import subprocess
import sys
import threading
import time
import types

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from processes import GatewayCase, RedisServer, main  # noqa: E402

import redis  # noqa: E402

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "tools/redis_copy/ebla-redis-copy"


class RedisCopyTest(GatewayCase):
    protocol = "redis"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.redis = RedisServer()
        cls.addClassCleanup(cls.redis.stop)
        cls.ebla_url = f"redis://{cls.gateway.host}:{cls.gateway.port}/0"

    def setUp(self):
        self.source = redis.Redis.from_url(self.redis.url, socket_timeout=30)
        self.target = redis.Redis.from_url(self.ebla_url, socket_timeout=30)
        for client in (self.source, self.target):
            self.addCleanup(client.close)
            client.flushall()

    def run_copy(self, *words, source=None, target=None):
        done = subprocess.run([sys.executable, "-B", PROGRAM, source or self.redis.url, target or self.ebla_url,
                               *words],
                              capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    def test_copies_every_string_with_its_expiry(self):
        wanted = {b"plain": b"value", b"empty": b"", b"\x00\x01\xff": bytes(range(256)), b"cart:{42}": b"a",
                  b"{42}b": b"c",
                  b"large": b"x" * 1_000_000, **{f"k{i}".encode(): str(i).encode() * 7 for i in range(3_000)}}
        self.source.mset(wanted)
        self.source.set("short", "1", px=90_000)
        self.source.incrby("counter", 41)
        code, said = self.run_copy()
        self.assertEqual((code, said), (0, f"copied {len(wanted) + 2} of {len(wanted) + 2} keys\n"))
        keys = list(wanted)
        self.assertEqual(self.target.mget(keys), [wanted[key] for key in keys])
        self.assertEqual(self.target.dbsize(), len(wanted) + 2)
        self.assertTrue(0 < self.target.pttl("short") <= 90_000)
        self.assertEqual(self.target.ttl("plain"), -1)
        self.assertEqual(self.target.incr("counter"), 42)
        self.source.incr("counter")
        self.assertEqual(self.run_copy("--compare"), (0, f"{len(wanted) + 2} equal, 0 differ\n"))

    def test_a_second_run_brings_what_has_changed(self):
        self.source.mset({f"k{i}": "1" for i in range(1_200)})
        self.assertEqual(self.run_copy()[0], 0)
        self.source.delete("k7")
        self.source.set("k8", "2")
        self.source.set("k9", "1", ex=1_000)
        self.source.set("new", "3")
        self.assertEqual(self.run_copy("--compare")[0], 1)
        self.assertEqual(self.run_copy("--remove-missing"), (0, "copied 1200 of 1200 keys, 1 removed\n"))
        self.assertEqual(self.target.mget("k7", "k8", "new"), [None, b"2", b"3"])
        self.assertEqual(self.run_copy("--compare"), (0, "1200 equal, 0 differ\n"))

    def test_says_what_it_leaves_out(self):
        self.source.rpush("list", 1)
        self.source.hset("hash", "a", 1)
        self.source.hset("other", "a", 1)
        self.source.set("key", "1")
        self.source.set("huge", b"x" * 1_048_570)
        code, said = self.run_copy("--verbose")
        self.assertEqual(code, 1)
        self.assertIn("copied 1 of 5 keys, 1 refused\nleft out: hash 2, list 1\n", said)
        self.assertIn("left out: b'list', a list", said)
        self.assertIn("refused: b'huge': its value has 1048570 bytes, more than 1048569", said)
        self.assertEqual(self.target.keys(), [b"key"])
        self.source.set("k" * 5_000, "1")
        for flags, does in (("--dry-run",), "would copy"), ((), "copied"):
            code, said = self.run_copy("--match", "kkk*", *flags)
            self.assertEqual(code, 1)
            self.assertRegex(said, f"^{does} 0 of 1 keys, 1 refused\nrefused: b'k+': .*5000 bytes")

    def test_keeps_what_is_there_and_writes_nothing_in_a_dry_run(self):
        self.source.mset({"a": "1", "b": "1"})
        self.target.set("a", "2")
        self.assertEqual(self.run_copy("--dry-run"), (0, "would copy 2 of 2 keys\n"))
        self.assertEqual(self.run_copy("--dry-run", "--keep"), (0, "would copy 1 of 2 keys, 1 were there and kept\n"))
        self.assertEqual(self.target.keys(), [b"a"])
        self.assertEqual(self.run_copy("--keep"), (0, "copied 1 of 2 keys, 1 were there and kept\n"))
        self.assertEqual(self.target.mget("a", "b"), [b"2", b"1"])

    def test_what_was_there_throughout_is_copied_while_others_write(self):
        self.source.mset({f"stays{i}": "1" for i in range(5_000)})
        stop = threading.Event()

        def write():
            with redis.Redis.from_url(self.redis.url) as client:
                number = 0
                while not stop.is_set():
                    number += 1
                    client.set(f"goes{number}", "1", px=20)
                    client.delete(f"goes{number - 5}")

        writer = threading.Thread(target=write)
        writer.start()
        try:
            code, said = self.run_copy("--count", "50")
        finally:
            stop.set()
            writer.join()
        self.assertEqual(code, 0, said)
        self.assertEqual(set(self.target.mget(f"stays{i}" for i in range(5_000))), {b"1"})

    def test_a_key_that_could_not_be_set_at_once_lives_no_longer(self):
        loader = importlib.machinery.SourceFileLoader("redis_copy", str(PROGRAM))
        program = importlib.util.module_from_spec(importlib.util.spec_from_loader("redis_copy", loader))
        loader.exec_module(program)
        copy = object.__new__(program.Copy)
        copy.options = types.SimpleNamespace(keep=False)
        read = time.monotonic() - 4
        words = copy.set_of(b"k", b"v", 10_000, read)
        self.assertEqual(words[:4], ("SET", b"k", b"v", "PX"))
        self.assertTrue(0 < words[4] <= 6_000, words)
        self.assertEqual(copy.set_of(b"k", b"v", 1_000, read)[4], 1)
        self.assertEqual(copy.set_of(b"k", b"v", -1, read), ("SET", b"k", b"v"))

    def test_copies_back(self):
        self.target.mset({f"k{i}": "1" for i in range(1_500)})
        self.target.set("t", "1", ex=500)
        self.assertEqual(self.run_copy("--quiet", source=self.ebla_url, target=self.redis.url),
                         (0, "copied 1501 of 1501 keys\n"))
        self.assertEqual(self.source.dbsize(), 1501)
        self.assertTrue(490 < self.source.ttl("t") <= 500)

    def test_redis_itself_hands_keys_over(self):
        wanted = {"word": b"abc" * 500, "number": b"-70000", "large": b"x" * 1_000_000, "{t}noise": bytes(range(256))}
        self.source.mset(wanted)
        self.source.set("short", "1", px=90_000)
        keys = [*wanted, "short"]
        self.source.migrate(self.gateway.host, self.gateway.port, keys, 0, 30_000)
        self.assertEqual(self.source.dbsize(), 0)
        self.assertEqual(self.target.mget(keys), [*wanted.values(), b"1"])
        self.assertTrue(0 < self.target.pttl("short") <= 90_000)
        for key in keys:
            self.source.restore(key, 0, self.target.dump(key))
        self.assertEqual(self.source.mget(keys), [*wanted.values(), b"1"])
        with self.assertRaisesRegex(redis.ResponseError, "BUSYKEY"):
            self.source.migrate(self.gateway.host, self.gateway.port, "word", 0, 30_000)
        self.source.rpush("list", "1")
        with self.assertRaisesRegex(redis.ResponseError, "anything but a string"):
            self.source.migrate(self.gateway.host, self.gateway.port, "list", 0, 30_000)

    def test_names_what_is_wrong(self):
        for words, said in [(("http://x",), "must specify one of the following schemes"),
                            (("redis://127.0.0.1:1",), "127.0.0.1:1 does not answer SCAN"),
                            ((self.ebla_url[:-1] + "99",), "refuses SCAN: DB index is out of range")]:
            code, output = self.run_copy("--timeout", "1", source=words[0])
            self.assertEqual(code, 2)
            self.assertIn(said, output)
        code, output = self.run_copy("--compare", "--keep")
        self.assertEqual(code, 2)
        self.assertIn("--compare writes nothing", output)


if __name__ == "__main__":
    main()
