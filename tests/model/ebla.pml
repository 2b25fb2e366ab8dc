/* The epoch, fence, configuration and lease protocol of one tablet, small enough to be searched exhaustively.
 * docs/design/replication-rules.md has the rules by number; README.md beside this says what is modelled, the bounds
 * and the results.
 *
 * Place:      tests/model/check builds it with several sets of the switches below and runs each to the end.
 * Shape:      one process; each step of a replica, of a master or of the world is one d_step, enabled by its first
 *             line.
 *             A crashed, paused or partitioned server is one that takes no step for a while.
 * Messages:   facts that stay: whoever may read one may read it late, twice or never. So delay, duplication, reordering
 *             and loss cost no state, and a step that only sends is folded into the one before it.
 * Properties: AGREE  at most one entry is ever committed at one lsn.
 *             KEPT   a primary that takes up an epoch holds every write acknowledged before.
 *             FRESH  a STRONG read, under a lease or confirmed, shows every write acknowledged before it began.
 *             ALONE  no epoch is ever led by two replicas.
 */

/* ---- bounds and parts ------------------------------------------------------------------------------------------- */

#ifndef EPOCHS
#define EPOCHS 3      /* the first is led by replica 0 at the start */
#endif
#ifndef WRITES
#define WRITES 2
#endif
#ifndef CRASHES
#define CRASHES 1     /* each with a restart; of any replica, at any step */
#endif
#ifndef VOTERS
#define VOTERS 7      /* of the first epoch; bit r is replica r */
#endif
/* Parts that a configuration may add to failover: LEASE, CONFIRM, TRANSFER, MEMBERSHIP; LOSS, where the crash takes the
 * replica's disk with it; STALE_MASTERS, see settle.
 * Switches that take a rule away stand where the rule bites, the protocol's own form last. */

#define LENGTH (EPOCHS + WRITES) /* a Barrier for each epoch, and the writes */

/* ---- state ------------------------------------------------------------------------------------------------------ */

/* An entry is its epoch and what it writes: 0 is a Barrier, else the number of a write. No entry is 0. */
#define ENTRY(epoch, write) ((epoch) * 4 + (write))
#define EPOCH_OF(entry) ((entry) / 4)
#define WRITE_OF(entry) ((entry) % 4)

/* A replica. Lsns count from 1; the entry at lsn n stands at n - 1. */
byte log[3 * LENGTH];
byte appended[3];  /* length of the log in memory */
byte flushed[3];   /* length of the log that survives a crash */
byte promised[3];  /* durable; also the epoch it leads or follows */
byte led[3];       /* durable; the highest epoch it has led */
bool leads[3];     /* it leads `promised` */
bool released[3];  /* ... and has given it up, for a transfer */
byte commit[3];    /* ... and knows the log committed, and has applied it, up to here */
byte matched[3];   /* a follower's log agrees with the primary's of `promised` up to here */
byte grants[3];    /* bit e: it has granted a lease to the primary of e, who still counts on it */

/* Messages. */
byte sent[EPOCHS * LENGTH];    /* the log of each epoch's primary: what its appends carry */
byte sent_length[EPOCHS];
byte acked[EPOCHS * 3];        /* lsn that each replica has acknowledged in each epoch */
byte fences;                   /* bit e: Fence(e) was sent, to all */
byte answers[EPOCHS * 3];      /* to Fence(e): POSITION of the last entry, plus one; 0: none yet */
byte reports;                  /* bit e: the primary of e has reported that its Barrier is committed */

/* The catalog, and what Configure(e) says, which is sent with the compare-and-set to e. */
byte catalog;                  /* epoch, which is its version too: each write raises it */
byte primary[EPOCHS];
byte voters[EPOCHS];
byte kind[EPOCHS];
byte presumed[EPOCHS];         /* POSITION: a shorter log refuses */
#define FENCED 0
#define SAME_PRIMARY 1
#define DECIDED 2              /* for a target: the primary before has not released its epoch, so nobody is told */
#define TO_TARGET 3            /* it has, and Configure says so */
#define TAKEN_BACK 4           /* the primary of the epoch before the target's goes on */

byte seen[2];                  /* each master: the catalog's version it has read and acts upon; 0: it is idle */

