// Calls an API, and steps up when the API asks for it: RFC 9470 and OAuth 2.1, and nothing about who answers.
//
//   ISSUER=https://login.example/ CLIENT_ID=... REDIRECT_URI=http://127.0.0.1:8400/callback node client.mts DELETE https://api.example/thing

import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";

type Wish = { acr_values?: string; max_age?: string };

const setting = (name: string): string => process.env[name] ?? (() => { throw new Error(`${name} is not set`); })();
const [issuer, clientId, redirectUri] = [setting("ISSUER"), setting("CLIENT_ID"), setting("REDIRECT_URI")];
const scope = process.env.SCOPE ?? "openid";
const [method, api, body] = process.argv.slice(2);
if (!method || !api) throw new Error("usage: client.mts METHOD URL [JSON]");

/** Signs the user in, in a browser, as freshly and as strongly as wished. Gives an access token. */
async function signIn(wish: Wish): Promise<string> {
  const discovery = new URL(".well-known/openid-configuration", issuer.endsWith("/") ? issuer : `${issuer}/`);
  const server = await (await fetch(discovery)).json();
  const verifier = randomBytes(32).toString("base64url");
  const state = randomBytes(16).toString("base64url");
  const page = new URL(server.authorization_endpoint);
  page.search = new URLSearchParams({
    response_type: "code", client_id: clientId, redirect_uri: redirectUri, scope, state,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256", ...wish,
  }).toString();
  const back = comesBack();
  console.log(`OPEN ${page}`);
  const answer = await back;
  if (answer.get("state") !== state) throw new Error("somebody else's answer");
  if (answer.get("iss") && answer.get("iss") !== server.issuer) throw new Error("another server's answer");
  const code = answer.get("code");
  if (!code) throw new Error(`no sign-in: ${answer.get("error")}: ${answer.get("error_description")}`);
  const token = await fetch(server.token_endpoint, {
    method: "POST",
    body: new URLSearchParams({ grant_type: "authorization_code", client_id: clientId, redirect_uri: redirectUri, code, code_verifier: verifier }),
  });
  if (!token.ok) throw new Error(`no token: ${await token.text()}`);
  return (await token.json()).access_token;
}

/** Waits for the browser to come back to the redirect URI. */
function comesBack(): Promise<URLSearchParams> {
  const { hostname, port, pathname } = new URL(redirectUri);
  return new Promise((resolve, reject) => {
    const server = createServer((request, response) => {
      const url = new URL(request.url ?? "/", redirectUri);
      if (url.pathname !== pathname) return void response.writeHead(404).end();
      response.end("You can close this page.", () => server.close());
      resolve(url.searchParams);
    });
    server.on("error", reject).listen(Number(port), hostname);
  });
}

/** What a 401 asks for: the parameters of `insufficient_user_authentication` (RFC 9470 3), or nothing. */
function wishOf(response: Response): Wish | undefined {
  const challenge = response.headers.get("www-authenticate") ?? "";
  const parameter = (name: string) => challenge.match(new RegExp(`\\b${name}=(?:"([^"]*)"|([^,\\s]+))`))?.slice(1).find(Boolean);
  if (response.status !== 401 || parameter("error") !== "insufficient_user_authentication") return undefined;
  const wish: Wish = {};
  const [acr, age] = [parameter("acr_values"), parameter("max_age")];
  if (acr) wish.acr_values = acr;
  if (age) wish.max_age = age;
  return wish;
}

const call = (token: string) =>
  fetch(api, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body ? { "content-type": "application/json" } : {}) },
    ...(body ? { body } : {}),
  });

let response = await call(await signIn({}));
const wish = wishOf(response);
if (wish) {
  console.log(`STEP UP ${JSON.stringify(wish)}`);
  response = await call(await signIn(wish));
}
console.log(`${response.status} ${await response.text()}`);
process.exitCode = response.ok ? 0 : 1;
