//! The commands that `countersign dev` prints: the main job, to be pasted into a shell as one block.
//!
//! They use curl and POSIX tools alone, and work again on the same data: the password goes back and forth between two, and each run
//! takes an address of its own.

/// The demo user's first password, and the one the commands change it to.
pub const PASSWORDS: [&str; 2] = ["correct horse battery staple", "a much better passphrase"];

/// The block, for a service at `url`.
#[must_use]
pub fn commands(url: &str, access_token: &str) -> String {
    let [first, second] = PASSWORDS;
    TEMPLATE
        .trim_start()
        .replace("{url}", url)
        .replace("{token}", access_token)
        .replace("{first}", first)
        .replace("{second}", second)
}

const TEMPLATE: &str = r#"
URL='{url}'
AUTH='Authorization: Bearer {token}'
JSON='Content-Type: application/json'
value() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# 1. Verify the password. (The second is right when this block ran before.)
for PASSWORD in '{first}' '{second}'; do
  RECORD=$(curl -s "$URL/api/verifications/password/verify" -H "$AUTH" -H "$JSON" -d "{\"password\":\"$PASSWORD\"}" | value verificationRecordId)
  [ -n "$RECORD" ] && break
done
echo "verified by password, record $RECORD"

# 2. Change the password: the record permits it.
if [ "$PASSWORD" = '{first}' ]; then NEW_PASSWORD='{second}'; else NEW_PASSWORD='{first}'; fi
curl -s "$URL/api/my-account/password" -H "$AUTH" -H "$JSON" -H "Verification-Id: $RECORD" -d "{\"password\":\"$NEW_PASSWORD\"}" -w 'password changed: HTTP %{http_code}\n'

# 3. Send a code to a new e-mail address, take it from the mailbox, verify it.
EMAIL="demo.$(date +%s).$$@example.com"
ADDRESS="{\"type\":\"email\",\"value\":\"$EMAIL\"}"
PROOF=$(curl -s "$URL/api/verifications/verification-code" -H "$AUTH" -H "$JSON" -d "{\"identifier\":$ADDRESS}" | value verificationRecordId)
CODE=$(curl -s "$URL/mailbox?to=$EMAIL" | value code)
echo "the code for $EMAIL is $CODE"
curl -s "$URL/api/verifications/verification-code/verify" -H "$AUTH" -H "$JSON" -d "{\"identifier\":$ADDRESS,\"verificationId\":\"$PROOF\",\"code\":\"$CODE\"}" -w ' address verified: HTTP %{http_code}\n'

# 4. Change the e-mail. The old record rested on the old password and died with it, so the new password is verified first.
RECORD=$(curl -s "$URL/api/verifications/password/verify" -H "$AUTH" -H "$JSON" -d "{\"password\":\"$NEW_PASSWORD\"}" | value verificationRecordId)
curl -s "$URL/api/my-account/primary-email" -H "$AUTH" -H "$JSON" -H "Verification-Id: $RECORD" -d "{\"email\":\"$EMAIL\",\"newIdentifierVerificationRecordId\":\"$PROOF\"}" -w 'e-mail changed: HTTP %{http_code}\n'

# 5. See the account.
curl -s "$URL/api/my-account" -H "$AUTH"; echo
"#;
