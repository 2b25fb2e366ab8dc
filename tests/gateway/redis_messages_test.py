#!/usr/bin/env python3
"""Messages of channels: to subscribers at any gateway, to a client that takes none, and from scripts."""
import pathlib
import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from redis_fixture import RedisFixture, WithinStandalone, in_threads, main, wait_for  # noqa: E402

import redis  # noqa: E402


class RedisMessagesTest(RedisFixture):
    def test_messages_reach_who_listens_at_any_gateway(self):
        with self.another_gateway() as other:
            far = redis.Redis(other.host, other.port, socket_timeout=30)
            self.addCleanup(far.close)
            subscribers = []
            for client in (self.client, far):
                subscriber = client.pubsub(ignore_subscribe_messages=True)
                self.addCleanup(subscriber.close)
                subscriber.subscribe("news")
                subscriber.psubscribe("n?ws")
                subscribers.append(subscriber)
            wait_for(lambda: far.publish("other", "x") == 0 and self.client.pubsub_numsub("news") == [(b"news", 1)]
                     and far.pubsub_numsub("news") == [(b"news", 1)], "the subscriptions")
            # Each has two, by name and by pattern.
            wait_for(lambda: self.client.publish("first", "x") == 0 and self.client.publish("news", "begin") == 4,
                     "the other gateway")
            wait_for(lambda: far.publish("news", "begin") == 4, "the other gateway, from there")
            for number in range(100):
                self.assertEqual((self.client if number % 2 else far).publish("news", number), 4)
            for subscriber in subscribers:
                seen = {"message": [], "pmessage": []}
                while len(seen["pmessage"]) < 100:
                    message = wait_for(lambda: subscriber.get_message(timeout=1), "a message")
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
        subscriber = self.client.pubsub(ignore_subscribe_messages=True)
        self.addCleanup(subscriber.close)
        subscriber.subscribe("flood")
        publisher = self.connect()
        text = b"x" * 1_000_000
        counts = []
        for _ in range(200):
            counts.append(publisher.publish("flood", text))
            if counts[-1] == 1:
                break
            message = wait_for(lambda: subscriber.get_message(timeout=1), "a message")
            self.assertEqual(len(message["data"]), len(text))
        self.assertEqual((counts[0], counts[-1]), (2, 1))
        self.assertGreater(len(counts), 30)

    def test_messages_of_scripts_arrive(self):
        subscriber = self.client.pubsub(ignore_subscribe_messages=True)
        self.addCleanup(subscriber.close)
        subscriber.subscribe("news")
        wait_for(lambda: self.client.pubsub_numsub("news")[0][1] == 1, "the subscriber")

        def work(number):
            client = self.connect()
            for _ in range(10):
                client.eval("local n = redis.call('incr', KEYS[1]) return redis.call('publish', 'news', n)", 1, "n")

        in_threads(4, work)
        seen = []
        while len(seen) < 40:
            seen.append(int(wait_for(lambda: subscriber.get_message(timeout=1), "a message")["data"]))
        self.assertEqual(sorted(seen), list(range(1, 41)))
        self.assertIsNone(subscriber.get_message(timeout=0.2))


class RedisMessagesWithinStandaloneTest(WithinStandalone, RedisMessagesTest):
    pass


if __name__ == "__main__":
    main()
