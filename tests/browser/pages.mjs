// Every page, in both languages, wide and light, narrow and dark: axe finds nothing. With COUNTERSIGN_SCREENSHOTS they are kept.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  advance, arrived, authorizeUrl, begin, callback, check, clientId, codeFor, fill, follow, giveCode, giveEmail, isClean, message, person, root,
  submit,
} from './support.mjs';

async function linkFor(email) {
  const authParams = { response_type: 'code', redirect_uri: callback, scope: 'openid', state: 's' };
  const body = JSON.stringify({ client_id: clientId, connection: 'email', email, send: 'link', authParams });
  await fetch(`${root}/passwordless/start`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  return /https?:\/\/\S*verify_redirect\S*/.exec((await message(email)).text)[0];
}

const shots = process.env.COUNTERSIGN_SCREENSHOTS;
const looks = [
  { name: 'wide-light', width: 760, height: 640, scheme: 'light' },
  { name: 'narrow-dark', width: 320, height: 568, scheme: 'dark' },
];

const small = new Set(['sign-in', 'sign-in-phone', 'code-email', 'code-wrong', 'choose', 'link', 'link-sent']);

export async function everyPage() {
  for (const locale of ['en', 'ja']) {
    for (const look of looks) await walk(locale, look);
  }
}

async function walk(locale, look) {
  const page = await person({ ...look, language: locale === 'ja' ? 'ja-JP' : 'en-US' });
  const email = `mika.${look.name}.${locale}@example.com`, phone = `0901234${locale === 'ja' ? 56 : 78}${look.width % 90 + 10}`;
  const see = async name => {
    await isClean(page, `${name}, ${locale}, ${look.name}`);
    // The narrow and dark ones of a few are enough for the eye.
    if (!shots || (look.width < 400 && !small.has(name))) return;
    const folder = join(shots, locale);
    mkdirSync(folder, { recursive: true });
    await page.screenshot({ path: join(folder, `${name}.${look.name}.png`), fullPage: true, optimizeForSpeed: false });
  };

  await begin(page, { screen_hint: 'signup' });
  await see('sign-up');
  await begin(page);
  await see('sign-in');
  await giveEmail(page, 'mika@example');
  await see('sign-in-wrong-address');
  await follow(page, '.ways a');
  await see('sign-in-phone');
  await page.select('#country', 'JP');
  await fill(page, '#phone', phone);
  await submit(page);
  await see('code-phone');
  await begin(page);
  await giveEmail(page, email);
  await see('code-email');
  const code = await codeFor(email);
  const wrong = code === '000000' ? '111111' : '000000';
  await giveCode(page, wrong);
  await see('code-wrong');
  await advance(31);
  await page.reload();
  await follow(page, '.again button');
  await see('code-sent-again');
  // As where there is no script to hold the button back.
  await Promise.all([page.waitForNavigation(), page.$eval('.again', form => form.submit())]);
  await see('code-too-many-messages');
  await advance(301);
  await giveCode(page, code);
  await see('code-expired');
  await follow(page, '.again button');
  const next = await codeFor(email, 3);
  page.isHeld = true;
  await giveCode(page, next);
  await page.waitForSelector('a.main');
  await see('leaving');

  page.isHeld = false;
  await begin(page, { prompt: 'select_account' });
  await see('choose');
  await page.goto(`${root}/oidc/logout`);
  await see('sign-out');
  await submit(page);
  await see('signed-out');
  const link = await linkFor(`link.${email}`);
  await page.goto(link);
  await see('link');
  await submit(page);
  await arrived(page);
  await page.goto(link);
  await see('link-over');
  await begin(page, { send: 'link', prompt: 'login' });
  await giveEmail(page, `sent.${email}`);
  await see('link-sent');
  const sent = /https?:\/\/\S*verify_redirect\S*/.exec((await message(`sent.${email}`)).text)[0];
  const other = await person({ ...look, language: locale === 'ja' ? 'ja-JP' : 'en-US' });
  await other.goto(sent);
  await isClean(other, `link-elsewhere, ${locale}, ${look.name}`);
  if (shots && look.width >= 400) {
    await other.screenshot({ path: join(shots, locale, `link-elsewhere.${look.name}.png`), fullPage: true, optimizeForSpeed: false });
  }
  await page.goto(`${root}/sign-in?flow=000000000000000000000`);
  await see('no-session');
  await page.goto(authorizeUrl({ redirect_uri: 'https://evil.example/' }));
  await see('bad-request');
  check((await page.$eval('code', element => element.textContent)).startsWith('invalid_request'), 'what is wrong');
}
