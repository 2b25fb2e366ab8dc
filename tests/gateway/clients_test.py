#!/usr/bin/env python3
"""Memcached's own clients before ebla-gateway: pymemcache, pylibmc, memccapable.

Also many connections that count with one key, and the operator's view of the gateway itself."""
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from processes import Gateway, GatewayCase, Standalone, main, wait_for  # noqa: E402

import pylibmc  # noqa: E402
from pymemcache.client.base import Client  # noqa: E402
from pymemcache.exceptions import MemcacheServerError, MemcacheUnexpectedCloseError  # noqa: E402



def ebla(masters, *words):
    done = subprocess.run([GatewayCase.bin_dir / "ebla", "--masters", masters, *words], capture_output=True, text=True,
                          timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"ebla {' '.join(words)}: {done.stderr}{done.stdout}")
    return done.stdout


def web_page_is_ended(connection):
    """Nothing of an HTTP request that a page could send runs, and the connection ends."""
    connection.sendall(b"version\r\n")
    while not connection.recv(4096).endswith(b"\n"):
        pass
    connection.sendall(b"POST / HTTP/1.1\r\nHost: cache\r\n\r\nset web 0 0 1\r\n1\r\nflush_all\r\n")
    return connection.recv(4096) == b""


class ClientsTest(GatewayCase):
    def setUp(self):
        self.client = Client((self.gateway.host, self.gateway.port), timeout=30)
        self.client.flush_all()
        self.addCleanup(self.client.close)

    def test_pymemcache(self):
        client = self.client
        self.assertTrue(client.set("a", b"1", expire=100, noreply=False))
        self.assertEqual(client.get("a"), b"1")
        self.assertEqual(client.get_many(["a", "b"]), {"a": b"1"})
        self.assertFalse(client.add("a", b"2", noreply=False))
        self.assertTrue(client.replace("a", b"3", noreply=False))
        self.assertTrue(client.append("a", b"4", noreply=False))
        self.assertTrue(client.prepend("a", b"2", noreply=False))
        value, cas = client.gets("a")
        self.assertEqual(value, b"234")
        self.assertTrue(client.cas("a", b"10", cas, noreply=False))
        self.assertFalse(client.cas("a", b"11", cas, noreply=False))
        self.assertIsNone(client.cas("none", b"11", cas, noreply=False))
        self.assertEqual(client.incr("a", 5), 15)
        self.assertEqual(client.decr("a", 6), 9)
        self.assertTrue(client.touch("a", 100, noreply=False))
        self.assertTrue(client.delete("a", noreply=False))
        self.assertFalse(client.delete("a", noreply=False))
        self.assertFalse(client.set_many({f"k{i}": str(i).encode() for i in range(500)}))
        self.assertEqual(client.get_many([f"k{i}" for i in range(500)]), {f"k{i}": str(i).encode() for i in range(500)})
        self.assertEqual(client.version(), b"1.6.18")
        self.assertIn(b"get_hits", client.stats())
        self.assertTrue(client.flush_all(noreply=False))
        self.assertIsNone(client.get("k1"))

    def test_pylibmc(self):
        client = pylibmc.Client([f"{self.gateway.host}:{self.gateway.port}"],
                                behaviors={"cas": True, "tcp_nodelay": True})
        for value in ("text", 42, 3.5, b"bytes", {"a": [1, None]}, "x" * 100_000):  # told apart by their flags
            self.assertTrue(client.set("a", value))
            self.assertEqual(client.get("a"), value)
        values = {f"k{i}": i for i in range(300)}
        self.assertEqual(client.set_multi(values), [])
        self.assertEqual(client.get_multi(list(values) + ["none"]), values)
        self.assertFalse(client.add("a", 1))
        self.assertTrue(client.set("n", 5))
        self.assertEqual(client.incr("n", 3), 8)
        self.assertEqual(client.decr("n"), 7)
        value, cas = client.gets("n")
        self.assertTrue(client.cas("n", 9, cas))
        self.assertFalse(client.cas("n", 9, cas))
        self.assertTrue(client.touch("n", 100))
        self.assertTrue(client.delete("n"))
        self.assertFalse(client.delete("n"))
        self.assertIsNone(client.get("n"))
        self.assertTrue(client.get_stats())
        self.assertTrue(client.flush_all())
        self.assertIsNone(client.get("a"))

    def test_memccapable(self):
        done = subprocess.run(["memccapable", "-a", "-h", self.gateway.host, "-p", str(self.gateway.port), "-t", "30"],
                              capture_output=True, text=True, timeout=120)
        results = re.findall(r"^(ascii [\w ]+?)\s*\[(\w+)\]", done.stdout, re.M)
        self.assertGreaterEqual(len(results), 25, done.stdout + done.stderr)
        self.assertEqual([name for name, result in results if result != "pass"], [], done.stdout)
        self.assertEqual(done.returncode, 0)

    def run_together(self, count, work):
        faults = []

        def one(number):
            try:
                client = Client((self.gateway.host, self.gateway.port), timeout=60, no_delay=True)
                work(client, number)
                client.close()
            except Exception as fault:  # told below, as a thread's would be lost
                faults.append(repr(fault))
        threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(faults, [])

    def test_many_count_with_one_key(self):
        for flags in (0, 7):  # the server's own increment; read and put
            self.client.set("n", b"0", flags=flags, noreply=False)
            sums = []

            def count(client, number):
                for _ in range(20):
                    sums.append(client.incr("n", 1))
            self.run_together(40, count)
            self.assertEqual(self.client.get("n"), b"800")
            self.assertEqual(sorted(sums), list(range(1, 801)), "each sum is somebody's, once")

    def test_many_count_down_with_one_key(self):
        self.client.set("n", b"400", noreply=False)
        self.run_together(20, lambda client, number: [client.decr("n", 1) for _ in range(20)])
        self.assertEqual(self.client.get("n").strip(), b"0")

    def test_cas_counters(self):
        self.client.set("n", b"0", noreply=False)

        def count(client, number):
            for _ in range(20):
                while True:
                    value, cas = client.gets("n")
                    if client.cas("n", str(int(value) + 1).encode(), cas, noreply=False):
                        break
        self.run_together(10, count)
        self.assertEqual(self.client.get("n"), b"200")

    def test_appends_of_many_are_all_there(self):
        self.client.set("a", b"", noreply=False)
        self.run_together(
            20, lambda client, number: [client.append("a", b"%02d" % number, noreply=False) for _ in range(10)])
        value = self.client.get("a")
        found = [value[i:i + 2] for i in range(0, len(value), 2)]
        self.assertEqual(sorted(found), sorted(b"%02d" % number for number in range(20) for _ in range(10)))

    def test_what_came_before_the_end_of_the_stream_runs(self):
        self.client.set("k", b"", noreply=False)
        with socket.create_connection((self.gateway.host, self.gateway.port), timeout=60) as connection:
            connection.sendall(b"append k 0 0 1 noreply\r\nx\r\n" * 3000)
        wait_for(lambda: len(self.client.get("k")) == 3000, "3000 bytes")
        self.client.set("a", b"x", noreply=False)
        with socket.create_connection((self.gateway.host, self.gateway.port), timeout=60) as connection:
            connection.sendall(b"get a\r\nget a\r\n")
            connection.shutdown(socket.SHUT_WR)
            got = b""
            while more := connection.recv(1 << 16):
                got += more
        self.assertEqual(got, b"VALUE a 0 1\r\nx\r\nEND\r\n" * 2)

    def test_a_pipeline_keeps_its_order(self):
        with socket.create_connection((self.gateway.host, self.gateway.port), timeout=60) as connection:
            text = wanted = b""
            for i in range(2000):
                text += b"set k%d 0 0 4\r\n%04d\r\nget k%d\r\nincr k%d 1\r\n" % (i % 50, i, i % 50, i % 50)
                wanted += b"STORED\r\nVALUE k%d 0 4\r\n%04d\r\nEND\r\n%d\r\n" % (i % 50, i, i + 1)
            threading.Thread(target=connection.sendall, args=(text,)).start()
            got = b""
            while len(got) < len(wanted):
                more = connection.recv(1 << 20)
                self.assertTrue(more)
                got += more
            self.assertEqual(got, wanted)

    def test_the_shell_sees_plain_values(self):
        self.client.set("seen", b"hello", noreply=False)
        self.assertIn("hello", ebla(self.standalone.thrift, "get", "cache", "seen"))
        ebla(self.standalone.thrift, "put", "cache", "put", "by the shell")
        self.assertEqual(self.client.get("put"), b"by the shell")
        ebla(self.standalone.thrift, "put", "cache", "alien", r"\x00\x63what", "--escapes")
        with self.assertRaisesRegex(MemcacheServerError, "kind 99"):
            self.client.get("alien")
        self.assertEqual(self.client.get("put"), b"by the shell")

    def test_whatever_clients_send_others_are_served(self):
        seed = int(os.environ.get("EBLA_TEST_SEED") or random.randrange(1 << 32))
        print(f"seed {seed}: EBLA_TEST_SEED={seed} says the same again")
        chance = random.Random(seed)
        words = [b"get", b"set", b"a", b"0", b"-1", b"1000000", b"2000000000", b"\r\n", b"\r\n", b"ms", b"mg", b"ma",
                 b"noreply",
                 b"incr", b"flush_all 1000", b"gat", b"\x00", b"\xff", b"quit", b"stats", b"b", b"v", b"k" * 300]
        held = []
        for _ in range(200):
            connection = socket.create_connection((self.gateway.host, self.gateway.port), timeout=30)
            text = b" ".join(chance.choice(words) for _ in range(chance.randrange(200)))
            if chance.random() < 0.3:
                text = chance.randbytes(chance.randrange(5000))
            try:
                connection.sendall(text)
            except OSError:  # it was closed for earlier bytes
                pass
            held.append(connection)
        self.client.set("well", b"x", noreply=False)
        for connection in held:
            connection.close()
        self.assertTrue(self.client.set("well", b"y", noreply=False))
        self.assertEqual(self.client.incr("none", 1), None)
        self.assertIsNone(self.gateway.process.poll())

    def test_a_web_page_runs_no_command(self):
        self.client.set("kept", b"x", noreply=False)
        with socket.create_connection((self.gateway.host, self.gateway.port), timeout=30) as connection:
            self.assertTrue(web_page_is_ended(connection))
        self.assertEqual(self.client.get_many(["kept", "web"]), {"kept": b"x"})

    def test_items_expire(self):
        self.client.set("soon", b"x", expire=1, noreply=False)
        self.client.set("later", b"x", expire=int(time.time()) + 1000, noreply=False)
        wait_for(lambda: self.client.get("soon") is None, "an item to expire")
        self.assertEqual(self.client.get("later"), b"x")

    def test_flush_all_with_a_delay(self):
        self.client.set("a", b"x", noreply=False)
        self.client.flush_all(delay=1, noreply=False)
        wait_for(lambda: self.client.get("a") is None, "the flush")

    def test_metrics_and_health(self):
        self.client.set("m", b"x", noreply=False)
        self.client.get("m")
        self.client.get("none")

        def page(path):
            with urllib.request.urlopen(f"http://{self.gateway.http}{path}", timeout=30) as answer:
                return answer.read().decode()
        self.assertEqual(page("/readyz").strip(), "ready")
        text = page("/metrics")
        for pattern in (r'ebla_gateway_commands_total{.*command="get".*} [1-9]',
                        r'ebla_gateway_hits_total{.*command="get".*} [1-9]',
                        r'ebla_gateway_misses_total{.*command="get".*} [1-9]', r"ebla_gateway_connections{.*} [1-9]",
                        r"ebla_gateway_sent_bytes_total{.*} [1-9]",
                        r'ebla_gateway_command_seconds_count{.*command="set".*} [1-9]'):
            self.assertRegex(text, pattern)


