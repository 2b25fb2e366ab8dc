#!/usr/bin/env python3
"""Applications' own libraries at ebla-gateway: Django's caches and sessions, Celery's results, and Node's clients.

npm installs these into the build directory. ./dev clients runs this test."""
import pathlib
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from processes import Gateway, GatewayCase, main  # noqa: E402

DJANGO = """
import django
from django.conf import settings
settings.configure(
    CACHES={"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://ADDRESS/0"},
            "pymemcache": {"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache", "LOCATION": "MEMCACHED"},
            "pylibmc": {"BACKEND": "django.core.cache.backends.memcached.PyLibMCCache", "LOCATION": "MEMCACHED"}},
    SESSION_ENGINE="django.contrib.sessions.backends.cache", INSTALLED_APPS=["django.contrib.sessions"], SECRET_KEY="x")
django.setup()
from django.core.cache import caches
from django.contrib.sessions.backends.cache import SessionStore
for name in ("default", "pymemcache", "pylibmc"):
    cache = caches[name]
    cache.clear()
    cache.set("a", {"x": 1}, 30)
    assert cache.get("a") == {"x": 1}, name
    assert cache.add("a", 2) is False and cache.add("b", 2) is True, name
    assert cache.get_or_set("c", 5) == 5 and cache.touch("c", 50) is True, name
    cache.set("n", 1)
    assert cache.incr("n") == 2 and cache.decr("n") == 1, name
    assert not cache.set_many({"p": 1, "q": [2]}, 60), name
    assert cache.get_many(["p", "q", "nothing"]) == {"p": 1, "q": [2]}, name
    cache.delete_many(["p"])
    assert cache.get("p") is None and "q" in cache, name
    assert cache.set("v", 1, version=2) is not False and cache.incr_version("v", version=2) == 3, name
    assert cache.get("v", version=3) == 1, name
redis = caches["default"]
assert 0 < redis.ttl("a") <= 30 and redis.persist("a") and redis.ttl("a") is None
assert redis.expire("a", 20) and "a" in redis.keys("*") and sorted(redis.iter_keys("q*")) == ["q"]
assert redis.delete_pattern("q*") == 1
with redis.lock("lock", timeout=10):
    assert redis.get("a") == {"x": 1}
redis.clear()
assert redis.get("a") is None
session = SessionStore()
session["user"] = 1
session.save()
assert SessionStore(session_key=session.session_key)["user"] == 1
session.delete()
assert SessionStore(session_key=session.session_key).get("user") is None
"""

CELERY = """
import threading
from celery import Celery, states
app = Celery("results", broker="memory://", backend="redis://ADDRESS/0")
result = app.AsyncResult("task-1")
assert result.state == states.PENDING
timer = threading.Timer(0.3, lambda: app.backend.store_result("task-1", {"sum": 42}, states.SUCCESS))
timer.start()
assert result.get(timeout=20) == {"sum": 42}
app.backend.store_result("task-2", ValueError("no"), states.FAILURE)
try:
    app.AsyncResult("task-2").get(timeout=20)
    raise AssertionError("it had failed")
except ValueError as failure:
    assert str(failure) == "no"
result.forget()
assert app.AsyncResult("task-1").state == states.PENDING
"""


class ApplicationsTest(GatewayCase):
    protocol = "redis"
    flags = ("--redis_transactions=each-group",)  # libraries send MULTI where they mean a pipeline alone

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.memcached = Gateway(cls.bin_dir, cls.standalone.thrift, "--create_table")
        cls.addClassCleanup(cls.memcached.stop)

    def run_python(self, text):
        text = text.replace("ADDRESS", f"{self.gateway.host}:{self.gateway.port}")
        text = text.replace("MEMCACHED", f"{self.memcached.host}:{self.memcached.port}")
        self.run_command(["/usr/bin/python3", "-c", text])

    def run_command(self, command, **more):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, **more)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_django(self):
        self.run_python(DJANGO)

    def test_celery(self):
        self.run_python(CELERY)

    def test_node(self):
        directory = self.bin_dir.parent / "applications"
        directory.mkdir(exist_ok=True)
        for name in ("package.json", "clients.mjs"):
            shutil.copy(HERE / name, directory / name)
        self.run_command(["npm", "install", "--no-audit", "--no-fund"], cwd=directory)
        said = self.run_command(["node", "clients.mjs", f"{self.gateway.host}:{self.gateway.port}"], cwd=directory)
        self.assertEqual(said.split("\n")[:-1],
                         [f"{name}: ok" for name in ("ioredis", "nodeRedis", "sessions", "rateLimits")])


if __name__ == "__main__":
    main()
