// The account page: what its owner does there.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  advance, begin, check, codeFor, equal, fill, giveCode, giveEmail, heading, isClean, isIn, messages, person, root, text,
} from './support.mjs';

const shots = process.env.COUNTERSIGN_SCREENSHOTS;

async function see(page, name) {
  await isClean(page, name);
  if (!shots) return;
  const [, locale, file] = name.match(/^(\w+)\/(.+)$/);
  mkdirSync(join(shots, locale), { recursive: true });
  await page.screenshot({ path: join(shots, locale, `${file}.png`), fullPage: !(await page.$('dialog')) });
}

async function signIn(page, email) {
  await page.goto(`${root}/account`);
  await page.waitForSelector('#email');
  const before = (await messages(email)).length;
  await giveEmail(page, email);
  await giveCode(page, await codeFor(email, before + 1));
  await page.waitForSelector('#methods');
}

const press = (page, name) => page.locator(`::-p-aria([name="${name}"][role="button"])`).click();
const submit = page => page.click('dialog button.main');

// Until the dialog asks for this.
async function asks(page, title, selector) {
  await page.waitForFunction((title, selector) =>
    document.querySelector('dialog h2')?.textContent === title && (!selector || document.querySelector(`dialog ${selector}`)), {}, title, selector);
}

async function refuses(page, said) {
  await page.waitForFunction(() => document.querySelector('dialog #problem')?.textContent);
  equal(await text(page, 'dialog #problem'), said, 'what is wrong');
}

async function says(page, news) {
  await page.waitForFunction(news => document.querySelector('#news')?.textContent === news, {}, news);
  check(!(await page.$('dialog')), 'the dialog is gone');
}

export async function accountPage() {
  const page = await person({ width: 760 });
  const old = 'ada@example.com', address = 'new.ada@example.com';
  await signIn(page, old);
  equal(page.url(), `${root}/account`, 'no code is left in the address');
  equal(await heading(page), 'Account security', 'the page');

  // A password: whoever has none proves it by a code.
  await advance(31);
  await press(page, 'Add: Password');
  await asks(page, 'Confirm that it is you');
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => !document.querySelector('dialog'));
  equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Add: Password', 'where the keyboard is after giving up');
  await press(page, 'Add: Password');
  await asks(page, 'Confirm that it is you');
  await see(page, 'en/account-confirm');
  await submit(page);
  await asks(page, 'Confirm that it is you', '#code');
  const code = await codeFor(old, 2);
  await fill(page, 'dialog #code', code === '000000' ? '111111' : '000000');
  await submit(page);
  await refuses(page, 'That code is not right.');
  await see(page, 'en/account-wrong-code');
  await fill(page, 'dialog #code', code);
  await submit(page);
  await asks(page, 'Set a password');
  await fill(page, 'dialog #new-password', 'short');
  await submit(page);
  await refuses(page, 'Use at least 8 characters.');
  await fill(page, 'dialog #new-password', 'a much better passphrase');
  await submit(page);
  await says(page, 'Your new password is set.');
  equal(await page.evaluate(() => document.activeElement.id), 'news', 'where the keyboard is after a change');

  // The address: the one proof that is kept still does.
  await press(page, 'Change: E-mail address');
  await asks(page, 'Change your e-mail address');
  await see(page, 'en/account-new-email');
  await fill(page, 'dialog #email', 'no address');
  await submit(page);
  await refuses(page, 'Please check what you typed.');
  await fill(page, 'dialog #email', address);
  await submit(page);
  await asks(page, 'Change your e-mail address', '#code');
  await fill(page, 'dialog #code', await codeFor(address));
  await submit(page);
  await says(page, 'Your new e-mail address is set.');
  check((await text(page, '.top bdi')) === address, 'who is signed in');

  // That proof rested on the old address: the form is filled in, and the owner is asked once more.
  await press(page, 'Change: Password');
  await asks(page, 'Change your password');
  await fill(page, 'dialog #new-password', 'an even better passphrase');
  await submit(page);
  await asks(page, 'Confirm that it is you', '#password');
  await fill(page, 'dialog #password', 'not this one');
  await submit(page);
  await refuses(page, 'That password is not right.');
  await fill(page, 'dialog #password', 'a much better passphrase');
  await submit(page);
  await says(page, 'Your new password is set.');

  // And again for the list of sessions: the proof by the old password died with it.
  await press(page, 'Show the list');
  await asks(page, 'Confirm that it is you', '#password');
  await fill(page, 'dialog #password', 'an even better passphrase');
  await submit(page);
  await says(page, 'The list is shown below.');
  equal((await page.$$('section[aria-labelledby=sessions] .mark')).length, 1, 'this session');
  await see(page, 'en/account');

  // Loaded again: the tokens are gone, and new ones come without a question. Meanwhile there is another browser, and an application.
  await advance(31);
  const elsewhere = await person();
  await signIn(elsewhere, address);
  const shop = await page.newTab();
  await begin(shop);
  await isIn(shop);
  await page.bringToFront();
  await page.reload();
  await page.waitForSelector('#methods');
  await press(page, 'Show the list');
  await asks(page, 'Confirm that it is you', '#password');
  await fill(page, 'dialog #password', 'an even better passphrase');
  await submit(page);
  await says(page, 'The list is shown below.');
  const rows = async section => (await page.$$(`section[aria-labelledby=${section}] .row`)).length;
  equal(await rows('sessions'), 2, 'two browsers');
  equal(await rows('grants'), 3, 'the account page in both, and the shop');
  await see(page, 'en/account-signed-in');
  await press(page, 'Shut out: Example Shop');
  await says(page, 'That app is shut out.');
  equal(await rows('grants'), 2, 'the shop is out');
  equal(await rows('sessions'), 2, 'the browser is not');
  await page.click('section[aria-labelledby=sessions] button');
  await says(page, 'That session is signed out.');
  equal(await rows('sessions'), 1, 'this one');
  equal(await rows('grants'), 1, 'what came in by the other is out');
  await elsewhere.reload();
  await elsewhere.waitForSelector('#email');
  await press(page, 'Sign out');
  await page.waitForFunction(() => document.querySelector('#account .main'));
  equal(await text(page, '#account .lead'), 'You are signed out.', 'signed out');
  await see(page, 'en/account-signed-out');

  // An answer that this page did not ask for is not taken, and nobody is sent round in circles.
  await page.goto(`${root}/account?code=x&state=forged&iss=${encodeURIComponent(`${root}/oidc`)}`);
  await page.waitForFunction(() => document.querySelector('#account .main'));
  equal(await text(page, '#account .lead'), 'This sign-in could not be finished here. Please try again.', 'a forged answer');
  await page.click('#account .main');
  await page.waitForSelector('#email');
  const flow = page.url();
  await page.goto(`${root}/account?code=x&state=forged&iss=${encodeURIComponent(`${root}/oidc`)}`);
  await page.waitForFunction(() => document.querySelector('#account .main'));
  check(await page.evaluate(() => sessionStorage.length) === 1, 'the sign-in that is under way is still known');
  await page.goto(flow);
  await page.waitForSelector('#email');
}

