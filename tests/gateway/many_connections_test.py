#!/usr/bin/env python3
"""Thousands of idle connections at ebla-gateway, one too many, and subscribers that do not read.

Measures their cost, and checks that other clients do not notice them."""
import pathlib
import resource
import socket
import statistics
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from processes import GatewayCase, main, wait_for  # noqa: E402

import redis  # noqa: E402

IDLE = 10_000
FILES = IDLE + 1_000  # of each process
BYTES_MAX = 8 << 10   # of an idle connection


class ManyConnectionsTest(GatewayCase):
    protocol = "redis"
    flags = (f"--connections_max={IDLE + 10}",)

    @classmethod
    def setUpClass(cls):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard != resource.RLIM_INFINITY and hard < FILES:
            raise unittest.SkipTest(f"a process may have {hard} files at most here, and this takes {FILES}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
        super().setUpClass()

    def setUp(self):
        self.client = redis.Redis(self.gateway.host, self.gateway.port, socket_timeout=60)
        self.addCleanup(self.client.close)
        self.client.set("a", "x")

    def connect(self):
        sock = socket.create_connection((self.gateway.host, self.gateway.port), timeout=60)
        self.addCleanup(sock.close)
        return sock

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.gateway.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))) << 10

    def latency(self, count=300):
        """The median of a GET, in milliseconds."""
        took = []
        for _ in range(count):
            begin = time.monotonic()
            self.assertEqual(self.client.get("a"), b"x")
            took.append(time.monotonic() - begin)
        return 1e3 * statistics.median(took)

    def test_idle_connections_cost_little(self):
        self.latency()
        before, alone = self.resident_bytes(), self.latency()
        idle = []
        for _ in range(IDLE):
            idle.append(self.connect())
            idle[-1].sendall(b"PING\r\n")
        for sock in idle:
            self.assertEqual(sock.recv(64), b"+PONG\r\n")
        each = (self.resident_bytes() - before) / IDLE
        crowded = self.latency()
        print(f"\n{IDLE} idle connections: {each:.0f} bytes each; "
              f"a GET takes {alone:.2f} ms alone, {crowded:.2f} ms beside them")
        self.assertGreaterEqual(self.client.info("clients")["connected_clients"], IDLE)
        self.assertLess(each, BYTES_MAX)
        self.assertLess(crowded, 5 * alone + 2)

        refused = b""
        for _ in range(20):
            sock = self.connect()
            sock.settimeout(0.5)
            try:
                refused = sock.recv(64)
            except (TimeoutError, ConnectionResetError):
                continue
            break
        self.assertEqual(refused, b"-ERR max number of clients reached\r\n")
        self.assertEqual(self.client.get("a"), b"x")
        for sock in idle:
            sock.close()
        wait_for(lambda: self.client.info("clients")["connected_clients"] < 100, "their end")

    def test_subscribers_that_do_not_read(self):
        reader = self.client.pubsub()
        self.addCleanup(reader.close)
        reader.subscribe("news")
        self.assertEqual(reader.get_message(timeout=20)["type"], "subscribe")
        slow = [self.connect() for _ in range(3)]
        for sock in slow:
            sock.sendall(b"SUBSCRIBE news\r\n")
        wait_for(lambda: self.client.pubsub_numsub("news")[0][1] == 4, "all who listen")
        alone = self.latency(100)
        message = b"m" * (64 << 10)
        other = redis.Redis(self.gateway.host, self.gateway.port, socket_timeout=60)
        self.addCleanup(other.close)
        got, slowest = 0, 0.0
        for number in range(800):  # 50 MiB: more than may wait for one
            other.publish("news", message)
            self.assertEqual(len(reader.get_message(timeout=20)["data"]), len(message), number)
            got += 1
            if number % 40 == 0:
                slowest = max(slowest, self.latency(10))
        print(f"\na GET takes {alone:.2f} ms alone, at most {slowest:.2f} ms while messages come and three do not read")
        self.assertEqual(got, 800)
        self.assertLess(slowest, 10 * alone + 10)
        wait_for(lambda: self.client.pubsub_numsub("news")[0][1] == 1, "the end of those that do not read")


if __name__ == "__main__":
    main()
