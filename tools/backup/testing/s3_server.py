#!/usr/bin/env python3
"""An S3 store for tests, of Python's standard library alone: it checks every signature as Amazon does, and fails as
told.

  s3_server.py DIRECTORY

Serves path-style requests at a port of 127.0.0.1 that the system picks, and writes the port to DIRECTORY/port. The
key is AKTEST, its secret "secret/of+tests", the region test-1, the bucket "backups"; there is no other. Objects are
files below DIRECTORY/objects, with / as %2F. Each line of DIRECTORY/faults decides the fate of one of the next
requests, and is then removed: a status as 503, "drop" (the connection is closed after the request), "lose" (the
request is carried out, and then the connection is closed), or "ok". DIRECTORY/requests has a line for every request.
A list has two objects at most at a time, so that every test with three objects reads a second page.
"""
import datetime
import hashlib
import hmac
import http.server
import os
import pathlib
import sys
import threading
import urllib.parse
from xml.sax.saxutils import escape

KEY, SECRET, REGION, BUCKET = "AKTEST", "secret/of+tests", "test-1", "backups"
LIST_MOST = 2
home = pathlib.Path(sys.argv[1])
objects = home / "objects"
lock = threading.Lock()


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def wrong_signature(request, body):
    """Why the request's signature breaks AWS Signature Version 4. None: the signature is right."""
    fields = dict(
        f.strip().split("=", 1)
        for f in request.headers.get("Authorization", "").partition(" ")[2].split(",")
        if "=" in f
    )
    if not request.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256 "):
        return "AccessDenied", "the request is not signed", None
    key, date, region, service, end = fields["Credential"].split("/")
    if key != KEY:
        return "InvalidAccessKeyId", f"there is no key {key}", None
    if region != REGION:
        return "AuthorizationHeaderMalformed", f"the region '{region}' is wrong; expecting '{REGION}'", REGION
    when = request.headers.get("x-amz-date", "")
    sent = datetime.datetime.strptime(when, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    if abs(datetime.datetime.now(datetime.timezone.utc) - sent) > datetime.timedelta(minutes=15):
        return "RequestTimeTooSkewed", "the clocks differ too much", None
    if request.headers.get("x-amz-content-sha256") != hashlib.sha256(body).hexdigest():
        return "XAmzContentSHA256Mismatch", "the body is another", None
    signed = fields["SignedHeaders"].split(";")
    for name in request.headers:
        if (name.lower() == "host" or name.lower().startswith("x-amz-")) and name.lower() not in signed:
            return "AccessDenied", f"the header {name} is not signed", None
    path, _, query = request.path.partition("?")
    pairs = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
    quoted = "&".join(f"{urllib.parse.quote(a, safe='-_.~')}={urllib.parse.quote(b, safe='-_.~')}" for a, b in pairs)
    path = urllib.parse.quote(urllib.parse.unquote(path), safe="/-_.~")
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signed)
    canonical = "\n".join(
        [request.command, path, quoted, headers, fields["SignedHeaders"], request.headers["x-amz-content-sha256"]]
    )
    scope = "/".join([date, region, service, end])
    text = "\n".join(["AWS4-HMAC-SHA256", when, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    step = ("AWS4" + SECRET).encode()
    for part in (date, region, service, end):
        step = sign(step, part)
    if hmac.new(step, text.encode(), hashlib.sha256).hexdigest() != fields["Signature"] or service != "s3":
        return "SignatureDoesNotMatch", "the signature is another", None
    return None


def next_fault():
    with lock:
        file = home / "faults"
        lines = file.read_text().split() if file.exists() else []
        if lines:
            file.write_text("\n".join(lines[1:]))
        return lines[0] if lines else "ok"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code, message, region=None):
        more = f"<Region>{region}</Region>" if region else ""
        self.answer(status, f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>{more}</Error>".encode())

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = next_fault()
        with lock, open(home / "requests", "a") as log:
            log.write(f"{self.command} {self.path} {fault}\n")
        if fault == "drop":
            self.close_connection = True
            return
        if fault.isdigit():
            self.refuse(int(fault), "SlowDown", "as the test says")
            return
        wrong = wrong_signature(self, body)
        if wrong:
            code, message, region = wrong
            self.refuse(400 if region else 403, code, message, region)
            return
        if fault == "lose":
            self.wfile = open(os.devnull, "wb")
            self.close_connection = True
        path, _, query = self.path.partition("?")
        _, bucket, name = path.split("/", 2)
        name = urllib.parse.unquote(name)
        if bucket != BUCKET:
            self.refuse(404, "NoSuchBucket", "the bucket is not there")
        elif not name:
            self.list(dict(urllib.parse.parse_qsl(query)))
        else:
            self.object(objects / urllib.parse.quote(name, safe=""), body)

    def object(self, file, body):
        if self.command == "PUT":
            part = file.with_name(file.name + f".{threading.get_ident()}")
            part.write_bytes(body)
            part.rename(file)
            self.answer(200, ETag=f'"{hashlib.md5(body).hexdigest()}"')
        elif self.command == "DELETE":
            file.unlink(missing_ok=True)
            self.answer(204)
        elif not file.exists():
            self.refuse(404, "NoSuchKey", "the key is not there")
        else:
            whole = file.read_bytes()
            first, last = 0, len(whole) - 1
            if "Range" in self.headers:
                first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
                if first >= len(whole):
                    return self.refuse(416, "InvalidRange", "it is not that long")
            self.answer(206 if "Range" in self.headers else 200, whole[first:last + 1])

    def list(self, query):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        found = {}
        for file in objects.iterdir():
            name = urllib.parse.unquote(file.name)
            if name.startswith(prefix):
                cut = name.find(delimiter, len(prefix)) if delimiter else -1
                found[name if cut < 0 else name[:cut + 1]] = cut < 0
        after = [n for n in sorted(found) if n > query.get("continuation-token", "")]
        shown = after[:LIST_MOST]
        text = "".join(f"<Contents><Key>{escape(n)}</Key></Contents>" if found[n] else
                       f"<CommonPrefixes><Prefix>{escape(n)}</Prefix></CommonPrefixes>" for n in shown)
        more = len(after) > len(shown)
        token = f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>" if more else ""
        self.answer(
            200,
            f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{text}{token}</ListBucketResult>".encode(),
        )

    do_GET = do_HEAD = do_PUT = do_DELETE = handle_any


def main():
    objects.mkdir(exist_ok=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    (home / "port.new").write_text(str(server.server_port))
    (home / "port.new").rename(home / "port")
    server.serve_forever()


main()
