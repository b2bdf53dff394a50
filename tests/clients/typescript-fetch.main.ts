// The main job with the client that openapi-generator makes: verify the password, change it; verify a new address, bind it.
import assert from 'node:assert/strict';
import { Configuration, MyAccountApi, ResponseError, VerificationsApi } from './typescript-fetch/index';
import { codeFor, given } from './support';

async function main() {
  const configuration = new Configuration({ basePath: given('URL'), accessToken: given('TOKEN') });
  const verifications = new VerificationsApi(configuration);
  const account = new MyAccountApi(configuration);
  const password = 'a much better passphrase';

  const refused = await account.updatePassword({ newPasswordBody: { password } }).catch((error) => error);
  assert(refused instanceof ResponseError && refused.response.status === 401);
  assert.equal((await refused.response.json()).code, 'verification_record.permission_denied');

  const first = await verifications.createVerificationByPassword({ passwordBody: { password: given('PASSWORD') } });
  assert(first.expiresAt instanceof Date && first.verificationRecordId.length === 32);
  await account.updatePassword({ verificationId: first.verificationRecordId, newPasswordBody: { password } });

  const { verificationRecordId } = await verifications.createVerificationByPassword({ passwordBody: { password } });
  const identifier = { type: 'email' as const, value: given('NEW_EMAIL') };
  const sent = await verifications.createVerificationByVerificationCode({ sendBody: { identifier } });
  const proof = await verifications.verifyVerificationByVerificationCode({
    verifyBody: { identifier, verificationId: sent.verificationRecordId, code: await codeFor(identifier.value) },
  });
  await account.updatePrimaryEmail({
    verificationId: verificationRecordId,
    newEmailBody: { email: identifier.value, newIdentifierVerificationRecordId: proof.verificationRecordId },
  });

  const changed = await account.updateProfile({ accountChanges: { name: 'Ada', customData: { theme: 'dark' } } });
  assert.equal(changed.primaryEmail, identifier.value);
  assert.equal((await account.getProfile()).customData?.['theme'], 'dark');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
