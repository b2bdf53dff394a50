// Calls of the account API.
class Refusal extends Error {
  constructor(status, body, wait) {
    super(body.code);
    Object.assign(this, { status, code: body.code, data: body.data, wait });
  }
}

// What is answered; a refusal is thrown. `proof` is the id of a verification record.
async function call(method, path, { body, proof } = {}) {
  const headers = { authorization: `Bearer ${tokens.access_token}` };
  if (body) headers['content-type'] = 'application/json';
  if (proof) headers['verification-id'] = proof;
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: 'no-store' });
  } catch {
    throw new Refusal(0, { code: 'unreachable' });
  }
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  throw new Refusal(answer.status, { code: `HTTP ${answer.status}`, ...told }, Number(answer.headers.get('retry-after')) || 0);
}

const account = () => call('GET', '/api/my-account');
const recentActivity = () => call('GET', '/api/my-account/activity?page_size=40');
const verifyPassword = password => call('POST', '/api/verifications/password/verify', { body: { password } });
const sendCode = identifier => call('POST', '/api/verifications/verification-code', { body: { identifier } });
const verifyCode = (identifier, verificationId, code) =>
  call('POST', '/api/verifications/verification-code/verify', { body: { identifier, verificationId, code } });
