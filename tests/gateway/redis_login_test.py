#!/usr/bin/env python3
"""Redis's clients log in at ebla-gateway as users of a secured cluster, and may do what these may."""
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from processes import Gateway, GatewayCase, Standalone, main, wait_for  # noqa: E402

import redis  # noqa: E402



class RedisLoginTest(GatewayCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="ebla-logins."))
        cls.addClassCleanup(subprocess.run, ["rm", "-r", cls.directory], check=True)
        cls.ebla("cert", "create-ca", "--dir", cls.directory / "ca")
        cls.ebla("cert", "create-server", "standalone", "--hosts", "127.0.0.1", "--ca", cls.directory / "ca", "--dir",
                 cls.directory / "server")
        cls.ebla("cert", "create-client", "olga", "--operator", "--ca", cls.directory / "ca", "--dir",
                 cls.directory / "olga")
        cls.standalone = Standalone(cls.bin_dir, f"--tls_dir={cls.directory / 'server'}", "--password_logins")
        cls.addClassCleanup(cls.standalone.stop)
        for user in ("gateway", "ada", "bob", "default"):
            cls.new_password(user, user + "-secret")
            cls.operator("user", "create", user, "--new-password-file", cls.directory / user)
        cls.operator("table", "create", "redis", "--key-group", r"\x00")
        cls.operator("table", "create", "private", "--key-group", r"\x00")
        for user, table in (("gateway", "redis"), ("ada", "redis"), ("ada", "private"), ("default", "redis")):
            cls.operator("grant", "read,write", user, "--table", table)
        cls.operator("grant", "read", "bob", "--table", "redis")
        cls.gateway = cls.start_gateway("--redis_login")

    @classmethod
    def start_gateway(cls, *flags):
        flags = [f"--tls_dir={cls.directory / 'olga'}", "--user=gateway",
                 f"--password_file={cls.directory / 'gateway'}", *flags]
        gateway = wait_for(lambda: cls.try_gateway(flags), "a gateway, once grants are known")
        cls.addClassCleanup(gateway.stop)
        return gateway

    @classmethod
    def try_gateway(cls, flags):
        try:
            return Gateway(cls.bin_dir, cls.standalone.thrift, *flags, protocol="redis")
        except RuntimeError as failure:
            if "PERMISSION_DENIED" in str(failure):
                return None
            raise

    @classmethod
    def new_password(cls, user, password):
        path = cls.directory / user
        path.write_text(password + "\n")
        os.chmod(path, 0o600)

    @classmethod
    def ebla(cls, *words):
        subprocess.run([cls.bin_dir / "ebla", *words], check=True, capture_output=True, timeout=60)

    @classmethod
    def operator(cls, *words):
        cls.ebla("--masters", cls.standalone.thrift, "--tls-dir", cls.directory / "olga", *words)

    def connect(self, **more):
        client = redis.Redis(self.gateway.host, self.gateway.port, socket_timeout=30, **more)
        self.addCleanup(client.close)
        return client

    def test_nothing_before_a_login(self):
        client = self.connect()
        for command in (["GET", "a"], ["PING"], ["INFO"], ["MULTI"], ["PUBLISH", "c", "x"], ["SUBSCRIBE", "c"],
                        ["EBLA.DELIVER", "CHANNEL", "c", "x"], ["CONFIG", "GET", "*"], ["SELECT", "1"],
                        ["CLIENT", "LIST"]):
            with self.assertRaisesRegex(redis.AuthenticationError, "Authentication required", msg=command):
                client.execute_command(*command)

    def test_each_may_do_what_its_user_may(self):
        ada = self.connect(username="ada", password="ada-secret")
        bob = self.connect(username="bob", password="bob-secret")
        self.assertTrue(ada.set("a", 1))
        self.assertEqual(bob.get("a"), b"1")
        with self.assertRaisesRegex(redis.exceptions.NoPermissionError, "lacks a grant of write"):
            bob.set("a", 2)
        with self.assertRaisesRegex(redis.exceptions.NoPermissionError, "lacks a grant of write"):
            bob.pipeline().set("a", 2).incr("a").execute()
        self.assertTrue(ada.execute_command("SELECT", "private"))
        with self.assertRaises(redis.exceptions.NoPermissionError):
            bob.execute_command("SELECT", "private")
        self.assertEqual(sorted({line["user"] for line in bob.client_list()} & {"ada", "bob"}), ["ada", "bob"])

    def test_a_password_alone_is_the_default_user(self):
        self.assertTrue(self.connect(password="default-secret").set("d", 1))

    def test_hello_logs_in_too(self):
        client = self.connect()
        self.assertEqual(client.execute_command("HELLO", "2", "AUTH", "ada", "ada-secret")[1], b"redis")
        with self.assertRaisesRegex(redis.AuthenticationError, "HELLO must be called"):
            self.connect().execute_command("HELLO", "2")

    def say(self, *commands):
        """Sends all at once on a new connection, which the last command ends, and returns all answers."""
        said = b"".join(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
                        for words in commands)
        with socket.create_connection((self.gateway.host, self.gateway.port), timeout=30) as connection:
            sender = threading.Thread(target=connection.sendall, args=[said])
            sender.start()
            heard = b"".join(iter(lambda: connection.recv(65536), b""))
            sender.join()
            return heard

    def test_a_pipeline_goes_on_behind_its_login(self):
        puts = [[b"SET", b"{p}%d" % number, b"x" * 100_000] for number in range(8)]
        self.assertEqual(self.say([b"AUTH", b"ada", b"ada-secret"], [b"MULTI"], *puts, [b"EXEC"], [b"QUIT"]),
                         b"+OK\r\n+OK\r\n" + b"+QUEUED\r\n" * 8 + b"*8\r\n" + b"+OK\r\n" * 9)
        self.assertEqual(self.say([b"MULTI"], [b"EXEC"], [b"QUIT"]),
                         b"-NOAUTH Authentication required.\r\n" * 2 + b"+OK\r\n")
        self.assertIn(b"unauthenticated bulk length", self.say([b"SET", b"a", b"x" * 16_385]))

    def test_nothing_runs_behind_a_kill_of_oneself(self):
        heard = self.say([b"AUTH", b"ada", b"ada-secret"], [b"SET", b"killed", b"0"],
                         [b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"no", b"LADDR",
                          b"127.0.0.1:%d" % self.gateway.port],
                         [b"SET", b"killed", b"1"], [b"GET", b"killed"])
        self.assertRegex(heard, rb"^\+OK\r\n\+OK\r\n:\d+\r\n$")
        self.assertEqual(self.connect(username="ada", password="ada-secret").get("killed"), b"0")

    def test_wrong_names_and_passwords(self):
        for user, password in (("ada", "bob-secret"), ("nobody", "ada-secret"), ("ada", "")):
            with self.assertRaisesRegex(redis.RedisError, "WRONGPASS"):
                self.connect().execute_command("AUTH", user, password)

    def test_one_that_begins_anew_is_out(self):
        client = self.connect(username="ada", password="ada-secret", single_connection_client=True)
        self.assertTrue(client.ping())
        client.execute_command("RESET")
        with self.assertRaisesRegex(redis.AuthenticationError, "Authentication required"):
            client.execute_command("GET", "a")

    def test_messages_among_gateways_that_want_a_login(self):
        """They log in at each other over TLS alone."""
        for words in ("create-server front --gateway --hosts 127.0.0.1", "create-client shown"):
            self.ebla("cert", *words.split(), "--ca", self.directory / "ca", "--dir", self.directory / words.split()[1])
        shown = self.directory / "shown"
        tls = {"ssl": True, "ssl_ca_certs": shown / "ca.crt", "ssl_certfile": shown / "client.crt",
               "ssl_keyfile": shown / "client.key"}
        here, there = (self.start_gateway("--redis_login",
                                          f"--listen_tls_dir={self.directory / 'front'}") for _ in range(2))
        publisher, far = (redis.Redis(at.host, at.port, socket_timeout=30, username="ada", password="ada-secret", **tls)
                          for at in (here, there))
        self.addCleanup(publisher.close)
        self.addCleanup(far.close)
        subscriber = far.pubsub()
        self.addCleanup(subscriber.close)
        subscriber.subscribe("news")
        wait_for(lambda: publisher.publish("news", "x") == 1, "the other gateway")

    def test_channels_take_the_grants_of_keys(self):
        ada = self.connect(username="ada", password="ada-secret")
        bob = self.connect(username="bob", password="bob-secret")
        for command in (["PUBLISH", "news", "x"], ["SPUBLISH", "news", "x"], ["EBLA.DELIVER", "CHANNEL", "news", "x"],
                        ["EVAL", "return redis.call('publish', 'news', 'x')", "0"]):
            with self.assertRaisesRegex(redis.RedisError, "lacks a grant of write", msg=command):
                bob.execute_command(*command)
        subscriber = bob.pubsub()
        self.addCleanup(subscriber.close)
        subscriber.subscribe("news")
        subscriber.psubscribe("n*")
        self.assertEqual([subscriber.get_message(timeout=20)["type"] for _ in range(2)], ["subscribe", "psubscribe"])
        wait_for(lambda: ada.publish("news", "x") == 2, "both of bob's")
        self.assertEqual(subscriber.get_message(timeout=20)["data"], b"x")

        self.new_password("dora", "dora-secret")
        self.operator("user", "create", "dora", "--new-password-file", self.directory / "dora")
        self.operator("grant", "read", "dora", "--table", "redis", "--prefix", "news.")
        dora = self.connect(username="dora", password="dora-secret")
        sport = wait_for(lambda: self.try_to_listen(dora, "news.sport"), "the grant")
        self.addCleanup(sport.close)
        self.try_to_listen(dora, "news.*", pattern=True).close()
        for name, pattern in (("news", False), ("other", False), ("n*", True), ("*", True)):
            self.assertIsNone(self.try_to_listen(dora, name, pattern), name)

    @staticmethod
    def try_to_listen(client, name, pattern=False):
        subscriber = client.pubsub()
        subscriber.psubscribe(name) if pattern else subscriber.subscribe(name)
        try:
            subscriber.get_message(timeout=20)
            return subscriber
        except redis.exceptions.NoPermissionError:
            subscriber.close()
            return None

    def test_a_key_without_a_grant_fails_itself_alone(self):
        ada = self.connect(username="ada", password="ada-secret")
        ada.mset({"mail.1": "m"})
        ada.set("secret", "s")
        self.new_password("eve", "eve-secret")
        self.operator("user", "create", "eve", "--new-password-file", self.directory / "eve")
        self.operator("grant", "read,write", "eve", "--table", "redis", "--prefix", "mail.")
        eve = self.connect(username="eve", password="eve-secret")
        wait_for(lambda: self.reads(eve, "mail.1"), "the grant")
        pipe = eve.pipeline(transaction=False)
        for key in ("mail.1", "secret", "mail.2", "mail.1"):
            pipe.get(key)
        for key in ("mail.3", "secret", "mail.4"):
            pipe.set(key, "new")
        pipe.incr("mail.count").incr("secret.count").get("mail.4")
        answers = pipe.execute(raise_on_error=False)
        refused = [at for at, answer in enumerate(answers) if isinstance(answer, redis.exceptions.NoPermissionError)]
        self.assertEqual(refused, [1, 5, 8], answers)
        self.assertEqual(answers, [b"m", answers[1], None, b"m", True, answers[5], True, 1, answers[8], b"new"])
        self.assertEqual(ada.get("secret"), b"s")

    @staticmethod
    def reads(client, key):
        try:
            return client.get(key)
        except redis.exceptions.RedisError:
            return None

    def test_scripts_are_each_users_own(self):
        ada = self.connect(username="ada", password="ada-secret")
        bob = self.connect(username="bob", password="bob-secret")
        sha = ada.script_load("return 7")
        self.assertEqual(bob.script_exists(sha), [False])
        bob.script_flush()
        self.assertEqual(ada.evalsha(sha, 0), 7)
        with self.assertRaisesRegex(redis.RedisError, "No scripts in execution"):
            bob.script_kill()

    def test_without_the_flag_who_does_not_log_in_is_the_gateway(self):
        other = self.start_gateway()
        client = redis.Redis(other.host, other.port)
        self.addCleanup(client.close)
        self.assertTrue(client.set("g", 1))
        bob = redis.Redis(other.host, other.port, username="bob", password="bob-secret")
        self.addCleanup(bob.close)
        with self.assertRaises(redis.exceptions.NoPermissionError):
            bob.set("g", 2)

    def test_zz_a_dropped_user_is_out(self):
        self.new_password("carl", "carl-secret")
        self.operator("user", "create", "carl", "--new-password-file", self.directory / "carl")
        self.operator("grant", "read", "carl", "--table", "redis")
        client = self.connect(username="carl", password="carl-secret")

        def reads():
            try:
                return client.get("nothing") is None
            except redis.RedisError:
                return False

        wait_for(reads, "the grant")
        self.operator("user", "drop", "carl")
        wait_for(lambda: not reads(), "the user's end")

    def test_zzz_guesses_are_bounded(self):
        refused = []
        for number in range(20):
            try:
                self.connect().execute_command("AUTH", "ada", f"guess{number}")
            except redis.RedisError as failure:
                refused.append(str(failure))
        self.assertRegex(refused[-1], "too many (wrong passwords|logins)")
        self.assertIn("WRONGPASS", refused[0])


if __name__ == "__main__":
    main()
