#!/usr/bin/env python3
"""./dev elastic: a cluster follows its load, and a picture of it.

Five servers hold one table of one tablet. ebla-ycsb loads it with a zipfian distribution, then with a hot range of keys
that jumps; then the load stops. No operator acts. Once a second it records each server's report (/metrics) and the
planner's actions (ebla balance explain), and finally judges and draws them.

Judged: under load, within two minutes of each change of load there is a stretch of 30 s in which the busiest
server carried at most 1.25 times the mean of operations/s. No operation failed. Something was done after the jump, too.
When the load has stopped for a while, at most a quarter of the tablets are left.
Exit code 0 when all of that holds.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import picture

SERVERS = 5
BOUND = 1.25
WINDOW_S = 30
WITHIN_S = 120
# The planner's patience, shortened, so that a picture takes minutes.
MASTER_FLAGS = ["--plan_every_ms=1000", "--split_sustained_ms=3000", "--split_again_ms=5000",
                "--split_left_alone_ms=5000", "--balance_sustained_ms=3000", "--balance_cool_down_ms=10000",
                "--merge_history_ms=20000", "--merge_after_split_ms=30000"]
MERGED_PART = 0.25  # of the most tablets, that is left at the end at most
RANGES = ["-p", "insertorder=ordered", "-p", "zeropadding=12"]


class Cluster:
    """A cluster below a separate directory, which is deleted with it."""

    def __init__(self, binaries, master_flags):
        self.binaries = binaries
        self.dir = tempfile.mkdtemp(prefix="ebla-elastic-")
        self.run("ebla-cluster", "start", "--dir", self.dir + "/cluster", "--masters", "1", "--servers", str(SERVERS),
                 *[f"--master_flag={flag}" for flag in MASTER_FLAGS + master_flags])
        status = json.loads(self.run("ebla-cluster", "status", "--dir", self.dir + "/cluster", "--json"))
        self.masters = ",".join(status["masters"])
        self.servers = {p["name"]: p["http"] for p in status["processes"] if p["name"].startswith("ts-")}

    def run(self, program, *arguments):
        done = subprocess.run(
            [os.path.join(self.binaries, program), *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def ebla(self, *arguments):
        return self.run("ebla", "--masters", self.masters, *arguments)

    def ycsb(self, *arguments):
        """In the background; its output is in the cluster's directory."""
        log = open(os.path.join(self.dir, f"ycsb-{time.time_ns()}"), "w+")
        command = [os.path.join(self.binaries, "ebla-ycsb"), *arguments, "-p", f"ebla.masters={self.masters}"]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        process.log = log
        return process

    def end(self):
        self.run("ebla-cluster", "stop", "--dir", self.dir + "/cluster")
        shutil.rmtree(self.dir, ignore_errors=True)


def server_figures(address):
    """Operations answered since its start, replicas, and those that it leads."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as page:
        text = page.read().decode()
    operations = sum(float(n) for n in re.findall(r"^ebla_operation_seconds_count\{[^}]*\} (\S+)", text, re.M))
    leading = float(re.search(r"^ebla_tablets_leading (\S+)", text, re.M).group(1))
    return operations, leading


class Watch:
    """A sample a second, {"t", "operations": {server: total}, "tablets"}, and actions, {"t", "kind", "what"}."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.begun = time.monotonic()
        self.samples = []
        self.actions = []
        self.phases = []  # {"t", "name", "loaded"}
        self.seen = set()
        self.planner = {}

    def now(self):
        return time.monotonic() - self.begun

    def phase(self, name, loaded):
        self.phases.append({"t": self.now(), "name": name, "loaded": loaded})
        print(f"{self.now():5.0f} s  {name}", flush=True)

    def look(self):
        operations, tablets = {}, 0
        for server, address in self.cluster.servers.items():
            operations[server], leading = server_figures(address)
            tablets += leading
        self.samples.append({"t": self.now(), "operations": operations, "tablets": int(tablets)})

    def look_at_actions(self):
        state = json.loads(self.cluster.ebla("--json", "balance", "explain"))
        self.planner = state
        for action in reversed(state["done"]):
            began = self.now() - (action["age_ms"] or 0) / 1000
            key = (action["action"], action["reason"])
            if key in self.seen:
                continue
            self.seen.add(key)
            kind = action["action"].split()[0]
            self.actions.append(
                {"t": began, "kind": kind, "what": action["action"], "outcome": action["outcome"] or ""}
            )
            print(
                f"{began:5.0f} s  {action['action']}: {action['outcome'] or ''}\n         {action['reason']}",
                flush=True,
            )

    def until(self, t, process=None):
        while self.now() < t and (process is None or process.poll() is None):
            self.look()
            if len(self.samples) % 3 == 0:
                self.look_at_actions()
            time.sleep(max(0.0, 1 - (self.now() - self.samples[-1]["t"])))


def rates(samples, span):
    """[(t, {server: operations/s over the last `span` seconds})]"""
    result, first = [], 0
    for last, sample in enumerate(samples):
        while samples[first]["t"] < sample["t"] - span - 0.5:
            first += 1
        elapsed = sample["t"] - samples[first]["t"]
        if elapsed < span - 1.5:
            continue
        before = samples[first]["operations"]
        result.append((sample["t"], {s: (n - before[s]) / elapsed for s, n in sample["operations"].items()}))
    return result


def imbalances(samples):
    """[(t, busiest over mean)], over WINDOW_S, where anything is done."""
    result = []
    for t, rate in rates(samples, WINDOW_S):
        mean = sum(rate.values()) / len(rate)
        if mean > 20:
            result.append((t, max(rate.values()) / mean))
    return result


