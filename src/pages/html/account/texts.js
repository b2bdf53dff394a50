// What the page says. The server puts the texts of one language into the page, with where the service is (`root`).
const setup = JSON.parse(document.querySelector('#setup').textContent);

const has = key => Object.hasOwn(setup.texts, key);

// The text of that name, `{name}` replaced.
const t = (key, values = {}) => setup.texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');

const when = time => new Intl.DateTimeFormat(setup.locale, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(time));

const wait = seconds => (seconds < 90 ? t('seconds', { n: seconds }) : t('minutes', { n: Math.ceil(seconds / 60) }));

const phoneText = digits => `+${digits}`;

// A refusal in words: by its code, never by its message, which is English.
function reason(refusal) {
  if (refusal.code === 'password.rejected' && Array.isArray(refusal.data)) {
    return refusal.data.map(issue => (has(issue.code) ? t(issue.code, issue.interpolation) : t('password.rejected'))).join(' ');
  }
  const key = refusal.wait && has(`${refusal.code}.wait`) ? `${refusal.code}.wait` : refusal.code;
  return has(key) ? t(key, { time: wait(refusal.wait) }) : t('failed', { code: refusal.code });
}
