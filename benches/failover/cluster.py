"""Three PostgreSQL servers, one of them the primary, and what an operator does to them."""

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

from machine import AS_SERVER, HERE, filled, free_ports, is_alive, run, wait_until

BIN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))[-1]
NAMES = ["a", "b", "c"]


class Cluster:
    """`a` is the primary, `b` and `c` stream from it. `confirm` names the standbys that a commit waits for; nobody, when empty."""

    def __init__(self, folder, confirm, level="on"):
        self.folder, self.ports, self.primary = Path(folder), free_ports(*NAMES), "a"
        self.confirm, self.level = confirm, level

    def start(self):
        if AS_SERVER:
            shutil.chown(self.folder, "postgres")
        options = "--username=postgres --auth=trust --no-locale --encoding=UTF8 --data-checksums"
        self._as_server("initdb", "--pgdata", self.data("a"), *options.split())
        with open(self.data("a") / "postgresql.conf", "a") as file:
            file.write("include = 'laboratory.conf'\n")
        self._configure("a", confirm="")
        self._launch("a")
        for sql in ["create role probe login", "create role countersign login", "create database countersign owner countersign"]:
            self.ask("a", sql, "postgres")
        for name in NAMES[1:]:
            self._copy(name)
        wait_until(lambda: self.streaming() == {"b", "c"}, "the standbys stream")
        self._configure("a")
        self._reload("a")

    def data(self, name):
        return self.folder / f"data-{name}"

    def _as_server(self, program, *arguments):
        return run(*AS_SERVER, str(BIN / program), *map(str, arguments), cwd="/")

    def _configure(self, name, confirm=None, leader=None):
        """Writes the configuration of `name`, which follows `leader`, if any."""
        confirm = self.confirm if confirm is None else confirm
        values = {"name": name, "port": self.ports[name], "synchronous_standby_names": confirm, "synchronous_commit": self.level}
        conninfo = leader and f"host=127.0.0.1 port={self.ports[leader]} user=postgres application_name={name} connect_timeout=2"
        self._write(name, "laboratory.conf", filled("postgresql.conf", values) + f"primary_conninfo = '{conninfo or ''}'\n")
        self._write(name, "pg_hba.conf", (HERE / "pg_hba.conf").read_text())

    def _write(self, name, file, text):
        path = self.data(name) / file
        path.write_text(text)
        if AS_SERVER:
            shutil.chown(path, "postgres")

    def _launch(self, name):
        log = self.folder / f"{name}.log"
        self._as_server("pg_ctl", "--pgdata", self.data(name), "--log", log, "--wait", "--timeout=60", "start")

    def _reload(self, name):
        self._as_server("pg_ctl", "--pgdata", self.data(name), "reload")

    def _copy(self, name):
        source = f"host=127.0.0.1 port={self.ports[self.primary]} user=postgres"
        self._as_server("pg_basebackup", "--pgdata", self.data(name), "--dbname", source, "--wal-method=stream", "--checkpoint=fast")
        self._follow(name, self.primary)
        self._launch(name)

    def _follow(self, name, leader):
        """The files that make `name` a standby of `leader`."""
        self._write(name, "standby.signal", "")
        self._configure(name, leader=leader)

    def ask(self, name, sql, database="countersign"):
        """What a server answers to one statement."""
        where = ["-h", "127.0.0.1", "-p", str(self.ports[name]), "-U", "postgres", "-d", database]
        return run(str(BIN / "psql"), *where, "-XAtqc", sql)

    def streaming(self):
        """The standbys that the primary knows."""
        return set(self.ask(self.primary, "select application_name from pg_stat_replication where state = 'streaming'", "postgres").split())

    def cut_off(self, name):
        """A standby hears no more of the primary, as when the way between them breaks."""
        self._configure(name)
        self._reload(name)
        wait_until(lambda: self.ask(name, "select count(*) from pg_stat_wal_receiver", "postgres") == "0", f"{name} is cut off")

    def reconnect(self, name):
        self._follow(name, self.primary)
        self._reload(name)

    def kill_primary(self):
        """Every process of the primary, as a power cut would, and for good: what is left could only start as a standby."""
        main = int((self.data(self.primary) / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        os.kill(main, signal.SIGSTOP)
        for process in [main, *map(int, children)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        wait_until(lambda: not any(map(is_alive, [main, *children])), "the primary is dead", step=0.01)
        (self.data(self.primary) / "postmaster.pid").unlink()
        self._write(self.primary, "standby.signal", "")

    def furthest(self):
        """The standby that received most. Any other may lack what was answered."""
        received = "select pg_wal_lsn_diff(coalesce(pg_last_wal_receive_lsn(), '0/0'), '0/0')"
        return max((name for name in NAMES if name != self.primary), key=lambda name: int(self.ask(name, received, "postgres")))

    def promote(self, name):
        """Makes a standby the primary; the other one follows it. Gives the seconds that took."""
        start, old = time.monotonic(), self.primary
        self._as_server("pg_ctl", "--pgdata", self.data(name), "--wait", "promote")
        self.primary = name
        for other in NAMES:
            if other not in (name, old):
                self._follow(other, name)
                self._reload(other)
        return time.monotonic() - start

    def rejoin(self, name):
        """The old primary becomes a standby; what only it had is gone. Gives the seconds that took."""
        start = time.monotonic()
        source = f"host=127.0.0.1 port={self.ports[self.primary]} user=postgres dbname=postgres"
        # Without it, the new primary may still say that it is on the old one's timeline, and nothing is rewound.
        self.ask(self.primary, "checkpoint", "postgres")
        # It recovers from its death first, alone, which no standby does.
        (self.data(name) / "standby.signal").unlink()
        self._as_server("pg_rewind", "--target-pgdata", self.data(name), "--source-server", source)
        self._follow(name, self.primary)
        self._launch(name)
        wait_until(lambda: name in self.streaming(), f"{name} streams again")
        return time.monotonic() - start

    def stop(self):
        for name in NAMES:
            with contextlib.suppress(SystemExit):
                self._as_server("pg_ctl", "--pgdata", self.data(name), "--mode=immediate", "stop")
