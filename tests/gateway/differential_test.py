#!/usr/bin/env python3
"""memcached and ebla-gateway are said the same, and answer the same, byte for byte: see exchanges.py."""
import pathlib
import re
import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import exchanges  # noqa: E402
from processes import GatewayCase, Memcached, main  # noqa: E402

MARK, MARKED = b"mg nobody-stores-this O-end-\r\n", b"EN O-end-\r\n"  # its answer is the last


class Connection:
    def __init__(self, server):
        self.server = server
        self.open()

    def open(self):
        self.socket = socket.create_connection((self.server.host, self.server.port), timeout=30)

    def read(self, until):
        got = b""
        while not (until and got.endswith(until)):
            more = self.socket.recv(1 << 20)
            if not more:
                if until:
                    raise RuntimeError(f"the connection ended after {got!r}")
                return got
            got += more
        return got[:-len(until)]

    def ask(self, text):
        self.socket.sendall(text + MARK)
        return self.read(MARKED)

    def last(self, text):
        """The connection ends, and is opened again."""
        self.socket.sendall(text)
        got = self.read(None)
        self.socket.close()
        self.open()
        return got

    def cas(self, key):
        head = self.ask(b"gets " + key + b"\r\n").split(b"\r\n")[0]
        return int(head.split()[-1]) if head.startswith(b"VALUE") else 1

    def say(self, exchange):
        def number(match):
            return b"%d" % (self.cas(match.group(1)) + int(match.group(2) or 0))
        text = re.sub(rb"\{cas (\w+)([+-]\d+)?\}", number, exchange.say.encode("latin-1"))
        return self.last(text) if exchange.ends else self.ask(text)


def masked(answer):
    answer = re.sub(rb"(VALUE \S+ \d+ \d+) \d+\r\n", rb"\1 CAS\r\n", answer)
    answer = re.sub(rb"(VALUE \S+ \d+) \d+( CAS)?\r\n(\d+) *\r\n", rb"\1 LENGTH\2\r\n\3\r\n", answer)
    head, end, rest = answer.partition(b"\r\n")
    if re.match(rb"(HD|VA|NS|EX|NF)\b", head):
        head = re.sub(rb" c\d+", b" cCAS", head)
        head = re.sub(rb" t(\d+)", lambda match: b" t%d" % (-(-int(match.group(1)) // 5) * 5), head)
    return head + end + rest


def short(text):
    return repr(text if len(text) < 300 else text[:300] + type(text)(b"..." if isinstance(text, bytes) else "..."))


class DifferentialTest(GatewayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.memcached = Memcached()
        cls.addClassCleanup(cls.memcached.stop)

    def compare(self, name):
        ours, theirs = Connection(self.gateway), Connection(self.memcached)
        for connection in (ours, theirs):
            self.addCleanup(lambda connection=connection: connection.socket.close())
            connection.ask(b"flush_all\r\n")
        faults = []
        for number, exchange in enumerate(exchanges.ALL[name]):
            got, wanted = ours.say(exchange), theirs.say(exchange)
            where = f"{name} {number}: {short(exchange.say)}\n  gateway   {short(got)}\n  memcached {short(wanted)}"
            if exchange.why:
                if masked(got) == masked(wanted):
                    faults.append(f"{where}\n  they are the same, although: {exchange.why}")
                if not re.fullmatch(exchange.answer.encode(), got):
                    faults.append(f"{where}\n  wanted    {exchange.answer}")
            elif masked(got) != masked(wanted):
                faults.append(where)
        if faults:
            self.fail("\n" + "\n".join(faults))

    def test_stores(self):
        self.compare("stores")

    def test_retrievals(self):
        self.compare("retrievals")

    def test_cas(self):
        self.compare("cas")

    def test_counters(self):
        self.compare("counters")

    def test_others(self):
        self.compare("others")

    def test_mistakes(self):
        self.compare("mistakes")

    def test_meta(self):
        self.compare("meta")

    def test_there_are_enough_of_them(self):
        self.assertGreaterEqual(sum(len(part) for part in exchanges.ALL.values()), 150)


if __name__ == "__main__":
    main()