/* The world. */
byte writes;                   /* how many were sent */
byte crashes;
byte truth[LENGTH];            /* what was committed at each lsn */
byte acknowledged;             /* bit w: the client of write w was answered */
#ifdef CONFIRM
byte reader;                   /* where a confirmed read is under way: replica + 1 */
byte confirmed;                /* who has confirmed it */
byte owed;                     /* what had been acknowledged when it began */
#endif
#ifdef LOSS
bool lost[3];                  /* its disk lost log and promise, and it was not made anew since */
byte latest;                   /* the highest epoch that any has led, and may have forgotten */
#endif
#ifdef NO_RULE_7_RESTART
bool forgot[3];                /* it restarted while a grant of its was running */
#endif
#ifdef NO_RULE_4_FLUSH
byte matched_in[3];            /* the epoch in which it took its last append */
#endif
#ifdef PROMISE_NOT_FLUSHED
byte kept[3];                  /* the promise that survives a crash */
#endif

byte i, n, mine;               /* within one step only; 0 between steps */

#define LOG(r, at) log[(r) * LENGTH + (at)]
#define SENT(e, at) sent[((e) - 1) * LENGTH + (at)]
#define SENT_LENGTH(e) sent_length[(e) - 1]
#define ACKED(e, r) acked[((e) - 1) * 3 + (r)]
#define ANSWER(e, r) answers[((e) - 1) * 3 + (r)]
#define PRIMARY(e) primary[(e) - 1]
#define KIND(e) kind[(e) - 1]
#define PRESUMED(e) presumed[(e) - 1]
#define VOTERS_OF(e) voters[(e) - 1]

#define BIT(x) (1 << (x))
#define COUNT(set) (((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1))
#define MAJORITY(set, of) (2 * COUNT((set) & (of)) > COUNT(of))
#define IN(condition, r) ((condition) -> BIT(r) : 0)

#define PROPERTY(broken, holds) if :: (holds) :: else -> printf(broken); assert(false) fi

/* (last epoch, last lsn), in the order in which the master compares logs. */
#define POSITION_AT(r, length) ((length) == 0 -> 0 : EPOCH_OF(LOG(r, (length) - 1)) * 8 + (length))
#define POSITION(r) POSITION_AT(r, appended[r])

/* ---- what several steps share ----------------------------------------------------------------------------------- */

#ifdef CONFIRM
#define END_READ(r) if :: reader == r + 1 -> reader = 0; confirmed = 0; owed = 0 :: else fi;
#else
#define END_READ(r)
#endif

/* Replica r is done with the epoch it leads or follows. What only that leadership could have used is forgotten with it:
 * acknowledgements, and the leases it held, whose grantors wait for nothing that anybody still counts on. */
inline leave(r) {
  if
  :: leads[r] ->
    ACKED(promised[r], 0) = 0; ACKED(promised[r], 1) = 0; ACKED(promised[r], 2) = 0;
    grants[0] = grants[0] & ~BIT(promised[r]);
    grants[1] = grants[1] & ~BIT(promised[r]);
    grants[2] = grants[2] & ~BIT(promised[r]);
  :: else
  fi;
  leads[r] = false; released[r] = false; commit[r] = 0;
#ifndef NO_RULE_4_FLUSH
  matched[r] = 0;
#endif
  END_READ(r)
}

inline append(r, entry) { /* at the primary, which sends what it appends */
  LOG(r, appended[r]) = entry;
  SENT(promised[r], appended[r]) = entry;
  appended[r]++;
  SENT_LENGTH(promised[r]) = appended[r];
}

inline cut(r, length) { /* the log of r ends at length */
  i = length;
  do :: i < appended[r] -> LOG(r, i) = 0; i++ :: else -> break od;
  appended[r] = length;
  if :: flushed[r] > length -> flushed[r] = length :: else fi;
  i = 0;
}

/* Writes that r has applied. */
inline applied_writes(r) {
  i = 0; mine = 0;
  do
  :: i < commit[r] ->
    if :: WRITE_OF(LOG(r, i)) != 0 -> mine = mine | BIT(WRITE_OF(LOG(r, i))) :: else fi;
    i++
  :: else -> break
  od;
  i = 0
}

