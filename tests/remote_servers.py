"""Real servers of this machine for tests: S3 by moto, and the web by http.server."""

import os
import re
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.request import Request, urlopen


class S3Request(NamedTuple):
    """What an S3 was asked, and how much it sent."""

    method: str
    key: str  # with its bucket
    range: str  # "" for the whole
    status: int
    sent: int  # bytes of the body

    @property
    def first_byte(self):
        return int(re.match(r"bytes=(\d+)|", self.range)[1] or 0)


class S3Watch:
    """An S3 that counts what it is asked, and misbehaves where it shall.

    trouble(method, key, times) says what happens to a request, of which the same was made so many times before: "" to
    be answered; "slow" and "cut" in the middle of the body, "hold" before it, until `hold` is set; or the name of an
    error with its status, such as "503 SlowDown".
    """

    def __init__(self, app):
        self.app, self.requests, self.trouble = app, [], lambda method, key, times: ""
        self.lock, self.hold, self.slowness, self.times = (
            threading.Lock(),
            threading.Event(),
            2,
            Counter(),
        )

    def __call__(self, environ, start_response):
        method, key = environ["REQUEST_METHOD"], environ["PATH_INFO"].lstrip("/")
        with self.lock:
            times = self.times[method, key]
            self.times[method, key] += 1
        what = self.trouble(method, key, times)
        if what[:1].isdigit():
            return self.refuse(environ, start_response, what)
        if what == "hold":
            self.hold.wait(60)
        told = {}

        def start(status, headers, *more):
            told["status"] = int(status.split()[0])
            return start_response(status, headers, *more)

        body = b"".join(self.app(environ, start))
        self.note(method, key, environ, told["status"], len(body) // (2 if what == "cut" else 1))
        return self.send(body, what) if what in ("cut", "slow") else [body]

    def note(self, method, key, environ, status, sent):
        with self.lock:
            asked = environ.get("HTTP_RANGE", "")
            self.requests.append(S3Request(method, key, asked, status, sent))

    def send(self, body, what):
        yield body[: len(body) // 2]
        if what == "cut":
            raise ConnectionResetError("the network is gone")
        time.sleep(self.slowness)
        yield body[len(body) // 2 :]

    def refuse(self, environ, start_response, what):
        status, code = what.split()
        body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
        self.note(
            environ["REQUEST_METHOD"], environ["PATH_INFO"].lstrip("/"), environ, int(status), 0
        )
        start_response(f"{status} {code}", [("Content-Length", str(len(body)))])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def of(self, ending):
        """List the requests of files with an ending."""
        return [r for r in self.requests if r.key.endswith(ending)]


@contextmanager
def watched_s3(monkeypatch):
    """Yield (a boto3 client, S3Watch)."""
    with s3_server(monkeypatch) as client:
        yield client, client.watch


@contextmanager
def s3_server(monkeypatch):
    """An empty S3 with credentials for it in the environment; yields a boto3 client."""
    import boto3
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tester")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-to-be-printed")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    s3fs.S3FileSystem.clear_instance_cache()
    client = boto3.client("s3")
    client.watch = server._server.app = S3Watch(server._server.app)
    try:
        yield client
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        server._server.app = client.watch.app  # whatever trouble it makes
        urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
        server.stop()


def put_folder(client, folder, bucket="photos", prefix=""):
    """Put the files of a folder into a bucket."""
    client.create_bucket(Bucket=bucket)
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            key = prefix + file.relative_to(folder).as_posix()
            client.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())


class Web(SimpleHTTPRequestHandler):
    """A folder on the web, where some paths misbehave; it counts what it was asked."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args, state, **options):
        self.state = state
        super().__init__(*args, **options)

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = self.path.partition("?")[0]
        self.state.asked.append(self.path)
        with self.state.busy():
            if path.startswith("/slow/"):
                time.sleep(self.state.slowness)
            if path.startswith("/moved/"):
                return self.answer(302, Location=path.removeprefix("/moved"))
            if path.startswith("/inside/"):
                return self.answer(302, Location="http://169.254.169.254/latest/meta-data/")
            if path.startswith("/shaky/") and self.state.asked.count(self.path) < 3:
                return self.answer(503)
            if path.startswith("/secret/"):
                return self.answer(403)
            if path.startswith("/endless/"):
                return self.send_endlessly()
            if path.startswith("/short/"):
                return self.send_half()
            path = self.path = "/" + path.split("/", 2)[-1] if path.count("/") > 1 else path
            return self.send_file(path)

    def send_file(self, path):
        file = os.path.join(self.directory, path.lstrip("/"))
        if not os.path.isfile(file):
            return self.answer(404)
        tag = f'"{os.stat(file).st_mtime_ns}"'
        if self.headers.get("If-None-Match") == tag:
            self.state.unchanged += 1
            return self.answer(304, ETag=tag)
        with open(file, "rb") as opened:
            body = opened.read()
        if (asked := self.headers.get("Range")) and not self.state.without_ranges:
            start, _, end = asked.removeprefix("bytes=").partition("-")
            if not start:  # the last bytes
                start, end = max(0, len(body) - int(end)), ""
            start, end = int(start), min(int(end or len(body)), len(body) - 1)
            where = {"Content-Range": f"bytes {start}-{end}/{len(body)}", "ETag": tag}
            return self.answer(206, body[start : end + 1], **where)
        self.state.take_turn()
        self.answer(200, body, ETag=tag)

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):  # it may have gone meanwhile
            self.wfile.write(body)

    def send_half(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        self.wfile.write(b"\x89PNG")
        self.close_connection = True

    def send_endlessly(self):
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                self.wfile.write(bytes(1 << 16))
                self.state.sent += 1 << 16
        except OSError:
            pass


class Asked:
    """What a server was asked, and how many requests it had at once."""

    def __init__(self):
        self.asked, self.sent, self.slowness, self.now, self.most = [], 0, 0.0, 0, 0
        self.without_ranges = False  # whether it sends all, whatever part it is asked for
        self.bodies = self.unchanged = 0  # files that were sent, and those that need not be
        self.hold_after = None  # after so many it sends no more, until it is None again
        self.lock = threading.Lock()

    def take_turn(self):
        """Wait until one more file may be sent."""
        while True:
            with self.lock:
                if self.hold_after is None or self.bodies < self.hold_after:
                    self.bodies += 1
                    return
            time.sleep(0.02)

    @contextmanager
    def busy(self):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        yield
        with self.lock:
            self.now -= 1


@contextmanager
def web_server(folder):
    """Yield (its address, what it was asked)."""
    state = Asked()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Web, state=state, directory=str(folder)))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", state
    finally:
        server.shutdown()
        server.server_close()
