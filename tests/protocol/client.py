"""A small client in plain python3-thrift. It follows docs/design/client-protocol.md and nothing else: the steps below
are that page's. One thread, one call at a time. It ignores hints, and looks up instead.

Needs:  the modules that the page's commands make for Python.
Errors: Failure, with the code that a caller is told.
"""
import random
import time

from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TApplicationException
from thrift.transport.TSocket import TSocket
from thrift.transport.TSSLSocket import TSSLSocket
from thrift.transport.TTransport import TFramedTransport, TTransportException

from ebla.master import MasterService
from ebla.master.ttypes import DescribeTableRequest, LocateRequest
from ebla.tablet import TabletService
from ebla.tablet.ttypes import GetRequest, MultiGetRequest, ReadOptions, RequestHeader, ScanRequest, WriteRequest
from ebla.types.ttypes import Code, KeyRange, ReadLevel, WriteLevel
from session import common, token_of

FINAL = {Code.OK, Code.NOT_FOUND, Code.CONDITION_FAILED, Code.INVALID_ARGUMENT, Code.LOST_WRITE}
ELSEWHERE = {Code.WRONG_TABLET, Code.NOT_PRIMARY, Code.STALE_EPOCH}
NOT_SENT, NO_ANSWER, NO_PRIMARY = -1, -2, -3  # how an attempt may end besides the codes
HIGH = b"\xff" * 257


class Failure(Exception):
    def __init__(self, code, message):
        super().__init__(f"{Code._VALUES_TO_NAMES.get(code, code)}: {message}")
        self.code = code


class CallFailed(Exception):
    def __init__(self, how, error):
        super().__init__(str(error))
        self.how = how


def near_below(end):
    """A key of the tablet that holds the place just below `end` (step 16)."""
    if not end:
        return HIGH
    if len(end) > 256:
        return end[:256]
    return end[:-1] if end[-1] == 0 else end[:-1] + bytes([end[-1] - 1]) + HIGH


class Place:
    def __init__(self, location):
        self.id, self.epoch, self.primary = location.tabletId, location.epoch, location.primary
        self.keys = (location.range.startKey, location.range.endKey)
        self.voters = {r.server: (r.endpoint.host, r.endpoint.port) for r in location.replicas if r.voter}
        self.hear(location.tabletTimeMs)

    def holds(self, key):
        return self.keys[0] <= key and (not self.keys[1] or key < self.keys[1])

    def hear(self, tablet_time):
        self.time, self.heard = tablet_time, time.monotonic()

    def fresh_time(self):
        return self.time if time.monotonic() - self.heard < 300 else None  # step 9


