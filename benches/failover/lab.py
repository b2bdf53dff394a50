"""The scenarios, and the table of what they saw. See `run`."""

import base64
import collections
import contextlib
import json
import signal
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import cluster as servers
from load import Load
from service import NODES, Service

# As the examples find the program.
sys.path.append(str(Path(__file__).resolve().parents[2] / "examples"))
from stage import program  # noqa: E402

ANY_ONE = "ANY 1 (a, b, c)"


class Run:
    """A scenario's stage, and its line of the table."""

    def __init__(self, name, confirm=ANY_ONE, level="on", pool_mode=None):
        self.name, self.broken, self.figures = name, [], None
        self.setting = (confirm, level, pool_mode)

    @contextlib.contextmanager
    def stage(self, binary):
        confirm, level, pool_mode = self.setting
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            cluster = servers.Cluster(folder, confirm, level)
            stack.callback(cluster.stop)
            cluster.start()
            service = Service(folder, cluster, binary)
            stack.callback(service.stop)
            service.open(pool_mode)
            for name in NODES:
                service.start(name)
            yield cluster, service

    def say(self, what, value):
        print(f"  {what:<58} {value}", flush=True)

    def must(self, what, holds):
        if not holds:
            self.broken.append(what)
            print(f"  BROKEN: {what}", flush=True)


def tell_outage(run, load, since):
    run.outage = f"{load.outage('redeem', since):.2f}"
    run.say("longest time without a good answer to redeem, in seconds", run.outage)


def counted(counter):
    return ", ".join(f"{count} {what}" for what, count in sorted(counter.items(), key=str)) or "none"


def report(run, load, service, twice_is_expected=False):
    """Everything that was counted, and what must hold whatever happened."""
    thief, again, late = load.ask_again()
    for what in ["redeem", "commit", "reserve", "open", "prove", "read", "introspect"]:
        answers = {status: count for (asked, status), count in load.answers.items() if asked == what}
        run.say(f"answers to {what} (0: none)", counted(answers))
    run.say("redemptions without a first clear answer, and what they became", f"{load.unclear}: {counted(load.resolved)}")
    run.say("redeemed records", len(load.redemptions))
    run.say("asked again with another key", counted(thief))
    run.say("asked again with the same key", counted(again))
    run.say("reservations that were open, committed at the end", counted(late))
    kept = thief["verification_record.already_redeemed"] + again["the same"] + late[200]
    lost = sum(map(sum, (thief.values(), again.values(), late.values()))) - kept
    run.say("answered, and not known any more", lost)
    run.say("REDEEMED TWICE", len(load.twice()))
    redeemed = [load.answers["redeem", status] for status in ("200", "409", "503")]
    run.figures = [len(load.redemptions), *redeemed, run.outage, load.unclear, lost, len(load.twice()), len(load.strange)]
    run.say("keys that were answered in two ways", len(load.changed))
    run.say("assertions refused", len(load.inactive))
    run.say("answers 500 or worse, beside 503", len(load.strange))
    for line in sorted(set(load.strange))[:5]:
        print(f"    {line}")
    for line in [line for line in service.log_lines('"status":500')][:5]:
        print(f"    {line}")
    file = service.folder / "audit.jsonl"
    service.command("audit", "export", "--out", file)
    run.say("the audit chain", service.command("audit", "verify", file, config=False).splitlines()[0])
    if twice_is_expected:
        run.must("something was lost: this scenario is there to show it", load.twice())
    else:
        run.must("nothing is redeemed twice", not load.twice())
        run.must("a key has one answer", not load.changed)
        run.must("no reservation is lost", set(late) <= {200})
    run.must("assertions are known", not load.inactive)
    run.must("there is no 500", not load.strange)
    run.must("unclear answers become clear", not set(load.resolved) & {0, 502, 503, 504})


def fail_over(run, binary, cut="", promote=None, twice_is_expected=False):
    """The primary is killed in mid-load, a standby takes its place, the old primary comes back as a standby. `cut` standbys hear
    nothing in the last second before; `promote` names a standby that is promoted whatever it lacks."""
    with run.stage(binary) as (cluster, service):
        load = Load(service)
        load.start()
        time.sleep(5)
        for name in cut:
            cluster.cut_off(name)
        threading.Thread(target=load.redeem_stock, daemon=True).start()
        time.sleep(1)
        killed = time.monotonic()
        cluster.kill_primary()
        # As long as whoever watches over the servers takes to be sure.
        time.sleep(1)
        chosen = promote or cluster.furthest()
        seconds = cluster.promote(chosen)
        run.say("promoted, and the seconds that took", f"{chosen}, {seconds:.1f}")
        time.sleep(4)
        run.say("seconds until the old primary streamed again, as a standby", f"{cluster.rejoin('a'):.1f}")
        time.sleep(3)
        load.stop()
        tell_outage(run, load, killed)
        run.say("longest time without a good answer to read, in seconds", f"{load.outage('read', killed):.2f}")
        report(run, load, service, twice_is_expected)


