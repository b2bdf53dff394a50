"""What stands in front of PostgreSQL: HAProxy, PgBouncer, and two nodes of Countersign."""

import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

from cluster import BIN
from machine import AS_SERVER, HERE, Background, filled, free_ports, run, wait_until

NODES = ["one", "two"]

CONFIG = """
[server]
public_url = "http://127.0.0.1:{web}"
trusted_proxies = ["127.0.0.1/32"]
[database]
url = "postgres://countersign@127.0.0.1:{entry}/countersign?sslmode=disable"
[email]
from = "a@example.com"
hook_url = "http://127.0.0.1:9/"
[keys]
master_key_file = "{folder}/countersign.key"
[limits]
unlimited_clients = ["127.0.0.1/32"]
# Argon2 is measured elsewhere; here it would be most of the load.
[hashing]
memory_kib = 64
passes = 1
[[operations]]
name = "payments.transfer"
methods = [["password"]]
use = "once"
bind = "payload"
redeemers = ["bank-api"]
message = {{ en = "Pay {{amount}} {{currency}} to {{payee}}" }}
"""


class Service:
    """Everything between clients and the cluster; a pool mode puts a PgBouncer in between."""

    def __init__(self, folder, cluster, binary):
        self.folder, self.cluster, self.binary = Path(folder), cluster, binary
        self.ports = {**free_ports("web", "database", "pooler", *NODES), **cluster.ports}
        self.beside = {}

    def open(self, pool_mode):
        """Starts all but the nodes."""
        self._start_proxy()
        if pool_mode:
            self._start_pooler(pool_mode)
        entry = self.ports["pooler" if pool_mode else "database"]
        self.config = self.folder / "countersign.toml"
        self.config.write_text(CONFIG.format(web=self.ports["web"], entry=entry, folder=self.folder))
        self.command("keys", "generate", "--master", self.folder / "countersign.key", config=False)

    def _start_proxy(self):
        path = self.folder / "haproxy.cfg"
        path.write_text(filled("haproxy.cfg", self.ports))
        haproxy = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")
        self.beside["haproxy"] = Background(self.folder / "haproxy.log", haproxy, "-db", "-f", str(path))
        wait_until(lambda: self.is_database_there(), "HAProxy finds the primary")

    def is_database_there(self):
        """Whether the way to the primary is open."""
        where = ["-h", "127.0.0.1", "-p", str(self.ports["database"]), "-U", "countersign", "-d", "countersign"]
        return subprocess.run([BIN / "psql", *where, "-XAtqc", "select 1"], capture_output=True).returncode == 0

    def _start_pooler(self, pool_mode):
        path = self.folder / "pgbouncer.ini"
        path.write_text(filled("pgbouncer.ini", {**self.ports, "folder": self.folder, "pool_mode": pool_mode}))
        (self.folder / "users.txt").write_text('"countersign" ""\n')
        pgbouncer = shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin")
        # Not by `runuser`: that would be what is killed in the end, and leave the pooler.
        user = {"user": "postgres", "group": "postgres"} if AS_SERVER else {}
        self.beside["pgbouncer"] = Background(self.folder / "pgbouncer.log", pgbouncer, str(path), **user)

    def command(self, *arguments, config=True):
        """Runs a command of the program; gives its output."""
        more = ["--config", str(self.config)] if config else []
        return run(self.binary, *map(str, arguments), *more)

    def application(self, name, *more):
        """The secret of a new application."""
        made = self.command("applications", "create", "--id", name, "--name", name, "--type", "machine-to-machine", "--json", *more)
        return json.loads(made)["secret"]

    def start(self, name):
        """Starts a node; gives the seconds until it is ready."""
        environment = {**os.environ, "COUNTERSIGN_SERVER__BIND": f"127.0.0.1:{self.ports[name]}"}
        command = [self.binary, "serve", "--config", str(self.config)]
        self.beside[name] = Background(self.log(name), *command, env=environment)
        try:
            return wait_until(lambda: self.is_ready(name) or self.has_ended(name), f"node {name} is ready", step=0.02)
        finally:
            if not self.is_ready(name):
                raise SystemExit(f"node {name} did not start:\n{self.log(name).read_text()[-1500:]}")

    def has_ended(self, name):
        return self.beside[name].process.poll() is not None

    def log(self, name):
        return self.folder / f"node-{name}.log"

    def is_ready(self, name):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[name]}/readyz", timeout=5):
                return True
        except OSError:
            return False

    def log_lines(self, word):
        """Lines of the nodes' logs with that word."""
        return [line for name in NODES if self.log(name).exists() for line in self.log(name).read_text().splitlines() if word in line]

    def stop(self):
        for process in reversed(self.beside.values()):
            process.kill()
