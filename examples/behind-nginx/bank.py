"""A bank as it was before anybody asked for consent: a transfer is drafted, then executed. Nothing in here knows of Countersign.

    POST /transfers {"amount": "120.50", "currency": "EUR", "payee": "ACME GmbH"}     201 with its number
    POST /transfers/<number>/execute                                                  200; 404 for another's, 409 the second time

Whose token it is, it asks the issuer of the tokens (OpenID Connect Core 5.3). A draft does not change any more: its number says it all.
Python 3.10 or newer, nothing else.
"""

import http.client
import json
import re
import sqlite3
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MEMBERS = ("amount", "currency", "payee")


class Bank:
    """Its transfers, and who may ask."""

    def __init__(self, issuer, file=":memory:"):
        self.issuer, self.lock = issuer, threading.Lock()
        self.db = sqlite3.connect(file, check_same_thread=False)
        with self.db:
            self.db.execute(
                "create table if not exists transfers (number integer primary key, customer text not null, amount text not null, "
                "currency text not null, payee text not null, is_executed integer not null default 0)"
            )

    def customer(self, authorization):
        """The user whose token it is, or None."""
        request = urllib.request.Request(self.issuer + "/userinfo", headers={"Authorization": authorization})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)["sub"]
        except (OSError, ValueError, KeyError, http.client.HTTPException):
            return None

    def draft(self, customer, body):
        if not isinstance(body, dict) or set(body) != set(MEMBERS) or not all(isinstance(body[name], str) for name in MEMBERS):
            return 400, {"error": "expected amount, currency and payee, as texts"}
        with self.lock, self.db:
            sql = "insert into transfers (customer, amount, currency, payee) values (?, ?, ?, ?)"
            number = self.db.execute(sql, (customer, *(body[name] for name in MEMBERS))).lastrowid
        return 201, {"number": number}

    def execute(self, customer, number):
        with self.lock, self.db:
            mine = self.db.execute("select 1 from transfers where number = ? and customer = ?", (number, customer)).fetchone()
            sql = "update transfers set is_executed = 1 where number = ? and customer = ? and is_executed = 0"
            is_done = self.db.execute(sql, (number, customer)).rowcount
        if not mine:
            return 404, {"error": "no such transfer"}
        return (200, {"executed": number}) if is_done else (409, {"error": "executed before"})

    def answer(self, path, authorization, text):
        customer = self.customer(authorization)
        if customer is None:
            return 401, {"error": "sign in first"}
        if path == "/transfers":
            try:
                return self.draft(customer, json.loads(text))
            except ValueError:
                return 400, {"error": "expected JSON"}
        if found := re.fullmatch(r"/transfers/([1-9][0-9]{0,17})/execute", path, re.ASCII):
            return self.execute(customer, int(found[1]))
        return 404, {"error": "nothing here"}


class Handler(BaseHTTPRequestHandler):
    """HTTP around the bank."""

    bank, timeout = None, 30

    def do_POST(self):
        length = self.headers.get("Content-Length", "0")
        is_short = length.isdecimal() and int(length) <= 16_384
        text = self.rfile.read(int(length)) if is_short else b""
        status, body = self.bank.answer(self.path, self.headers.get("Authorization", ""), text)
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        """The walk in `run` says what happens."""


def serve(bank):
    """A server on a free port, to be run."""
    return ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"bank": bank}))
