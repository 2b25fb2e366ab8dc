#!/usr/bin/env python3
"""Redis's own clients before ebla-gateway: redis-py, redis-cli, redis-benchmark.

Also databases, levels and lifetimes, and bytes that are no requests."""
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from redis_fixture import RedisFixture, WithinStandalone, in_threads, main, wait_for  # noqa: E402

import redis  # noqa: E402


class RedisTest(RedisFixture):
    def cli(self, *words):
        return subprocess.run(["redis-cli", "-h", self.gateway.host, "-p", str(self.gateway.port), *words],
                              capture_output=True, text=True, timeout=60, check=True).stdout

    def test_redis_py(self):
        client = self.client
        self.assertTrue(client.ping())
        self.assertTrue(client.set("a", b"\x00\xff", ex=100))
        self.assertEqual(client.get("a"), b"\x00\xff")
        self.assertIn(client.ttl("a"), (99, 100))
        self.assertIsNone(client.set("a", "2", nx=True))
        self.assertEqual(client.set("a", "2", get=True), b"\x00\xff")
        self.assertEqual(client.incr("n", 5), 5)
        self.assertEqual(client.decr("n"), 4)
        self.assertEqual(client.incrbyfloat("n", 0.5), 4.5)
        self.assertTrue(client.mset({"x": 1, "y": 2}))
        self.assertEqual(client.mget("x", "nope", "y"), [b"1", None, b"2"])
        self.assertEqual(client.append("x", "23"), 3)
        self.assertEqual(client.setbit("bits", 7, 1), 0)
        self.assertEqual(client.bitcount("bits"), 1)
        self.assertEqual(client.exists("x", "y", "nope"), 2)
        self.assertTrue(client.rename("x", "z"))
        self.assertEqual(client.type("z"), b"string")
        self.assertEqual(client.delete("z", "y", "nope"), 2)
        self.assertEqual(client.getdel("a"), b"2")
        self.assertEqual(sorted(client.keys("*")), [b"bits", b"n"])
        self.assertEqual(client.dbsize(), 2)
        self.assertEqual(client.info("server")["redis_mode"], "standalone")
        self.assertEqual(client.config_get("maxmemory-policy"), {"maxmemory-policy": "noeviction"})
        self.assertGreater(client.client_id(), 0)
        self.assertTrue(client.client_setname("test"))
        self.assertEqual([line["name"] for line in client.client_list() if line["name"]], ["test"])
        with self.assertRaisesRegex(redis.ResponseError, "HSET is not served by Ebla yet"):
            client.hset("h", "a", 1)

    def test_redis_cli(self):
        self.assertEqual(self.cli("set", "a", "1"), "OK\n")
        self.assertEqual(self.cli("-3", "get", "a"), "1\n")
        self.assertEqual(self.cli("--scan"), "a\n")
        self.assertIn("a", self.cli("--bigkeys"))

    def test_redis_benchmark(self):
        done = subprocess.run(["redis-benchmark", "-h", self.gateway.host, "-p", str(self.gateway.port), "-q", "-t",
                               "ping,set,get,incr,mset", "-n", "500", "-c", "8", "-P", "4"], capture_output=True,
                               text=True,
                              timeout=120, check=True)
        self.assertEqual(done.stdout.count("requests per second"), 6, done.stdout)

    def test_info_counts_hits_bytes_and_commands(self):
        client = self.connect()
        before = client.info("stats")
        client.set("counted", "x" * 1_000)
        client.get("counted")
        client.get("counted-not")
        client.mget("counted", "counted-not", "counted")
        client.getdel("counted")
        stats = client.info("stats")
        self.assertEqual(stats["keyspace_hits"] - before["keyspace_hits"], 4)
        self.assertEqual(stats["keyspace_misses"] - before["keyspace_misses"], 2)
        self.assertGreater(stats["total_net_input_bytes"] - before["total_net_input_bytes"], 1_000)
        self.assertGreater(stats["total_net_output_bytes"] - before["total_net_output_bytes"], 4_000)
        self.assertGreaterEqual(stats["instantaneous_ops_per_sec"], 0)
        of_gets = client.info("commandstats")["cmdstat_get"]
        self.assertGreaterEqual(of_gets["calls"], 2)
        self.assertEqual(of_gets["failed_calls"], 0)
        self.assertGreater(client.info("cpu")["used_cpu_user"], 0)
        usual = client.info()
        self.assertIn("keyspace_hits", usual)
        self.assertNotIn("cmdstat_get", usual)
        self.assertIn("cmdstat_get", client.info("all"))
        client.config_resetstat()
        stats = client.info("stats")
        self.assertEqual((stats["keyspace_hits"], stats["keyspace_misses"], stats["total_connections_received"]),
                         (0, 0, 0))
        self.assertLess(stats["total_net_output_bytes"], 1_000)
        for _ in range(3):
            self.assertTrue(self.connect().ping())
        self.assertEqual(client.info("stats")["total_connections_received"], 3)
        client.set("counted", "x")
        with self.assertRaisesRegex(redis.ResponseError, "not served"):
            client.hset("h", "a", 1)
        self.assertEqual(client.info("commandstats")["cmdstat_hset"]["failed_calls"], 1)
        of_sets = client.info("commandstats")["cmdstat_set"]
        self.assertEqual((of_sets["calls"], of_sets["failed_calls"]), (1, 0))

    def test_a_pipeline_sees_what_it_has_done(self):
        pipeline = self.client.pipeline(transaction=False)
        for number in range(1000):
            pipeline.set(f"key{number}", number)
            pipeline.get(f"key{number}")
            pipeline.incr("count")
        replies = pipeline.dbsize().execute()
        self.assertEqual(replies[1:-1:3], [str(number).encode() for number in range(1000)])
        self.assertEqual(replies[2:-1:3], list(range(1, 1001)))
        self.assertEqual(replies[-1], 1001)

    def test_a_pipeline_of_few_keys_answers_as_one_after_the_other(self):
        client = self.connect()
        random_ = random.Random(3)
        values, wanted, pipeline = {}, [], client.pipeline(transaction=False)
        for _ in range(4_000):
            key, number = f"few{random_.randrange(3)}", random_.randrange(100)
            kind = random_.choice(["set", "set", "incr", "incr", "incr", "decrby", "get", "getset", "del"])
            old = values.get(key)
            if kind == "set":
                pipeline.set(key, number)
                values[key] = number
                wanted.append(True)
            elif kind in ("incr", "decrby"):
                pipeline.incr(key) if kind == "incr" else pipeline.decrby(key, number)
                values[key] = (old or 0) + (1 if kind == "incr" else -number)
                wanted.append(values[key])
            elif kind == "del":
                pipeline.delete(key)
                wanted.append(int(old is not None))
                values.pop(key, None)
            else:
                if kind == "getset":
                    pipeline.getset(key, number)
                    values[key] = number
                else:
                    pipeline.get(key)
                wanted.append(None if old is None else str(old).encode())
        self.assertEqual(pipeline.execute(), wanted)

    def test_a_scan_goes_on_at_another_gateway(self):
        keys = {f"key{number}".encode() for number in range(500)}
        self.client.mset({key: 1 for key in keys})
        with self.another_gateway() as other:
            clients = [self.client, redis.Redis(other.host, other.port)]
            cursor, seen = 0, set()
            for page in range(1000):
                cursor, found = clients[page % 2].scan(cursor, count=20)
                seen |= set(found)
                if cursor == 0:
                    break
            clients[1].close()
        self.assertEqual((cursor, seen), (0, keys))

    def test_databases_are_tables(self):
        with self.another_gateway() as makes_none:
            client = redis.Redis(makes_none.host, makes_none.port, db=3)
            with self.assertRaisesRegex(redis.ResponseError, 'there is no table "redis-3"'):
                client.get("a")
            self.ebla("table", "create", "redis-3")
            self.assertTrue(client.set("a", "3"))
            client.close()
        self.assertIsNone(self.client.get("a"))
        self.assertTrue(self.ebla("get", "redis-3", "a").stdout.startswith("3"))

    def test_a_database_by_number_is_made_when_it_is_selected(self):
        with self.assertRaisesRegex(redis.ResponseError, 'there is no table "carts"'):
            self.client.execute_command("SELECT", "carts")
        in_threads(8, lambda number: self.assertTrue(self.connect(db=5).set(f"key{number}", "5")))
        self.assertTrue(self.ebla("get", "redis-5", "key7").stdout.startswith("5"))
        first, made = (json.loads(self.ebla("--json", "table", "describe", table).stdout) for table in ("redis",
            "redis-5"))
        self.assertEqual({**first["options"], "name": ""}, {**made["options"], "name": ""})
        wait_for(lambda: self.client.info("keyspace").get("db5", {}).get("keys") == 8, "INFO to count what is in it")

    def test_a_dump_of_the_longest_value_is_restored(self):
        value = os.urandom(1_048_569)  # which no compression makes shorter
        self.client.set("{t}a", value)
        self.client.restore("{t}b", 0, self.client.dump("{t}a"))
        self.assertEqual(self.client.get("{t}b"), value)
        self.client.eval("redis.call('restore', KEYS[2], 0, redis.call('dump', KEYS[1]), 'replace')", 2, "{t}a", "{t}b")
        self.assertEqual(self.client.get("{t}b"), value)
        with self.assertRaisesRegex(redis.ResponseError, "string exceeds maximum allowed size"):
            self.client.set("{t}b", value + b"x")

    def test_levels_of_a_connection(self):
        for level in ("eventual", "bounded=500ms", "strong", "default"):
            self.assertTrue(self.client.config_set("ebla.read", level))
            self.client.set("a", level)
            self.assertIn(self.client.get("a"), (level.encode(), None))
        for milliseconds in range(1, 300):  # more than are remembered
            self.client.config_set("ebla.read", f"bounded={milliseconds}ms")
            self.client.get("a")
        with self.assertRaisesRegex(redis.ResponseError, "bounded="):
            self.client.config_set("ebla.read", "sometimes")

    def test_keys_expire(self):
        self.client.set("a", 1, px=100)
        limit = time.monotonic() + 30
        while self.client.exists("a"):
            self.assertLess(time.monotonic(), limit)
        self.assertEqual(self.client.ttl("a"), -2)

    def test_a_moment_is_kept_to_the_millisecond(self):
        far = 33_177_117_420_000  # in the year 3021
        for i in range(50):
            near = int(time.time() * 1000) + 100_000 + i
            for moment in near, far + i:
                self.client.set("{t}a", "1", pxat=moment)
                self.assertEqual(self.client.pexpiretime("{t}a"), moment)
                self.client.persist("{t}a")
                self.client.pexpireat("{t}a", moment)
                self.client.append("{t}a", "x")
                with self.client.pipeline() as transaction:
                    transaction.append("{t}a", "y").set("{t}b", "1", pxat=moment).execute()
                self.client.eval("redis.call('append', KEYS[1], 'z')", 1, "{t}a")
                for key in "{t}a", "{t}b":
                    self.assertEqual(self.client.pexpiretime(key), moment)

    def test_bytes_that_are_no_requests_end_their_connection_alone(self):
        for bytes_, answer in ((b"*x\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
                               (b"*1\r\n$-5\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
                               (b"*1\r\n:1\r\n", b"-ERR Protocol error: expected '$', got ':'\r\n"),
                               (b"ping\r\n*99999999\r\n",
                                b"+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n"),
                               (b"get \"a\r\n", b"-ERR Protocol error: unbalanced quotes in request\r\n")):
            with socket.create_connection((self.gateway.host, self.gateway.port), timeout=30) as raw:
                raw.sendall(bytes_)
                received = b""
                while part := raw.recv(4096):
                    received += part
                self.assertEqual(received, answer)
        self.assertTrue(self.client.ping())

    def test_a_web_page_runs_no_command(self):
        self.client.set("kept", 1)
        for request in (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", b"host: x\r\n", b"GET / HTTP/1.1\r\n",
                        b"SET /web HTTP/1.1\r\n"):
            for split in (0, len(request) // 2):
                with socket.create_connection((self.gateway.host, self.gateway.port), timeout=30) as raw:
                    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    raw.sendall(b"PING\r\n" + request[:split])
                    self.assertEqual(raw.recv(7), b"+PONG\r\n")
                    raw.sendall(request[split:] + b"SET web 1\r\nFLUSHALL\r\n"
                                b"*3\r\n$3\r\nSET\r\n$3\r\nweb\r\n$1\r\n1\r\n")
                    self.assertEqual(raw.recv(4096), b"")
        self.assertEqual(self.client.mget("kept", "web", "/web"), [b"1", None, None])

    def test_half_a_request_disturbs_nobody(self):
        with socket.create_connection((self.gateway.host, self.gateway.port), timeout=30) as raw:
            raw.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1048569\r\n" + b"x" * 500000)
            self.assertTrue(self.client.set("b", 1))
            raw.sendall(b"x" * 548569 + b"\r\n")
            self.assertEqual(raw.recv(100), b"+OK\r\n")
        self.assertEqual(self.client.strlen("a"), 1048569)


class RedisWithinStandaloneTest(WithinStandalone, RedisTest):
    pass


if __name__ == "__main__":
    main()