#ifdef LOSS
#define LED_LATER(e) (latest > (e))
#else
#define LED_LATER(e) (led[0] > (e) || led[1] > (e) || led[2] > (e))
#endif
inline take_up(r, e) { /* r leads e from now on */
  PROPERTY("broken: ALONE\n", led[(r + 1) % 3] != e && led[(r + 2) % 3] != e);
  n = commit[r];
  leave(r);
  if :: KIND(e) == SAME_PRIMARY || KIND(e) == TAKEN_BACK -> commit[r] = n :: else fi; /* the same process goes on */
  n = 0;
  promised[r] = e; led[r] = e; leads[r] = true;
  PRESUMED(e) = 0;
  i = 0; mine = 0;
  do
  :: i < LENGTH ->
    SENT(e, i) = LOG(r, i);
    if :: LOG(r, i) != 0 && WRITE_OF(LOG(r, i)) != 0 -> mine = mine | BIT(WRITE_OF(LOG(r, i))) :: else fi;
    i++
  :: else -> break
  od;
  SENT_LENGTH(e) = appended[r];
  /* A Configure so late that a later epoch is led already finds writes that this replica need not have. */
  PROPERTY("broken: KEPT\n", (acknowledged & ~mine) == 0 || LED_LATER(e));
#ifdef LOSS
  if :: latest < e -> latest = e :: else fi;
#endif
  i = 0; mine = 0;
#ifndef NO_BARRIER
  append(r, ENTRY(e, 0));
#endif
}

/* Master m is done with the version it had seen. Answers that no master can act upon any more are
 * forgotten, which makes one state of many; and so is, but for STALE_MASTERS, that the other master has seen that
 * version too: the compare-and-set will refuse it, which is as good as being idle. NO_CAS forgets nothing. */
#ifdef NO_CAS
#define USELESS(e) false
#else
#define USELESS(e) ((e) <= catalog && seen[0] != (e) - 1 && seen[1] != (e) - 1)
#endif
inline forget(e) {
  if
  :: USELESS(e) -> ANSWER(e, 0) = 0; ANSWER(e, 1) = 0; ANSWER(e, 2) = 0
  :: else
  fi
}
inline settle(m) {
#if !defined(STALE_MASTERS) && !defined(NO_CAS)
  seen[0] = 0; seen[1] = 0;
#endif
  seen[m] = 0;
  forget(catalog)
}

/* The primary r serves STRONG reads: its epoch's Barrier is applied. */
#ifdef NO_BARRIER
#define READY(r) (leads[r] && !released[r])
#else
#define READY(r) (leads[r] && !released[r] && commit[r] > 0 && EPOCH_OF(LOG(r, commit[r] - 1)) == promised[r])
#endif

/* A replica that has lost its disk does not count, in what it answers, acknowledges and grants, and does not lead. */
#ifdef LOSS
#define COUNTS(r) (!lost[r])
#else
#define COUNTS(r) true
#endif
#ifdef NO_LOST_VOTE
#define VOTES(r) true
#else
#define VOTES(r) COUNTS(r)
#endif
#ifdef NO_LOST_LEAD
#define MAY_LEAD(r) true
#else
#define MAY_LEAD(r) COUNTS(r)
#endif
#ifdef NO_LOST_ACK
#define ACKS(r) true
#else
#define ACKS(r) COUNTS(r)
#endif
#ifdef NO_LOST_GRANT
#define GRANTS(r) true
#else
#define GRANTS(r) COUNTS(r)
#endif

/* ---- a replica's steps ------------------------------------------------------------------------------------------ */

#define WRITE(r) \
  :: d_step { leads[r] && !released[r] && writes < WRITES -> \
       writes++; append(r, ENTRY(promised[r], writes)); \
       printf("replica %d: appends write %d at lsn %d in epoch %d\n", r, writes, appended[r], promised[r]) }

#ifdef PROMISE_NOT_FLUSHED
#define KEEP_PROMISE(r) kept[r] = promised[r];
#define LOSE_PROMISE(r) promised[r] = (kept[r] == 0 -> 1 : kept[r]);
#else
#define KEEP_PROMISE(r)
#define LOSE_PROMISE(r)
#endif

/* An append of e reaches r. It names the entries before it, so r ends up with the primary's log up to `length`, and
 * removes a suffix of its own only where it contradicts. It proves that e stands in the catalog: r need not wait for
 * grants. */
