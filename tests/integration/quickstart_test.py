#!/usr/bin/env python3
"""./quickstart with stand-ins for ./dev and the binaries: its phases, its summary, and its message when one fails."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

DEV = """#!/bin/bash
echo "dev $*" >>calls
for i in 1 2 3; do echo "[$i/3 0 s] compiling"; done
if [ "$1" = "$(cat fail 2>/dev/null)" ]; then echo "no space left"; exit 3; fi
"""
CLUSTER = """#!/bin/bash
echo "ebla-cluster $*" >>calls
if [ "$1" = start ]; then printf 'to use it:\\n  export EBLA_MASTERS=127.0.0.1:7400\\n'; fi
if [ "$1" = status ]; then printf 'NAME STATE\\n\\nEBLA_MASTERS=127.0.0.1:7400\\n'; [ ! -e down ]; fi
"""
EBLA = """#!/bin/bash
if [ "$1" = table ]; then
  printf 'table usertable\\ntablets serving  12/12\\nreplicas         3\\n'
elif [ "$1" = balance ]; then
  printf 'the planner is on; its latest plan was made 1 s ago\\n\\nUNDER WAY\\nbalance: transfer tablet 5, begun 1 s ago\\n  a lot\\n'
  printf '\\nOVER\\nsplit: split tablet 2 at "m", begun 9 s ago: OK\\n  9,000 operations/s\\n\\nNOT DONE\\nsplit, tablet 9: cool-down\\n  split lately\\n'
else
  printf 'SERVER  STATE  RACK  TABLETS  PRIMARIES\\nts-1    live   -     12       3\\nts-2    live   -     12       5\\nts-3    lost   -     12       9\\n'
