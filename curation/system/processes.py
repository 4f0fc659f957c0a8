"""Child processes: they run our code and nobody else's, answer apart from what they print, and are killed when they say nothing for too long."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from queue import SimpleQueue
from tempfile import TemporaryFile

PATIENCE = 300  # seconds without a step after which a training is taken for stuck
MOMENT = 10  # seconds that a killed process has to be gone: one that hangs in the kernel may need longer, and nobody waits for it


class Lost(Exception):
    """A child that cannot answer any more; its text says how that came: crashed (signal N), stuck (no step for N s)."""


class Failed(Exception):
    """A child that ended with another status than 0; its text is what it said on standard error."""


def command(module, *arguments):
    """`python -m MODULE ARGUMENTS` that imports nothing from the current folder: -P leaves that out."""
    return [sys.executable, "-P", "-m", module, *map(str, arguments)]


def environment(**more):
    """The environment of a child: as ours, and `more`."""
    return os.environ | more


def work(module, *arguments, given=b"", limit=3600, **env):
    """The bytes that `python -m MODULE ARGUMENTS` writes to answer() after it has read `given` on its standard input. Failed where its status is
    not 0, Lost after `limit` seconds."""
    with TemporaryFile() as asks, TemporaryFile() as out:
        asks.write(given)
        asks.seek(0)
        how = dict(
            stdin=asks, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=[out.fileno()]
        )
        try:
            done = subprocess.run(
                command(module, *arguments),
                **how,
                env=environment(**env, ASSAY_ANSWER=str(out.fileno())),
                timeout=limit,
            )
        except subprocess.TimeoutExpired:
            raise Lost(f"stuck (not done after {limit} s)") from None
        if done.returncode:
            raise Failed(
                done.stderr.decode(errors="replace").strip()
                or f"{module} ended with status {done.returncode}"
            )
        out.seek(0)
        return out.read()


class Child:
    """`python -m MODULE ARGUMENTS`: it is asked by lines of JSON on its standard input, and answers by lines of JSON to answer(). What it prints
    goes to standard error; its own children end with it."""

    def __init__(self, module, *arguments, **env):
        self.answers, theirs = os.pipe()
        self.said, self.over = b"", False
        try:
            self.process = subprocess.Popen(
                command(module, *arguments),
                stdin=subprocess.PIPE,
                stdout=2,  # what a network prints is no answer
                text=True,
                process_group=0,  # Ctrl-C is for the one who started it
                env=environment(**env, ASSAY_ANSWER=str(theirs)),
                pass_fds=[theirs],
            )
        except BaseException:
            os.close(self.answers)
            raise
        finally:
            os.close(theirs)

    def ask(self, **what):
        with suppress(
            BrokenPipeError, ValueError
        ):  # it died, or was stopped meanwhile: hear() says so
            print(json.dumps(what), file=self.process.stdin, flush=True)

    def hear(self, patience=None):
        """Its next answer, a dict. Lost where it ends, or says nothing for `patience` seconds: then it is gone."""
        until = patience and time.monotonic() + patience
        waiting = select.poll()
        waiting.register(self.answers, select.POLLIN)
        while b"\n" not in self.said:
            if waiting.poll(500):
                piece = os.read(self.answers, 1 << 16)
                self.said += piece
                if not piece:
                    raise Lost(self.ended())
            elif self.process.poll() is not None:  # a child of its own may hold the pipe open
                raise Lost(self.ended())
            elif until and time.monotonic() > until:
                self.stop()
                raise Lost(f"stuck (no step for {patience:g} s)")
        line, self.said = self.said.split(b"\n", 1)
        return json.loads(line)

    def ended(self):
        """How it ended, in words."""
        with suppress(subprocess.TimeoutExpired):  # its pipe closes a moment before it is gone
            self.process.wait(2)
        self.stop()
        code = self.process.returncode
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else "unknown"
            return f"crashed (signal {-code}, {name}{': is there memory enough?' * (code == -signal.SIGKILL)})"
        return f"ended with status {code}"

    def stop(self):
        """Kill it and its children, then wait for it, a moment."""
        if not self.over:  # once: later its number may be another's
            self.over = True
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(MOMENT)
        with suppress(OSError, ValueError):
            self.process.stdin.close()

    def close(self):
        self.stop()
        with suppress(OSError):
            os.close(self.answers)


def serve(work):
    """In the child: work(ask, tell) for each line that it is asked; tell(**about) answers. It ends, at once, where whoever started it does."""
    sys.path.append(
        os.getcwd()
    )  # code of a person's own may lie where they work; last, so that nothing there passes for a package
    out, asked = answer(), SimpleQueue()

    def tell(**about):
        try:
            print(json.dumps(about), file=out, flush=True)
        except BrokenPipeError:  # who started it was killed: that is no failure of the work
            os._exit(0)

    def listen():
        for line in sys.stdin:
            asked.put(json.loads(line))
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        work(asked.get(), tell)


def answer(mode="w"):
    """In the child: the file that its answers go to; None in a process that nobody started so. To be asked for once."""
    descriptor = os.environ.pop(
        "ASSAY_ANSWER", None
    )  # what this process starts answers to this process
    if descriptor is None:
        return None
    os.set_inheritable(int(descriptor), False)
    return open(int(descriptor), mode)
