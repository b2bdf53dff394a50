// What the page shows.
const place = document.querySelector('#account');

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
  const address = (name, shown) => {
    const { member, other } = kinds[name], is = user[member];
    const remove = is && user[other] && fields[name] === 'Edit'
      && button(t('remove'), t(name), () => act(() => removeAddress(user, name), `${name}_removed`));
    return row(t(name), [is ? shown(is) : t('none')], h('span', { class: 'actions' },
      change(name, is, t(name), () => act(() => changeAddress(user, name), `${name}_changed`)), remove || null));
  };
  const shown = { password: 'hasPassword', email: 'primaryEmail', phone: 'primaryPhone' };
  const rows = {
    password: () => row(t('password'), [t(user.hasPassword ? 'is_set' : 'is_not_set')],
      change('password', user.hasPassword, t('password'), () => act(() => changePassword(user), 'password_changed'))),
    email: () => address('email', kinds.email.show),
    phone: () => address('phone', kinds.phone.show),
  };
  return h('ul', {}, ...Object.keys(rows).filter(name => shown[name] in user).map(name => rows[name]()));
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
    grants ? section('grants', t('grants'), grantList(user)) : '',
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