#define APPEND(r, e, length) \
  :: d_step { promised[r] <= e && led[r] < e && length <= SENT_LENGTH(e) && \
              (promised[r] < e || matched[r] < length) -> \
       if :: promised[r] < e -> leave(r); promised[r] = e :: else fi; \
       n = 0; \
       do \
       :: n < length -> \
         if :: n < appended[r] && LOG(r, n) != SENT(e, n) -> cut(r, n) :: else fi; \
         if :: n >= appended[r] -> LOG(r, n) = SENT(e, n); appended[r] = n + 1 :: else fi; \
         n++ \
       :: else -> break \
       od; \
       n = 0; matched[r] = length; MATCHED_IN(r, e) KEEP_PROMISE(r) \
       printf("replica %d: takes the log of epoch %d up to lsn %d\n", r, e, length) }

/* Fence(e): r was silent from its receipt on; when its grants have run out it puts promise and log on disk, answers. */
#ifdef NO_RULE_4_WAIT
#define WAITED(r) true
#elif defined(NO_RULE_7_RESTART)
#define WAITED(r) (grants[r] == 0 || forgot[r])
#else
#define WAITED(r) (grants[r] == 0)
#endif
#if defined(NO_PROMISE)
#define PROMISE(r, e) flushed[r] = appended[r]; ANSWER(e, r) = POSITION(r) + 1
#elif defined(NO_RULE_4_FLUSH)
#define PROMISE(r, e) leave(r); promised[r] = e; ANSWER(e, r) = POSITION_AT(r, flushed[r]) + 1
#else
#define PROMISE(r, e) leave(r); promised[r] = e; flushed[r] = appended[r]; ANSWER(e, r) = POSITION(r) + 1
#endif
#define FENCE(r, e) \
  :: d_step { (fences & BIT(e)) && promised[r] < e && ANSWER(e, r) == 0 && VOTES(r) && WAITED(r) -> \
       PROMISE(r, e); \
       printf("replica %d: answers Fence(%d): its last entry is (%d, %d)\n", \
              r, e, (ANSWER(e, r) - 1) / 8, (ANSWER(e, r) - 1) % 8); \
       if :: USELESS(e) -> ANSWER(e, r) = 0 :: else fi }

/* A flush ends; a follower acknowledges by it. Nobody listens when that epoch's primary is gone. */
#ifdef NO_RULE_4_FLUSH
#define ACK_EPOCH(r) matched_in[r]
#define MATCHED_IN(r, e) matched_in[r] = e;
#else
#define ACK_EPOCH(r) promised[r]
#define MATCHED_IN(r, e)
#endif
#define LISTENS(e) (leads[PRIMARY(e)] && promised[PRIMARY(e)] == (e))
#define NEWS(r) \
  (ACKS(r) && !leads[r] && matched[r] > 0 && LISTENS(ACK_EPOCH(r)) && ACKED(ACK_EPOCH(r), r) < matched[r])
#define FLUSH(r) \
  :: d_step { flushed[r] < appended[r] || NEWS(r) -> \
       flushed[r] = appended[r]; \
       if \
       :: NEWS(r) -> \
         ACKED(ACK_EPOCH(r), r) = matched[r] \
       :: else \
       fi; \
       printf("replica %d: has flushed up to lsn %d\n", r, flushed[r]) }

/* The primary learns that a majority has flushed an entry of its own epoch: it, and all before it, is committed. */
#ifdef COMMIT_OLD_EPOCH
#define OWN(r, length) true
#else
#define OWN(r, length) (EPOCH_OF(LOG(r, (length) - 1)) == promised[r])
#endif
#ifdef COUNT_LEARNERS
#define COMMITS_BY(set, of) (2 * COUNT(set) > COUNT(of))
#else
#define COMMITS_BY(set, of) MAJORITY(set, of)
#endif
#define HAS(r, x, length) ((x) == (r) -> flushed[x] >= (length) : ACKED(promised[r], x) >= (length))
#define COMMIT(r, length) \
  :: d_step { leads[r] && commit[r] < length && length <= appended[r] && OWN(r, length) && \
              COMMITS_BY(IN(HAS(r, 0, length), 0) | IN(HAS(r, 1, length), 1) | IN(HAS(r, 2, length), 2), \
                       VOTERS_OF(promised[r])) -> \
       commit[r] = length; \
       reports = reports | BIT(promised[r]); \
       i = 0; \
       do \
       :: i < length -> \
         PROPERTY("broken: AGREE\n", truth[i] == 0 || truth[i] == LOG(r, i)); \
         truth[i] = LOG(r, i); \
         i++ \
       :: else -> break \
       od; \
       applied_writes(r); \
       acknowledged = acknowledged | mine; mine = 0; \
       printf("replica %d: commits up to lsn %d in epoch %d, acknowledges\n", r, length, promised[r]) }

