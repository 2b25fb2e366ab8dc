#!/usr/bin/env python3
"""The client of client.py, written from docs/design/client-protocol.md alone, against real servers.

Run:    protocol_test.py BIN_DIR [unittest's arguments]. The modules of the IDL are those that the page's own commands
        generate, in a directory that has nothing but thrift/.
Bounds: LIFE seconds in all. The system chooses the ports. Its processes end with it, also when it is killed.
"""
import logging
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

BIN = pathlib.Path(sys.argv.pop(1)).resolve()
SOURCE = pathlib.Path(__file__).resolve().parents[2]
ROOT = pathlib.Path(tempfile.mkdtemp(prefix="ebla-protocol."))


def generate():
    """Runs the commands of the page's section on generating code; gives the path that they export."""
    page = (SOURCE / "docs/design/client-protocol.md").read_text()
    commands = re.search(r"^## Generating code\n.*?^```sh\n(.*?)^```$", page, re.M | re.S).group(1)
    (ROOT / "thrift").symlink_to(SOURCE / "thrift")
    shown = subprocess.run(
        ["bash", "-e", "-c", commands + "echo $PYTHONPATH"], cwd=ROOT, capture_output=True, text=True
    )
    if shown.returncode != 0:
        shutil.rmtree(ROOT)
        sys.exit(f"the page's commands fail:\n{commands}{shown.stderr}")
    return shown.stdout.splitlines()[-1]


sys.path.insert(0, generate())

from client import Client, Failure, near_below  # noqa: E402
from session import Session, common  # noqa: E402
from ebla.master import MasterService  # noqa: E402
from ebla.master.ttypes import (ClusterInfoRequest, CreateTableRequest, DescribeTableRequest,  # noqa: E402
                                LocateRequest, SplitTabletRequest)
from ebla.tablet import TabletService  # noqa: E402
from ebla.tablet.ttypes import (Condition, ConditionKind, EchoRequest, GetRequest, ReadOptions,  # noqa: E402
                                RequestHeader, Write, WriteKind, WriteRequest)
from ebla.types.ttypes import Code, KeyRange, ReadLevel, TableOptions, WriteLevel  # noqa: E402

LIFE = 100
STRONG, SESSION, BOUNDED, EVENTUAL = ReadLevel.STRONG, ReadLevel.SESSION, ReadLevel.BOUNDED, ReadLevel.EVENTUAL
SMALL = ["--disk_reserve_mb=0", "--cache_mb=64"]


def put(key, value, **rest):
    return Write(kind=WriteKind.PUT, key=key, value=value, **rest)


def add(key, delta=1):
    return Write(kind=WriteKind.INCREMENT, key=key, delta=delta)


def delete(key, **rest):
    return Write(kind=WriteKind.DELETE, key=key, **rest)


def create(client, name, borders=(), **options):
    request = CreateTableRequest(name=name, options=TableOptions(**options), splitPoints=list(borders),
                                 deadlineMs=20_000)
    client.ask_master("createTable", request, time.monotonic() + 30)
    return client.open(name)


def until(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class ProtocolCase(unittest.TestCase):
    masters = []

    def client(self, **options):
        client = Client(self.masters, **options)
        self.addCleanup(client.close)
        return client

    def assertCode(self, code, function, *arguments, **named):
        with self.assertRaises(Failure) as caught:
            function(*arguments, **named)
        self.assertEqual(Code._VALUES_TO_NAMES[caught.exception.code], Code._VALUES_TO_NAMES[code], caught.exception)


class OneServerCase(ProtocolCase):
    flags = []

    @classmethod
    def setUpClass(cls):
        data = ROOT / cls.__name__
        output = open(ROOT / f"{cls.__name__}.output", "w")
        cls.addClassCleanup(output.close)
        cls.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", BIN / "ebla-standalone", f"--data_dir={data}",
             "--listen=127.0.0.1:0", "--http_listen=127.0.0.1:0", *SMALL, *cls.flags], stdout=output, stderr=output)
        cls.addClassCleanup(cls.process.wait, 10)
        cls.addClassCleanup(cls.process.kill)
        address = data / "ADDRESS"
        until(lambda: address.exists() and address.read_text().count("\n") >= 2, "the server listens")
        where = dict(line.split() for line in address.read_text().splitlines())
        host, port = next(iter(where.values())).rsplit(":", 1)
        cls.masters = [(host, int(port))]


