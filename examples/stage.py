"""What the examples share: Countersign started for one of them, and the front end of its demo user."""

import contextlib
import json
import os
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

# All that is asked is on this machine, whatever proxy leads out of it.
os.environ["no_proxy"] = "127.0.0.1"

ROOT = Path(__file__).resolve().parent.parent


def program():
    """The program: that of the environment variable COUNTERSIGN, or built first (the first time takes some minutes)."""
    if "COUNTERSIGN" in os.environ:
        return os.environ["COUNTERSIGN"]
    subprocess.run(["cargo", "build", "--release", "--quiet", "--bin", "countersign"], cwd=ROOT, check=True)
    return str(ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / "countersign")


def create(binary, config, redeemer, data):
    """Makes a relying service known; gives its secret."""
    command = [binary, "applications", "create", "--config", config, "--id", redeemer, "--name", redeemer]
    # The database of `dev` is in its data folder.
    environment = {**os.environ, "COUNTERSIGN_DATABASE__URL": f"sqlite://{data}/countersign.db"}
    made = subprocess.run([*command, "--type", "machine-to-machine", "--json"], env=environment, check=True, stdout=subprocess.PIPE)
    return json.loads(made.stdout)["secret"]


@contextlib.contextmanager
def countersign(config, redeemer=None):
    """Countersign with a configuration in a folder that goes away: what `dev` tells, and the secret of the relying service, if there is one."""
    binary = program()
    with tempfile.TemporaryDirectory() as data:
        secret = redeemer and create(binary, config, redeemer, data)
        with open(f"{data}/log", "w+") as log:
            command = [binary, "dev", "--config", config, "--data", data, "--port", "0", "--json"]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as process:
                try:
                    line = process.stdout.readline()
                    if not line:
                        log.seek(0)
                        raise SystemExit(f"Countersign did not start:\n{log.read()}")
                    yield json.loads(line), secret
                finally:
                    process.terminate()


def call(method, url, body=None, **headers):
    """Status, headers and JSON body of an answer."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers}, method=method)
    try:
        answer = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        text = answer.read()
        is_json = "json" in answer.headers.get("Content-Type", "")
        return answer.status, answer.headers, json.loads(text) if is_json else None


class FrontEnd:
    """The demo user at a front end of the bank's."""

    def __init__(self, shown):
        self.url, self.mailbox, self.password = shown["url"], shown["mailbox"], shown["password"]
        self.email, self.user = shown["user"]["primaryEmail"], shown["user"]["id"]
        self.authorization = "Bearer " + shown["accessToken"]

    def post(self, path, body):
        status, _, answer = call("POST", self.url + path, body, Authorization=self.authorization)
        if status not in (200, 201):
            raise SystemExit(f"POST {path}: {status} {answer}")
        return answer

    def open(self, operation, payload):
        """Opens a record for an operation on a payload."""
        return self.post("/api/verifications", {"operation": operation, "payload": payload})

    def prove(self, record):
        """Proves password and a code by e-mail to the record; gives the message with the code."""
        self.post("/api/verifications/password/verify", {"password": self.password, "verificationRecordId": record})
        identifier = {"type": "email", "value": self.email}
        self.post("/api/verifications/verification-code", {"identifier": identifier, "verificationRecordId": record})
        _, _, mail = call("GET", f"{self.mailbox}?to={urllib.parse.quote(self.email)}")
        self.post(
            "/api/verifications/verification-code/verify",
            {"identifier": identifier, "verificationId": record, "code": mail[0]["code"]},
        )
        return mail[0]

    def consent(self, operation, payload):
        """A record that is good for the operation on the payload."""
        record = self.open(operation, payload)["verificationRecordId"]
        self.prove(record)
        return record
