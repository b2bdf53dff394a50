// What people do.
import {
  advance, arrived, begin, callback, check, clientId, codeFor, equal, fill, follow, giveCode, giveEmail, heading, isClean, isIn, message,
  person, root, submit, text,
} from './support.mjs';

export async function signUpAndInByEmail() {
  const page = await person();
  await begin(page, { screen_hint: 'signup' });
  equal(await heading(page), 'Create your account', 'the wording for new people');
  await giveEmail(page, 'Ada@Example.com');
  equal(await text(page, '.address bdi'), 'Ada@example.com', 'where the code went');
  await giveCode(page, await codeFor('Ada@example.com'));
  const first = await isIn(page);

  // Signed in: the next time nobody is asked.
  await begin(page);
  const second = await isIn(page);
  check(first !== second, 'each authorization has a code of its own');
  await begin(page, { prompt: 'none' });
  await isIn(page);

  // Asked all the same.
  await begin(page, { prompt: 'select_account' });
  equal(await text(page, '.address bdi'), 'Ada@example.com', 'who is signed in');
  await submit(page);
  await isIn(page);
  await begin(page, { prompt: 'select_account' });
  await follow(page, '.ways a');
  await page.waitForSelector('#email');
  await advance(60);
  await begin(page, { prompt: 'login' });
  equal(await heading(page), 'Sign in', 'the wording for known people');
  await giveEmail(page, 'ada@example.com');
  await giveCode(page, await codeFor('ada@example.com'));
  await isIn(page);
  await begin(page, { connection: 'email' });
  await page.waitForSelector('#email');
  await follow(page, 'button.link');
  equal((await arrived(page)).get('error'), 'access_denied', 'what the application is told when nobody signed in');
}

export async function signInBySms() {
  const page = await person({ language: 'ja-JP' });
  await begin(page, { connection: 'sms', ui_locales: 'en' });
  equal(await page.$eval('#country', list => list.value), 'JP', 'the country of the browser');
  check(!(await page.$('#email')), 'the other way in is not offered');
  await fill(page, '#phone', '090-12');
  const refused = await submit(page);
  equal(refused.status(), 422, 'a number that is too short');
  equal(await page.$eval('#phone', input => input.value), '090-12', 'what was typed is still there');
  await fill(page, '#phone', '０９０-1234-5678');
  await submit(page);
  equal(await text(page, '.address bdi'), '+81 9012345678', 'where the code went');
  await giveCode(page, await codeFor('+819012345678'));
  await isIn(page);
}

export async function editAndResend() {
  const page = await person();
  await begin(page);
  await giveEmail(page, 'tpyo@example.com');
  const lost = await codeFor('tpyo@example.com');
  await follow(page, '.address a');
  equal(await page.$eval('#email', input => input.value), 'tpyo@example.com', 'the address to edit');
  await giveEmail(page, 'typo@example.com');
  const code = await codeFor('typo@example.com');
  if (lost !== code) {
    await giveCode(page, lost);
    check((await text(page, '#problem')).startsWith('That code is not right'), 'the code that went elsewhere');
  }
  check(await page.$eval('.again button', button => button.disabled), 'it cannot be sent again at once');
  check(/ 0:(30|2\d)$/.test(await text(page, '.again .hint')), 'how long it is until then');
  await advance(31);
  await page.reload();
  await follow(page, '.again button');
  equal(await text(page, '.news'), 'The message was sent again.', 'the news');
  equal(await codeFor('typo@example.com', 2), code, 'the same code again');
  await giveCode(page, code);
  await isIn(page);
}

export async function wrongAndExpiredCodes() {
  const page = await person();
  await begin(page);
  const nobody = await giveEmail(page, 'not an address');
  equal(nobody.status(), 422, 'no address');
  equal(await page.evaluate(() => document.activeElement.id), 'email', 'where one types on');
  await giveEmail(page, 'grace@example.com');
  const code = await codeFor('grace@example.com');
  const wrong = code === '000000' ? '111111' : '000000';
  const short = await giveCode(page, '123');
  equal(short.status(), 422, 'too short for a code');
  equal(await text(page, '#problem'), 'The code has 6 digits.', 'what is wrong with it');
  // Too short costs no try: three wrong ones are judged.
  for (let tries = 1; tries <= 2; tries++) {
    equal((await giveCode(page, wrong)).status(), 422, `wrong code ${tries}`);
    check((await text(page, '#problem')).startsWith('That code is not right'), `what is said of wrong code ${tries}`);
  }
  await giveCode(page, wrong);
  check((await text(page, '.problem')).startsWith('That code was tried too often'), 'the last try');
  check(!(await page.$('#code')), 'there is nothing to type any more');
  const edit = await page.$eval('.address a', link => link.href);
  await page.goto(edit.replace('&by=email', '&step=code'));
  // So that the next page has no wait to count down.
  await advance(31);
  await giveCode(page, code);
  check((await text(page, '.problem')).startsWith('That code was tried too often'), 'the right one comes too late');
  await follow(page, '.again button');
  const next = await codeFor('grace@example.com', 2);
  await advance(301);
  await giveCode(page, next);
  check((await text(page, '.problem')).startsWith('This code has expired'), 'an old code');
  await follow(page, '.again button');
  await giveCode(page, await codeFor('grace@example.com', 3));
  await isIn(page);
}