/* A heartbeat of the epoch r has promised reaches it, and its answer the primary. The primary counts on the grant for
 * less time than it binds r, so one bit stands for both: from here until LAPSE. */
#define GRANT(r) \
  :: d_step { GRANTS(r) && !leads[r] && LISTENS(promised[r]) && !released[PRIMARY(promised[r])] && \
              (VOTERS_OF(promised[r]) & BIT(r)) && !(grants[r] & BIT(promised[r])) -> \
       grants[r] = grants[r] | BIT(promised[r]); \
       printf("replica %d: grants a lease in epoch %d\n", r, promised[r]) }
#define GRANT_LATE(r, e) /* for NO_RULE_7_EPOCH */ \
  :: d_step { e < promised[r] && e <= catalog && PRIMARY(e) != r && LISTENS(e) && !(grants[r] & BIT(e)) -> \
       grants[r] = grants[r] | BIT(e); \
       printf("replica %d: grants a lease in epoch %d, below its promise\n", r, e) }
#define LAPSE(r) \
  :: d_step { grants[r] != 0 -> grants[r] = 0; FORGOT(r, false) printf("replica %d: its grants have run out\n", r) }

#define LEASED(r) \
  MAJORITY(BIT(r) | IN(grants[0] & BIT(promised[r]), 0) | IN(grants[1] & BIT(promised[r]), 1) | \
           IN(grants[2] & BIT(promised[r]), 2), VOTERS_OF(promised[r]))
#define READ(r) \
  :: d_step { READY(r) && LEASED(r) && acknowledged != 0 -> \
       applied_writes(r); \
       printf("replica %d: reads under its lease of epoch %d, up to lsn %d\n", r, promised[r], commit[r]); \
       PROPERTY("broken: FRESH, under a lease\n", (acknowledged & ~mine) == 0); \
       mine = 0 }

/* A read without a lease: a majority confirms, in a round begun after it came, that it obeys no higher epoch. */
#ifdef JOIN_OLD_ROUND
#define OWED acknowledged
#else
#define OWED owed
#endif
#define CONFIRMED_READ(r) \
  :: d_step { reader == 0 && leads[r] && !released[r] -> \
       reader = r + 1; confirmed = BIT(r); owed = acknowledged; \
       printf("replica %d: begins a round for a STRONG read in epoch %d\n", r, promised[r]) } \
  :: d_step { reader != 0 && reader != r + 1 && GRANTS(r) && promised[r] == promised[reader - 1] && \
              !(confirmed & BIT(r)) -> \
       confirmed = confirmed | BIT(r); \
       printf("replica %d: confirms epoch %d\n", r, promised[r]) } \
  :: d_step { reader == r + 1 && READY(r) && MAJORITY(confirmed, VOTERS_OF(promised[r])) -> \
       applied_writes(r); \
       printf("replica %d: answers the read, from up to lsn %d\n", r, commit[r]); \
       PROPERTY("broken: FRESH, confirmed\n", (OWED & ~mine) == 0); \
       mine = 0; reader = 0; confirmed = 0; owed = 0 }

#ifdef NO_RULE_7_RESTART
#define FORGOT(r, value) forgot[r] = value;
#else
#define FORGOT(r, value)
#endif
/* Down and up again. The log's unflushed end is gone, and with it every role. What it has granted binds it still: it
 * promises nobody anything for that long. */
#define CRASH(r) \
  :: d_step { crashes < CRASHES -> \
       crashes++; \
       leave(r); matched[r] = 0; cut(r, flushed[r]); LOSE_PROMISE(r) FORGOT(r, grants[r] != 0) \
       printf("replica %d: crashes; restarts with a log up to lsn %d\n", r, appended[r]) }

