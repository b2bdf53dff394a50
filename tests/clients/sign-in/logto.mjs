// `@logto/node` as its users have it: only the endpoint is ours. Signs in through the hosted pages and calls the account API.
import assert from 'node:assert/strict';
import LogtoClient from '@logto/node';
import { application, listen, person, root } from './surroundings.mjs';

const close = await listen();
const redirectUri = 'http://localhost:9/callback';
const metadata = { redirectUris: [redirectUri], postLogoutRedirectUris: ['http://localhost:9/'] };
const { id: appId, secret: appSecret } = await application('Traditional', { oidcClientMetadata: metadata });

const kept = new Map();
let place;
const adapter = {
  navigate: (url) => { place = url; },
  storage: {
    getItem: async (key) => kept.get(key) ?? null,
    setItem: async (key, value) => { kept.set(key, value); },
    removeItem: async (key) => { kept.delete(key); },
  },
};
const client = new LogtoClient({ endpoint: root, appId, appSecret, scopes: ['email', 'phone'] }, adapter);
await client.signIn(redirectUri);
const back = await person(place, 'logto@example.com');
await client.handleSignInCallback(back.href);
assert(await client.isAuthenticated());
const claims = await client.getIdTokenClaims();
assert.equal(claims.iss, `${root}/oidc`);
assert.equal(claims.email, 'logto@example.com');
assert.equal((await client.fetchUserInfo()).email, 'logto@example.com');
const authorization = `Bearer ${await client.getAccessToken()}`;
const account = await fetch(`${root}/api/my-account`, { headers: { authorization } });
assert.equal(account.status, 200);
const { id, primaryEmail } = await account.json();
assert.equal(primaryEmail, 'logto@example.com');
assert.equal(claims.sub, id, 'the plain id, where nobody looks for a connection in front');
await client.clearAccessToken();
const again = await client.getAccessToken();
assert(again && `Bearer ${again}` !== authorization, 'refreshed');
await client.signOut('http://localhost:9/');
assert(place.startsWith(`${root}/oidc/session/end`), place);
close();
