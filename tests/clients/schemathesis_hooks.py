"""What schemathesis cannot know by itself: living verification records; and a check of our own."""

import os

import requests
import schemathesis

RECORD = "Verification-Id"

# Where requests are refused for what no schema says: rules between members, and what only a parser of URIs knows.
BEYOND_SCHEMAS = (
    "search",  # goes alone
    "payload",  # numbers and depth that every reader agrees on
    "isManagement",  # for first-party machines only
    "profileFields",  # each name once
    "passwordPolicy.length",  # min is not above max
    "usernamePolicy",  # likewise; and some letter must be allowed
    "oidcClientMetadata",  # absolute URIs
    "customClientMetadata.jwks",  # public keys of known kinds
    "expiresAt",  # a moment to come
    "config",  # URLs, and headers that are ours
    "from",  # a moment, which has a format in the schema, and no pattern
    "to",  # likewise
)
state = {"password": os.environ["COUNTERSIGN_PASSWORD"], "record": None}


def verify():
    """A new record of the user, by password."""
    answer = requests.post(
        os.environ["COUNTERSIGN_URL"] + "/api/verifications/password/verify",
        headers={"Authorization": "Bearer " + os.environ["COUNTERSIGN_TOKEN"]},
        json={"password": state["password"]},
        timeout=30,
    )
    return answer.json().get("verificationRecordId")


@schemathesis.hook
def before_call(context, case, kwargs):
    """Every second gated operation shows a living record, so that it is not refused for the lack of one alone. And the application
    behind our own token stays."""
    if case.method == "DELETE" and os.environ["COUNTERSIGN_CLIENT_ID"] in case.path_parameters.values():
        case.path_parameters = {name: "somebody-else" for name in case.path_parameters}  # or we saw the branch off
    if not any(parameter.name == RECORD for parameter in case.operation.headers):
        return
    state["turn"] = not state.get("turn", False)
    if state["turn"]:
        state["record"] = state["record"] or verify()
        if state["record"]:
            case.headers[RECORD] = state["record"]
            case.headers.pop("logto-verification-id", None)


@schemathesis.hook
def after_call(context, case, response):
    """A new password is remembered, and records that rest on the old one are forgotten."""
    if response.status_code == 204 and case.operation.definition.raw.get("operationId") == "UpdatePassword":
        state.update(password=case.body["password"], record=None)


@schemathesis.check
def shape_is_accepted(ctx, response, case):
    """A request that the document allows is never refused for its shape."""
    mode = case.meta.generation.mode if case.meta is not None else None
    if mode is None or not mode.is_positive or response.status_code != 400:
        return
    try:
        answer = response.json()
    except ValueError:
        return
    if answer.get("code") not in ("guard.invalid_input", "guard.invalid_pagination", "request.malformed_json", "request.invalid"):
        return
    if answer["code"] == "request.malformed_json" and isinstance(case.body, dict) and "__proto__" in case.body:
        # The contract has parsers refuse this name; here it is refused where something else, beyond schemas, is amiss as well.
        return
    issues = (answer.get("data") or {}).get("issues") or [{"path": []}]
    paths = [".".join(str(step) for step in issue["path"]) for issue in issues]
    if not all(path.startswith(BEYOND_SCHEMAS) for path in paths):
        raise AssertionError(f"the document allows this request, the server does not: {response.text}")