/* The same, and its disk has lost the log, the promise and which epochs it led. It waits as long as any lease lasts, so
 * what it has granted binds it all the same. Once the catalog names it as no voter it is made anew, by an order of that
 * epoch or a later one: it is then like a new server's. */
#define LOSE(r) \
  :: d_step { crashes < CRASHES -> \
       crashes++; \
       leave(r); matched[r] = 0; cut(r, 0); promised[r] = 1; led[r] = 0; lost[r] = true; \
       printf("replica %d: crashes; its disk has lost its log and its promise\n", r) }
#define MAKE_ANEW(r) \
  :: d_step { lost[r] && !leads[r] && !(VOTERS_OF(catalog) & BIT(r)) -> \
       leave(r); matched[r] = 0; cut(r, 0); lost[r] = false; \
       if :: promised[r] < catalog -> promised[r] = catalog :: else fi; \
       printf("replica %d: is made anew, as a learner of epoch %d\n", r, catalog) }

/* Configure(e) reaches its primary. */
#ifdef OBEY_STALE_CONFIGURE
#define OBEYS(r, e) true
#else
#define OBEYS(r, e) (promised[r] <= e)
#endif
#ifdef NO_RULE_1_LED
#define NEVER_LED(r, e) (!leads[r] || promised[r] < e)
#else
#define NEVER_LED(r, e) (led[r] < e)
#endif
#ifdef NO_RULE_1_INCARNATION
#define LEADS_NOW(r, e) true
#else
#define LEADS_NOW(r, e) (leads[r] && !released[r] && promised[r] == e - 1)
#endif
#ifdef TAKEN_BACK_UNLED
#define LEADS_STILL(r, e) true
#else
#define LEADS_STILL(r, e) (leads[r] && !released[r] && promised[r] == e - 2)
#endif
#ifdef TOLD_BEFORE_RELEASE
#define RELEASED(e) true
#else
#define RELEASED(e) (KIND(e) != DECIDED)
#endif
#define CONFIGURE(r, e) \
  :: d_step { e <= catalog && PRIMARY(e) == r && MAY_LEAD(r) && OBEYS(r, e) && NEVER_LED(r, e) && \
              POSITION(r) >= PRESUMED(e) && RELEASED(e) && (KIND(e) != SAME_PRIMARY || LEADS_NOW(r, e)) && \
              (KIND(e) != TAKEN_BACK || LEADS_STILL(r, e)) -> \
       printf("replica %d: leads epoch %d\n", r, e); \
       take_up(r, e); KEEP_PROMISE(r) }

/* Transfer, ordered once the catalog names the target: the primary admits no more writes, waits until that one has
 * flushed all it has, ceases to read, says so. */
#define NEXT(r) (promised[r] + 1)
#define RELEASE(r) \
  :: d_step { leads[r] && !released[r] && promised[r] < EPOCHS && NEXT(r) <= catalog && KIND(NEXT(r)) == DECIDED && \
              ACKED(promised[r], PRIMARY(NEXT(r))) == appended[r] -> \
       released[r] = true; \
       KIND(NEXT(r)) = TO_TARGET; \
       if :: led[PRIMARY(NEXT(r))] < NEXT(r) -> PRESUMED(NEXT(r)) = POSITION(r) :: else fi; \
       grants[0] = grants[0] & ~BIT(promised[r]); \
       grants[1] = grants[1] & ~BIT(promised[r]); \
       grants[2] = grants[2] & ~BIT(promised[r]); \
       END_READ(r) \
       printf("replica %d: releases epoch %d for %d\n", r, promised[r], PRIMARY(NEXT(r))) }
#define RESUME(r) /* for NO_RULE_3 */ \
  :: d_step { leads[r] && released[r] -> \
       released[r] = false; \
       printf("replica %d: takes up epoch %d again\n", r, promised[r]) }

/* ---- a master's steps ------------------------------------------------------------------------------------------- */

/* It reads the catalog, whether or not anything is wrong there, and fences the next epoch. */
#define LOOK(m) \
  :: d_step { catalog < EPOCHS && seen[m] != catalog && (m == 1 || seen[1] == catalog) -> \
       n = seen[m]; \
       seen[m] = catalog; fences = fences | BIT(catalog + 1); \
       if :: n != 0 -> forget(n + 1) :: else fi; \
       n = 0; \
       printf("master %d: reads epoch %d, sends Fence(%d)\n", m, catalog, catalog + 1) }

