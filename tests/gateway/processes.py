"""A test's own ebla-standalone with ebla-gateway before it, and memcached, on ports that the system picks."""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True  # nothing is left beside the sources
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "docs"))
from standalone import Standalone  # noqa: E402


def wait_for(condition, what, seconds=30):
    limit = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > limit:
            raise RuntimeError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.02)


def end(process):
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


class Gateway:
    """`start` false: only its output is of interest. Its directory is deleted at the end."""

    def __init__(self, bin_dir, masters, *flags, protocol="memcached", start=True):
        self.protocol = protocol
        self.directory = tempfile.TemporaryDirectory(prefix="ebla-gateway.")
        self.output = pathlib.Path(self.directory.name) / "output"
        command = [bin_dir / "ebla-gateway", f"--masters={masters}", f"--{protocol}_listen=127.0.0.1:0",
                   "--http_listen=127.0.0.1:0", *flags]
        with open(self.output, "w") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)
        if not start:
            return
        match = wait_for(self.address, "the gateway: " + " ".join(map(str, command)))
        self.host, self.port, self.http = match.group(1), int(match.group(2)), match.group(3)

    def address(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the gateway ended with {self.process.returncode}: {self.text()}")
        return re.search(rf"serves .*?{self.protocol} at ([\d.]+):(\d+),.* http at (\S+)", self.text())

    def text(self):
        return self.output.read_text()

    def stop(self):
        code = end(self.process)
        self.directory.cleanup()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Memcached:
    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="ebla-memcached.")
        port_file = pathlib.Path(self.directory.name) / "port"
        user = ["-u", "root"] if os.getuid() == 0 else []
        self.process = subprocess.Popen(["memcached", *user, "-l", "127.0.0.1", "-p", "-1", "-U", "0", "-m", "64"],
                                        env=dict(os.environ, MEMCACHED_PORT_FILENAME=str(port_file)))
        text = wait_for(lambda: port_file.exists() and port_file.read_text(), "memcached")
        self.host, self.port = "127.0.0.1", int(re.search(r"TCP INET: (\d+)", text).group(1))

    def stop(self):
        end(self.process)
        self.directory.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class RedisServer:
    """At a socket of its own, in memory alone."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="ebla-redis.")
        path = pathlib.Path(self.directory.name) / "socket"
        self.url = f"unix://{path}"
        self.process = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", path, "--save", ""],
                                        stdout=subprocess.DEVNULL)
        wait_for(path.exists, "redis-server")

    def stop(self):
        end(self.process)
        self.directory.cleanup()


class GatewayCase(unittest.TestCase):
    """An ebla-standalone and a gateway before it for all tests of a class, unless that starts others."""

    bin_dir = None  # everybody's, by main()
    protocol = "memcached"
    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.standalone = Standalone(cls.bin_dir)
        cls.addClassCleanup(cls.standalone.stop)
        cls.gateway = Gateway(cls.bin_dir, cls.standalone.thrift, "--create_table", *cls.flags, protocol=cls.protocol)
        cls.addClassCleanup(cls.gateway.stop)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build_dir", type=pathlib.Path)
    arguments, rest = parser.parse_known_args()
    GatewayCase.bin_dir = arguments.build_dir.resolve() / "bin"
    unittest.main(argv=[sys.argv[0], *rest])


__all__ = ["Gateway", "GatewayCase", "Memcached", "RedisServer", "Standalone", "end", "main", "wait_for"]
