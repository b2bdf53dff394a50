"""The main job with the client that openapi-generator makes: verify the password, change it; verify a new address, bind it."""

import json
import os
import urllib.request
from datetime import datetime

from countersign_client import (
    AccountChanges,
    ApiClient,
    ApiException,
    Configuration,
    EmailIdentifier,
    Identifier,
    MyAccountApi,
    NewEmailBody,
    NewPasswordBody,
    PasswordBody,
    SendBody,
    VerificationsApi,
    VerifyBody,
)


def given(name: str) -> str:
    return os.environ[f"COUNTERSIGN_{name}"]


def code_for(address: str) -> str:
    with urllib.request.urlopen(given("MAILBOX")) as answer:
        return next(message["code"] for message in json.load(answer) if message["to"] == address and message["code"])


with ApiClient(Configuration(host=given("URL"), access_token=given("TOKEN"))) as client:
    verifications, account = VerificationsApi(client), MyAccountApi(client)
    password = "a much better passphrase"

    try:
        account.update_password(NewPasswordBody(password=password))
        raise AssertionError("a password was changed without verification")
    except ApiException as refused:
        assert refused.status == 401, refused
        assert json.loads(refused.body)["code"] == "verification_record.permission_denied", refused.body

    first = verifications.create_verification_by_password(PasswordBody(password=given("PASSWORD")))
    assert isinstance(first.expires_at, datetime)
    account.update_password(NewPasswordBody(password=password), verification_id=first.verification_record_id)

    record = verifications.create_verification_by_password(PasswordBody(password=password)).verification_record_id
    email = given("NEW_EMAIL")
    identifier = Identifier(EmailIdentifier(type="email", value=email))
    sent = verifications.create_verification_by_verification_code(SendBody(identifier=identifier))
    proof = verifications.verify_verification_by_verification_code(
        VerifyBody(identifier=identifier, verification_id=sent.verification_record_id, code=code_for(email))
    )
    account.update_primary_email(
        NewEmailBody(email=email, new_identifier_verification_record_id=proof.verification_record_id),
        verification_id=record,
    )

    changed = account.update_profile(account_changes=AccountChanges(name="Ada", custom_data={"theme": "dark"}))
    assert changed.primary_email == email, changed
    assert account.get_profile().custom_data == {"theme": "dark"}
