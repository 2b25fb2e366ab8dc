#!/usr/bin/env python3
"""Tables that ebla-standalone makes in memory, from its flags alone, and what its clients see of their limit."""
import pathlib
import sys
import time
import unittest
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from redis_fixture import RedisFixture, Standalone, listener_of, main, wait_for  # noqa: E402

import redis  # noqa: E402


class InMemoryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.standalone = Standalone(RedisFixture.bin_dir, "--redis_listen=127.0.0.1:0", "--create_in_memory",
                                    "--create_memory_limit_mb=2")
        cls.addClassCleanup(cls.standalone.stop)
        cls.listener = listener_of(cls.standalone)

    def test_what_is_full_says_so_at_once(self):
        client = redis.Redis(host=self.listener.host, port=self.listener.port)
        client.set("few", "1", ex=1_000)
        began = time.monotonic()
        with self.assertRaisesRegex(redis.exceptions.ResponseError, "reached its limit of 2 MiB"):
            for number in range(100):
                client.set(f"many:{number}", "x" * 100_000)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(client.getdel("few"), b"1")
        self.assertEqual(client.delete("many:0"), 1)

    def test_info_and_config_tell_the_limit(self):
        client = redis.Redis(host=self.listener.host, port=self.listener.port)
        wait_for(lambda: client.config_get("maxmemory") == {"maxmemory": str(2 << 20)}, "the table's limit")
        memory = client.info("memory")
        self.assertEqual((memory["maxmemory"], memory["maxmemory_human"], memory["maxmemory_policy"]),
                         (2 << 20, "2.00M", "noeviction"))
        with self.assertRaisesRegex(redis.exceptions.ResponseError, "can't set immutable config"):
            client.config_set("maxmemory", 0)

    def test_flags_of_tables_that_nobody_asks_for(self):
        for flag, value in (("--create_in_memory", ""), ("--create_memory_limit_mb", "=2"), ("--create_evict", "=lru")):
            with self.assertRaisesRegex(RuntimeError, f"{flag} takes --redis_listen or --memcached_listen"):
                Standalone(RedisFixture.bin_dir, flag + value)

    def test_each_metric_is_told_once(self):
        with urllib.request.urlopen(f"http://{self.listener.http}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        described = [line.split()[2] for line in text.splitlines() if line.startswith("# HELP")]
        self.assertEqual(len(described), len(set(described)))
        samples = [line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")]
        self.assertEqual(len(samples), len(set(samples)))
        for role in ("tabletserver", "gateway"):
            self.assertRegex(text, f'ebla_build_info{{role="{role}"')


if __name__ == "__main__":
    main()