class OneServerTest(OneServerCase):
    def test_writes_and_reads(self):
        client = self.client()
        table = create(client, "basics")
        first = client.write(table, [put(b"a", b"1")])
        self.assertEqual(client.get(table, b"a").value, b"1")
        self.assertEqual(client.get(table, b"a").version, first.version)
        self.assertIsNone(client.get(table, b"b"))
        self.assertIsNotNone(client.write(table, [delete(b"b")]).version, "to delete an absent key is OK")
        exists = Condition(ConditionKind.EXISTS)
        self.assertCode(Code.CONDITION_FAILED, client.write, table, [delete(b"b", condition=exists)])
        self.assertCode(Code.CONDITION_FAILED, client.write, table,
                        [put(b"c", b"1"), put(b"a", b"2", condition=Condition(ConditionKind.ABSENT))])
        self.assertIsNone(client.get(table, b"c"))
        version_is = Condition(ConditionKind.VERSION_IS, first.version)
        client.write(table, [put(b"a", b"2", condition=version_is), put(b"c", b"3")])
        self.assertCode(Code.CONDITION_FAILED, client.write, table, [put(b"a", b"4", condition=version_is)])
        self.assertEqual(client.write(table, [add(b"n", 5), add(b"m", -2)]).counters, [5, -2])
        self.assertCode(Code.INVALID_ARGUMENT, client.write, table, [put(b"a", b"x"), add(b"a")])
        records = client.multi_get(table, [b"a", b"b", b"c"])
        self.assertEqual([record and record.value for record in records.values()], [b"2", None, b"3"])
        self.assertEqual(client.write(table, [put(b"big", b"x" * (1 << 20))]).failedIndex, None)
        self.assertEqual(len(client.get(table, b"big").value), 1 << 20)
        self.assertCode(Code.NO_SUCH_TABLE, client.open, "none")

    def test_scans_both_ways_over_awkward_borders(self):
        client = self.client()
        borders = [b"b", b"m", b"m\0", b"m\0\0", b"n" * 256, b"\xff\xff\xff"]
        table = create(client, "scans", borders)
        keys = sorted({b"a", b"m", b"m\0", b"m\0\0", b"m\0\0a", b"l\xff\xff", b"n" * 256, b"n" * 300,
                       b"n" * 255 + b"m\xff", b"\xff", b"\xff" * 3, b"\xff" * 4000,
                       *(b"k%03d" % i for i in range(100))})
        for key in keys:
            client.write(table, [put(key, key[:10] * 3)])
        ends = [b"", b"b", b"k050", b"m", b"m\0", b"m\0\0", b"m\0\0\0", b"n", b"n" * 256, b"n" * 300, b"o",
                b"\xff" * 3, b"\xff" * 300]
        for start in (b"", b"a", b"k020", b"m\0"):
            for end in (end for end in ends if not end or start <= end):
                wanted = [key for key in keys if start <= key and (not end or key < end)]
                for page in (0, 200):
                    there = [key for key, _ in client.scan(table, start, end, page=page)]
                    back = [key for key, _ in client.scan(table, start, end, reverse=True, page=page)]
                    self.assertEqual((there, back), (wanted, wanted[::-1]), (start, end, page))
        self.assertEqual([key for key, _ in client.scan(table, b"k", reverse=True, end=b"k9", limit=3)],
                         [b"k099", b"k098", b"k097"])
        before = client.attempts
        client.scan(table, reverse=True, end=b"m\0", limit=1)
        self.assertEqual(client.attempts - before, 1, "near_below finds the right tablet at once")

    def test_a_write_learns_the_tablet_time_that_it_lacks(self):
        client = self.client()
        table = create(client, "times")
        client.write(table, [add(b"n")])
        place = client.places[table][0]
        for wrong, attempts in ((None, 2), (place.time - 3_600_000, 2), (place.time + 3_600_000, 2)):
            before, counter = client.attempts, int(client.get(table, b"n").value)
            place.hear(wrong)
            client.attempts = before
            self.assertEqual(client.write(table, [add(b"n")]).counters, [counter + 1], wrong)
            self.assertEqual(client.attempts - before, attempts, wrong)
        request = LocateRequest(tableId=table, range=KeyRange(b"", b""))
        until(lambda: client.ask_master("locate", request, time.monotonic() + 10).tablets[0].tabletTimeMs,
              "look-ups tell each tablet's time")
        client.forget(table, place)
        before = client.attempts
        client.write(table, [add(b"n")])
        self.assertEqual(client.attempts - before, 2, "a look-up, and a write that needs to learn nothing")

    def direct(self, client, table, sequence, first, when, writes):
        request = WriteRequest(header=RequestHeader(tableId=table, tabletTimeMs=when), clientId=client.id,
                               sequence=sequence, firstIncomplete=first, writes=writes)
        return client.call(TabletService, self.masters[0], "write", request, 5)

    def test_sequences(self):
        client = self.client()
        table = create(client, "sequences")
        when = client.write(table, [add(b"n")]).header.tabletTimeMs
        self.assertEqual(self.direct(client, table, 1, 1, when, [add(b"n")]).counters, [1], "a retry, by the window")
        self.assertEqual(self.direct(client, table, 1, 1, when, [add(b"n", 2)]).header.code, Code.INVALID_ARGUMENT)
        self.assertEqual(self.direct(client, table, 1025, 2, when, [add(b"n")]).counters, [2])
        self.assertEqual(self.direct(client, table, 1026, 2, when, [add(b"n")]).header.code, Code.COME_AGAIN)
        self.assertEqual(self.direct(client, table, 1026, 3, when, [add(b"n")]).counters, [3])
        self.assertEqual(self.direct(client, table, 2, 2, when, [add(b"n")]).header.code, Code.INVALID_ARGUMENT)

    def test_frames(self):
        client = self.client()
        with socket.create_connection(self.masters[0], 5) as raw:
            raw.sendall((16 << 20 | 1).to_bytes(4, "big"))
            self.assertEqual(raw.recv(1), b"", "a frame of more than 16 MiB ends the connection")
        reply = client.call(TabletService, self.masters[0], "echo", EchoRequest(payload=b"x" * (15 << 20)), 20)
        self.assertEqual(len(reply.payload), 15 << 20)