def nodes(run, binary):
    """A node is killed, both are restarted one after the other, and a new key signs, all under load."""
    with run.stage(binary) as (cluster, service):
        load = Load(service)
        load.start()
        time.sleep(4)
        begun = time.monotonic()
        service.beside["one"].kill()
        time.sleep(3)
        run.say("seconds until a killed node was ready again", f"{service.start('one'):.2f}")
        time.sleep(3)
        tell_outage(run, load, begun)
        run.say("answers by then", counted(by_status(load)))
        for rotate in (["rotate"], ["rotate", "--now"]):
            service.command("keys", *rotate)
            time.sleep(2)
        before, begun = by_status(load), time.monotonic()
        for name in NODES:
            code = service.beside[name].stop()
            run.must(f"node {name} ends with 0", code == 0)
            service.start(name)
            time.sleep(3)
        load.stop()
        run.say("events that wait for their place in the chain", cluster.ask("a", "select count(*) from audit_events where seq is null"))
        run.say("rolling restart: longest time without, in seconds", f"{load.outage('redeem', begun):.2f}")
        run.say("answers in the rolling restart", counted(by_status(load) - before))
        run.say("keys that signed", len({key_of(text) for _, _, text in load.keys.values()}))
        run.say("events, their KB, all KB and KB of WAL for each redeemed record", weight(cluster, len(load.redemptions)))
        report(run, load, service)


def weight(cluster, records):
    """What each record left in the database."""
    kilobytes = ["pg_total_relation_size('audit_events')", "pg_database_size('countersign')", "pg_current_wal_lsn() - '0/0'"]
    sql = f"select count(*), {', '.join(f'({size}) / 1024.0' for size in kilobytes)} from audit_events"
    return ", ".join(f"{float(value) / records:.1f}" for value in cluster.ask(cluster.primary, sql).split("|"))


def by_status(load):
    total = collections.Counter()
    with load.lock:
        for (_, status), count in load.answers.items():
            total[status] += count
    return total


def key_of(text):
    head = json.loads(text)["assertion"].split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=="))["kid"]


def alone(run, binary):
    """Both standbys are away for a while: nothing is answered that one of them does not have."""
    waiting = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
    with run.stage(binary) as (cluster, service):
        load = Load(service)
        load.start()
        time.sleep(4)
        for name in ["b", "c"]:
            cluster.cut_off(name)
        time.sleep(0.5)  # what was under way then may still be answered
        cut = time.monotonic()
        time.sleep(20)
        run.say("connections of the primary that wait for a standby", cluster.ask("a", waiting))
        back = time.monotonic()
        for name in ["b", "c"]:
            cluster.reconnect(name)
        answered = {what: sum(cut < at < back for at in load.good[what]) for what in ["redeem", "commit", "read"]}
        run.say("good answers to redeem, commit, read while they were away", ", ".join(map(str, answered.values())))
        run.must("nothing is answered as redeemed", answered["redeem"] + answered["commit"] == 0)
        time.sleep(8)
        load.stop()
        tell_outage(run, load, cut)
        report(run, load, service)


def transactions(run, binary):
    """Transaction pooling: a node that starts would be news."""
    try:
        with run.stage(binary):
            run.say("a node", "starts")
    except SystemExit as refused:
        run.say("a node", str(refused).split("error returned from database: ")[-1].strip())


SCENARIOS = {
    "async": (Run("no commit waits; standbys cut off a second before", confirm=""), partial(fail_over, cut="bc", twice_is_expected=True)),
    "laggard": (
        Run("commits wait for one standby, the other is promoted"),
        partial(fail_over, cut="b", promote="b", twice_is_expected=True),
    ),
    "sync": (Run("commits wait for one standby; the other cut off a second before"), partial(fail_over, cut="b")),
    "apply": (Run("commits wait until a standby has applied them", level="remote_apply"), fail_over),
    "pooler": (Run("as sync, through PgBouncer with session pooling", pool_mode="session"), fail_over),
    "transactions": (Run("PgBouncer with transaction pooling", pool_mode="transaction"), transactions),
    "nodes": (Run("a node killed, both restarted, keys rotated"), nodes),
    "alone": (Run("both standbys away for 20 seconds"), alone),
}


def main():
    # Whoever stops us finds nothing left running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    binary, broken = program(), []
    for name in sys.argv[1:] or SCENARIOS:
        run, play = SCENARIOS[name]
        print(f"\n{name}: {run.name}", flush=True)
        play(run, binary)
        broken += [f"{name}: {what}" for what in run.broken]
    heads = ["scenario", "redeemed", "200", "409", "503", "outage, s", "unclear", "lost", "twice", "500"]
    print()
    for row in [heads, *([name, *run.figures] for name, (run, _) in SCENARIOS.items() if run.figures)]:
        print("| " + " | ".join(f"{value:>9}" for value in row) + " |")
    if broken:
        raise SystemExit("\n".join(["", "BROKEN", *broken]))
    print("\nall that must hold holds")


if __name__ == "__main__":
    main()
