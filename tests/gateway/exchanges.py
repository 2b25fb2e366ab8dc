"""Exchanges with memcached and with the gateway, in turn on one connection; both must answer the same.

{cas KEY}, {cas KEY+1}, {cas KEY-1} stand for the number that gets shows for the key. If the gateway differs on
purpose, `why` of the exchange has the reason and `answer` a regular expression of the gateway's whole answer. Numbers
of cas are masked, and times are rounded, because a second may pass in between. Blanks behind a number are ignored,
because memcached omits them while it holds the item for another purpose, such as its LRU.
"""
from dataclasses import dataclass


@dataclass
class Exchange:
    say: str
    why: str = ""      # it differs
    answer: str = ""   # then
    ends: bool = False  # the connection


def line(text, **more):
    return Exchange(text + "\r\n", **more)


def put(head, value, **more):
    """A command with the length of its value, at the {} in `head` or at its end."""
    head = head.replace("{}", str(len(value))) if "{}" in head else f"{head} {len(value)}"
    return Exchange(f"{head}\r\n{value}\r\n", **more)


LONG = "k" * 250
TOO_LONG = "k" * 251
GONE = "memcached takes the present time off one of the past, and shows what that wraps around to"
MISSING_LRU = "of each read nothing is noted: that would take a write"

STORES = [
    put("set a 0 0", "hello"), line("get a"), line("gets a"), put("set a 5 0", "bye"), line("get a"),
    put("set a 4294967295 0", "x"), line("get a"), put("set a 4294967296 0", "x"), line("get a"),
    put("set a -1 0", "x"), put("set a +5 0", "x"), line("get a"), put("set a 5x 0", "x"),
    put("set empty 0 0", ""), line("get empty"), put("set empty 3 0", ""), line("get empty"),
    put("set zero 0 0", "\0\1\2"), line("get zero"), put("set crlf 0 0", "\r\n\r\n"), line("get crlf"),
    put("add a 0 0", "no"), line("get a"), put("add new 7 0", "yes"), line("get new"),
    put("replace new 8 0", "again"), line("get new"), put("replace none 0 0", "x"), line("get none"),
    put("append new 9 0", "+"), put("prepend new 9 0", "-"), line("get new"),
    put("append none 0 0", "x"), put("prepend none 0 0", "x"), line("get none"),
    put("set a 0 0 {} noreply", "quiet"), line("get a"), put("add a 0 0 {} noreply", "no"), line("get a"),
    put("append a 0 0 {} noreply", "er"), line("get a"), put("set a 0 0 {} other", "x"), line("get a"),
    put(f"set {LONG} 0 0", "long"), line(f"get {LONG}"), put(f"set {TOO_LONG} 0 0", "long"), line(f"get {TOO_LONG}"),
    put("set big 0 0", "x" * 1_047_552), line("get big"), put("append big 0 0", "y" * 100_000), line("get big"),
    put("set big 0 0", "x" * 1_048_577), line("get big"), put("set big 0 0", "old"),
    put("add big 0 0", "x" * 1_048_577), line("get big"), put("replace big 0 0", "x" * 1_048_577), line("get big"),
    put("set big 0 0 {} noreply", "x" * 1_048_577), line("get big"),
    put("set edge 0 0", "x" * 1_047_553, why="a record of Ebla has at most 1 MiB, with what it remembers of the item",
        answer="SERVER_ERROR object too large for cache\r\n"),
]

RETRIEVALS = [
    put("set b 1 0", "bb"), put("set c 2 0", "ccc"), line("get b c"), line("get b none c"), line("get b b"),
    line("gets b c"), line("get"), line("get "), line("  get b"), line("get  b"), Exchange("get b\n"), line("GET b"),
    line("gets"), line(f"get b {TOO_LONG}"), line("gat 100 b"), line("gats 100 b c none"), line("gat 0 b"),
    line("gat x b"), line("gat 0"), line("gat"), line("gat -1 c"), line("get c"), line("gat 100 none"),
    line("get " + " ".join(f"k{i}" for i in range(300))), Exchange("set b 0 0 1\nz\r\n"), line("get b"),
    # A line ends at a byte of 0.
    line("get b\0ad"), line("get \0b"), line("set b\0ad 0 0 1"), line("get b\0 c"), line("\0"), line("mg b\0ad v"),
    line("get b c"),
]

