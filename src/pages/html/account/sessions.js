// Where one is signed in, and which applications came in: shown behind a proof, and ended.
let sessions, grants;

const read = async proof => {
  const lists = ['sessions', 'grants'].map(name => call('GET', `/api/my-account/${name}`, { proof }));
  [{ sessions }, { grants }] = await Promise.all(lists);
};

// Ends one, and looks again: with a session, applications that came in by it are out.
const end = (user, path) => flow(step => permitted(step, user, async proof => {
  await call('DELETE', `/api/my-account/${path}`, { proof });
  await read(proof);
}));

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
    const look = step => permitted(step, user, read);
    return [
      h('p', { class: 'hint' }, t('sessions_text')),
      h('button', { class: 'second narrow', onclick: () => act(() => flow(look), 'sessions_shown') }, t('show_sessions')),
    ];
  }
  return [h('ul', {}, ...sessions.map(one => {
    const name = program(one.userAgent), seen = when(one.lastUsedAt ?? one.payload.iat * 1000);
    return row(name, [t('last_seen', { time: seen }), one.ip ? ` · ${one.ip}` : ''],
      one.isCurrent ? h('span', { class: 'mark' }, t('this_one')) : button(t('end'), name, () => act(() => end(user, `sessions/${one.payload.uid}?revokeGrantsTarget=all`), 'session_ended')));
  }))];
}

// Which applications came in, of the same list. The token's own session is the one of this page.
function grantList(user) {
  const { sid } = claims(tokens.id_token);
  return h('ul', {}, ...grants.map(one => {
    const { name } = one.application;
    return row(name, [t('granted_at', { time: when(one.payload.iat * 1000) })],
      one.id === sid ? h('span', { class: 'mark' }, t('this_one')) : button(t('shut_out'), name, () => act(() => end(user, `grants/${one.id}`), 'grant_revoked')));
  }));
}
