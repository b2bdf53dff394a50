"""Users who consent to transfers, services that redeem their consents, and what came of it."""

import base64
import collections
import http.client
import itertools
import json
import random
import threading
import time
import urllib.parse

from service import NODES

MANAGEMENT = "https://default.logto.app/api"
USERS = 40
CONSENTERS, READERS = 6, 2
# How long a service asks again before it calls an answer missing.
PATIENCE = 40.0


class Client(threading.local):
    """HTTP with kept connections, one for each thread and port. An answer is a status and a body; status 0 for none."""

    def __init__(self):
        self.kept = {}

    def ask(self, port, method, path, body=None, headers=None):
        kept = self.kept.get(port)
        connection = kept or http.client.HTTPConnection("127.0.0.1", port, timeout=35)
        form = isinstance(body, str)
        content = body if form or body is None else json.dumps(body)
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        try:
            connection.request(method, path, content, {"Content-Type": kind, **(headers or {})})
            answer = connection.getresponse()
            status, text = answer.status, answer.read()
            self.kept[port] = connection
            return status, text
        except (OSError, http.client.HTTPException):
            connection.close()
            self.kept.pop(port, None)
            return 0, b""


class Load:
    """Goes on until it is stopped. Everything it was told stands in its members."""

    def __init__(self, service):
        self.ports, self.client = service.ports, Client()
        self.basic = {
            name: self._basic(name, service.application(name, *more)) for name, more in [("bank-api", []), ("office", ["--management"])]
        }
        self.answers = collections.Counter()  # by what was asked, and status
        self.good = collections.defaultdict(list)  # when something was done, by what
        self.unclear = 0  # redemptions whose first answer was none
        self.resolved = collections.Counter()  # what they became
        self.redemptions = collections.defaultdict(set)  # of each record: the redemptions that were answered
        self.keys = {}  # of each idempotency key: its request and its answer
        self.changed = []  # keys that were answered in two ways
        self.inactive = []  # assertions that were refused
        self.held = []  # reservations to be committed later
        self.stock = []  # records that were proved, to be redeemed later
        self.strange = []  # answers that ought not to be
        self.lock, self.over = threading.Lock(), threading.Event()
        self.serial = itertools.count()
        self.users = [self._user(number) for number in range(USERS)]

    @staticmethod
    def _basic(name, secret):
        return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}

    def _user(self, number):
        """A new user, with a token."""
        form = {"grant_type": "client_credentials", "resource": MANAGEMENT, "scope": "all"}
        manager = {
            "Authorization": "Bearer "
            + self._sure("POST", "/oidc/token", urllib.parse.urlencode(form), self.basic["office"])["access_token"]
        }
        password = f"horse-battery-{number}"
        user = self._sure("POST", "/api/users", {"username": f"user_{number}", "password": password}, manager)["id"]
        ticket = self._sure("POST", "/api/subject-tokens", {"userId": user}, manager)["subjectToken"]
        kind = "urn:ietf:params:oauth:grant-type:token-exchange"
        form = {
            "grant_type": kind,
            "subject_token": ticket,
            "subject_token_type": "urn:logto:token-type:impersonation_token",
            "scope": "openid",
        }
        token = self._sure("POST", "/oidc/token", urllib.parse.urlencode(form), self.basic["office"])["access_token"]
        return user, password, {"Authorization": f"Bearer {token}"}

    def _sure(self, method, path, body, headers):
        status, text = self.client.ask(self.ports["web"], method, path, body, headers)
        if status not in (200, 201):
            raise SystemExit(f"{method} {path}: {status} {text.decode()}")
        return json.loads(text)

    def start(self):
        workers = [self._consent] * CONSENTERS + [self._read] * READERS
        self.threads = [threading.Thread(target=worker, args=(number,), daemon=True) for number, worker in enumerate(workers)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def ask(self, what, port, method, path, body=None, headers=None):
        """Asks once, and takes note of the answer. A refusal by HAProxy has no code of ours."""
        status, text = self.client.ask(self.ports[port], method, path, body, headers)
        at = time.monotonic()
        try:
            told = json.loads(text) if text else {}
        except ValueError:
            told = None
        # What was sent to a node past HAProxy, and what HAProxy answered by itself.
        by = " at a node" if port in NODES and status == 0 else "" if status == 0 or told is not None else " by HAProxy"
        with self.lock:
            self.answers[what, f"{status}{by}"] += 1
            if status in (200, 201, 409):
                self.good[what].append(at)
            if status >= 500 and status != 503 and told is not None:
                self.strange.append(f"{what}: {status} {text.decode()}")
        return status, told or {}, text

    def _read(self, number):
        for user in itertools.cycle(self.users[number::READERS]):
            if self.over.is_set():
                return
            self.ask("read", "web", "GET", "/api/my-account", headers=user[2])
            time.sleep(0.02)

    def _consent(self, number):
        kinds = itertools.cycle([self._once, self._by_two_keys, self._by_one_key_twice, self._reserved, self._later])
        for user, kind in zip(itertools.cycle(self.users[number::CONSENTERS]), kinds):
            if self.over.is_set():
                return
            made = self._proved(user)
            if made:
                kind(*made)
            else:
                time.sleep(0.05)

    def _proved(self, user):
        """A record of the user's consent to a transfer, and what is to be asked about it."""
        owner, password, token = user
        payload = {"amount": f"{next(self.serial)}.00", "currency": "EUR", "payee": "ACME GmbH"}
        status, told, _ = self.ask(
            "open", "web", "POST", "/api/verifications", {"operation": "payments.transfer", "payload": payload}, token
        )
        if status != 201:
            return None
        record = told["verificationRecordId"]
        body = {"password": password, "verificationRecordId": record}
        if self.ask("prove", "web", "POST", "/api/verifications/password/verify", body, token)[0] != 201:
            return None
        return record, {"operation": "payments.transfer", "payload": payload, "subject": owner}

    def _surely(self, what, port, path, body, key):
        """Asks until there is an answer that says what came of it."""
        headers, until, first = {**self.basic["bank-api"], "Idempotency-Key": key}, time.monotonic() + PATIENCE, True
        while time.monotonic() < until:
            status, told, text = self.ask(what, port, "POST", path, body, headers)
            if status not in (0, 502, 503, 504):
                break
            if first:
                first, self.unclear = False, self.unclear + 1
            # A node that is gone is asked for at the door.
            port = "web"
            time.sleep(0.05 + random.random() / 20)
        else:
            status, text = 0, b""
        with self.lock:
            if not first:
                self.resolved[told.get("code", status)] += 1
            if status == 200:
                self.redemptions[path.split("/")[3]].add(told["redemptionId"])
                known = self.keys.setdefault(key, (path, body, text))
                if known[2] != text:
                    self.changed.append(key)
        if status == 200:
            self._check(told["assertion"])
        return status, told

    def _check(self, assertion):
        """What we signed is known, whichever node is asked."""
        form = urllib.parse.urlencode({"token": assertion})
        status, told, text = self.ask("introspect", "web", "POST", "/api/verifications/introspect", form, self.basic["bank-api"])
        if status == 200 and not told["active"]:
            self.inactive.append(text)

    def _redeem(self, record, body, port="web", key=None):
        return self._surely("redeem", port, f"/api/verifications/{record}/redeem", body, key or f"key-{next(self.serial)}")

    def _at_once(self, record, body, keys):
        """Both nodes at the same moment."""
        pair = [threading.Thread(target=self._redeem, args=(record, body, node, key)) for node, key in zip(NODES, keys, strict=True)]
        for thread in pair:
            thread.start()
        for thread in pair:
            thread.join()

    def _once(self, record, body):
        self._redeem(record, body)

    def _by_two_keys(self, record, body):
        self._at_once(record, body, [f"key-{next(self.serial)}", f"key-{next(self.serial)}"])

    def _by_one_key_twice(self, record, body):
        self._at_once(record, body, [f"key-{next(self.serial)}"] * 2)

    def _reserved(self, record, body):
        path = f"/api/verifications/{record}/reserve"
        status, told, _ = self.ask("reserve", "web", "POST", path, {**body, "leaseSeconds": 120}, self.basic["bank-api"])
        if status == 200:
            lease = {name: told[name] for name in ("reservationId", "fence")}
            # Every other one stays open until the end.
            if told["reservationId"] < "h":
                self.held.append((record, lease))
            else:
                self._surely("commit", "web", f"/api/verifications/{record}/commit", lease, f"key-{next(self.serial)}")

    def _later(self, record, body):
        self.stock.append((record, body))

    def redeem_stock(self):
        """Redeems what people proved some seconds ago, one after the other."""
        while self.stock:
            self._redeem(*self.stock.pop())

    def ask_again(self):
        """After all is over, about every redemption that was answered, in turn: a thief with another key; the service again, with its
        own key. And the commits of the reservations that are still open. Says what came of these three."""
        thief, again, late = collections.Counter(), collections.Counter(), collections.Counter()
        redeemed = [entry for entry in self.keys.items() if entry[1][0].endswith("/redeem")]
        for number, (key, (path, body, _)) in enumerate(redeemed):
            if number % 2:
                status, told = self._redeem(path.split("/")[3], body)
                thief[told.get("code", status)] += 1
            else:
                status, told = self._redeem(path.split("/")[3], body, key=key)
                again["another answer" if key in self.changed else told.get("code", "the same")] += 1
        for record, lease in self.held:
            status, told = self._surely("commit", "web", f"/api/verifications/{record}/commit", lease, f"key-{next(self.serial)}")
            late[told.get("code", status)] += 1
        return thief, again, late

    def twice(self):
        """Records that were answered as redeemed more than once."""
        return [record for record, redemptions in self.redemptions.items() if len(redemptions) > 1]

    def outage(self, what, since):
        """The longest time without a good answer from a moment on."""
        moments = sorted(at for at in self.good[what] if at > since - 1)
        return max((after - before for before, after in itertools.pairwise(moments)), default=float("inf"))
