// The main job with openapi-fetch and the types of openapi-typescript.
import assert from 'node:assert/strict';
import createClient from 'openapi-fetch';
import type { paths } from './openapi-typescript/schema.js';
import { codeFor, given } from './support.js';

const client = createClient<paths>({ baseUrl: given('URL'), headers: { authorization: `Bearer ${given('TOKEN')}` } });
const password = 'a much better passphrase';

async function verified(password: string): Promise<string> {
  const { data, error } = await client.POST('/api/verifications/password/verify', { body: { password } });
  assert(data, error?.code);
  return data.verificationRecordId;
}

const refused = await client.POST('/api/my-account/password', { body: { password } });
assert.equal(refused.response.status, 401);
assert.equal(refused.error?.code, 'verification_record.permission_denied');

const changed = await client.POST('/api/my-account/password', {
  params: { header: { 'Verification-Id': await verified(given('PASSWORD')) } },
  body: { password },
});
assert.equal(changed.response.status, 204);

const identifier = { type: 'email' as const, value: given('NEW_EMAIL') };
const sent = await client.POST('/api/verifications/verification-code', { body: { identifier } });
assert(sent.data, sent.error?.code);
const proof = await client.POST('/api/verifications/verification-code/verify', {
  body: { identifier, verificationId: sent.data.verificationRecordId, code: await codeFor(identifier.value) },
});
assert(proof.data, proof.error?.code);
const bound = await client.POST('/api/my-account/primary-email', {
  params: { header: { 'logto-verification-id': await verified(password) } },
  body: { email: identifier.value, newIdentifierVerificationRecordId: proof.data.verificationRecordId },
});
assert.equal(bound.response.status, 204);

const account = await client.GET('/api/my-account');
assert(account.data, account.error?.code);
assert.equal(account.data.primaryEmail satisfies string | null | undefined, identifier.value);
assert.equal(account.data.hasSecurityVerificationMethod, true);
