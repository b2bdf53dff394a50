// What the page shows.
const place = document.querySelector('#account');
let sessions;

// Says something, with a way to sign in; gives nothing.
function notice(key) {
  place.replaceChildren(
    h('p', { class: 'lead', role: 'status' }, t(key)),
    h('button', { class: 'main', onclick: signIn }, t('sign_in')));
  place.removeAttribute('aria-busy');
}

const button = (label, about, onclick) => h('button', { class: 'second', 'aria-label': `${label}: ${about}`, onclick }, label);

const section = (id, title, ...children) => h('section', { 'aria-labelledby': id }, h('h2', { id }, title), ...children);

const row = (name, value, action, more) => h('li', { class: 'row' },
  h('div', {}, h('p', { class: 'name' }, name), h('p', { class: 'hint' }, ...value), more), action);

// Does something, then shows what has become of the account.
async function act(work, news) {
  try {
    if (await work()) await show(news);
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    tell(refusal);
  }
}

function tell(refusal) {
  // The session is over: nothing more can be asked with it.
  if (refusal.status === 401 && refusal.code === 'auth.unauthorized') return notice('over');
  const line = place.querySelector('#news') ?? place;
  line.className = 'problem block';
  line.replaceChildren(reason(refusal));
}

function methodRows(user, fields) {
  const change = (field, is, label, run) => (fields[field] === 'Edit' ? button(t(is ? 'change' : 'add'), label, run) : null);
  const shown = { password: 'hasPassword', email: 'primaryEmail', phone: 'primaryPhone' };
  const rows = {
    password: () => row(t('password'), [t(user.hasPassword ? 'is_set' : 'is_not_set')],
      change('password', user.hasPassword, t('password'), () => act(() => changePassword(user), 'password_changed'))),
    email: () => row(t('email'), [user.primaryEmail ?? t('none')],
      change('email', user.primaryEmail, t('email'), () => act(() => changeAddress(user, 'email'), 'email_changed'))),
    phone: () => row(t('phone'), [user.primaryPhone ? phoneText(user.primaryPhone) : t('none')],
      change('phone', user.primaryPhone, t('phone'), () => act(() => changeAddress(user, 'phone'), 'phone_changed'))),
  };
  return h('ul', {}, ...Object.keys(rows).filter(name => shown[name] in user).map(name => rows[name]()));
}

// A browser in two words; the whole of what it calls itself where they are not found.
function program(agent) {
  if (!agent) return t('unknown_program');
  const find = pairs => pairs.find(([mark]) => agent.includes(mark))?.[1];
  const browser = find([['Edg/', 'Edge'], ['OPR/', 'Opera'], ['Firefox/', 'Firefox'], ['Chrome/', 'Chrome'], ['Safari/', 'Safari']]);
  const system = find([['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Android', 'Android'], ['Windows', 'Windows'], ['Mac OS', 'macOS'], ['Linux', 'Linux']]);
  return browser ? [browser, system].filter(Boolean).join(' · ') : agent.slice(0, 80);
}

function sessionList(user) {
  if (!sessions) {
    const look = step => permitted(step, user, proof => call('GET', '/api/my-account/sessions', { proof }));
    return [
      h('p', { class: 'hint' }, t('sessions_text')),
      h('button', { class: 'second narrow', onclick: () => act(() => flow(async step => { ({ sessions } = await look(step)); }), 'sessions_shown') }, t('show_sessions')),
    ];
  }
  return [h('ul', {}, ...sessions.map(one => {
    const name = program(one.userAgent), seen = when(one.lastUsedAt ?? one.payload.iat * 1000);
    const end = () => act(async () => {
      if (!await endSession(user, one.payload.uid)) return false;
      sessions = sessions.filter(other => other !== one);
      return true;
    }, 'session_ended');
    return row(name, [t('last_seen', { time: seen }), one.ip ? ` · ${one.ip}` : ''],
      one.isCurrent ? h('span', { class: 'mark' }, t('this_one')) : button(t('end'), name, end));
  }))];
}

// What is worth telling; the log has more.
function activityList(events) {
  const known = events.filter(event => has(`event.${event.type}`)).slice(0, 10);
  if (!known.length) return h('p', { class: 'hint' }, t('nothing_yet'));
  return h('ul', {}, ...known.map(event => row(t(`event.${event.type}`), [
    h('time', { datetime: event.at }, when(event.at)), event.ip ? ` · ${event.ip}` : '',
  ], null)));
}

async function show(news) {
  const [user, { fields }, events] = await Promise.all([account(), call('GET', '/api/.well-known/account-center'), recentActivity()]);
  const who = user.primaryEmail ?? (user.primaryPhone ? phoneText(user.primaryPhone) : user.username ?? user.id);
  place.replaceChildren(
    h('div', { class: 'top' },
      h('p', { class: 'lead' }, `${t('signed_in_as')} `, h('bdi', {}, who)),
      h('button', { class: 'second narrow', onclick: signOut }, t('sign_out'))),
    h('p', { id: 'news', class: news ? 'news' : null, role: 'status', tabindex: '-1' }),
    section('methods', t('methods'), h('p', { class: 'hint' }, t('methods_text')), methodRows(user, fields)),
    fields.session && fields.session !== 'Off' ? section('sessions', t('sessions'), ...sessionList(user)) : '',
    section('activity', t('activity'), activityList(events)));
  place.removeAttribute('aria-busy');
  if (news) {
    // Said once it stands in the page; the button that was pressed is another one now.
    const line = place.querySelector('#news');
    line.append(t(news));
    line.focus();
  }
}

async function start() {
  const query = new URLSearchParams(location.search);
  if (query.has('code') || query.has('error')) {
    if (await arrive(query)) await show();
  } else if (query.get('state') === 'signed-out') {
    notice('signed_out');
  } else {
    await signIn();
  }
}

start().catch(error => {
  if (!(error instanceof Refusal)) notice('broken');
  else if (tokens) { place.removeAttribute('aria-busy'); tell(error); }
  if (!(error instanceof Refusal)) throw error;
});
