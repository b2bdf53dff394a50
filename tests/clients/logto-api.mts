// The package `@logto/api` as its users have it: only the base URL is ours.
import assert from 'node:assert/strict';
import { createManagementApi } from '@logto/api/management';
import { given } from './support.js';

const url = given('URL');
const credentials = { clientId: given('CLIENT_ID'), clientSecret: given('CLIENT_SECRET'), baseUrl: url };
const { apiClient } = createManagementApi('default', credentials);

const created = await apiClient.POST('/api/users', {
  body: { username: 'grace', primaryEmail: 'grace@example.com', password: 'another fine phrase', name: 'Grace' },
});
assert(created.data, JSON.stringify(created.error));
const userId = created.data.id;
const listed = await apiClient.GET('/api/users', { params: { query: { page: 1, page_size: 100 } } });
assert(listed.data?.some(({ id }) => id === userId), JSON.stringify(listed.error));
assert.equal(listed.response.headers.get('total-number'), String(listed.data?.length));
const found = await apiClient.GET('/api/users/{userId}', { params: { path: { userId } } });
assert.equal(found.data?.primaryEmail, 'grace@example.com');
const changed = await apiClient.PATCH('/api/users/{userId}', { params: { path: { userId } }, body: { name: 'Grace H.' } });
assert.equal(changed.data?.name, 'Grace H.');

const center = await apiClient.GET('/api/account-center');
assert.equal(center.data?.enabled, true);
const fields = { ...center.data.fields, avatar: 'ReadOnly' as const };
const narrowed = await apiClient.PATCH('/api/account-center', { body: { enabled: true, fields } });
assert.equal(narrowed.data?.fields.avatar, 'ReadOnly');
const experience = await apiClient.GET('/api/sign-in-exp');
assert(experience.data?.sentinelPolicy);
const stricter = await apiClient.PATCH('/api/sign-in-exp', { body: { sentinelPolicy: { maxAttempts: 7, lockoutDuration: 20 } } });
assert.equal(stricter.data?.sentinelPolicy.maxAttempts, 7);

// A token for the user, as a back end gets it: a subject token, exchanged.
async function tokenFor(userId: string): Promise<string> {
  const subject = await apiClient.POST('/api/subject-tokens', { body: { userId } });
  assert(subject.data, JSON.stringify(subject.error));
  const answer = await fetch(`${url}/oidc/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${credentials.clientId}:${credentials.clientSecret}`)}` },
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: subject.data.subjectToken,
      subject_token_type: 'urn:logto:token-type:impersonation_token',
      scope: 'openid profile email',
    }),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  return ((await answer.json()) as { access_token: string }).access_token;
}
const authorization = `Bearer ${await tokenFor(userId)}`;
const account = await fetch(`${url}/api/my-account`, { headers: { authorization } });
assert.equal(account.status, 200);
assert.equal(((await account.json()) as { primaryEmail: string }).primaryEmail, 'grace@example.com');

const suspend = (isSuspended: boolean) =>
  apiClient.PATCH('/api/users/{userId}/is-suspended', { params: { path: { userId } }, body: { isSuspended } });
assert.equal((await suspend(true)).data?.isSuspended, true);
assert.equal((await fetch(`${url}/api/my-account`, { headers: { authorization } })).status, 401);
assert.equal((await suspend(false)).data?.isSuspended, false);
const gone = await apiClient.DELETE('/api/users/{userId}', { params: { path: { userId } } });
assert.equal(gone.response.status, 204);
const missing = await apiClient.GET('/api/users/{userId}', { params: { path: { userId } } });
assert.equal(missing.response.status, 404);
