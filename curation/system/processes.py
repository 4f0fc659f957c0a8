"""Run our own code in child processes.

They import nobody else's code, answer apart from what they print, and are killed when they say
nothing for too long.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryFile
from typing import IO

PATIENCE = 300  # seconds without a step after which a training is taken for stuck
# seconds that a killed process has to be gone: one that hangs in the kernel may need longer, and
# nobody waits for it
MOMENT = 10


class ChildLost(Exception):
    """A child that cannot answer any more.

    The text says how that came: crashed (signal N), stuck (no step for N s).
    """


class ChildFailed(Exception):
    """A child that ended with another status than 0.

    The text is what it wrote on standard error.
    """


def python_command(module: str, *arguments: object) -> list[str]:
    """Write `python -m MODULE ARGUMENTS` as a command.

    It imports nothing from the current folder: -P leaves that out.
    """
    return [sys.executable, "-P", "-m", module, *map(str, arguments)]


def child_environment(**more: str) -> dict[str, str]:
    """The environment of a child: as ours, and `more`."""
    return os.environ | more


def run_module(
    module: str, *arguments: object, given: bytes = b"", limit: float = 3600, **env: str
) -> bytes:
    """Run `python -m MODULE ARGUMENTS`, and return its answer.

    It reads `given` on standard input, and writes to open_answers(). ChildFailed where its status
    is not 0, ChildLost after `limit` seconds.
    """
    with TemporaryFile() as asks, TemporaryFile() as out:
        asks.write(given)
        asks.seek(0)
        try:
            done = subprocess.run(
                python_command(module, *arguments),
                stdin=asks,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[out.fileno()],
                env=child_environment(**env, ASSAY_ANSWER=str(out.fileno())),
                timeout=limit,
            )
        except subprocess.TimeoutExpired:
            raise ChildLost(f"stuck (not done after {limit} s)") from None
        if done.returncode:
            raise ChildFailed(
                done.stderr.decode(errors="replace").strip()
                or f"{module} ended with status {done.returncode}"
            )
        out.seek(0)
        return out.read()


def start_detached(module: str, *arguments: object, log: IO) -> subprocess.Popen:
    """Start `python -m MODULE ARGUMENTS` so that it outlives this process.

    It writes to the file `log`, has a session of its own, and gives way to whoever sits at the
    machine.
    """
    process = subprocess.Popen(
        python_command(module, *arguments),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        env=child_environment(),
        # a server started with & ignores Ctrl-C, and would pass that on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with suppress(OSError):  # it has ended
        os.setpriority(os.PRIO_PROCESS, process.pid, 10)
        # Linux may share the cores out by session before it looks at processes
        Path(f"/proc/{process.pid}/autogroup").write_text("10")
    return process


class Child:
    """A child process, `python -m MODULE ARGUMENTS`, that is asked again and again.

    It is sent lines of JSON on its standard input, and answers by lines of JSON to open_answers().
    What it prints goes to standard error; its own children end with it.
    """

    def __init__(self, module: str, *arguments: object, **env: str) -> None:
        self.answers, theirs = os.pipe()
        self.unread, self.killed = b"", False
        try:
            self.process = subprocess.Popen(
                python_command(module, *arguments),
                stdin=subprocess.PIPE,
                stdout=2,  # what a network prints is no answer
                text=True,
                process_group=0,  # Ctrl-C is for the one who started it
                env=child_environment(**env, ASSAY_ANSWER=str(theirs)),
                pass_fds=[theirs],
            )
        except BaseException:
            os.close(self.answers)
            raise
        finally:
            os.close(theirs)

    def send(self, **what: object) -> None:
        """Send it a line of JSON."""
        # it died, or was stopped meanwhile: receive() says so
        with suppress(BrokenPipeError, ValueError):
            print(json.dumps(what), file=self.process.stdin, flush=True)

    def receive(self, patience: float | None = None) -> dict:
        """Wait for its next answer.

        ChildLost where it ends, or answers nothing for `patience` seconds: then it is gone.
        """
        until = patience and time.monotonic() + patience
        waiting = select.poll()
        waiting.register(self.answers, select.POLLIN)
        while b"\n" not in self.unread:
            if waiting.poll(500):
                piece = os.read(self.answers, 1 << 16)
                self.unread += piece
                if not piece:
                    raise ChildLost(self.describe_end())
            elif self.process.poll() is not None:  # a child of its own may hold the pipe open
                raise ChildLost(self.describe_end())
            elif until and time.monotonic() > until:
                self.stop()
                raise ChildLost(f"stuck (no step for {patience:g} s)")
        line, self.unread = self.unread.split(b"\n", 1)
        return json.loads(line)

    def describe_end(self) -> str:
        """Say how it ended."""
        with suppress(subprocess.TimeoutExpired):  # its pipe closes a moment before it is gone
            self.process.wait(2)
        self.stop()
        code = self.process.returncode
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else "unknown"
            memory = ": is there memory enough?" if code == -signal.SIGKILL else ""
            return f"crashed (signal {-code}, {name}{memory})"
        return f"ended with status {code}"

    def stop(self) -> None:
        """Kill it and its children, then wait for it, a moment."""
        if not self.killed:  # once: later its number may be another's
            self.killed = True
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(MOMENT)
        with suppress(OSError, ValueError):
            self.process.stdin.close()

    def close(self) -> None:
        """Kill it, and close its pipe."""
        self.stop()
        with suppress(OSError):
            os.close(self.answers)


def serve_requests(work: Callable[[dict, Callable[..., None]], object]) -> None:
    """In the child: work on each line that it is sent.

    Calls work(request, tell) for each; tell(**about) answers. The child ends, at once, where whoever started it does.
    """
    # code of a person's own may lie where they work; last, so that nothing there passes for a
    # package
    sys.path.append(os.getcwd())
    out, requests = open_answers(), SimpleQueue()

    def tell(**about: object) -> None:
        try:
            print(json.dumps(about), file=out, flush=True)
        except BrokenPipeError:  # who started it was killed: that is no failure of the work
            os._exit(0)

    def listen() -> None:
        for line in sys.stdin:
            requests.put(json.loads(line))
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        work(requests.get(), tell)


def open_answers(mode: str = "w") -> IO | None:
    """In the child: open the file that its answers go to, once.

    None in a process that nobody started so.
    """
    # what this process starts answers to this process
    descriptor = os.environ.pop("ASSAY_ANSWER", None)
    if descriptor is None:
        return None
    os.set_inheritable(int(descriptor), False)
    return open(int(descriptor), mode)
