// Signing in and out: an authorization code with PKCE (RFC 7636), as client `account-center`. Tokens stay in memory: a page that is
// loaded again asks for new ones, which nobody notices while the browser is signed in.
const client = 'account-center';
const page = `${setup.root}/account`;
const scope = 'openid profile email phone urn:logto:scope:sessions';
const storage = 'countersign-account-sign-in';
let tokens;

const base64url = bytes => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const secret = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

// What a token says. The page only shows it; the server is who trusts it.
const claims = token => JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')));

async function signIn() {
  // Browsers give pages that came without TLS no digests.
  if (!crypto.subtle) return notice('insecure');
  const begun = { state: secret(), verifier: secret(), language: setup.locale };
  sessionStorage.setItem(storage, JSON.stringify(begun));
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(begun.verifier));
  location.assign(`/oidc/auth?${new URLSearchParams({
    client_id: client, response_type: 'code', redirect_uri: page, scope, state: begun.state, ui_locales: setup.locale,
    code_challenge: base64url(new Uint8Array(digest)), code_challenge_method: 'S256',
  })}`);
}

// Back from signing in. True once there are tokens.
async function arrive(query) {
  const begun = JSON.parse(sessionStorage.getItem(storage));
  if (begun?.state !== query.get('state') || query.get('iss') !== `${setup.root}/oidc`) return notice('stranded');
  if (begun.language !== setup.locale) {
    // The same page in the language it was left in.
    query.set('language', begun.language);
    return location.replace(`/account?${query}`);
  }
  sessionStorage.removeItem(storage);
  history.replaceState(null, '', query.has('language') ? `/account?language=${setup.locale}` : '/account');
  if (query.has('error')) return notice('not_signed_in');
  const answer = await fetch('/oidc/token', {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code', client_id: client, redirect_uri: page, code: query.get('code'), code_verifier: begun.verifier,
    }),
  });
  if (!answer.ok) return notice('stranded');
  tokens = await answer.json();
  return true;
}

// By a form, so that the ID token stands in no address.
function signOut() {
  const values = { id_token_hint: tokens.id_token, post_logout_redirect_uri: page, state: 'signed-out', ui_locales: setup.locale };
  const fields = Object.entries(values).map(([name, value]) => h('input', { type: 'hidden', name, value }));
  const form = h('form', { method: 'post', action: '/oidc/session/end', hidden: true }, ...fields);
  document.body.append(form);
  form.submit();
}