export async function tooManyMessages() {
  const page = await person();
  await begin(page);
  await giveEmail(page, 'often@example.com');
  // Back, and the same address at once: the code is on its way, and that is said.
  await follow(page, '.address a');
  await giveEmail(page, 'often@example.com');
  await page.waitForSelector('#code');
  let refused;
  for (let sends = 0; sends < 12 && refused?.status() !== 429; sends++) {
    await advance(31);
    await page.reload();
    refused = await follow(page, '.again button');
  }
  equal(refused.status(), 429, 'too many messages');
  check(Number(refused.headers()['retry-after']) > 60, 'how long to wait, for programs');
  check(/^Too many messages were asked for\. You can send another in \d+ minutes\.$/.test(await text(page, '.problem')), 'how long to wait');
  check(await page.$('#code'), 'the code that came can still be typed');
  check(await page.$eval('.again button', button => button.disabled), 'and no other can be asked for');
  await giveCode(page, await codeFor('often@example.com'));
  await isIn(page);
}

export async function otherBrowser() {
  const page = await person();
  await begin(page);
  await giveEmail(page, 'mine@example.com');
  const code = await codeFor('mine@example.com');
  const stranger = await person();
  const answer = await stranger.goto(page.url());
  equal(answer.status(), 400, 'the sign-in of another browser');
  equal(await heading(stranger), 'We cannot go on from here', 'what is said');
  // Nor with a sign-in of their own under way.
  await begin(stranger);
  equal((await stranger.goto(page.url())).status(), 400, 'with a cookie of their own');
  // And no guess of theirs counts for the code: they have another.
  await begin(stranger);
  await giveEmail(stranger, 'mine@example.com');
  const theirs = await codeFor('mine@example.com', 2);
  for (let tries = 0; tries < 3; tries++) await giveCode(stranger, theirs === '000000' ? '111111' : '000000');
  await giveCode(page, code);
  await isIn(page);
}

export async function severalTabsAndBack() {
  const page = await person();
  await begin(page, { state: 'one' });
  const tab = await page.newTab();
  await begin(tab, { state: 'two' });
  await giveEmail(tab, 'other@example.com');
  await page.bringToFront();
  await giveEmail(page, 'tabs@example.com');
  await page.goBack();
  await page.waitForSelector('#email');
  await page.goForward();
  await page.waitForSelector('#code');
  // The form that was there before going back still works.
  await giveCode(page, await codeFor('tabs@example.com'));
  equal((await arrived(page)).get('state'), 'one', 'the state of the first tab');
  await page.goBack();
  equal(await heading(page), 'This sign-in is complete', 'a sign-in that is over');
  await tab.bringToFront();
  await giveCode(tab, await codeFor('other@example.com'));
  equal((await arrived(tab)).get('state'), 'two', 'the state of the second tab');
}