export async function accountPageAddresses() {
  const page = await person({ width: 760, language: 'en-GB' });
  await signIn(page, 'two.ways@example.com');
  check(!(await page.evaluate(() => document.querySelector('#account').textContent.includes('Remove'))), 'the only address stays');
  await advance(31);
  await press(page, 'Add: Phone');
  await asks(page, 'Confirm that it is you');
  await submit(page);
  await asks(page, 'Confirm that it is you', '#code');
  await fill(page, 'dialog #code', await codeFor('two.ways@example.com', 2));
  await submit(page);
  await asks(page, 'Add a phone number', '#phone');
  equal(await page.$eval('dialog #country', list => list.value), 'GB', 'the country of the browser');
  equal(await page.evaluate(() => document.activeElement.id), 'phone', 'where one types');
  await page.select('dialog #country', 'JP');
  await fill(page, 'dialog #phone', '090-8765-4321');
  await see(page, 'en/account-new-phone');
  await submit(page);
  await asks(page, 'Add a phone number', '#code');
  await fill(page, 'dialog #code', await codeFor('+819087654321'));
  await submit(page);
  await says(page, 'Your new phone number is set.');
  equal(await text(page, '.row:nth-child(3) .hint'), '+819087654321', 'the new number');

  // Either may go now, as long as the other remains.
  await press(page, 'Remove: E-mail address');
  await asks(page, 'Remove your e-mail address');
  await see(page, 'en/account-remove');
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => !document.querySelector('dialog'));
  await press(page, 'Remove: Phone');
  await asks(page, 'Remove your phone number');
  await submit(page);
  await says(page, 'Your phone number is removed.');
  equal(await text(page, '.row:nth-child(3) .hint'), 'None', 'no number');
  check(!(await page.evaluate(() => document.querySelector('#account section').textContent.includes('Remove'))), 'the last one stays');
  await isClean(page, 'after removing');
}

export async function accountPageInJapanese() {
  const page = await person({ width: 320, height: 640, scheme: 'dark', language: 'en-US' });
  // The language that is chosen stays chosen over the way to the hosted pages and back.
  await page.goto(`${root}/account?language=ja`);
  await page.waitForSelector('#email');
  equal(await heading(page), 'ログイン', 'the hosted page');
  await giveEmail(page, 'kei@example.com');
  await giveCode(page, await codeFor('kei@example.com'));
  await page.waitForSelector('#methods');
  equal(await heading(page), 'アカウントのセキュリティ', 'the page');
  await see(page, 'ja/account');
  await advance(31);
  await press(page, '追加: 電話番号');
  await asks(page, '本人確認');
  await see(page, 'ja/account-confirm');
  await submit(page);
  await asks(page, '本人確認', '#code');
  const code = await codeFor('kei@example.com', 2);
  await fill(page, 'dialog #code', code.replace(/\d/g, digit => String.fromCharCode(0xff10 + Number(digit))));
  await submit(page);
  await asks(page, '電話番号の追加', '#phone');
  await fill(page, 'dialog #phone', '電話');
  await submit(page);
  await refuses(page, '電話番号が正しくありません。国・地域もご確認ください。');
  await see(page, 'ja/account-new-phone');
  await page.select('dialog #country', 'JP');
  await fill(page, 'dialog #phone', '０９０-1234-5678');
  await submit(page);
  await asks(page, '電話番号の追加', '#code');
  await fill(page, 'dialog #code', await codeFor('+819012345678'));
  await submit(page);
  await says(page, '新しい電話番号を設定しました。');
  equal(await text(page, '.row:nth-child(3) .hint'), '+819012345678', 'the new number');
}