def judge(watch, failures):
    faults = list(failures)
    ends = [phase["t"] for phase in watch.phases[1:]] + [watch.now()]
    for phase, end in zip(watch.phases, ends):
        if not phase["loaded"]:
            continue
        within = [(value, t) for t, value in imbalances(watch.samples)
                  if phase["t"] + WINDOW_S <= t <= min(end, phase["t"] + WITHIN_S)]
        acted = sum(1 for action in watch.actions if phase["t"] <= action["t"] < end)
        if not within:
            faults.append(f"{phase['name']}: too short to be judged")
            continue
        best, t = min(within)
        first = next((at - phase["t"] for value, at in within if value <= BOUND), None)
        reached = f"at most {BOUND} after {first:.0f} s" if first is not None else f"never at most {BOUND}"
        print(f"{phase['name']}: busiest server / mean over {WINDOW_S} s: {reached}; the least {best:.2f} after "
              f"{t - phase['t']:.0f} s; {acted} actions")
        if first is None:
            faults.append(f"{phase['name']}: the busiest server carries {best:.2f} times the mean at the least")
        if acted == 0:
            faults.append(f"{phase['name']}: nothing was done")
    most, left = max(sample["tablets"] for sample in watch.samples), watch.samples[-1]["tablets"]
    print(f"tablets: {most} at the most, {left} at the end")
    if left > max(1, MERGED_PART * most):
        faults.append(f"{left} of {most} tablets are left {watch.now() - watch.phases[-1]['t']:.0f} s after the load")
    return faults


def failed(process, what):
    process.wait()
    process.log.seek(0)
    text = process.log.read()
    return [] if process.returncode == 0 else [f"{what}: ebla-ycsb ended with {process.returncode}:\n{text[-2000:]}"]


def follow(cluster, arguments):
    common = [
        "-P",
        arguments.workload,
        "-p",
        f"recordcount={arguments.records}",
        "-p",
        "fieldcount=1",
        "-p",
        "fieldlength=200",
        "-threads",
        "16",
        *RANGES,
    ]
    cluster.ebla("table", "create", "usertable", "--replicas", "3", "--split-ops", str(max(1, arguments.rate // 10)))
    cluster.ebla("balance", "off")  # loading is not the load that is followed
    faults = failed(cluster.ycsb("load", *common), "load")
    cluster.ebla("balance", "on")
    watch = Watch(cluster)
    run = ["run", *common, "-target", str(arguments.rate), "-p", "operationcount=0"]
    for name, seconds, more in (
            ("zipfian", arguments.seconds, ["-p", "requestdistribution=zipfian"]),
            ("a hot range", 2 * arguments.seconds,
             ["-p", "requestdistribution=hotspot", "-p", "hotspotdatafraction=0.05", "-p", "hotspotopnfraction=0.9",
              "-p", f"ebla.hotspot.jump_s={arguments.seconds}"])):
        load = cluster.ycsb(*run, *more, "-p", f"maxexecutiontime={seconds}")
        watch.phase(name, True)
        begun = watch.now()
        watch.until(begun + min(seconds, arguments.seconds), load)
        if seconds > arguments.seconds:
            watch.phase("it jumps", True)
            watch.until(begun + seconds, load)
        faults += failed(load, name)
    watch.phase("no load", False)
    watch.until(watch.now() + arguments.quiet)
    watch.look_at_actions()
    return watch, faults


def main():
    parser = argparse.ArgumentParser(prog="./dev elastic", description="A cluster follows its load: judged, and drawn.")
    parser.add_argument("--binaries", default="build/release/bin", help=argparse.SUPPRESS)
    parser.add_argument("--workload", default="conf/ycsb/workloada", help="YCSB's workload file")
    parser.add_argument("--records", type=int, default=20000, help="how many records are loaded first")
    # Balance takes 250 operations/s for noise: that is to be less than a quarter of the mean. (An update counts as
    # two.)
    parser.add_argument("--rate", type=int, default=4000, help="operations/s that the load asks for")
    parser.add_argument("--seconds", type=int, default=150, help="how long each load lasts")
    parser.add_argument("--quiet", type=int, default=240, help="how many seconds the cluster is watched after the load")
    parser.add_argument("--master_flag", action="append", default=[], help="a further flag for the master")
    parser.add_argument("--svg", default="docs/lab/elastic.svg", help="where the picture goes")
    parser.add_argument("--save", help="a file to write the observations to, as JSON")
    parser.add_argument("--saved", help="a file of saved observations: judges and draws them, without a cluster")
    arguments = parser.parse_args()
    if arguments.saved:
        watch = Watch(None)
        with open(arguments.saved) as file:
            watch.samples, watch.actions, watch.phases, faults = json.load(file)
        watch.now = lambda: watch.samples[-1]["t"]
    else:
        cluster = Cluster(arguments.binaries, arguments.master_flag)
        try:
            watch, faults = follow(cluster, arguments)
        finally:
            cluster.end()
    if arguments.save:
        with open(arguments.save, "w") as file:
            json.dump([watch.samples, watch.actions, watch.phases, faults], file)
    faults = judge(watch, faults)
    if faults and watch.planner:
        left = {**watch.planner, "done": len(watch.planner["done"]), "rejected": watch.planner["rejected"][:20]}
        print("what the planner says at the end:", json.dumps(left, indent=1))
    with open(arguments.svg, "w") as file:
        file.write(
            picture.draw(
                watch.samples, watch.actions, watch.phases, rates(watch.samples, 5), imbalances(watch.samples), BOUND
            )
        )
    print(f"the picture is in {arguments.svg}")
    for fault in faults:
        print(f"FAULT {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
