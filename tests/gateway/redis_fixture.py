"""Redis listeners for the tests of Redis's clients: ebla-gateway's, and ebla-standalone's own."""
import pathlib
import re
import subprocess
import sys
import threading
import types

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from processes import Gateway, GatewayCase, Standalone, main, wait_for  # noqa: E402

import redis  # noqa: E402


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


def listener_of(standalone):
    serves = re.compile(r"redis at ([\d.]+):(\d+)")
    match = wait_for(lambda: serves.search((standalone.directory / "log").read_text()), "its listener")
    return types.SimpleNamespace(host=match.group(1), port=int(match.group(2)), http=standalone.http)


class RedisFixture(GatewayCase):
    """A gateway before an ebla-standalone, and a client of it, which finds an empty database."""

    protocol = "redis"

    def setUp(self):
        self.client = self.connect()
        self.client.flushdb()

    def connect(self, **more):
        client = redis.Redis(self.gateway.host, self.gateway.port, socket_timeout=30, **more)
        self.addCleanup(client.close)
        return client

    def another_gateway(self, *flags):
        return Gateway(self.bin_dir, self.standalone.thrift, *flags, protocol="redis")

    def ebla(self, *words, check=True):
        return subprocess.run([self.bin_dir / "ebla", "--masters", self.standalone.thrift, *words], capture_output=True,
                              text=True, check=check, timeout=60)


class WithinStandalone:
    """Mixed into tests: the same, where ebla-standalone speaks Redis's protocol itself."""

    @classmethod
    def setUpClass(cls):
        cls.standalone = Standalone(cls.bin_dir, "--redis_listen=127.0.0.1:0")
        cls.addClassCleanup(cls.standalone.stop)
        cls.gateway = listener_of(cls.standalone)


__all__ = ["RedisFixture", "Standalone", "WithinStandalone", "listener_of", "in_threads", "main", "wait_for"]