CAS = [
    put("set a 0 0", "1"), put("cas a 3 0 {} {cas a}", "2"), line("get a"), put("cas a 0 0 {} {cas a+1}", "3"),
    put("cas a 0 0 {} {cas a-1}", "3"), put("cas a 0 0 {} 0", "3"), put("cas a 0 0 {} 1", "3"), line("get a"),
    put("cas none 0 0 {} 5", "3"), put("cas a 0 0 {} {cas a} noreply", "4"), line("get a"), put("cas a 0 0 {} x", "5"),
    line("cas a 0 0 1"), put("cas a 0 -1 {} {cas a}", "5"), line("get a"),
]

COUNTERS = [
    line("incr none 1"), line("decr none 1"), put("set n 5 0", "10"), line("incr n 1"), line("decr n 2"), line("get n"),
    line("incr n 91"), line("get n"), line("incr n 18446744073709551615"), line("get n"), line("decr n 1000"),
    line("get n"), put("set n 0 0", "18446744073709551615"), line("incr n 1"), line("get n"),
    line("incr n 9223372036854775807"), line("incr n 9223372036854775807"), line("incr n 1"), line("incr n 1"),
    line("get n"), line("incr n -1"), line("incr n x"), line("incr n 18446744073709551616"), line("incr n +1"),
    line("incr n 01"), line("incr n 1 x"), line("incr n 1 noreply"), line("decr n 1 noreply"), line("get n"),
    line("incr n"), line("incr"), line(f"incr {TOO_LONG} 1"), put("set s 0 0", " 42"), line("incr s 1"), line("get s"),
    put("set s 0 0", "007"), line("incr s 1"), line("get s"), put("set s 0 0", "12 a"), line("incr s 1"), line("get s"),
    put("set s 0 0", ""), line("incr s 1"), put("set s 0 0", "-5"), line("incr s 1"), line("get s"),
    put("set s 0 0", "+5"), line("incr s 1"), put("set s 0 0", "12345678901234567890123"), line("incr s 1"),
    put("set s 0 0", "1.5"), line("incr s 1"), put("set s 0 0", "9"), line("incr s 1"), line("incr s 0"),
    line("decr s 0"), line("get s"),
    # Right behind each other: they may be one change.
    Exchange("set n 0 0 2\r\n95\r\n" + "incr n 3\r\n" * 20 + "incr n 1 noreply\r\ndecr n 2\r\n" + "incr n 0\r\n" * 3),
    line("get n"), Exchange("set n 0 0 20\r\n18446744073709551610\r\n" + "incr n 3\r\n" * 4), line("get n"),
    Exchange("incr none 1\r\n" * 3), put("set s 0 0", "x"), Exchange("incr s 1\r\n" * 3),
    Exchange("set n 0 0 1\r\n9\r\nincr n 18446744073709551600\r\n"
             "incr n 10\r\nincr n 1\r\nincr n 18446744073709551615\r\n"),
]

OTHERS = [
    put("set d 0 0", "x"), line("delete d"), line("delete d"), line("delete d 0"), line("delete d 5"),
    line("delete d 0 noreply"), line("delete d noreply"), line("delete d b c d"), line("delete"),
    line(f"delete {TOO_LONG}"), put("set d 0 0", "x"), line("touch d 100"), line("touch d 0"), line("touch none 0"),
    line("touch d x"), line("touch d"), line("touch d 0 noreply"), line("get d"), line("touch d -1"), line("get d"),
    put("set d 0 -1", "x"), line("get d"), put("set d 0 2592001", "x"), line("get d"), put("set d 0 x", "x"),
    put("set d 0 2147483647", "x"), line("get d"), put("set d 0 4294967296", "x"), line("get d"),
    put("set d 0 4294967295", "x"), line("get d"), put("set d 0 0", "x"), line("gat 4294967295 d"), line("get d"),
    put("set d 0 9223372036854775808", "x"), line("get d"), put("add d 0 -1", "x"), line("get d"),
    put("replace d 0 -1", "x"), line("get d"), put("replace d 0 -1", "x"), put("add d 0 -1", "x"), line("get d"),
    line("verbosity"), line("verbosity 1"), line("verbosity x"), line("verbosity 1 noreply"), line("verbosity 1 2 3"),
    line("stats items"), line("stats sizes"), line("stats reset"), line("stats nonsense"),
    put("set f 0 0", "x"), line("flush_all"), line("get f a b n s"), put("set f 0 0", "y"), line("get f"),
    line("flush_all x"), line("flush_all 1 2 3"), line("flush_all 0"), line("get f"), put("set f 0 0", "y"),
    line("flush_all noreply"), line("get f"), line("flush_all 0 noreply"), line("flush_all 1000"),
    line("version"), line("version x"), line("stats slabs", why="there are no slabs", answer=r"END\r\n"),
    line("lru mode flat", why="there is no LRU", answer=r"ERROR\r\n"),
    line("shutdown", why="there is no such command", answer=r"ERROR\r\n"),
]

