"""Checks assertions of redemptions without asking Countersign: only its public keys are fetched, now and then. With `joserfc`.

    python check.py <jwks url> <issuer> <audience>

reads a line of JSON for each action that is about to be executed, {"assertion", "operation", "subject", "payload"}, and answers each with
a line: {"ok": <redemption id>}, or {"refused": <why>}. check.mjs is the same in JavaScript.
"""

import hashlib
import json
import sys
import time
import urllib.request
from base64 import urlsafe_b64encode

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet

LONGEST_LIFE = 120
TEXTS = ("iss", "sub", "aud", "jti", "acr", "operation")
TIMES = ("iat", "exp", "auth_time")


class Refused(Exception):
    """Why an assertion is worth nothing here."""


def canonical(payload):
    """The canonical form of a payload (RFC 8785). For a flat object of texts it is JSON with sorted members and no spaces; numbers and
    nesting take more: use a library of RFC 8785 then."""
    if not isinstance(payload, dict) or not all(isinstance(value, str) for value in payload.values()):
        raise Refused("the payload is not a flat object of texts")
    # By UTF-16, as the RFC sorts; Python's own order of texts differs beyond U+FFFF.
    members = dict(sorted(payload.items(), key=lambda member: member[0].encode("utf-16-be")))
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


def digest(payload):
    return urlsafe_b64encode(hashlib.sha256(canonical(payload)).digest()).rstrip(b"=").decode()


class Keys:
    """The published keys; fetched again for an unknown `kid`, for they rotate, but no oftener than every 30 seconds."""

    def __init__(self, url):
        self.url, self.fetched, self.keys = url, None, KeySet([])

    def find(self, kid):
        try:
            return self.keys.get_by_kid(kid)
        except InvalidKeyIdError:
            if self.fetched is not None and time.monotonic() - self.fetched < 30:
                raise
        self.fetched = time.monotonic()
        with urllib.request.urlopen(self.url, timeout=10) as answer:
            self.keys = KeySet.import_key_set(json.load(answer))
        return self.keys.get_by_kid(kid)


class Checker:
    def __init__(self, jwks, issuer, audience):
        self.keys = Keys(jwks)
        # A value of another type, such as a list with our name in it, is another value.
        self.expected = {"iss": issuer, "aud": audience}
        # Redemptions that were executed, with the end of their assertions. With several processes: a table with a unique `jti`.
        self.executed = {}

    def key(self, token):
        """The key a token claims to be signed with; asked by the library with the token's header."""
        headers = token.headers()
        if headers.get("typ") != "stepup+jwt":
            raise Refused("another type of token")
        if not isinstance(headers.get("kid"), str):
            raise Refused("no key id")
        return self.keys.find(headers["kid"])

    def check(self, assertion, operation, subject, payload):
        """The redemption's id, once."""
        # Only ES256: what the token says of its algorithm decides nothing.
        claims = jwt.decode(assertion, self.key, algorithms=["ES256"]).claims
        if not all(isinstance(claims.get(name), str) for name in TEXTS) or not all(type(claims.get(name)) is int for name in TIMES):
            raise Refused("a claim is missing, or is not what it should be")
        expected = {**self.expected, "sub": subject, "operation": operation, "payload_digest": digest(payload)}
        for name, value in expected.items():
            if claims.get(name) != value:
                raise Refused(f"another {name}")
        now = int(time.time())
        if not claims["iat"] <= now < claims["exp"] <= claims["iat"] + LONGEST_LIFE:
            raise Refused("not good now, or good for too long")
        self.executed = {jti: end for jti, end in self.executed.items() if end > now}
        if claims["jti"] in self.executed:
            raise Refused("executed before")
        self.executed[claims["jti"]] = claims["exp"]
        return claims["jti"]


def main():
    checker = Checker(*sys.argv[1:])
    for line in sys.stdin:
        action = json.loads(line)
        try:
            answer = {"ok": checker.check(*(action[name] for name in ("assertion", "operation", "subject", "payload")))}
        except Exception as error:  # Whatever a forger sends, and when the keys cannot be fetched: no.
            answer = {"refused": str(error) or type(error).__name__}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
