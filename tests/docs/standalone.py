"""An ebla-standalone for one test: on free ports, in a directory that is deleted with it."""
import pathlib
import shutil
import subprocess
import tempfile
import time


class Standalone:
    def __init__(self, bin_dir, *flags):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="ebla-docs."))
        data = self.directory / "data"
        self.log = open(self.directory / "log", "w")
        self.process = subprocess.Popen(
            [bin_dir / "ebla-standalone", f"--data_dir={data}", "--listen=127.0.0.1:0", "--http_listen=127.0.0.1:0",
             "--disk_reserve_mb=0", "--log_to_stderr", *flags], stdout=self.log, stderr=self.log)
        address = data / "ADDRESS"
        limit = time.monotonic() + 30
        while not address.exists():  # it is put there, whole, once the process is ready
            if self.process.poll() is not None or time.monotonic() > limit:
                self.log.flush()
                text = (self.directory / "log").read_text()
                self.stop()
                raise RuntimeError(f"ebla-standalone did not start:\n{text}")
            time.sleep(0.02)
        lines = dict(line.split(" ", 1) for line in address.read_text().splitlines())
        self.thrift, self.http = lines["thrift"], lines["http"]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
