#!/usr/bin/env python3
"""Many connections that change one key: by counting, by locks, in transactions and in scripts."""
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from redis_fixture import RedisFixture, WithinStandalone, in_threads, main  # noqa: E402

import redis  # noqa: E402


class RedisConcurrencyTest(RedisFixture):
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
                    # A write in between would be lost.
                    client.set("count", int(client.get("count") or 0) + 1)
                    inside.remove(number)
            done.append(number)

        in_threads(8, work)
        self.assertEqual((len(done), max(most), self.client.get("count")), (8, 1, b"80"))

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
        self.assertIn("user77", self.ebla("scan", "redis", "--json").stdout)
        split = self.ebla("tablet", "split", "redis", "--at", "\\x01\\x03user77", check=False)
        self.assertEqual(split.returncode, 0, split.stderr)
        for point in ("\\x01\\x03user78\\x00", "\\x01\\x03user78\\x00{user78}:b"):
            cut = self.ebla("tablet", "split", "redis", "--at", point, check=False)
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
        with self.another_gateway("--redis_transactions=each-group") as other:
            client = redis.Redis(other.host, other.port)
            self.assertEqual(client.pipeline().set("a", 1).set("b", 2).mget("a", "b").execute(),
                             [True, True, [b"1", b"2"]])
            client.close()

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


class RedisConcurrencyWithinStandaloneTest(WithinStandalone, RedisConcurrencyTest):
    pass


if __name__ == "__main__":
    main()