class SecureTest(GatewayCase):
    """Certificates on both sides: of the gateway to the cluster, and of its clients to it."""

    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="ebla-gateway.")
        cls.addClassCleanup(directory.cleanup)
        cls.certificates = pathlib.Path(directory.name)
        for words in ("create-ca", "create-server solo --hosts 127.0.0.1",
                      "create-server front --gateway --hosts 127.0.0.1",
                      "create-client olga --operator", "create-client gateway", "create-client ada"):
            name = words.split()[1] if " " in words else ""
            more = ["--ca", cls.certificates] if name else []
            subprocess.run([cls.bin_dir / "ebla", "cert", *words.split(), *more, "--dir", cls.certificates / name],
                           check=True,
                           stdout=subprocess.DEVNULL, timeout=30)
        cls.standalone = Standalone(cls.bin_dir, f"--tls_dir={cls.certificates / 'solo'}", "--password_logins")
        cls.addClassCleanup(cls.standalone.stop)
        olga = ["--tls-dir", cls.certificates / "olga"]
        ebla(cls.standalone.thrift, *olga, "table", "create", "cache")
        ebla(cls.standalone.thrift, *olga, "grant", "read,write", "everybody", "--table", "cache")
        # Within a second of the answer the grant is known.
        describe = [cls.bin_dir / "ebla", "--masters", cls.standalone.thrift, "--tls-dir", cls.certificates / "gateway",
                    "table", "describe", "cache"]
        wait_for(lambda: subprocess.run(describe, capture_output=True, timeout=30).returncode == 0, "the grant")
        cls.gateway = Gateway(cls.bin_dir, cls.standalone.thrift, f"--tls_dir={cls.certificates / 'gateway'}",
                              f"--listen_tls_dir={cls.certificates / 'front'}")
        cls.addClassCleanup(cls.gateway.stop)

    def context(self, who):
        context = ssl.create_default_context(cafile=self.certificates / "ca.crt")
        if who:
            context.load_cert_chain(self.certificates / who / "client.crt", self.certificates / who / "client.key")
        return context

    def store(self, client, value):
        def stored():
            try:
                return client.set("a", value, noreply=False)
            except MemcacheServerError:  # every process knows of the grant within a second
                return False
        wait_for(stored, "the grant")
        self.assertEqual(client.get("a"), value)

    def test_one_with_a_certificate_is_served(self):
        self.store(Client((self.gateway.host, self.gateway.port), timeout=30, tls_context=self.context("ada")),
                   b"x" * 500_000)

    def test_a_web_page_runs_no_command(self):
        with self.context("ada").wrap_socket(socket.create_connection((self.gateway.host, self.gateway.port),
                                                                      timeout=30),
                                             server_hostname=self.gateway.host) as connection:
            self.assertTrue(web_page_is_ended(connection))

    def test_the_gateway_may_log_in_by_a_password(self):
        password, authority = self.certificates / "password", self.certificates / "authority"
        password.touch(mode=0o600)
        password.write_text("correct horse battery staple\n")
        authority.mkdir()
        shutil.copy(self.certificates / "ca.crt", authority)
        ebla(self.standalone.thrift, "--tls-dir", self.certificates / "olga", "user", "create", "bob",
             "--new-password-file",
             password)
        with Gateway(self.bin_dir, self.standalone.thrift, f"--tls_dir={authority}", "--user=bob",
                     f"--password_file={password}") as gateway:
            self.store(Client((gateway.host, gateway.port), timeout=30), b"by bob")

    def test_the_certificate_of_a_process_of_the_cluster_is_refused(self):
        with self.assertRaisesRegex(RuntimeError, "(?s)ended with 2: .*create-server NAME --gateway"):
            Gateway(self.bin_dir, self.standalone.thrift, f"--tls_dir={self.certificates / 'gateway'}",
                    f"--listen_tls_dir={self.certificates / 'solo'}")

    def test_others_are_not(self):
        for context in (None, self.context(None)):
            client = Client((self.gateway.host, self.gateway.port), timeout=30, tls_context=context)
            with self.assertRaises((OSError, MemcacheUnexpectedCloseError)):
                client.get("a")


