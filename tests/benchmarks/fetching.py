"""Images at addresses: seconds to read n from an S3 (moto) and from a web server that answers after 20 ms, with 32 requests at once and with 1.

`python -m tests.benchmarks.fetching 1000`. The yardstick is the same files read from the disk; `again` asks whether each is the same still, `kept` asks nobody."""

import logging
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest

from assay.curation.media import remote
from assay.curation.media.originals import iter_bytes
from tests.layouts.base import make_pictures
from tests.remote_servers import put_folder, s3_server, web_server


def timed(what, uris, fresh=False):
    begin = time.perf_counter()
    found = dict(iter_bytes(uris, fresh))
    took = time.perf_counter() - begin
    assert all(isinstance(found[i], bytes) for i in range(len(uris)))
    print(f"{what:<28} {took:8.2f} s  {len(uris) / took:10,.0f} a second", flush=True)


def compare(name, uris):
    for in_flight in (32, 1):
        with tempfile.TemporaryDirectory() as cache:
            os.environ["ASSAY_CACHE"] = cache
            remote.IN_FLIGHT, remote.AHEAD = in_flight, 2 * in_flight
            timed(f"{name}, {in_flight} at once", uris)
            timed(f"{name}, {in_flight} at once, again", uris, fresh=True)
            timed(f"{name}, kept", uris)


def main(n=1000):
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        files = Path(folder) / "files"
        files.mkdir()
        for picture in make_pictures(n):
            (files / f"{picture.name}.png").write_bytes(picture.png)
        names = sorted(file.name for file in files.iterdir())
        timed("from the disk", [str(files / name) for name in names])
        with s3_server(patch) as client:
            put_folder(client, files)
            compare("S3", [f"s3://photos/{name}" for name in names])
        with web_server(files) as (web, server):
            server.slowness = 0.02
            compare("web", [f"{web}/slow/{name}" for name in names])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
