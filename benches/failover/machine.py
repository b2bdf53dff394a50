"""Processes, ports and files of the laboratory."""

import os
import socket
import subprocess
import time
from pathlib import Path
from string import Template

HERE = Path(__file__).resolve().parent
# PostgreSQL and PgBouncer refuse to run as root.
AS_SERVER = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


def free_ports(*names):
    """A free port for each name."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {name: one.getsockname()[1] for name, one in zip(names, sockets, strict=True)}
    for one in sockets:
        one.close()
    return ports


def filled(name, values):
    """A file of this folder with its places filled in."""
    return Template((HERE / name).read_text()).substitute(values)


def run(*command, **more):
    """Runs to the end; gives what it wrote."""
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def wait_until(condition, what, seconds=30.0, step=0.05):
    """Waits; gives the seconds that took."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds:
            raise SystemExit(f"still waiting after {seconds:.0f} s: {what}")
        time.sleep(step)
    return time.monotonic() - start


def is_alive(process):
    """Whether there is such a process, and it has not ended."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


class Background:
    """A process beside us."""

    def __init__(self, log, *command, **more):
        with open(log, "ab") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **more)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=20):
        self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