fi
"""
YCSB = """#!/bin/bash
echo "ebla-ycsb $* masters=$EBLA_MASTERS" >>calls
if [ "$1" = "$(cat fail 2>/dev/null)" ]; then echo "3 of 5 operations failed" >&2; exit 1; fi
for argument; do case $argument in exportfile=*) file=${argument#exportfile=} ;; esac; done
cat >"$file" <<X
[OVERALL], RunTime(ms), 2000
[OVERALL], Throughput(ops/sec), 50123.4
[READ], Operations, 99
[READ], AverageLatency(us), 3.60
[READ], 99thPercentileLatency(us), 9
[READ], MaxLatency(us), 1234567
[READ], Return=OK, 99
X
"""


GATEWAY = """#!/bin/bash
echo "ebla-gateway $*" >>calls
if [ gateway = "$(cat fail 2>/dev/null)" ]; then echo "there is no master"; exit 1; fi
echo "ebla-gateway serves memcached at 127.0.0.1:1234, redis at 127.0.0.1:5678, http at 127.0.0.1:9"
sleep 60 & trap 'kill $!; exit 0' TERM; wait
"""


class QuickstartTest(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="ebla-quickstart."))
        self.addCleanup(shutil.rmtree, self.root)
        self.addCleanup(self.end_gateway)
        bin_dir = self.root / "build/release/bin"
        bin_dir.mkdir(parents=True)
        shutil.copy(ROOT / "quickstart", self.root)
        programs = ((self.root / "dev", DEV), (bin_dir / "ebla-cluster", CLUSTER), (bin_dir / "ebla", EBLA),
                    (bin_dir / "ebla-ycsb", YCSB), (bin_dir / "ebla-gateway", GATEWAY))
        for path, text in programs:
            path.write_text(text)
            path.chmod(0o755)

    def gateway(self):
        """Its number; none: none runs."""
        path = self.root / ".ebla/gateway.pid"
        pid = int(path.read_text()) if path.exists() else None
        return pid if pid and pathlib.Path(f"/proc/{pid}/cmdline").exists() else None

    def end_gateway(self):
        if pid := self.gateway():
            os.kill(pid, signal.SIGTERM)

    def run_it(self, *arguments):
        return subprocess.run(
            [self.root / "quickstart", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL
        )

    def calls(self):
        return (self.root / "calls").read_text().splitlines()

    def test_all_phases_and_how_to_go_on(self):
        done = self.run_it("--records", "500", "--workload", "b")
        self.assertEqual(done.returncode, 0, done.stderr)
        calls = self.calls()
        self.assertEqual(calls[:2], ["dev packages run", "dev build --binaries"])
        self.assertIn("start --dir .ebla --masters 2 --servers 3", calls[2])
        self.assertIn("load -P conf/ycsb/workloadb -p recordcount=500", calls[3])
        self.assertIn("run -P conf/ycsb/workloadb", calls[4])
        self.assertTrue(calls[4].endswith("masters=127.0.0.1:7400"))
        self.assertIn("ebla-gateway --masters=127.0.0.1:7400 --redis_listen=127.0.0.1:", calls[5])
        self.assertEqual(len(calls), 6, "the cluster stays")
        self.assertIsNotNone(self.gateway(), "and the gateway")
        for phase in range(1, 7):
            self.assertIn(f"[{phase}/6]", done.stderr)
        self.assertIn("done in", done.stderr)
        self.assertIn("run:  50123.4 operations/s", done.stdout)
        self.assertRegex(done.stdout, r"READ +99 operations, latency +4 us on average, +9 us at the 99th")
        self.assertIn("one at first, now 12 tablets of 3 replicas each, on 3 tablet servers", done.stdout)
        self.assertIn(
            '  split: split tablet 2 at "m": 9,000 operations/s\n  balance: transfer tablet 5: a lot\n', done.stdout
        )
        self.assertNotIn("cool-down", done.stdout)
        self.assertIn("EBLA_MASTERS=127.0.0.1:7400", done.stdout)
        self.assertIn("./quickstart failover", done.stdout)
        self.assertIn("redis-cli -p 5678 set", done.stdout)
        self.assertIn("served at 127.0.0.1:1234", done.stdout)

    def test_a_gateway_that_runs_is_left_alone_and_stop_ends_it(self):
        self.assertEqual(self.run_it().returncode, 0)
        first = self.gateway()
        self.assertEqual(self.run_it().returncode, 0)
        self.assertEqual(self.gateway(), first)
        self.assertEqual(self.run_it("stop").returncode, 0)
        self.assertIsNone(self.gateway())

    def failover_at_once(self):
        """The script kills after seconds; here at once."""
        script = self.root / "quickstart"
        script.write_text(script.read_text().replace("failover_kill_after=5", "failover_kill_after=0"))

    def test_a_failover_kills_who_leads_most_and_says_how_long_it_took(self):
        self.failover_at_once()
        self.assertEqual(self.run_it("--records", "500").returncode, 0)
        (self.root / "calls").unlink()
        done = self.run_it("failover")
        self.assertEqual(done.returncode, 0, done.stderr)
        calls = self.calls()
        self.assertTrue(any("run -P conf/ycsb/workloada -p recordcount=500" in call for call in calls), calls)
        self.assertIn("ebla-cluster kill ts-2 --dir .ebla", calls)
        self.assertEqual(calls[-1], "ebla-cluster restart ts-2 --dir .ebla")
        self.assertIn("ts-2 was the primary of 5 tablets and was killed", done.stdout)
        self.assertIn("99 operations, none failed; the longest wait was 1235 ms", done.stdout)

    def test_a_failover_that_cost_an_operation_fails_and_brings_the_server_back(self):
        self.failover_at_once()
        self.assertEqual(self.run_it().returncode, 0)
        (self.root / "fail").write_text("run")
        done = self.run_it("failover")
        self.assertEqual(done.returncode, 1)
        self.assertIn("3 of 5 operations failed", done.stderr)
        self.assertEqual(self.calls()[-1], "ebla-cluster restart ts-2 --dir .ebla")
        self.assertNotIn("none failed", done.stdout)

    def test_a_failover_needs_a_whole_cluster_and_a_table(self):
        self.assertIn("run ./quickstart first", self.run_it("failover").stderr)
        (self.root / "down").write_text("")
        done = self.run_it("failover")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not all processes of the cluster run; start it with ./quickstart", done.stderr)

    def test_once_stops_the_cluster(self):
        done = self.run_it("--once")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.calls()[-1], "ebla-cluster stop --dir .ebla")
        self.assertIsNone(self.gateway())

    def test_a_failure_names_its_log_and_shows_the_end_of_it(self):
        for fail, log, reason in (
            ("build", "build.log", "no space left"),
            ("run", "run.log", "3 of 5 operations failed"),
            ("gateway", "gateway.log", "there is no master"),
        ):
            (self.root / "fail").write_text(fail)
            done = self.run_it()
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"the log is {self.root}/.ebla/quickstart/{log}", done.stderr)
            self.assertIn(reason, done.stderr)
            self.assertEqual(done.stdout, "")

    def test_nonsense_is_refused(self):
        for arguments in (["--records", "0"], ["--records"], ["--workload", "z"], ["walk"]):
            done = self.run_it(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn("quickstart: ", done.stderr)
        self.assertFalse((self.root / "calls").exists())

    def test_stop_and_help(self):
        self.assertEqual(self.run_it("stop").returncode, 0)
        self.assertEqual(self.calls(), ["ebla-cluster stop --dir .ebla"])
        self.assertIn("--once", self.run_it("--help").stdout)
        (self.root / "build/release/bin/ebla-cluster").unlink()
        self.assertIn("no cluster was started", self.run_it("stop").stderr)


if __name__ == "__main__":
    unittest.main()