export async function withoutScript() {
  const page = await person({ script: false, language: 'en-GB' });
  await begin(page, { login_hint: 'plain@example.com' });
  equal(await page.$eval('#email', input => input.value), 'plain@example.com', 'the hint');
  await follow(page, '.ways a');
  equal(await page.$eval('#country', list => list.value), 'GB', 'the country of the browser');
  await page.type('#phone', '07911 123456');
  await submit(page);
  check(!(await page.$eval('.again button', button => button.disabled)), 'the button works');
  equal(await text(page, '.again .hint'), 'You can send it again in 30 seconds', 'when');
  const early = await follow(page, '.again button');
  equal(early.status(), 429, 'too early');
  const code = await codeFor('+447911123456');
  await giveCode(page, `${code.slice(0, 3)} ${code.slice(3)}`);
  for (let waits = 0; waits < 100 && !page.url().startsWith('https://app.example.com/'); waits++) {
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  const parameters = new URL(page.url()).searchParams;
  check(parameters.get('code'), `a code came back: ${page.url()}`);
}

export async function japanese() {
  const page = await person({ language: 'ja,en;q=0.5' });
  await begin(page);
  equal(await page.$eval('html', html => html.lang), 'ja', 'the language of the browser');
  equal(await heading(page), 'ログイン', 'in Japanese');
  await follow(page, 'footer a');
  equal(await heading(page), 'Sign in', 'the language that was chosen');
  await begin(page, { ui_locales: 'fr ja' });
  await giveEmail(page, 'kei@example.com');
  equal(await heading(page), 'メールをご確認ください', 'the language the application asked for');
  check(/[ぁ-ん]/.test((await message('kei@example.com')).text), 'the message is in Japanese, too');
  const code = await codeFor('kei@example.com');
  await giveCode(page, code.replace(/\d/g, digit => String.fromCharCode(0xff10 + Number(digit))));
  await isIn(page);
}

export async function magicLink() {
  const address = 'link@example.com';
  const body = {
    client_id: clientId, connection: 'email', email: address, send: 'link',
    authParams: { response_type: 'code', redirect_uri: callback, scope: 'openid email', state: 'the state & more' },
  };
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${root}/passwordless/start`, { method: 'POST', headers, body: JSON.stringify(body) });
  equal(answer.status, 200, 'the start');
  const link = /https?:\/\/\S*verify_redirect\S*/.exec((await message(address)).text)[0];
  // A scanner looks at it, and another one in a browser that runs scripts.
  for (const method of ['HEAD', 'GET']) equal((await fetch(link, { method })).status, 200, `a scanner by ${method}`);
  const scanner = await person();
  await scanner.goto(link);
  await isClean(scanner, 'the page of a link');
  // The person comes after them, in a browser that has never been here.
  const page = await person();
  await page.goto(link);
  equal(await heading(page), 'Sign in to Example Shop', 'what the button does');
  equal(await text(page, '.address bdi'), address, 'whose account it is');
  await submit(page);
  await isIn(page);
  equal((await page.goto(link)).status(), 410, 'a link that was used');
  await isClean(page, 'the page of a link that was used');
}

// What comes after a form is held against the page's `form-action`, the application's own redirects included.
export async function linkThatLeadsOn() {
  const open = async (email, redirectUri) => {
    const body = {
      client_id: clientId, connection: 'email', email, authParams: { redirect_uri: redirectUri, scope: 'openid', state: 'the state & more' },
    };
    await fetch(`${root}/passwordless/start`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const page = await person();
    await page.goto(/https?:\/\/\S*verify_redirect\S*/.exec((await message(email)).text)[0]);
    return page;
  };
  const refusals = page => page.problems.filter(problem => problem.includes('form-action'));
  const listed = await open('on@example.com', callback);
  listed.leadsOn = 'https://www.example.com/welcome';
  await submit(listed);
  await listed.waitForFunction(() => location.host === 'www.example.com');
  equal(refusals(listed).length, 0, 'an origin the application lists');

  const foreign = await open('off@example.com', callback);
  foreign.leadsOn = 'https://elsewhere.example/welcome';
  await foreign.click('main form button.main');
  for (let waits = 0; waits < 100 && !refusals(foreign).length; waits++) await new Promise(resolve => setTimeout(resolve, 50));
  check(refusals(foreign).length > 0, 'an origin it does not list is held back, so this test sees something');

  const app = await open('app@example.com', 'com.example.shop:/back');
  await app.click('main form button.main');
  await new Promise(resolve => setTimeout(resolve, 1500));
  equal(refusals(app).join(), '', 'the scheme of an app');
}

export async function hostedLink() {
  const address = 'linked@example.com';
  const page = await person();
  await begin(page, { send: 'link' });
  await giveEmail(page, address);
  check((await text(page, '.lead')).startsWith('We sent a link to'), 'what was sent');
  await isClean(page, 'the page of a link that was sent');
  const link = /https?:\/\/\S*verify_redirect\S*/.exec((await message(address)).text)[0];
  const other = await person();
  equal((await other.goto(link)).status(), 400, 'another browser');
  equal(await heading(other), 'This link belongs to another browser', 'what it is told');
  await isClean(other, 'the page in another browser');
  const tab = await page.newTab();
  await tab.goto(link);
  equal(await heading(tab), 'Sign in to Example Shop', 'the same browser');
  await submit(tab);
  await isIn(tab);
  await page.bringToFront();
  await page.reload();
  equal(await heading(page), 'This sign-in is complete', 'the page that waited');
}

// Somebody tries codes: the next ones have twelve digits, and let in.
export async function longCode() {
  const address = 'guarded@example.com';
  for (let round = 1; round <= 3; round++) {
    const stranger = await person();
    await begin(stranger);
    await giveEmail(stranger, address);
    const code = await codeFor(address, round);
    for (let tries = 0; tries < 3; tries++) await giveCode(stranger, code === '000000' ? '111111' : '000000');
  }
  const page = await person({ width: 320, height: 568 });
  await begin(page);
  await giveEmail(page, address);
  check((await text(page, '.lead')).startsWith('We sent a 12-digit code to'), 'how long it is');
  await isClean(page, 'the page of a long code');
  const code = await codeFor(address, 4);
  equal(code.length, 12, 'the code');
  equal((await giveCode(page, '000000')).status(), 422, 'a short one');
  equal(await text(page, '#problem'), 'The code has 12 digits.', 'what is said of it');
  await giveCode(page, code);
  await isIn(page);
}

export async function signOut() {
  const page = await person();
  await begin(page);
  await giveEmail(page, 'out@example.com');
  await giveCode(page, await codeFor('out@example.com'));
  await isIn(page);
  await page.goto(`${root}/oidc/logout`);
  equal(await heading(page), 'Sign out?', 'the question');
  await submit(page);
  equal(await heading(page), 'You are signed out', 'the answer');
  await begin(page, { prompt: 'none' });
  equal((await arrived(page)).get('error'), 'login_required', 'nobody is signed in any more');
}
