#!/usr/bin/env python3
"""Redis's own clients before ebla-gateway: redis-py, redis-cli, redis-benchmark; many connections that change one key; gateways
beside each other; and bytes that are no requests."""
import argparse
import json
import pathlib
import random
import re
import socket
import subprocess
import sys
import threading
import time
import types
import unittest
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from processes import Gateway, Standalone, wait_for  # noqa: E402

import redis  # noqa: E402

BIN_DIR = None


def in_threads(count, work):
    """`work(number)` at the same time; the first failure is raised."""
    failures = []

    def run(number):
        try:
            work(number)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


class RedisTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.standalone = Standalone(BIN_DIR)
        cls.addClassCleanup(cls.standalone.stop)
        cls.gateway = cls.start_gateway()

    @classmethod
    def start_gateway(cls):
        gateway = Gateway(BIN_DIR, cls.standalone.thrift, "--create_table", protocol="redis")
        cls.addClassCleanup(gateway.stop)
        return gateway

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
        self.assertEqual((stats["keyspace_hits"], stats["keyspace_misses"], stats["total_connections_received"]), (0, 0, 0))
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

    def connect(self, **more):
        client = redis.Redis(self.gateway.host, self.gateway.port, socket_timeout=30, **more)
        self.addCleanup(client.close)
        return client

    def setUp(self):
        self.client = self.connect()
        self.client.flushdb()

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

    def test_many_count_with_one_key(self):
        def count(number):
            client = self.connect()
            for _ in range(50):
                client.incr("n") if number % 2 else client.incrbyfloat("f", 1)

        in_threads(16, count)
        self.assertEqual(self.client.get("n"), b"400")
        self.assertEqual(self.client.get("f"), b"400")

    def test_one_of_many_gets_a_lock(self):
        winners = []

        def acquire(number):
            if self.connect().set("lock", number, nx=True, px=60000):
                winners.append(number)

        in_threads(16, acquire)
        self.assertEqual([str(winner).encode() for winner in winners], [self.client.get("lock")])

    def test_appends_and_bits_of_many_are_all_there(self):
        def change(number):
            client = self.connect()
            for at in range(20):
                client.append("text", chr(ord("a") + number))
                client.setbit("bits", 20 * number + at, 1)

        in_threads(8, change)
        text = self.client.get("text")
        self.assertEqual({letter: text.count(letter) for letter in set(text)}, {ord("a") + n: 20 for n in range(8)})
        self.assertEqual(self.client.bitcount("bits"), 160)

    def test_transactions_move_money_and_lose_none(self):
        accounts = [f"{{bank}}:{number}" for number in range(6)]
        self.client.mset({account: 100 for account in accounts})
        sums = []

        def transfer(number):
            client = self.connect()
            for at in range(25):
                source, target = accounts[(number + at) % 6], accounts[(number + 2 * at + 1) % 6]
                with client.pipeline() as pipeline:
                    pipeline.decrby(source, 7).incrby(target, 7).mget(accounts)
                    sums.append(sum(map(int, pipeline.execute()[-1])))

        in_threads(8, transfer)
        self.assertEqual(set(sums), {600})
        self.assertEqual(sum(map(int, self.client.mget(accounts))), 600)

    def test_counters_of_many_by_watch(self):
        def count(number):
            client = self.connect()
            for _ in range(10):
                client.transaction(lambda pipeline: (value := int(pipeline.get("{w}n") or 0), pipeline.multi(),
                                                     pipeline.set("{w}n", value + 1)), "{w}n", "{w}other")

        in_threads(8, count)
        self.assertEqual(self.client.get("{w}n"), b"80")

    def test_a_transaction_stays_whole_when_its_table_splits(self):
        for number in range(200):
            self.client.mset({f"{{user{number}}}:a": 1, f"{{user{number}}}:b": 2})
        keys = subprocess.run([BIN_DIR / "ebla", "--masters", self.standalone.thrift, "scan", "redis", "--json"],
                              capture_output=True, text=True, timeout=60, check=True).stdout
        self.assertIn("user77", keys)
        split = subprocess.run([BIN_DIR / "ebla", "--masters", self.standalone.thrift, "tablet", "split", "redis", "--at",
                                "\\x01\\x03user77"], capture_output=True, text=True, timeout=60)
        self.assertEqual(split.returncode, 0, split.stderr)
        for point in ("\\x01\\x03user78\\x00", "\\x01\\x03user78\\x00{user78}:b"):
            cut = subprocess.run([BIN_DIR / "ebla", "--masters", self.standalone.thrift, "tablet", "split", "redis", "--at", point],
                                 capture_output=True, text=True, timeout=60)
            self.assertNotEqual(cut.returncode, 0)
            self.assertIn("key group", cut.stderr)
        for number in range(200):
            with self.client.pipeline() as pipeline:
                pipeline.incr(f"{{user{number}}}:a").rename(f"{{user{number}}}:b", f"{{user{number}}}:c")
                self.assertEqual(pipeline.execute(), [2, True])
        self.assertEqual(len(self.client.keys("{user*")), 400)

    def test_several_groups_in_a_transaction_only_where_that_is_asked_for(self):
        pipeline = self.client.pipeline().set("a", 1).set("b", 2)
        with self.assertRaisesRegex(redis.ResponseError, "CROSSSLOT"):
            pipeline.execute()
        with Gateway(BIN_DIR, self.standalone.thrift, "--redis_transactions=each-group", protocol="redis") as other:
            client = redis.Redis(other.host, other.port)
            self.assertEqual(client.pipeline().set("a", 1).set("b", 2).mget("a", "b").execute(),
                             [True, True, [b"1", b"2"]])
            client.close()

    def test_messages_reach_who_listens_at_any_gateway(self):
        with Gateway(BIN_DIR, self.standalone.thrift, protocol="redis") as other:
            far = redis.Redis(other.host, other.port, socket_timeout=30)
            self.addCleanup(far.close)
            listeners = []
            for client in (self.client, far):
                listener = client.pubsub(ignore_subscribe_messages=True)
                self.addCleanup(listener.close)
                listener.subscribe("news")
                listener.psubscribe("n?ws")
                listeners.append(listener)
            wait_for(lambda: far.publish("other", "x") == 0 and self.client.pubsub_numsub("news") == [(b"news", 1)]
                     and far.pubsub_numsub("news") == [(b"news", 1)], "the subscriptions")
            # Each has two, by name and by pattern.
            wait_for(lambda: self.client.publish("first", "x") == 0 and self.client.publish("news", "begin") == 4,
                     "the other gateway")
            wait_for(lambda: far.publish("news", "begin") == 4, "the other gateway, from there")
            for number in range(100):
                self.assertEqual((self.client if number % 2 else far).publish("news", number), 4)
            for listener in listeners:
                seen = {"message": [], "pmessage": []}
                while len(seen["pmessage"]) < 100:
                    message = wait_for(lambda: listener.get_message(timeout=1), "a message")
                    if message["data"] != b"begin":
                        seen[message["type"]].append(int(message["data"]))
                for kind in seen.values():
                    for half in (0, 1):
                        self.assertEqual([n for n in kind if n % 2 == half], list(range(half, 100, 2)))
        # The other one has ended.
        wait_for(lambda: self.client.publish("news", "end") == 2, "the other gateway's end")

    def test_one_that_takes_no_messages_is_let_go_and_others_are_not(self):
        deaf = socket.create_connection((self.gateway.host, self.gateway.port), timeout=30)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.addCleanup(deaf.close)
        deaf.sendall(b"SUBSCRIBE flood\r\n")
        self.assertIn(b"subscribe", deaf.recv(100))
        listener = self.client.pubsub(ignore_subscribe_messages=True)
        self.addCleanup(listener.close)
        listener.subscribe("flood")
        publisher = self.connect()
        text = b"x" * 1_000_000
        counts = []
        for _ in range(200):
            counts.append(publisher.publish("flood", text))
            if counts[-1] == 1:
                break
            message = wait_for(lambda: listener.get_message(timeout=1), "a message")
            self.assertEqual(len(message["data"]), len(text))
        self.assertEqual((counts[0], counts[-1]), (2, 1))
        self.assertGreater(len(counts), 30)

    def test_locks(self):
        lock = self.client.lock("lock", timeout=20)
        self.assertTrue(lock.acquire())
        self.assertTrue(lock.locked() and lock.owned())
        self.assertFalse(self.connect().lock("lock", timeout=20).acquire(blocking=False))
        self.assertTrue(lock.extend(50))
        self.assertGreater(self.client.ttl("lock"), 60)
        self.assertTrue(lock.extend(30, replace_ttl=True))
        self.assertIn(self.client.ttl("lock"), (29, 30))
        self.assertTrue(lock.reacquire())
        self.assertIn(self.client.ttl("lock"), (19, 20))
        self.client.set("lock", "another's")
        for work in (lock.release, lambda: lock.extend(1), lock.reacquire):
            lock.local.token = lock.local.token or b"mine"
            with self.assertRaises(redis.exceptions.LockError):
                work()
        self.assertEqual(self.client.get("lock"), b"another's")

    def test_a_lock_has_one_holder_at_a_time(self):
        inside, most, done = [], [], []

        def work(number):
            client = self.connect()
            for _ in range(10):
                with client.lock("lock", timeout=30, sleep=0.001):
                    inside.append(number)
                    most.append(len(inside))
                    # Whoever comes in between loses this.
                    client.set("count", int(client.get("count") or 0) + 1)
                    inside.remove(number)
            done.append(number)

        in_threads(8, work)
        self.assertEqual((len(done), max(most), self.client.get("count")), (8, 1, b"80"))

    def test_scripts(self):
        take = self.client.register_script(
            "local left = tonumber(redis.call('get', KEYS[1]) or '0') - ARGV[1] "
            "if left < 0 then return redis.error_reply('ERR only ' .. left + ARGV[1]) end "
            "redis.call('set', KEYS[1], left) return left")
        self.client.set("stock", 10)
        self.assertEqual(take(keys=["stock"], args=[3]), 7)
        self.client.script_flush()
        self.assertEqual(take(keys=["stock"], args=[3]), 4)
        self.assertEqual(self.client.script_exists(take.sha), [True])
        with self.assertRaisesRegex(redis.ResponseError, "only 4"):
            take(keys=["stock"], args=[5])
        pipeline = self.client.pipeline()
        pipeline.incr("stock")
        take(keys=["stock"], args=[1], client=pipeline)
        self.assertEqual(pipeline.execute(), [5, 4])
        with self.assertRaisesRegex(redis.ResponseError, "CROSSSLOT"):
            take(keys=["a", "b"], args=[1])
        with self.assertRaisesRegex(redis.ResponseError, "was not declared"):
            self.client.eval("return redis.call('get', 'stock')", 0)
        self.assertEqual(self.client.eval("return {KEYS[1], ARGV[1], {1, 2, {}}}", 1, "a", b"\x00\xff"),
                         [b"a", b"\x00\xff", [1, 2, []]])
        with self.assertRaisesRegex(redis.ResponseError, "No scripts in execution"):
            self.client.script_kill()

    def test_many_change_one_key_by_scripts(self):
        def count(number):
            script = self.connect().register_script(
                "local n = (redis.call('get', KEYS[1]) or 0) + ARGV[1] redis.call('set', KEYS[1], n) "
                "redis.call('set', KEYS[2], n) return n")
            for _ in range(25):
                script(keys=["{n}", "{n}:copy"], args=[2])

        in_threads(8, count)
        self.assertEqual(self.client.mget("{n}", "{n}:copy"), [b"400", b"400"])

    def test_a_script_that_runs_on_is_killed_and_disturbs_nobody(self):
        failures = []

        def run(number):
            if number == 0:
                try:
                    self.connect().eval("redis.call('set', KEYS[1], 1) while true do end", 1, "endless")
                except redis.ResponseError as failure:
                    failures.append(str(failure))
                return
            killed = False
            while not killed:
                self.client.set("a", 1)
                try:
                    killed = self.client.script_kill()
                except redis.ResponseError as failure:
                    self.assertIn("No scripts in execution", str(failure))

        in_threads(2, run)
        self.assertEqual(len(failures), 1)
        self.assertIn("SCRIPT KILL", failures[0])
        self.assertFalse(self.client.exists("endless"))

    def test_messages_of_scripts_arrive(self):
        listener = self.client.pubsub(ignore_subscribe_messages=True)
        self.addCleanup(listener.close)
        listener.subscribe("news")
        wait_for(lambda: self.client.pubsub_numsub("news")[0][1] == 1, "the listener")

        def work(number):
            client = self.connect()
            for _ in range(10):
                client.eval("local n = redis.call('incr', KEYS[1]) return redis.call('publish', 'news', n)", 1, "n")

        in_threads(4, work)
        seen = []
        while len(seen) < 40:
            seen.append(int(wait_for(lambda: listener.get_message(timeout=1), "a message")["data"]))
        self.assertEqual(sorted(seen), list(range(1, 41)))
        self.assertIsNone(listener.get_message(timeout=0.2))

    def test_a_scan_goes_on_at_another_gateway(self):
        keys = {f"key{number}".encode() for number in range(500)}
        self.client.mset({key: 1 for key in keys})
        with Gateway(BIN_DIR, self.standalone.thrift, protocol="redis") as other:
            clients = [self.client, redis.Redis(other.host, other.port)]
            cursor, seen = 0, set()
            for page in range(1000):
                cursor, found = clients[page % 2].scan(cursor, count=20)
                seen |= set(found)
                if cursor == 0:
                    break
            clients[1].close()
        self.assertEqual((cursor, seen), (0, keys))

    def shell(self, *words):
        return subprocess.run([BIN_DIR / "ebla", "--masters", self.standalone.thrift, *words], capture_output=True,
                              text=True, check=True, timeout=60).stdout

    def test_databases_are_tables(self):
        with Gateway(BIN_DIR, self.standalone.thrift, protocol="redis") as makes_none:
            client = redis.Redis(makes_none.host, makes_none.port, db=3)
            with self.assertRaisesRegex(redis.ResponseError, 'there is no table "redis-3"'):
                client.get("a")
            self.shell("table", "create", "redis-3")
            self.assertTrue(client.set("a", "3"))
            client.close()
        self.assertIsNone(self.client.get("a"))
        self.assertTrue(self.shell("get", "redis-3", "a").startswith("3"))

    def test_a_database_by_number_is_made_when_it_is_selected(self):
        with self.assertRaisesRegex(redis.ResponseError, 'there is no table "carts"'):
            self.client.execute_command("SELECT", "carts")
        in_threads(8, lambda number: self.assertTrue(self.connect(db=5).set(f"key{number}", "5")))
        self.assertTrue(self.shell("get", "redis-5", "key7").startswith("5"))
        first, made = (json.loads(self.shell("--json", "table", "describe", table)) for table in ("redis", "redis-5"))
        self.assertEqual({**first["options"], "name": ""}, {**made["options"], "name": ""})
        wait_for(lambda: self.client.info("keyspace").get("db5", {}).get("keys") == 8, "INFO to count what is in it")

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

    def test_redis_cli(self):
        self.assertEqual(self.cli("set", "a", "1"), "OK\n")
        self.assertEqual(self.cli("-3", "get", "a"), "1\n")
        self.assertEqual(self.cli("--scan"), "a\n")
        self.assertIn("a", self.cli("--bigkeys"))

    def test_redis_benchmark(self):
        done = subprocess.run(["redis-benchmark", "-h", self.gateway.host, "-p", str(self.gateway.port), "-q", "-t",
                               "ping,set,get,incr,mset", "-n", "500", "-c", "8", "-P", "4"], capture_output=True, text=True,
                              timeout=120, check=True)
        self.assertEqual(done.stdout.count("requests per second"), 6, done.stdout)

    def test_bytes_that_are_no_requests_end_their_connection_alone(self):
        for bytes_, answer in ((b"*x\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
                               (b"*1\r\n$-5\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
                               (b"*1\r\n:1\r\n", b"-ERR Protocol error: expected '$', got ':'\r\n"),
                               (b"ping\r\n*99999999\r\n", b"+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n"),
                               (b"get \"a\r\n", b"-ERR Protocol error: unbalanced quotes in request\r\n")):
            with socket.create_connection((self.gateway.host, self.gateway.port), timeout=30) as raw:
                raw.sendall(bytes_)
                received = b""
                while part := raw.recv(4096):
                    received += part
                self.assertEqual(received, answer)
        self.assertTrue(self.client.ping())

    def test_half_a_request_disturbs_nobody(self):
        with socket.create_connection((self.gateway.host, self.gateway.port), timeout=30) as raw:
            raw.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1048569\r\n" + b"x" * 500000)
            self.assertTrue(self.client.set("b", 1))
            raw.sendall(b"x" * 548569 + b"\r\n")
            self.assertEqual(raw.recv(100), b"+OK\r\n")
        self.assertEqual(self.client.strlen("a"), 1048569)


def door_of(standalone):
    serves = re.compile(r"redis at ([\d.]+):(\d+)")
    match = wait_for(lambda: serves.search((standalone.directory / "log").read_text()), "its door")
    return types.SimpleNamespace(host=match.group(1), port=int(match.group(2)), http=standalone.http)


class InMemoryTest(unittest.TestCase):
    """Tables that ebla-standalone makes in memory, from its flags alone."""

    @classmethod
    def setUpClass(cls):
        cls.standalone = Standalone(BIN_DIR, "--redis_listen=127.0.0.1:0", "--create_in_memory", "--create_memory_limit_mb=2")
        cls.addClassCleanup(cls.standalone.stop)
        cls.door = door_of(cls.standalone)

    def test_what_is_full_says_so_at_once(self):
        client = redis.Redis(host=self.door.host, port=self.door.port)
        client.set("few", "1", ex=1_000)
        began = time.monotonic()
        with self.assertRaisesRegex(redis.exceptions.ResponseError, "reached its limit of 2 MiB"):
            for number in range(100):
                client.set(f"many:{number}", "x" * 100_000)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(client.getdel("few"), b"1")
        self.assertEqual(client.delete("many:0"), 1)

    def test_info_and_config_tell_the_limit(self):
        client = redis.Redis(host=self.door.host, port=self.door.port)
        wait_for(lambda: client.config_get("maxmemory") == {"maxmemory": str(2 << 20)}, "the table's limit")
        memory = client.info("memory")
        self.assertEqual((memory["maxmemory"], memory["maxmemory_human"], memory["maxmemory_policy"]),
                         (2 << 20, "2.00M", "noeviction"))
        with self.assertRaisesRegex(redis.exceptions.ResponseError, "can't set immutable config"):
            client.config_set("maxmemory", 0)

    def test_flags_of_tables_that_nobody_asks_for(self):
        for flag, value in (("--create_in_memory", ""), ("--create_memory_limit_mb", "=2"), ("--create_evict", "=lru")):
            with self.assertRaisesRegex(RuntimeError, f"{flag} takes --redis_listen or --memcached_listen"):
                Standalone(BIN_DIR, flag + value)

    def test_each_metric_is_told_once(self):
        with urllib.request.urlopen(f"http://{self.door.http}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        described = [line.split()[2] for line in text.splitlines() if line.startswith("# HELP")]
        self.assertEqual(len(described), len(set(described)))
        samples = [line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")]
        self.assertEqual(len(samples), len(set(samples)))
        for role in ("tabletserver", "gateway"):
            self.assertRegex(text, f'ebla_build_info{{role="{role}"')


class WithinStandaloneTest(RedisTest):
    """The same, where ebla-standalone speaks Redis's protocol itself."""

    @classmethod
    def setUpClass(cls):
        cls.standalone = Standalone(BIN_DIR, "--redis_listen=127.0.0.1:0")
        cls.addClassCleanup(cls.standalone.stop)
        cls.gateway = door_of(cls.standalone)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("build_dir", type=pathlib.Path)
    arguments, rest = parser.parse_known_args()
    BIN_DIR = arguments.build_dir.resolve() / "bin"
    unittest.main(argv=[sys.argv[0], *rest], verbosity=1)