#ifdef NO_CAS
#define UNCHANGED(m) (seen[m] != 0)
#else
#define UNCHANGED(m) (seen[m] != 0 && seen[m] == catalog)
#endif

/* With answers from a majority that hold no longer log than p's: compare-and-set {seen + 1, p}, Configure. */
#define NO_LONGER(m, x, p) (ANSWER(seen[m] + 1, x) != 0 && ANSWER(seen[m] + 1, x) <= ANSWER(seen[m] + 1, p))
#define FAIL_OVER(m, p) \
  :: d_step { UNCHANGED(m) && (VOTERS_OF(seen[m]) & BIT(p)) && ANSWER(seen[m] + 1, p) != 0 && \
              MAJORITY(IN(NO_LONGER(m, 0, p), 0) | IN(NO_LONGER(m, 1, p), 1) | IN(NO_LONGER(m, 2, p), 2), \
                       VOTERS_OF(seen[m])) -> \
       catalog = seen[m] + 1; \
       printf("master %d: catalog is {epoch %d, primary %d}\n", m, catalog, p); \
       PRIMARY(catalog) = p; VOTERS_OF(catalog) = VOTERS_OF(seen[m]); KIND(catalog) = FENCED; \
       PRESUMED(catalog) = ANSWER(catalog, p) - 1; \
       settle(m) }

/* Without a fence: the same primary leads the next epoch, with one voter more or less. `change` 3: with the same. */
#ifdef OVERLAP
#define SETTLED(e) true
#else
#define SETTLED(e) (reports & BIT(e))
#endif
#define CHANGE(m, change) \
  :: d_step { UNCHANGED(m) && SETTLED(seen[m]) && (change == 3 || PRIMARY(seen[m]) != change) -> \
       catalog = seen[m] + 1; \
       PRIMARY(catalog) = PRIMARY(seen[m]); \
       VOTERS_OF(catalog) = VOTERS_OF(seen[m]) ^ (BIT(change) & 7); KIND(catalog) = SAME_PRIMARY; \
       printf("master %d: catalog is {epoch %d, primary %d, voters %d}, unfenced\n", \
              m, catalog, PRIMARY(catalog), VOTERS_OF(catalog)); \
       settle(m) }

/* Without a fence, and before the primary hears of it: the target leads the next epoch, once that one has released its
 * own. Or the primary that has not leads the epoch after, whatever the master knows of that by then. */
#define HAND_OVER(m, target) \
  :: d_step { UNCHANGED(m) && KIND(seen[m]) != DECIDED && (VOTERS_OF(seen[m]) & BIT(target)) && \
              PRIMARY(seen[m]) != target -> \
       catalog = seen[m] + 1; \
       PRIMARY(catalog) = target; VOTERS_OF(catalog) = VOTERS_OF(seen[m]); KIND(catalog) = DECIDED; \
       printf("master %d: catalog is {epoch %d, primary %d}, to be transferred\n", m, catalog, target); \
       settle(m) }
#define TAKE_BACK(m) \
  :: d_step { UNCHANGED(m) && (KIND(seen[m]) == DECIDED || KIND(seen[m]) == TO_TARGET) -> \
       catalog = seen[m] + 1; \
       PRIMARY(catalog) = PRIMARY(seen[m] - 1); VOTERS_OF(catalog) = VOTERS_OF(seen[m]); KIND(catalog) = TAKEN_BACK; \
       printf("master %d: catalog is {epoch %d, primary %d}, taken back\n", m, catalog, PRIMARY(catalog)); \
       settle(m) }

/* That the bounds are used up, so that a search which finds nothing wrong has not looked at too little. */
#ifdef TRANSFER
#define LAST_KIND TO_TARGET
#elif defined(MEMBERSHIP)
#define LAST_KIND SAME_PRIMARY
#else
#define LAST_KIND FENCED
#endif
#ifdef LEASE
#define SERVES(r) (READY(r) && LEASED(r))
#elif defined(CONFIRM)
#define SERVES(r) (READY(r) && reader == r + 1 && MAJORITY(confirmed, VOTERS_OF(promised[r])))
#else
#define SERVES(r) READY(r)
#endif
#define USED_UP(r) \
  :: d_step { SERVES(r) && promised[r] == EPOCHS && KIND(EPOCHS) == LAST_KIND && crashes == CRASHES && \
              acknowledged == BIT(WRITES + 1) - 2 -> \
       PROPERTY("broken: WITNESS\n", false) }