class Client:
    def __init__(self, masters, deadline=10.0, tls=None):
        """tls: an ssl.SSLContext with the user's certificate; none: in the clear."""
        self.masters, self.leader, self.deadline, self.tls = list(masters), None, deadline, tls
        self.connections, self.places = {}, {}
        self.id, self.sequence = random.getrandbits(62) | 1, 0  # step 8
        self.attempts = 0

    def call(self, service, where, method, request, timeout):
        """Steps 1 to 3. One call under way per connection, so that answers need no matching."""
        self.attempts += 1
        if (service, where) not in self.connections:
            socket = TSSLSocket(*where, ssl_context=self.tls) if self.tls else TSocket(*where)
            socket.setTimeout(timeout * 1000)
            transport = TFramedTransport(socket)
            try:
                transport.open()
            except TTransportException as error:
                raise CallFailed(NOT_SENT, error)
            self.connections[service, where] = socket, service.Client(TBinaryProtocol(transport))
        socket, stub = self.connections[service, where]
        socket.setTimeout(timeout * 1000)
        try:
            return getattr(stub, method)(request)
        except TApplicationException as error:
            raise CallFailed(Code.INTERNAL, error)
        except (TTransportException, OSError, EOFError) as error:
            self.connections.pop((service, where))[0].close()  # a late answer must not reach another call
            raise CallFailed(NO_ANSWER, error)

    def close(self):
        for socket, _ in self.connections.values():
            socket.close()
        self.connections = {}

    def ask_master(self, method, request, end):
        """Step 4."""
        last, turn = "no attempt", 0
        while (left := end - time.monotonic()) > 0:
            where, wait = self.leader or self.masters[turn % len(self.masters)], 0.02
            turn, self.leader = turn + 1, None
            try:
                # The call is answered by its own deadline. A client that gives up earlier would race its own write.
                patience = 1.0 + (getattr(request, "deadlineMs", None) or 0) / 1000
                reply = self.call(MasterService, where, method, request, min(patience, left))
            except CallFailed as error:
                last = error
            else:
                header, last = reply.header, reply.header.message
                if header.code == Code.NOT_PRIMARY:
                    self.leader = header.leader and (header.leader.host, header.leader.port)
                else:
                    self.leader = where
                    if header.code == Code.OK:
                        return reply
                    if header.code not in (Code.COME_AGAIN, Code.UNAVAILABLE, Code.OVERLOADED):
                        raise Failure(header.code, header.message)
                wait = max(wait, (header.retryAfterMs or 0) / 1000)
            time.sleep(max(0, min(wait, end - time.monotonic())))
        raise Failure(Code.UNAVAILABLE, f"no master answers: {last}")

    def open(self, name):
        """Step 5."""
        request = DescribeTableRequest(name=name)
        return self.ask_master("describeTable", request, time.monotonic() + self.deadline).table.schema.tableId

    def find(self, table, key, end):
        """Step 6. New places replace the places that they overlap."""
        known = self.places.setdefault(table, [])
        for place in known:
            if place.holds(key):
                return place
        reply = self.ask_master("locate", LocateRequest(tableId=table, range=KeyRange(key, b""), limit=100), end)
        new = [Place(location) for location in reply.tablets]
        self.places[table] = new + [old for old in known if not any(
            old.holds(one.keys[0]) or one.holds(old.keys[0]) for one in new)]
        return new[0]

    def forget(self, table, place):
        self.places[table] = [one for one in self.places.get(table, []) if one is not place]

    def write(self, table, writes, level=WriteLevel.DEFAULT, session=None, deadline=None):
        self.sequence += 1  # step 8: one write at a time, so it is also the first incomplete one
        request = WriteRequest(clientId=self.id, sequence=self.sequence, firstIncomplete=self.sequence, level=level,
                               writes=writes)
        keys = sorted(write.key for write in writes)
        touched = (keys[0], keys[-1] + b"\0")
        return Operation(self, "write", table, writes[0].key, touched, request, session, deadline).run()

    def read(self, method, table, key, touched, request, options, session, deadline=None):
        request.options = options
        return Operation(self, method, table, key, touched, request, session, deadline).run()

    def get(self, table, key, level=ReadLevel.DEFAULT, bounded_ms=None, session=None, deadline=None):
        options = ReadOptions(level, bounded_ms)
        return self.read("get", table, key, (key, key + b"\0"), GetRequest(key=key), options, session, deadline).record

    def multi_get(self, table, keys, level=ReadLevel.DEFAULT, session=None):
        """Step 17."""
        records, left, end = {}, sorted(set(keys)), time.monotonic() + self.deadline
        while left:
            place = self.find(table, left[0], end)
            group = [key for key in left if place.holds(key)][:1000]
            reply = self.read("multiGet", table, group[0], (group[0], group[-1] + b"\0"), MultiGetRequest(keys=group),
                              ReadOptions(level), session)
            for key, result in zip(group, reply.results):
                if result.code in (Code.OK, Code.NOT_FOUND):
                    records[key] = result.record
                elif result.code == Code.WRONG_TABLET:
                    self.forget(table, place)
                elif result.code != Code.OVERLOADED or time.monotonic() > end:
                    raise Failure(result.code, "a key of a multiGet")
            left = [key for key in left if key not in records]
        return records

    def scan(self, table, start=b"", end=b"", reverse=False, limit=0, level=ReadLevel.DEFAULT, session=None, page=0):
        """Step 16."""
        rows, done = [], False
        while not done and (limit == 0 or len(rows) < limit):
            key = max(start, near_below(end)) if reverse else start
            request = ScanRequest(range=KeyRange(start, end), reverse=reverse, pageBytes=page,
                                  limit=limit - len(rows) if limit else 0)
            reply = self.read("scan", table, key, (start, end), request, ReadOptions(level), session)
            rows += [(row.key, row.record) for row in reply.records]
            start, end, done = reply.remaining.startKey, reply.remaining.endKey, reply.done
        return rows