MISTAKES = [
    line(""), Exchange("\n"), line("a"), line("bogus"), line("bogus a b c"), line("set"), line("set a"),
    line("set a 0 0"), line("set a 0 0 -1"), line("set a 0 0 x"), line("set a 0 0 1 noreply x y"),
    Exchange("set a 0 0 3\r\nabcdef\r\n"), Exchange("set a 0 0 2\r\nab\n\n"),
    Exchange("set a 0 0 3 noreply\r\nabcd\r\n"), Exchange("set a 0 x 1 noreply\r\na\r\n"),
    Exchange("set a 0 0 1\r\na\n\r\n"), line("mx"), line("m"), line("mget a"),
    Exchange("x" * 2049, ends=True), Exchange("foo HTTP/1.1\r\n", ends=True), Exchange("quit\r\n", ends=True),
    Exchange("quit now\r\n", ends=True), Exchange("get a\r\nquit\r\nget a\r\n", ends=True),
]

META = [
    line("mn"), line("mn x"), line("mg"), line("ms"), line("md"), line("ma"), line("me"), line("mg none"),
    line("mg none q"), line("mg none k O5 v"), put("ms m {}", "hi"), line("mg m"), line("mg m v"),
    line("mg m s v t f k O9 q"), line("mg m q"), line("mg m k b"), 
    line("mg bQ== b v k", why="memcached answers with the key as who stored it has sent it",
         answer=r"VA 2 kbQ== b\r\nhi\r\n"),
    line("mg bQ== k b s", why="memcached answers with the key as who stored it has sent it",
         answer=r"HD kbQ== b s2\r\n"),
    line("mg m v v"), line("mg m x"), line("mg m = v"), line("mg m bb"), line("mg m= b"), line("mg m u v"),
    line("mg m Lx Py v"), line("mg m O" + "x" * 31), line("mg m O" + "x" * 32), line(f"mg {TOO_LONG} v"),
    line("mg m c"), line("mg m E5"), put("ms m {} T0 F5 c k O9", "yo"), line("mg m v f"), put("ms m {} q", "yo"),
    put("ms m {} S", "yo"), put("ms m {} S5", "yo"), line("ms m"), line("ms m x"), line("ms m -1"),
    Exchange("ms m S2\r\nhi\r\n"), put("ms m {} Fx", "yo"), put("ms m {} Tx", "yo"),
    put("ms m {} Cx", "yo"), put("ms m {} MX", "yo"), put("ms m {} Mappend", "yo"), put("ms m {} v", "yo"),
    Exchange("ms m 3\r\nhiyo\r\n"), put(f"ms {TOO_LONG} {{}}", "x"), put("ms m {} b", "x"),
    put("ms bQ== {} b k", "b64"), line("mg m v"), put("ms m {} F4294967296", "x"), line("mg m f"),
    put("ms m {} ME", "x"), put("ms m {} ME q k O1 c", "x"), put("ms none {} MR", "x"), put("ms none {} MA", "x"),
    put("ms none {} MA N30", "x"), put("ms none {} MR q", "x"),
    put("ms m {} MA T5 F9 c", "!"), put("ms m {} MP", "!"), put("ms m {} mr", "y"), put("ms m {} MS", "hello"),
    line("mg m v t f"), put("ms m {} C1", "x"), put("ms none {} C1 k", "x"), put("ms m {} C{cas m}", "matched"),
    put("ms m {} MA C{cas m}", "+"), put("ms m {} MA C1", "-"), put("ms m {} MR C{cas m}", "r"), line("mg m v"),
    put("ms m {} T-1", "x"), line("mg m"), put("ms m {} T100", "x"), line("mg m t"), line("mg m T50 t"),
    line("mg m t T80"), line("mg m t"), put("ms m {}", "x" * 1_047_552), put("ms m {} MA k", "y" * 100_000),
    line("mg m s"), put("ms m {}", "x" * 1_048_577), line("mg m"), put("ms m {} q", "x" * 1_048_577),
    put("ms del {}", "x"), line("md del q"), line("md del"), line("md del q"), line("md del k O5"), line("md ZGVs b k"),
    put("ms del {} F3", "hello"), line("md del C1 k"), line("md del x"), line("md del v"), line("md del T30"),
    put("ms st {} F3", "hello"), line("md st I T30"), line("mg st t v f"), line("mg st t v f"), line("get st"),
    put("ms st {}", "new"), line("mg st v t"), line("md st I"), line("mg st v"), put("append st 0 0", "X"),
    line("mg st v"), line("md st I"), line("incr st 1"), line("mg st v"), line("md none I"), line("md st C1 I"),
    put("ms st {} I C1", "older"), line("mg st v"), put("ms st {} I C{cas st+1000}", "newer"), line("mg st v"),
    put("set ic 0 100", "old"), put("ms ic {} ME I C999", "new"), line("mg ic v"), put("ms icnew {} ME I C999", "new"),
    line("mg icnew v"), put("ms ic {} MA I C1", "x"), put("ms ic {} MP I C1", "x"), put("ms ic {} MA C0", "x"),
    put("ms ic {} MP C0", "y"), put("ms ic {} MA I C0", "z"), line("mg ic v"), put("ms ic {} C0", "q"),
    put("ms ic {} I C0", "q"), put("ms ic {} MR C0", "q"), put("ms none {} C0", "q"), put("ms none {} MA C0", "q"),
    line("md ic C0"), line("md ic I C0"), put("set icn 0 0", "5"), line("ma icn C0 v"),
    line("mg nt1 N30 T60 t"), line("mg nt1 t"), line("mg nt2 T60 N30 t"), line("mg nt2 t"), line("ma nt3 N30 T60 t"),
    line("mg nt3 t"), line("ma nt4 T60 N30 t"), line("mg nt4 t"), line("gat 10 ic none ic"),
    line("mg viv s v t N30"), line("mg viv s v t N30"), line("mg viv t"), line("get viv"), put("ms viv {}", "abc"),
    line("mg viv v N30"), line("mg viv2 N30 q k O5 f"), line("mg viv3 N0 t"), line("mg viv3 t"), line("mg viv4 Nx"),
    line("mg viv4 N"), put("set r 0 100", "a"), line("mg r t R30"), line("mg r t R200"), line("mg r t R200"),
    line("mg r R0"), line("mg r T-1 v"), line("mg r"), put("ms rt {} T100", "a"), line("mg rt T10 R30 t"),
    put("ms rt {} T100", "a"), line("mg rt R30 T10 t"), put("ms rt {} T5", "a"), line("mg rt T100 R30"),
    put("ms rt {} T5", "a"), line("mg rt R30 T100"), put("ms rt {}", "a"),
    line("mg rt T10 R30"), put("ms rt {} T5", "a"), line("mg rt T0 R30"), put("ms rt {} T5", "a"),
    line("mg rt T29 R30"), put("ms rt {} T5", "a"), line("mg rt T30 R30"), put("ms rt {} T5", "a"),
    line("mg rt T-1 R30"), line("mg rt"), put("ms rt {} T5", "a"), line("mg rt R30 T-1"), line("mg rt"),
    put("ms rt {}", "a"), line("mg rt T-1 t", why=GONE, answer=r"HD t0\r\n"), line("mg rt"),
    put("set n 0 0", "5"), line("ma n"), line("ma n v t k O1"), line("ma n D10 v"), line("ma n MD v"),
    line("ma n M- D3 v"), line("ma n MI v"), line("ma n M+ v"), line("ma n Md v"), line("ma n Mi v"),
    line("ma n D100 MD v"), line("get n"), line("ma n MD s f t c k"),
    line("ma n Mdecr"), line("ma n Mx"), line("ma n Dx"), line("ma n D"), line("ma none"), line("ma none q"),
    line("ma none k O1"), line("ma cnt N0 v"), line("ma cnt N0 J13 v"), line("ma cnt2 N100 J13 v t q"),
    line("ma cnt2 v q"), line("ma cnt2 T30 t v"), line("mg cnt2 t"), line("ma cnt2 C1 v k"),
    line("ma cnt2 C{cas cnt2} v"), line("ma Y250 b v k"), line("ma cnt b"), put("set x 0 0", "x"), line("ma x"),
    line("ma x q"), line("mg n h l v", why=MISSING_LRU, answer=r"VA 2\r\n0 \r\n"),
    line("me n", why=MISSING_LRU, answer=r"ME n exp=-1 cas=\d+ size=3\r\n"), line("me none"), line("me n= b"),
]

ALL = {"stores": STORES, "retrievals": RETRIEVALS, "cas": CAS, "counters": COUNTERS, "others": OTHERS,
       "mistakes": MISTAKES,
       "meta": META}
