// `openid-client`: a public client with PKCE, through the hosted pages, its tokens bound to a key (DPoP).
import assert from 'node:assert/strict';
import * as oidc from 'openid-client';
import { application, listen, person, root } from './surroundings.mjs';

const close = await listen();
const redirect_uri = 'http://localhost:9/callback';
const { id } = await application('SPA', { oidcClientMetadata: { redirectUris: [redirect_uri], postLogoutRedirectUris: [] } });

for (const issuer of [`${root}/`, `${root}/oidc`]) {
  const config = await oidc.discovery(new URL(issuer), id, undefined, oidc.None());
  const code_verifier = oidc.randomPKCECodeVerifier();
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
  const DPoP = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256'));
  const place = oidc.buildAuthorizationUrl(config, {
    redirect_uri,
    scope: 'openid email offline_access',
    code_challenge: await oidc.calculatePKCECodeChallenge(code_verifier),
    code_challenge_method: 'S256',
    connection: 'email',
    state,
    nonce,
  });
  const email = `openid-client-${issuer.length}@example.com`;
  const back = await person(place.href, email);
  // The library checks `state`, `iss` (RFC 9207), the nonce, the signature, and answers `use_dpop_nonce` by itself.
  const checks = { pkceCodeVerifier: code_verifier, expectedState: state, expectedNonce: nonce };
  const tokens = await oidc.authorizationCodeGrant(config, back, checks, undefined, { DPoP });
  assert.equal(tokens.token_type, 'dpop');
  assert.equal(tokens.claims().email, email);
  const account = await oidc.fetchProtectedResource(
    config, tokens.access_token, new URL(`${root}/api/my-account`), 'GET', undefined, undefined, { DPoP });
  assert.equal(account.status, 200);
  const stolen = await fetch(`${root}/api/my-account`, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  assert.equal(stolen.status, 401, 'a bound token is nothing without its key');
  const known = await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub, { DPoP });
  assert.equal(known.email, email);
  const next = await oidc.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
  assert(next.refresh_token !== tokens.refresh_token);
  const other = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256'));
  await assert.rejects(oidc.refreshTokenGrant(config, next.refresh_token, undefined, { DPoP: other }));
  await oidc.tokenRevocation(config, next.refresh_token);
  await assert.rejects(oidc.refreshTokenGrant(config, next.refresh_token, undefined, { DPoP }));
}
close();