/* ---- all of it -------------------------------------------------------------------------------------------------- */

#define EACH(STEP) STEP(0) STEP(1) STEP(2)
#if EPOCHS >= 3
#define FROM_3(STEPS, r) STEPS(r, 3)
#else
#define FROM_3(STEPS, r)
#endif
#if EPOCHS >= 4
#define FROM_4(STEPS, r) STEPS(r, 4)
#else
#define FROM_4(STEPS, r)
#endif
#if LENGTH >= 4
#define APPEND_4(r, e) APPEND(r, e, 4)
#define COMMIT_4(r) COMMIT(r, 4)
#else
#define APPEND_4(r, e)
#define COMMIT_4(r)
#endif
#if LENGTH >= 5
#define APPEND_5(r, e) APPEND(r, e, 5)
#define COMMIT_5(r) COMMIT(r, 5)
#else
#define APPEND_5(r, e)
#define COMMIT_5(r)
#endif
#if LENGTH >= 6
#error "more lsns than there are steps for"
#endif
#define APPENDS(r, e) APPEND(r, e, 2) APPEND(r, e, 3) APPEND_4(r, e) APPEND_5(r, e)
#define COMMITS(r) COMMIT(r, 2) COMMIT(r, 3) COMMIT_4(r) COMMIT_5(r)
#define ALL_APPENDS(r) APPENDS(r, 1) APPENDS(r, 2) FROM_3(APPENDS, r) FROM_4(APPENDS, r)
#define FENCES(r) FENCE(r, 2) FROM_3(FENCE, r) FROM_4(FENCE, r)
#define CONFIGURES(r) CONFIGURE(r, 1) CONFIGURE(r, 2) FROM_3(CONFIGURE, r) FROM_4(CONFIGURE, r)
#define HAND_OVERS(m) HAND_OVER(m, 0) HAND_OVER(m, 1) HAND_OVER(m, 2)
#define FAIL_OVERS(m) FAIL_OVER(m, 0) FAIL_OVER(m, 1) FAIL_OVER(m, 2)

active proctype tablet() {
  d_step {
    i = 0;
    do
    :: i < 3 ->
      LOG(i, 0) = ENTRY(1, 0); appended[i] = 1; flushed[i] = 1; promised[i] = 1; i++
    :: else -> break
    od;
    i = 0;
    SENT(1, 0) = ENTRY(1, 0); SENT_LENGTH(1) = 1; truth[0] = ENTRY(1, 0);
    led[0] = 1; leads[0] = true; commit[0] = 1; reports = BIT(1);
    catalog = 1; PRIMARY(1) = 0; VOTERS_OF(1) = VOTERS;
  };
end:
  do
  EACH(WRITE)
  EACH(ALL_APPENDS)
  EACH(FLUSH)
  EACH(COMMITS)
  EACH(FENCES)
  EACH(CONFIGURES)
#ifdef LOSS
  EACH(LOSE)
  EACH(MAKE_ANEW)
#else
  EACH(CRASH)
#endif
#ifdef LEASE
  EACH(GRANT)
#ifdef NO_RULE_7_EPOCH
  GRANT_LATE(0, 1) GRANT_LATE(1, 1) GRANT_LATE(2, 1)
#endif
  EACH(LAPSE)
  EACH(READ)
#endif
#ifdef CONFIRM
  EACH(CONFIRMED_READ)
#endif
#ifdef TRANSFER
  EACH(RELEASE)
  HAND_OVERS(0) HAND_OVERS(1)
  TAKE_BACK(0) TAKE_BACK(1)
  CHANGE(0, 3) CHANGE(1, 3)
#ifdef NO_RULE_3
  EACH(RESUME)
#endif
#endif
#ifdef MEMBERSHIP
  CHANGE(0, 0) CHANGE(0, 1) CHANGE(0, 2) CHANGE(1, 0) CHANGE(1, 1) CHANGE(1, 2)
#endif
#ifdef WITNESS
  EACH(USED_UP)
#endif
  LOOK(0) LOOK(1)
  FAIL_OVERS(0) FAIL_OVERS(1)
  od
}
