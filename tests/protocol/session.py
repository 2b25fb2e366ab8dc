"""A session's token for one table, as step 18 of docs/design/client-protocol.md has it.

Versions are pairs (epoch, lsn). `ranges` are disjoint and in order of keys: [start, end, applied, own PRIMARY writes
that are not known to be applied]. An empty end has no upper bound.
"""
from ebla.types.ttypes import KeyRange, SessionToken, TokenRange, Version

RANGES_MAX = 64


def common(a, b):
    """The intersection of two ranges (start, end); None: they have none."""
    start, end = max(a[0], b[0]), min(a[1], b[1]) if a[1] and b[1] else a[1] or b[1]
    return (start, end) if not end or start < end else None


def judged(version, applied):
    """Whether a replica that has applied `applied` knows if the version is part of the history."""
    return version[1] <= applied[1] or version[0] < applied[0]


class Session:
    def __init__(self):
        self.ranges = []

    def parts(self, keys):
        """Cuts the ranges so that each lies within `keys` or outside, and fills the gaps there; gives those within."""
        outside, within, gap = [], [], keys[0]
        for start, end, applied, own in self.joined():
            shared = common((start, end), keys)
            if shared is None:
                outside.append([start, end, applied, own])
                continue
            if start < shared[0]:
                outside.append([start, shared[0], applied, list(own)])
            if shared[1] != end:
                outside.append([shared[1], end, applied, list(own)])
            if gap < shared[0]:
                within.append([gap, shared[0], (0, 0), []])
            within.append([*shared, applied, list(own)])
            gap = shared[1]
        covered = bool(within) and within[-1][1] == keys[1]
        if not covered:
            within.append([gap, keys[1], (0, 0), []])
        self.ranges = sorted(outside + within)
        return within

    def joined(self):
        """Neighbours that say the same are one."""
        joined = []
        for part in self.ranges:
            if joined and joined[-1][1] == part[0] and joined[-1][2:] == part[2:]:
                joined[-1][1] = part[1]
            else:
                joined.append(list(part))
        return joined

    def saw(self, keys, applied):
        """A replica that has applied `applied` has replied about `keys`."""
        for part in self.parts(keys):
            part[2] = max(part[2], applied)
            part[3] = [own for own in part[3] if own[0] != applied[0] or own[1] > applied[1]]

    def wrote(self, keys, version):
        """A write was acknowledged that is not known to be applied. The last write of an epoch counts."""
        for part in self.parts(keys):
            if part[2][0] != version[0] or part[2][1] < version[1]:
                part[3] = [own for own in part[3] if own[0] != version[0]] + [version]

    def was_judged(self, sent, keys):
        """A read at SESSION with the token `sent` succeeded: the history contains all that it named of `keys`."""
        for named in sent:
            shared = common(named[:2], keys)
            for part in self.parts(shared) if shared and named[3] else []:
                part[3] = [own for own in part[3] if own not in named[3]]

    def lost(self, sent, keys, applied):
        """A failover rolled back a write that `sent` names of `keys`, so the session continues from `applied`."""
        for named in sent:
            shared = common(named[:2], keys)
            for part in self.parts(shared) if shared else []:
                if judged(named[2], applied) and part[2] <= named[2]:
                    part[2] = applied
                part[3] = [own for own in part[3] if own not in named[3] or not judged(own, applied)]
        self.saw(keys, applied)

    def touching(self, keys):
        """The token for a request for `keys`; None: it would be too large, so read at STRONG."""
        known = [part for part in self.joined() if common(part[:2], keys) and (any(part[2]) or part[3])]
        return known if len(known) <= RANGES_MAX else None


def token_of(table, sent):
    return SessionToken(table, [TokenRange(KeyRange(start, end), Version(*applied), [Version(*v) for v in own] or None)
                                for start, end, applied, own in sent])