class Operation:
    """One operation over its attempts: steps 7 and 9 to 15."""

    def __init__(self, client, method, table, key, touched, request, session, deadline):
        self.client, self.method, self.table, self.key, self.request = client, method, table, key, request
        self.touched, self.session, self.write = touched, session, method == "write"
        self.allowed = deadline or client.deadline
        self.end = time.monotonic() + self.allowed
        self.level = request.level if self.write else request.options.level
        self.anywhere = self.level == WriteLevel.ANY if self.write else self.level > ReadLevel.STRONG
        self.maybe_executed, self.learnt, self.sent, self.asked = False, None, [], set()
        self.waits = self.redirects = self.silences = self.new_times = 0
        self.last = (Code.DEADLINE_EXCEEDED, "no attempt was made")

    def run(self):
        while self.end - time.monotonic() > 0.001:
            place = self.client.find(self.table, self.key, self.end)
            server = self.choose(place)
            how, reply = self.attempt(place, server)
            if how in FINAL:
                self.note(place, reply)
                if how in (Code.OK, Code.NOT_FOUND):
                    return reply
                raise Failure(how, reply.header.message)
            self.decide(how, place, server, reply)
        code = self.last[0] if self.last[0] == Code.OVERLOADED else Code.DEADLINE_EXCEEDED
        raise Failure(Code.UNKNOWN_OUTCOME if self.maybe_executed else code, f"out of time; last: {self.last}")

    def choose(self, place):
        """Step 7. If any replica may answer, a replica that was not asked yet, else the primary."""
        if self.session and not self.write and self.level == ReadLevel.SESSION:
            self.sent = self.session.touching(self.touched)
            self.anywhere = self.sent is not None
            self.request.options = ReadOptions(ReadLevel.SESSION if self.anywhere else ReadLevel.STRONG)
        others = [one for one in place.voters if one not in self.asked] if self.anywhere else []
        return random.choice(others) if others else place.primary

    def attempt(self, place, server):
        if server not in place.voters:
            return NO_PRIMARY, None
        self.asked.add(server)
        timeout = max(0.002, min(self.end - time.monotonic(), max(1, self.allowed / 3), 2 ** (self.silences // 2)))
        if self.write and not self.maybe_executed:
            self.learnt = place.fresh_time()  # step 9
        self.request.header = RequestHeader(
            tableId=self.table, tabletId=place.id, epoch=place.epoch, deadlineMs=max(1, int(timeout * 950)),
            token=token_of(self.table, self.sent) if self.sent else None, tabletTimeMs=self.learnt)
        try:
            reply = self.client.call(TabletService, place.voters[server], self.method, self.request, timeout)
        except CallFailed as error:
            self.last = (error.how, f"{server}: {error}")
            return error.how, None
        header = reply.header
        if header.tabletTimeMs and header.tabletId in (None, place.id):
            place.hear(header.tabletTimeMs)  # step 10
        self.last = (header.code, f"{server}: {header.message}")
        return header.code, reply

    def decide(self, how, place, server, reply):
        """Steps 11 to 15, the table of the page. Returns for another attempt, or raises what is final."""
        told = reply.header.retryAfterMs if reply else None
        look_up, wait = True, True
        if how == Code.INTERNAL or (how == Code.UNKNOWN_OUTCOME and told is None):
            if how == Code.UNKNOWN_OUTCOME and self.write and not self.maybe_executed and self.new_times == 0:
                self.new_times, look_up = 1, False  # step 13: only its time was too old, and place.time is new
            else:
                raise Failure(Code.UNKNOWN_OUTCOME if self.write else how, self.last[1])
        elif how == NO_ANSWER or how == Code.UNKNOWN_OUTCOME:
            # Without a time it was refused, whatever became of the answer.
            self.maybe_executed |= self.write and (self.learnt is not None or self.level == WriteLevel.ANY)
            self.silences += 1
        elif how in ELSEWHERE:
            self.redirects += 1
            look_up, wait = not self.anywhere or server == place.primary, self.redirects > 3
        elif how in (Code.COME_AGAIN, Code.OVERLOADED):
            look_up, wait = self.waits % 4 == 3, told != 0
            if self.learnt and reply.header.tabletTimeMs and reply.header.tabletTimeMs < self.learnt:
                self.learnt, wait = reply.header.tabletTimeMs, False  # step 12: the tablet's clock was set back
        if self.anywhere and how in (NOT_SENT, NO_ANSWER) and len(self.asked) < len(place.voters):
            return  # step 14: another replica, at once
        if self.anywhere and how == Code.NOT_PRIMARY:
            self.asked.update(place.voters)  # the primary has the last word
        if look_up:
            self.client.forget(self.table, place)
            self.asked = set()
        if wait:
            pause = max((told or 0) / 1000, min(0.5, 0.004 * 2 ** min(self.waits, 7)) * random.uniform(0.5, 1))
            self.waits += 1
            time.sleep(max(0, min(pause, (self.end - time.monotonic()) * 0.9)))

    def note(self, place, reply):
        """Step 18: what a final answer teaches the session."""
        header = reply.header
        if self.session is None:
            return
        applied = header.applied and (header.applied.epoch, header.applied.lsn)
        answered = self.touched if header.tabletId not in (None, place.id) or not applied else place.keys
        if applied and header.range:
            answered = (header.range.startKey, header.range.endKey)
        if header.code == Code.LOST_WRITE:
            return applied and self.session.lost(self.sent, answered, applied)
        if applied:
            self.session.saw(answered, applied)
            if not self.write and self.level == ReadLevel.SESSION:
                self.session.was_judged(self.sent or [], answered)
        version = self.write and reply.version
        if version and (not applied or version.lsn > applied[1]):
            whole = applied and common(answered, self.touched) == self.touched
            self.session.wrote(answered if whole else self.touched, (version.epoch, version.lsn))