class SecureServerTest(OneServerCase):
    """With Python's own TLS, and one process that is its own master."""

    @classmethod
    def setUpClass(cls):
        cls.certificates = ROOT / "certificates"
        for arguments in ("create-ca", "create-server solo --hosts 127.0.0.1", "create-client olga --operator",
                          "create-client ada"):
            name = arguments.split()[1] if " " in arguments else ""
            more = ["--ca", cls.certificates] if name else []
            subprocess.run(
                [BIN / "ebla", "cert", *arguments.split(), *more, "--dir", cls.certificates / name],
                check=True,
                stdout=subprocess.DEVNULL,
                timeout=30,
            )
        cls.flags = [f"--tls_dir={cls.certificates / 'solo'}"]
        super().setUpClass()

    def tls(self, who):
        directory = self.certificates / who
        context = ssl.create_default_context(cafile=directory / "ca.crt")
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(directory / "client.crt", directory / "client.key")
        return context

    def test_a_user_reads_and_writes_what_an_operator_made(self):
        table = create(self.client(tls=self.tls("olga")), "basics", [b"m"])
        user = self.client(tls=self.tls("ada"))
        self.assertCode(Code.PERMISSION_DENIED, user.write, table, [put(b"a", b"1")])
        host, port = self.masters[0]
        subprocess.run(
            [
                BIN / "ebla",
                "--masters",
                f"{host}:{port}",
                "--tls-dir",
                self.certificates / "olga",
                "grant",
                "read,write",
                "everybody",
                "--table",
                "basics",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=30,
        )

        def may_write():
            try:
                user.write(table, [put(b"a", b"1")])
                return True
            except Failure as failure:
                self.assertEqual(failure.code, Code.PERMISSION_DENIED)
                return False
        until(may_write, "the server knows of the grant")
        user.write(table, [put(b"z", b"2" * (1 << 20))])
        self.assertEqual(user.get(table, b"a").value, b"1")
        self.assertEqual(len(user.get(table, b"z").value), 1 << 20)
        with self.assertRaises(Failure) as refused:
            create(user, "mine")
        self.assertIn("lacks a grant of admin of every table", str(refused.exception))
        with self.assertRaises(Failure):
            self.client(deadline=2.0).open("basics")  # in the clear


class ClusterTest(ProtocolCase):
    @classmethod
    def cluster(cls, *arguments):
        done = subprocess.run([BIN / "ebla-cluster", *arguments, "--dir", ROOT / "cluster"], capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    @classmethod
    def setUpClass(cls):
        with socket.socket() as usual:  # while its usual ports are taken, the launcher lets the system choose
            try:
                usual.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                usual.bind(("127.0.0.1", 7398))
                usual.listen()
            except OSError:
                pass  # another process has it
            cls.addClassCleanup(cls.cluster, "stop")
            cls.cluster("start", "--masters", "2", "--servers", "3", *(f"--server_flag={flag}" for flag in SMALL))
        status = cls.cluster("status").rsplit("EBLA_MASTERS=", 1)[1].split()[0]
        cls.masters = [(host, int(port)) for host, port in (text.rsplit(":", 1) for text in status.split(","))]

    def restart(self, *names):
        self.cluster("restart", *names)

    def master_names(self, client):
        """By address, as any master tells."""
        reply = client.call(MasterService, self.masters[0], "clusterInfo", ClusterInfoRequest(), 5)
        return {(one.endpoint.host, one.endpoint.port): one.name for one in reply.masters}

    def test_a_standby_names_the_leader_and_answers_for_the_cluster_alone(self):
        client = self.client()
        create(client, "standby")
        standby = next(one for one in self.masters if one != client.leader)
        reply = client.call(MasterService, standby, "describeTable", DescribeTableRequest(name="standby"), 5)
        self.assertEqual((reply.header.code, (reply.header.leader.host, reply.header.leader.port)),
                         (Code.NOT_PRIMARY, client.leader))
        reply = client.call(MasterService, standby, "clusterInfo", ClusterInfoRequest(), 5)
        self.assertEqual((reply.header.code, reply.leading), (Code.OK, False))
        other = Client([standby])
        self.addCleanup(other.close)
        self.assertGreater(other.open("standby"), 0)
        self.assertEqual(other.leader, client.leader)

    def test_every_level(self):
        client = self.client()
        table = create(client, "levels", [b"m"], replicas=3)
        session, number = Session(), 0
        for level in (WriteLevel.MAJORITY, WriteLevel.ALL, WriteLevel.PRIMARY, WriteLevel.DEFAULT):
            for _ in range(30):
                key, number = (b"a", b"z")[number % 2], number + 1
                client.write(table, [put(key, b"%d" % number)], level, session)
                # Drawn anew each time: all replicas are asked, and those that are behind send it on.
                self.assertEqual(client.get(table, key, SESSION, session=session).value, b"%d" % number)
                rows = client.scan(table, key, key + b"\0", level=SESSION, session=session)
                self.assertEqual([record.value for _, record in rows], [b"%d" % number])
                self.assertEqual(client.get(table, key, STRONG).value, b"%d" % number)
        self.assertLess(len(session.joined()), 10)
        until(lambda: all(client.get(table, b"z", EVENTUAL).value == b"%d" % number for _ in range(20)), "all have it")
        self.assertEqual(client.get(table, b"z", BOUNDED, bounded_ms=2000).value, b"%d" % number)

        place = client.find(table, b"a", time.monotonic() + 5)
        follower = next(name for name in place.voters if name != place.primary)
        request = GetRequest(RequestHeader(tableId=table), b"a", ReadOptions(STRONG))
        header = client.call(TabletService, place.voters[follower], "get", request, 5).header
        self.assertEqual((header.code, header.hint.primary), (Code.NOT_PRIMARY, place.primary))
        self.assertIsNone(header.hint.endpoint, "a name alone; look-ups know where it is")

    def test_any_replica_takes_writes_at_any(self):
        client = self.client()
        table = create(client, "any", replicas=3, lastWriteWins=True)
        keys = [b"k%02d" % i for i in range(20)]  # of one key, two replicas may give the later write the earlier time
        for key in keys:
            reply = client.write(table, [put(key, b"v")], WriteLevel.ANY)
            self.assertIsNone(reply.version, "the primary has not seen it")
        until(lambda: [key for key, _ in client.scan(table, level=STRONG)] == keys, "all are delivered")
        self.assertCode(Code.INVALID_ARGUMENT, client.write, table, [add(b"n")], WriteLevel.ANY)

    def test_a_split_that_the_client_has_not_heard_of(self):
        client, other = self.client(), self.client()
        table = create(client, "split", replicas=3)
        session, keys = Session(), [b"k%02d" % i for i in range(40)]
        for key in keys:
            client.write(table, [put(key, key)], session=session)
        shown = lambda: [key for key, _ in client.scan(table, level=EVENTUAL)]
        until(lambda: all(shown() == keys for _ in range(9)), "all replicas have all keys")
        for border in (b"k20", b"k10", b"k30"):
            request = SplitTabletRequest(table="split", key=border, deadlineMs=10_000)
            reply = other.ask_master("splitTablet", request, time.monotonic() + 20)
            self.assertEqual(reply.child.range.startKey, border)
            for level in (STRONG, SESSION, EVENTUAL):
                for reverse in (False, True):
                    rows = client.scan(table, reverse=reverse, level=level, session=session)
                    self.assertEqual([key for key, _ in rows], keys[::-1] if reverse else keys, level)
            for key in keys:
                client.write(table, [put(key, key)], WriteLevel.PRIMARY, session)
                self.assertEqual(client.get(table, key, SESSION, session=session).value, key)
        self.assertCode(Code.INVALID_ARGUMENT, client.write, table, [put(b"k00", b"x"), put(b"k39", b"x")])
        self.assertEqual(client.get(table, b"k00").value, b"k00")
        self.assertEqual(list(client.multi_get(table, keys)), keys)

    def test_a_kill_of_a_primary_loses_and_repeats_nothing(self):
        client = self.client(deadline=30)
        table = create(client, "counters", [b"k3", b"k6"], replicas=3)
        keys, sums, session, killed = [b"k%d" % i for i in range(10)], {}, Session(), None
        slowest = 0
        for i in range(600):
            if i == 200:
                killed = client.find(table, b"k5", time.monotonic() + 5).primary
                self.cluster("kill", killed)
            if i == 400:
                request = SplitTabletRequest(table="counters", key=b"k5", deadlineMs=10_000)
                client.ask_master("splitTablet", request, time.monotonic() + 20)
            key, begun = keys[i % 10], time.monotonic()
            sums[key] = sums.get(key, 0) + 1
            reply = client.write(table, [add(key)], session=session)
            self.assertEqual(reply.counters, [sums[key]], "each attempt together counts once")
            level = (STRONG, SESSION)[i // 10 % 2]
            self.assertEqual(int(client.get(table, key, level, session=session).value), sums[key])
            slowest = max(slowest, time.monotonic() - begun)
        self.assertNotEqual(client.find(table, b"k5", time.monotonic() + 5).primary, killed)
        self.assertLess(slowest, 15)
        self.restart(killed)
        self.assertEqual({key: int(row.value) for key, row in client.scan(table)}, sums)

    def test_a_kill_of_the_leading_master(self):
        client = self.client(deadline=30)
        table = create(client, "masters", [b"m"], replicas=3)
        client.write(table, [put(b"a", b"1")])
        name = self.master_names(client)[client.leader]
        self.cluster("kill", name)
        client.write(table, [put(b"a", b"2")])  # no master is needed for what is known
        client.places.clear()
        client.write(table, [put(b"z", b"3")])
        self.assertNotEqual(self.master_names_alive(client)[client.leader], name)
        self.restart(name)
        self.assertEqual(client.get(table, b"a").value, b"2")

    def master_names_alive(self, client):
        reply = client.call(MasterService, client.leader, "clusterInfo", ClusterInfoRequest(), 5)
        return {(one.endpoint.host, one.endpoint.port): one.name for one in reply.masters}


class PureTest(unittest.TestCase):
    def test_near_below(self):
        self.assertEqual(near_below(b"b"), b"a" + b"\xff" * 257)
        self.assertEqual(near_below(b"a\0"), b"a")
        self.assertEqual(near_below(b"x" * 300), b"x" * 256)

    def test_sessions_keep_what_is_pending_and_the_greatest_position(self):
        session = Session()
        session.saw((b"a", b"m"), (3, 10))
        session.wrote((b"c", b"c\0"), (3, 12))
        session.saw((b"", b""), (3, 11))
        self.assertEqual(session.touching((b"c", b"d"))[0][2:], [(3, 11), [(3, 12)]])
        session.saw((b"b", b"e"), (4, 5))
        sent = session.touching((b"c", b"c\0"))
        self.assertEqual(sent, [[b"c", b"c\0", (4, 5), [(3, 12)]]], "another epoch judges nothing")
        session.lost(sent, (b"a", b"m"), (4, 13))
        self.assertEqual(session.joined(),
                         [[b"", b"a", (3, 11), []], [b"a", b"m", (4, 13), []], [b"m", b"", (3, 11), []]])
        self.assertIsNone(common((b"a", b"b"), (b"b", b"")))

    def test_a_session_of_too_many_ranges_sends_none(self):
        session = Session()
        for i in range(65):
            session.saw((b"%03d" % i, b"%03d" % (i + 1)), (1, i + 1))
        self.assertIsNone(session.touching((b"", b"")))
        self.assertEqual(len(session.touching((b"010", b"020"))), 10)


def out_of_time(_signal, _frame):
    raise KeyboardInterrupt(f"the test takes more than {LIFE} s")


def set_warden():
    """Whatever becomes of this process, its cluster and its directory go after it."""
    script = """
        tail --pid="$1" -f /dev/null
        [ ! -d "$2/cluster" ] || "$3" stop --dir "$2/cluster"
        rm -rf "$2"
    """
    subprocess.Popen(["sh", "-c", script, "sh", str(os.getpid()), ROOT, BIN / "ebla-cluster"], start_new_session=True,
                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    logging.getLogger("thrift").setLevel(logging.CRITICAL)  # a server that is away is no news here
    set_warden()
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(LIFE)
    unittest.main(verbosity=2)
