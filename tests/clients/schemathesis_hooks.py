"""Checks of our own beside those that schemathesis brings."""

import schemathesis


@schemathesis.check
def shape_is_accepted(ctx, response, case):
    """A request that the document allows is never refused for its shape."""
    mode = case.meta.generation.mode if case.meta is not None else None
    if mode is None or not mode.is_positive or response.status_code != 400:
        return
    try:
        code = response.json().get("code")
    except ValueError:
        return
    if code in ("guard.invalid_input", "guard.invalid_pagination", "request.malformed_json", "request.invalid"):
        raise AssertionError(f"the document allows this request, the server does not: {response.text}")
