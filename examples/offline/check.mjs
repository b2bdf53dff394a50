// Checks assertions of redemptions without asking Countersign: only its public keys are fetched, now and then. With `jose`.
//
//     node check.mjs <jwks url> <issuer> <audience>
//
// reads a line of JSON for each action that is about to be executed, {"assertion", "operation", "subject", "payload"}, and answers each
// with a line: {"ok": <redemption id>}, or {"refused": <why>}. check.py is the same in Python.
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';

const LONGEST_LIFE = 120;
const TEXTS = ['iss', 'sub', 'aud', 'jti', 'acr', 'operation'];
const TIMES = ['iat', 'exp', 'auth_time'];

const demand = (holds, why) => {
  if (!holds) throw new Error(why);
};

// The canonical form of a payload (RFC 8785). For a flat object of texts it is JSON with sorted members and no spaces; numbers and
// nesting take more: use a library of RFC 8785 then.
const canonical = (payload) => {
  const isFlat = payload !== null && typeof payload === 'object' && !Array.isArray(payload);
  demand(isFlat && Object.values(payload).every((value) => typeof value === 'string'), 'the payload is not a flat object of texts');
  // Written member by member: an object of JavaScript would put members such as "10" first. The order of `sort` is that of UTF-16.
  const members = Object.keys(payload).sort().map((name) => `${JSON.stringify(name)}:${JSON.stringify(payload[name])}`);
  return `{${members.join(',')}}`;
};

const digest = (payload) => createHash('sha256').update(canonical(payload)).digest('base64url');

const checker = (jwks, issuer, audience) => {
  // Fetched again for an unknown `kid`, for keys rotate, but no oftener than every 30 seconds.
  const keys = createRemoteJWKSet(new URL(jwks), { cooldownDuration: 30_000 });
  // Redemptions that were executed, with the end of their assertions. With several processes: a table with a unique `jti`.
  const executed = new Map();

  return async ({ assertion, operation, subject, payload }) => {
    demand(typeof decodeProtectedHeader(assertion).kid === 'string', 'no key id');
    // Only ES256: what the token says of its algorithm decides nothing. The library judges `exp`, too.
    const { payload: claims, protectedHeader } = await jwtVerify(assertion, keys, { algorithms: ['ES256'], issuer, audience });
    // Here and not by the option of the library, to which `application/stepup+jwt` is the same.
    demand(protectedHeader.typ === 'stepup+jwt', 'another type of token');
    const isWhole = TEXTS.every((name) => typeof claims[name] === 'string') && TIMES.every((name) => Number.isInteger(claims[name]));
    demand(isWhole, 'a claim is missing, or is not what it should be');
    const expected = { aud: audience, sub: subject, operation, payload_digest: digest(payload) };
    for (const [name, value] of Object.entries(expected)) demand(claims[name] === value, `another ${name}`);
    const now = Math.floor(Date.now() / 1000);
    const isGood = claims.iat <= now && now < claims.exp && claims.exp <= claims.iat + LONGEST_LIFE;
    demand(isGood, 'not good now, or good for too long');
    for (const [jti, end] of executed) if (end <= now) executed.delete(jti);
    demand(!executed.has(claims.jti), 'executed before');
    executed.set(claims.jti, claims.exp);
    return claims.jti;
  };
};

const check = checker(...process.argv.slice(2));
for await (const line of createInterface({ input: process.stdin })) {
  const answer = await check(JSON.parse(line)).then((ok) => ({ ok }), (error) => ({ refused: error.message }));
  console.log(JSON.stringify(answer));
}
