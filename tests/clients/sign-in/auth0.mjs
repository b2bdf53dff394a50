// Auth0's libraries as their users have them: only the domain is ours.
import assert from 'node:assert/strict';
import { AuthClient } from '@auth0/auth0-auth-js';
import * as four from 'auth0';
import * as seven from 'auth0-latest/legacy';
import { application, codeFor, domain, listen, root, wrong } from './surroundings.mjs';

const close = await listen();
const { id: clientId, secret: clientSecret } = await application('Traditional');
const scope = 'openid profile email phone offline_access';

// `auth0` 4, and what `auth0/legacy` of the latest is: start, code, refresh, userinfo, revoke, and the errors in between.
for (const [name, library] of [['four', four], ['legacy', seven]]) {
  const email = `${name}@example.com`;
  const client = new library.AuthenticationClient({ domain, clientId, clientSecret });
  await client.passwordless.sendEmail({ email, send: 'code' });
  const code = await codeFor(email);
  await assert.rejects(client.passwordless.loginWithEmail({ email, code: wrong(code), scope }), (error) => {
    assert.equal(error.statusCode, 403);
    assert.equal(error.error, 'invalid_grant');
    assert.equal(error.error_description, 'Wrong email or verification code.');
    return true;
  });
  // The library checks issuer, audience and the RS256 signature of the ID token by our keys.
  const { data: tokens } = await client.passwordless.loginWithEmail({ email, code, scope });
  assert.equal(tokens.token_type, 'Bearer');
  assert(tokens.id_token && tokens.refresh_token && tokens.access_token);
  await assert.rejects(client.passwordless.loginWithEmail({ email, code, scope }), { error: 'invalid_grant' });
  const people = new library.UserInfoClient({ domain });
  const { data: known } = await people.getUserInfo(tokens.access_token);
  assert.equal(known.email, email);
  assert.equal(known.email_verified, true);
  assert.match(known.sub, /^email\|/);
  const { data: next } = await client.oauth.refreshTokenGrant({ refresh_token: tokens.refresh_token });
  assert(next.refresh_token && next.refresh_token !== tokens.refresh_token);
  await client.oauth.revokeRefreshToken({ token: next.refresh_token });
  await assert.rejects(client.oauth.refreshTokenGrant({ refresh_token: next.refresh_token }), { error: 'invalid_grant' });
  const account = await fetch(`${root}/api/my-account`, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  assert.equal(account.status, 401, 'what belongs to a revoked refresh token dies with it');

  const phone_number = name === 'four' ? '+15550100001' : '+15550100002';
  await client.passwordless.sendSMS({ phone_number });
  const { data: bySms } = await client.passwordless.loginWithSMS({ phone_number, code: await codeFor(phone_number), scope });
  const opened = await fetch(`${root}/api/my-account`, { headers: { authorization: `Bearer ${bySms.access_token}` } });
  assert.equal(opened.status, 200, 'the tokens open the account API');
  assert.equal((await opened.json()).primaryPhone, phone_number.slice(1));
  await assert.rejects(client.passwordless.sendEmail({ email: 'no address', send: 'code' }), { error: 'bad.email' });
  const stranger = new library.AuthenticationClient({ domain, clientId, clientSecret: 'wrong' });
  await assert.rejects(stranger.passwordless.sendEmail({ email, send: 'code' }), { statusCode: 401 });
}

// `@auth0/auth0-auth-js`: discovery first, forms instead of JSON, PKCE for the hosted pages.
{
  const email = 'auth-js@example.com';
  const client = new AuthClient({ domain, clientId, clientSecret });
  await client.passwordless.sendEmail({ email, send: 'code' });
  const code = await codeFor(email);
  await assert.rejects(client.getTokenByPasswordlessEmail({ email, code: wrong(code), scope }));
  const tokens = await client.getTokenByPasswordlessEmail({ email, code, scope });
  assert.equal(tokens.claims.email, email);
  assert.equal(tokens.claims.iss, `${root}/`);
  assert.equal((await client.getUserInfo({ accessToken: tokens.accessToken })).email, email);
  const next = await client.getTokenByRefreshToken({ refreshToken: tokens.refreshToken });
  assert(next.accessToken !== tokens.accessToken);
  await client.revokeToken({ token: next.refreshToken });
  await assert.rejects(client.getTokenByRefreshToken({ refreshToken: next.refreshToken }));
  const { authSession } = await client.passwordless.challengeWithEmail({ email, connection: 'email' });
  const held = await client.passwordless.getTokenByPasswordlessDbConnection({ authSession, otp: await codeFor(email, 2), scope });
  assert.equal(held.claims.email, email);
}
close();