class OperationTest(GatewayCase):
    """Starts, refused starts with their reasons, and stops."""

    @classmethod
    def setUpClass(cls):
        cls.standalone = Standalone(cls.bin_dir)
        cls.addClassCleanup(cls.standalone.stop)

    def refused(self, *flags):
        gateway = Gateway(self.bin_dir, self.standalone.thrift, *flags, start=False)
        self.addCleanup(gateway.stop)
        self.assertNotEqual(gateway.process.wait(timeout=30), 0)
        return gateway.text()

    def test_a_table_that_is_not_there(self):
        self.assertIn("ebla table create nothing", self.refused("--memcached_table=nothing"))

    def test_flags_that_cannot_be(self):
        self.assertIn("bounded=500ms", self.refused("--read_level=fresh"))
        self.assertIn("majority, all or primary", self.refused("--ack=any"))
        self.assertIn('--threads cannot be "0": it takes a whole number from 1 to 64 threads',
                      self.refused("--threads=0"))
        self.assertIn("--insecure", self.refused("--memcached_listen=0.0.0.0:0"))
        self.assertIn("--insecure", self.refused("--http_listen=0.0.0.0:0"))

    def test_nobody_is_there(self):
        gateway = Gateway(self.bin_dir, "127.0.0.1:1", "--deadline_ms=500", start=False)
        self.addCleanup(gateway.stop)
        self.assertEqual(gateway.process.wait(timeout=30), 1)
        self.assertIn("127.0.0.1:1", gateway.text())

    def test_sigterm_ends_what_is_in_flight(self):
        with Gateway(self.bin_dir, self.standalone.thrift, "--create_table", "--memcached_table=ends") as gateway:
            with socket.create_connection((gateway.host, gateway.port), timeout=30) as connection:
                count = 100
                connection.sendall(b"".join(b"set k%d 0 0 1\r\nx\r\n" % i for i in range(count)) + b"mn\r\n")
                got = connection.recv(1 << 16)
                self.assertTrue(got)
                gateway.process.send_signal(signal.SIGTERM)
                while more := connection.recv(1 << 16):
                    got += more
            self.assertEqual(got.replace(b"STORED\r\n", b"").replace(b"MN\r\n", b""), b"")
            self.assertEqual(gateway.process.wait(timeout=30), 0)

    def test_sigterm_shuts_all_listeners_and_leaves_a_command_its_deadline(self):
        standalone = Standalone(self.bin_dir)
        self.addCleanup(standalone.stop)
        with Gateway(self.bin_dir, standalone.thrift, "--create_table", "--deadline_ms=6500",
                     "--redis_listen=127.0.0.1:0") as gateway:
            redis = re.search(r"redis at ([\d.]+):(\d+)", gateway.text())
            with socket.create_connection((gateway.host, gateway.port), timeout=30) as connection:
                connection.sendall(b"set a 0 0 1\r\nx\r\n")
                self.assertEqual(connection.recv(1 << 16), b"STORED\r\n")
                standalone.process.send_signal(signal.SIGSTOP)
                self.addCleanup(standalone.process.send_signal, signal.SIGCONT)
                threads = pathlib.Path(f"/proc/{standalone.process.pid}/task")
                # A busy machine may stop the threads at different moments.
                wait_for(lambda: all(stat.read_text().rpartition(")")[2].split()[0] == "T"
                                     for stat in threads.glob("*/stat")),
                         "the server's stop")
                connection.sendall(b"set a 0 0 1\r\ny\r\nmn\r\n")

                def under_way():
                    with urllib.request.urlopen(f"http://{gateway.http}/metrics", timeout=30) as answer:
                        return re.search(r'ebla_gateway_in_flight\{[^}]*memcached[^}]*\} 1', answer.read().decode())
                wait_for(under_way, "the command to begin")
                gateway.process.send_signal(signal.SIGTERM)

                def shut(host, port):
                    try:
                        socket.create_connection((host, port), timeout=5).close()
                        return False
                    except OSError:
                        return True
                wait_for(lambda: shut(gateway.host, gateway.port), "the first listener", seconds=4)
                wait_for(lambda: shut(redis.group(1), int(redis.group(2))), "the second listener", seconds=4)
                self.assertRegex(connection.recv(1 << 16), rb"^SERVER_ERROR (DEADLINE_EXCEEDED|UNKNOWN_OUTCOME)")

    def test_a_cluster_that_is_gone_is_an_error(self):
        standalone = Standalone(self.bin_dir)
        self.addCleanup(standalone.stop)
        with Gateway(self.bin_dir, standalone.thrift, "--create_table", "--deadline_ms=1000") as gateway:
            client = Client((gateway.host, gateway.port), timeout=30)
            client.set("a", b"x", noreply=False)
            standalone.process.kill()
            standalone.process.wait()
            with self.assertRaises(MemcacheServerError):
                client.get("a")
            with self.assertRaises(MemcacheServerError):
                client.set("a", b"y", noreply=False)
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"http://{gateway.http}/readyz", timeout=30)
            self.assertEqual(caught.exception.code, 503)

    def test_weaker_levels(self):
        with Gateway(self.bin_dir, self.standalone.thrift, "--create_table", "--memcached_table=weak",
                     "--read_level=bounded=1s",
                     "--ack=primary") as gateway:
            client = Client((gateway.host, gateway.port), timeout=30)
            client.set("a", b"x", noreply=False)
            wait_for(lambda: client.get("a") == b"x", "the value")


if __name__ == "__main__":
    main()
