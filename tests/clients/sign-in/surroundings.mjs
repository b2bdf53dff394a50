// What every library needs of its surroundings: TLS in front of the server, by a certificate of a private authority that this process
// trusts (NODE_EXTRA_CA_CERTS), applications made for the test, the mailbox, and a person at the hosted pages.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

export function given(name) {
  const value = process.env[`COUNTERSIGN_${name}`];
  assert(value, `COUNTERSIGN_${name} is not set`);
  return value;
}

const behind = new URL(given('URL'));
const port = Number(given('TLS_PORT'));
export const domain = `localhost:${port}`;
export const root = `https://${domain}`;

/** Ends TLS and passes everything on as it is; gives what ends it. */
export async function listen() {
  const folder = given('TLS_FOLDER');
  const files = { key: readFileSync(`${folder}/server.key`), cert: readFileSync(`${folder}/server.pem`) };
  const server = https.createServer(files, (request, answer) => {
    const { method, url: path, headers } = request;
    const onward = http.request({ host: behind.hostname, port: behind.port, method, path, headers }, (response) => {
      answer.writeHead(response.statusCode, response.rawHeaders);
      response.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    request.pipe(onward);
  });
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  return () => {
    server.closeAllConnections();
    server.close();
  };
}

export async function application(kind, more = {}) {
  const answer = await fetch(`${root}/api/applications`, {
    method: 'POST',
    headers: { authorization: `Bearer ${given('MANAGEMENT_TOKEN')}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: `A ${kind}`, type: kind, ...more }),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

/** The code of the last of `count` messages to an address, which may be on its way still. */
export async function codeFor(address, count = 1) {
  for (let tries = 0; tries < 100; tries++) {
    const messages = await (await fetch(given('MAILBOX'))).json();
    const own = messages.filter(({ to, code }) => to === address && code);
    if (own.length >= count) return own[0].code;
    await new Promise((later) => setTimeout(later, 50));
  }
  assert.fail(`no code went to ${address}`);
}

/** A code that is not the right one. */
export const wrong = (code) => (code[0] === '0' ? '1' : '0') + code.slice(1);

const decode = (text) => text.replace(/&#(\d+);/g, (_, number) => String.fromCodePoint(number)).replaceAll('&amp;', '&');

/** Somebody at the hosted pages, without JavaScript: from an authorization request to the URL they are sent back to. */
export async function person(start, email) {
  const cookies = new Map();
  const visit = async (url, form) => {
    for (;;) {
      if (!url.startsWith(root)) return { back: url };
      const answer = await fetch(url, {
        method: form ? 'POST' : 'GET',
        redirect: 'manual',
        headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '), ...(form ? { origin: root } : {}) },
        ...(form ? { body: form } : {}),
      });
      for (const line of answer.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
        if (value === '' || /max-age=0/i.test(line)) cookies.delete(name);
        else cookies.set(name, value);
      }
      const location = answer.headers.get('location');
      if (!location) return { url, status: answer.status, page: await answer.text() };
      url = new URL(location, url).href;
      form = undefined;
    }
  };
  const submit = ({ url, page }, name, value) => {
    const forms = [...page.matchAll(/<form[^>]*action="([^"]*)"[^>]*>(.*?)<\/form>/gs)];
    const found = forms.find(([, , inside]) => inside.includes(`name="${name}"`));
    assert(found, `no form with ${name} in ${page}`);
    const form = new URLSearchParams();
    for (const [input] of found[2].matchAll(/<input[^>]*>/g)) {
      const [, field] = /name="([^"]*)"/.exec(input) ?? [];
      if (field) form.set(field, decode(/value="([^"]*)"/.exec(input)?.[1] ?? ''));
    }
    form.set(name, value);
    return visit(new URL(decode(found[1]), url).href, form);
  };
  const asked = await visit(start);
  const sent = await submit(asked, 'email', email);
  const done = await submit(sent, 'code', await codeFor(email));
  // The page that says so leads back by itself; here somebody follows its link.
  const link = done.back ?? decode(/<a class="main" href="([^"]*)"/.exec(done.page)?.[1] ?? '');
  assert(link && !link.startsWith(root), JSON.stringify(done));
  return new URL(link);
}
