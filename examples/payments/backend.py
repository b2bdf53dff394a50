"""A payment back end that moves money only with the owner's consent to this very transfer.

    POST /transfers {"amount": "120.50", "currency": "EUR", "payee": "ACME GmbH"}
    Authorization: Bearer <the user's token>     Verification-Id: <a record the user has satisfied>

201 with the transfer; 400 for a body it cannot execute; 401 for an unknown user, and with a challenge (RFC 9470) where there is no
consent that can be used; 409 for a transfer that was executed before; 503 when Countersign gives no clear answer: nothing is executed on doubt.

Everything about Countersign is in the class of that name. Python 3.9 or newer, nothing else.
"""

import base64
import hashlib
import http.client
import json
import os
import re
import sqlite3
import threading
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OPERATION = "payments.transfer"
LONGEST_BODY = 16_384


class Refused(Exception):
    """An answer other than 201: status, body, headers."""

    def __init__(self, status, code, message, data=None, headers=()):
        super().__init__(code)
        self.status, self.headers = status, dict(headers)
        self.body = {"code": code, "message": message, **({"data": data} if data else {})}


class Countersign:
    """The three things a back end asks."""

    def __init__(self, url, client_id, client_secret):
        self.url = url
        # RFC 6749 2.3.1: both are form-encoded before they are put together.
        pair = ":".join(urllib.parse.quote_plus(part) for part in (client_id, client_secret))
        self.basic = "Basic " + base64.b64encode(pair.encode()).decode()

    def call(self, path, authorization, body=None, **headers):
        """Status and body of the answer; 503 when there is none that could be believed."""
        data = None if body is None else json.dumps(body).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers |= {"Authorization": authorization, "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers)
        try:
            try:
                answer = urllib.request.urlopen(request, timeout=10)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                return answer.status, json.load(answer)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Refused(503, "unavailable", "The consent cannot be checked now.") from error

    def user(self, authorization):
        """Whose token it is. With an issuer of your own, check the token as you always do and take its `sub`."""
        status, body = self.call("/api/my-account", authorization)
        if status == 200:
            return body["id"]
        if status in (401, 403):
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            raise Refused(401, "invalid_token", "Sign in first.", headers=challenge)
        raise Refused(503, "unavailable", "The token cannot be checked now.")

    def challenge(self, reason, payload):
        """What the client must do first (RFC 9470 3); `data` says to what the owner must consent."""
        status, operation = self.call("/api/operations/" + OPERATION, self.basic)
        if status != 200:
            raise Refused(503, "unavailable", "The consent cannot be checked now.")
        requirement = operation["requirement"]
        header = (
            'Bearer error="insufficient_user_authentication", error_description="Consent to this transfer is needed", '
            f'acr_values="urn:countersign:acr:1fa", max_age={requirement["maxAge"]}'
        )
        data = {"operation": OPERATION, "payload": payload, "methods": requirement["methods"]}
        return Refused(401, reason, "Consent to this transfer is needed.", data, {"WWW-Authenticate": header})

    def redeem(self, record, subject, payload):
        """The id of the one redemption of the record, for the payload exactly as it is about to be executed."""
        # Of record and payload: should we die before the transfer is in the ledger, the same request gets the same redemption again.
        key = hashlib.sha256(f"{record}\n{json.dumps(payload, sort_keys=True)}".encode()).hexdigest()
        path = f"/api/verifications/{urllib.parse.quote(record, safe='')}/redeem"
        body = {"operation": OPERATION, "subject": subject, "payload": payload}
        status, answer = self.call(path, self.basic, body, Idempotency_Key=key)
        if status == 200:
            return answer["redemptionId"]
        if status in (404, 409):
            raise self.challenge(answer["code"], payload)
        if status == 400:
            raise Refused(400, answer["code"], answer["message"], answer.get("data"))
        raise Refused(503, "unavailable", "The consent cannot be checked now.")


class Ledger:
    """Where money moves: a redemption is executed once, whatever the number of threads and restarts."""

    def __init__(self, file):
        self.lock = threading.Lock()
        self.db = sqlite3.connect(file, check_same_thread=False)
        with self.db:
            self.db.execute(
                "create table if not exists transfers (redemption text primary key, subject text not null, "
                "amount text not null, currency text not null, payee text not null)"
            )

    def execute(self, redemption, subject, payload):
        row = (redemption, subject, payload["amount"], payload["currency"], payload["payee"])
        try:
            with self.lock, self.db:
                self.db.execute("insert into transfers values (?, ?, ?, ?, ?)", row)
        except sqlite3.IntegrityError as error:
            raise Refused(409, "transfer.already_executed", "This consent has been used.", {"transfer": redemption}) from error


def parse(text):
    """The payload of a transfer: three texts and nothing else, so that what is signed is all that is executed."""
    try:
        body = json.loads(text)
        fits = set(body) == {"amount", "currency", "payee"} and all(isinstance(value, str) for value in body.values())
    except (ValueError, TypeError):
        fits = False
    if not fits or not re.fullmatch(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,4})?", body["amount"], re.ASCII):
        raise Refused(400, "invalid_transfer", 'Expected {"amount": "120.50", "currency": "EUR", "payee": "..."}.')
    return body


def transfer(countersign, ledger, headers, text):
    subject = countersign.user(headers.get("Authorization", ""))
    payload = parse(text)
    record = headers.get("Verification-Id")
    if not record:
        raise countersign.challenge("verification_required", payload)
    redemption = countersign.redeem(record, subject, payload)
    ledger.execute(redemption, subject, payload)
    return {"transfer": redemption, **payload}


class Handler(BaseHTTPRequestHandler):
    """HTTP around `transfer`."""

    countersign = ledger = None
    timeout = 30

    def do_POST(self):
        try:
            if self.path != "/transfers":
                raise Refused(404, "not_found", "There is only POST /transfers.")
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > LONGEST_BODY:
                raise Refused(400, "invalid_transfer", "Expected a body with its length.")
            done = transfer(self.countersign, self.ledger, self.headers, self.rfile.read(int(length)))
            self.answer(201, done)
        except Refused as refused:
            self.answer(refused.status, refused.body, refused.headers)

    def answer(self, status, body, headers=()):
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **dict(headers)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        """The walk in `run` says what happens."""


def serve(port, countersign, ledger):
    """A server, to be run; port 0 takes a free one."""
    handler = type("Bound", (Handler,), {"countersign": countersign, "ledger": ledger})
    return ThreadingHTTPServer(("127.0.0.1", port), handler)


if __name__ == "__main__":
    bank = Countersign(os.environ["COUNTERSIGN_URL"], os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
    server = serve(int(os.environ.get("PORT", "8080")), bank, Ledger(os.environ.get("LEDGER", "ledger.db")))
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
