// What the scenarios share: the browser, the application that sends people here, the mailbox, the clock.
import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createHash, randomBytes } from 'node:crypto';
import puppeteer from 'puppeteer-core';

export const root = process.env.COUNTERSIGN_URL;
export const clientId = process.env.COUNTERSIGN_CLIENT_ID;
export const callback = 'https://app.example.com/callback';
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export function check(condition, what) {
  if (!condition) throw new Error(what);
}

export function equal(found, expected, what) {
  check(found === expected, `${what}: ${JSON.stringify(found)}, and not ${JSON.stringify(expected)}`);
}

// Moves the server's clock, which the test that started us holds.
const replies = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
export async function advance(seconds) {
  process.stdout.write(`@advance ${seconds}\n`);
  await replies.next();
}

let browser;
export async function launch() {
  const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--lang=en-US', '--force-color-profile=srgb', '--disable-lcd-text'];
  browser = await puppeteer.launch({ executablePath: process.env.COUNTERSIGN_CHROMIUM ?? '/usr/bin/chromium', headless: true, args });
}

export async function close() {
  process.stdin.pause();
  await browser?.close();
}

// A browser of its own: cookies and all.
export async function person({ language = 'en-US', width = 1000, height = 800, scheme = 'light', script = true } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await prepare(page, { language, width, height, scheme, script });
  page.newTab = async () => {
    const tab = await context.newPage();
    await prepare(tab, { language, width, height, scheme, script });
    return tab;
  };
  return page;
}

async function prepare(page, { language, width, height, scheme, script }) {
  page.hasScript = script;
  page.setDefaultTimeout(20_000);
  await page.setViewport({ width, height });
  await page.setExtraHTTPHeaders({ 'accept-language': language });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  if (!script) await page.setJavaScriptEnabled(false);
  page.problems = [];
  page.on('console', message => { if (message.type() === 'error') page.problems.push(message.text()); });
  page.on('pageerror', error => page.problems.push(String(error)));
  // The application, which is elsewhere: whatever comes to it is answered with a page that says nothing.
  await page.setRequestInterception(true);
  page.on('request', request => {
    const isCallback = request.url().startsWith('https://app.example.com/');
    const isApplication = isCallback || /^https:\/\/(www\.example\.com|elsewhere\.example)\//.test(request.url());
    // Nothing to show: the page before stays.
    const answer = page.isHeld ? { status: 204 }
      : page.leadsOn && isCallback ? { status: 302, headers: { location: page.leadsOn } }
      : { contentType: 'text/html', body: '<!doctype html><title>Application</title>' };
    (isApplication ? request.respond(answer) : request.continue()).catch(() => {});
  });
}

export const verifier = randomBytes(32).toString('base64url');

export function authorizeUrl(more = {}, path = '/authorize') {
  const url = new URL(path, root);
  const parameters = {
    client_id: clientId, response_type: 'code', redirect_uri: callback, scope: 'openid profile email', state: 'the state & more',
    nonce: 'n', code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256', ...more,
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

export const begin = (page, more, path) => page.goto(authorizeUrl(more, path));

// Clicks what leads to another page, and waits for it.
export async function follow(page, selector) {
  const [response] = await Promise.all([page.waitForNavigation(), page.click(selector)]);
  return response;
}

export const submit = page => follow(page, 'main form button.main');

export async function giveEmail(page, address) {
  await fill(page, '#email', address);
  return submit(page);
}

export async function fill(page, selector, text) {
  await page.waitForSelector(selector);
  await page.$eval(selector, input => { input.value = ''; });
  await page.type(selector, text);
}

export const heading = page => page.$eval('h1', element => element.textContent);
export const text = (page, selector) => page.$eval(selector, element => element.textContent.trim());

export async function messages(to) {
  const answer = await fetch(`${root}/mailbox?${new URLSearchParams({ to })}`);
  return answer.json();
}

// The newest of `count` messages to an address, once they are there.
export async function message(to, count = 1) {
  for (let tries = 0; tries < 200; tries++) {
    const found = await messages(to);
    if (found.length >= count) return found[0];
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  throw new Error(`no message to ${to}`);
}

export const codeFor = async (to, count) => (await message(to, count)).code;

// Types a code. Where there is a script it is sent by itself, unless one before it was wrong.
export async function giveCode(page, code) {
  await page.waitForSelector('#code');
  const isRetry = await page.$eval('#code', input => input.getAttribute('aria-invalid') === 'true');
  if (page.hasScript && !isRetry && code.normalize('NFKC').replace(/\D/g, '').length === Number(await page.$eval('form[data-code]', form => form.dataset.code))) {
    const [response] = await Promise.all([page.waitForNavigation(), page.type('#code', code)]);
    return response;
  }
  await fill(page, '#code', code);
  return submit(page);
}

// At the application; gives the parameters it got.
export async function arrived(page) {
  await page.waitForFunction(() => location.host === 'app.example.com').catch(() => {});
  const url = new URL(page.url());
  equal(url.host, 'app.example.com', 'where the person is');
  return url.searchParams;
}

export async function isIn(page) {
  const parameters = await arrived(page);
  check(/^[\w-]{43}$/.test(parameters.get('code') ?? ''), `a code came back: ${parameters}`);
  equal(parameters.get('state'), 'the state & more', 'the state');
  equal(parameters.get('iss'), `${root}/`, 'the issuer');
  return parameters.get('code');
}

// axe finds nothing, nothing sticks out to the right, and the browser complained of nothing.
export async function isClean(page, what) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  check(wide <= 0, `${what}: ${wide} px wider than the window`);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }));
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(node => `${node.html} ${node.failureSummary}`).join('\n')}`);
  check(found.length === 0, `${what}: axe: ${found.join('\n')}`);
  // Refusals have their status, which the browser notes as if it were a fault.
  const problems = page.problems.filter(problem => !problem.includes('Failed to load resource'));
  check(problems.length === 0, `${what}: ${problems.join('\n')}`);
}
