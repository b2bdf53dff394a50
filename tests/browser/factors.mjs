// A step-up that takes more than one proof, as people see it. The account is the test's (`browser.rs`).
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { arrived, begin, check, codeFor, equal, fill, follow, giveCode, giveEmail, heading, isClean, isIn, messages, person, submit, text } from './support.mjs';

const email = 'mika.two@example.com', phone = '+12025550142', password = 'seven brown horses';
const demand = { acr_values: 'urn:countersign:acr:2fa', ui_locales: 'en' };

// The next code to an address: one message more than before.
async function nextCode(to, act) {
  const before = (await messages(to)).length;
  await act();
  return codeFor(to, before + 1);
}

async function givePassword(page, typed) {
  await fill(page, '#password', typed);
  return submit(page);
}

async function proveEmail(page) {
  await follow(page, '.ways a');
  await giveCode(page, await nextCode(email, () => giveEmail(page, email)));
  await page.waitForSelector('#password');
}

export async function twoFactors() {
  const page = await person();
  await begin(page, demand);
  equal(await page.$eval('#country', list => list.value), 'US', 'the phone is asked for first');
  const code = await nextCode(phone, async () => {
    await fill(page, '#phone', '202 555 0142');
    await submit(page);
  });
  await giveCode(page, code);
  await page.waitForSelector('#password');
  equal(await heading(page), 'Enter your password', 'the second proof');
  equal(await text(page, '.address bdi'), '+1 2025550142', 'whose password');
  equal(await page.$eval('[autocomplete=username]', input => getComputedStyle(input).display), 'none', 'for programs alone');
  equal((await givePassword(page, 'not it')).status(), 422, 'a wrong password');
  // Where one types on; browsers look for it when they first draw the page.
  await page.waitForFunction(() => document.activeElement.id === 'password');
  equal(await page.$eval('#password', input => input.value), '', 'what was typed is not sent back');
  // Going back does no harm: whatever page it was, the step that is waited for goes on.
  await page.goBack();
  await page.reload();
  await page.waitForSelector('#password');
  // By keyboard alone.
  await page.focus('#password');
  await page.keyboard.type(password);
  await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
  await isIn(page);
}

export async function twoFactorsWithoutScript() {
  const page = await person({ script: false });
  await begin(page, demand);
  await proveEmail(page);
  await givePassword(page, password);
  equal(await heading(page), 'One more code', 'the third step');
  equal(await text(page, '.address bdi'), '***42', 'where it is to go, in part');
  await giveCode(page, await nextCode(phone, () => submit(page)));
  for (let waits = 0; waits < 100 && !page.url().startsWith('https://app.example.com/'); waits++) {
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  check(new URL(page.url()).searchParams.get('code'), `a code came back: ${page.url()}`);
}

const shots = process.env.COUNTERSIGN_SCREENSHOTS;
const looks = [
  { name: 'wide-light', width: 760, height: 640, scheme: 'light' },
  { name: 'narrow-dark', width: 320, height: 568, scheme: 'dark' },
];

export async function everyPageOfTwoFactors() {
  for (const locale of ['en', 'ja']) {
    for (const look of looks) await walk(locale, look);
  }
}

async function walk(locale, look) {
  const page = await person({ ...look, language: locale === 'ja' ? 'ja-JP' : 'en-US' });
  const see = async name => {
    await isClean(page, `${name}, ${locale}, ${look.name}`);
    if (!shots) return;
    const folder = join(shots, locale);
    mkdirSync(folder, { recursive: true });
    await page.screenshot({ path: join(folder, `${name}.${look.name}.png`), fullPage: true, optimizeForSpeed: false });
  };
  const asked = { ...demand, ui_locales: locale };
  await begin(page, asked);
  await proveEmail(page);
  await see('password');
  await givePassword(page, 'not it');
  await see('password-wrong');
  await givePassword(page, password);
  await see('another-code');
  const code = await nextCode(phone, () => submit(page));
  await see('another-code-sent');
  await giveCode(page, code);
  await isIn(page);

  await begin(page, asked);
  await follow(page, '.ways a');
  const poor = `poor.${look.name}.${locale}@example.com`;
  const own = await nextCode(poor, () => giveEmail(page, poor));
  page.isHeld = true;
  await giveCode(page, own);
  await page.waitForSelector('a.main');
  await see('proof-missing');
  page.isHeld = false;
  await follow(page, 'a.main');
  equal((await arrived(page)).get('error'), 'unmet_authentication_requirements', 'what the application is told');
}
