// What can be changed, each with the proof it needs.

const changePassword = user => flow(async step => {
  await proof(step, user);
  await step({
    title: t(user.hasPassword ? 'change_password' : 'set_password'), text: t('new_password_text'), button: t('save'),
    fields: [whose(user), { name: 'new-password', label: t('new_password'), type: 'password', autocomplete: 'new-password' }],
    send: values => permitted(step, user, id =>
      call('POST', '/api/my-account/password', { proof: id, body: { password: values['new-password'] } })),
  });
});

const kinds = {
  email: {
    path: '/api/my-account/primary-email',
    member: 'primaryEmail',
    fields: () => [{ name: 'email', label: t('new_email'), type: 'email', autocomplete: 'email' }],
    read: ({ email }) => email.normalize('NFKC').trim(),
    show: address => address,
    other: 'primaryPhone',
  },
  phone: {
    path: '/api/my-account/primary-phone',
    member: 'primaryPhone',
    fields: () => [
      { name: 'country', label: t('country'), autocomplete: 'tel-country-code', value: setup.region,
        options: setup.countries.map(([region, code, name]) => [region, `${name} +${code}`]) },
      { name: 'phone', label: t('new_phone'), type: 'tel', autocomplete: 'tel-national', inputmode: 'tel', hint: t('phone_hint') },
    ],
    read: ({ country, phone }) => phoneDigits(country, plain(phone).replace(/[().]/g, '')),
    show: phoneText,
    other: 'primaryEmail',
  },
};

// Digits with the country's code in front, as the hosted pages read them: a whole number after `+` or `00`, or the one that is dialled in
// the country. What is left of a zero in front the service takes out.
function phoneDigits(region, typed) {
  const digits = typed.replace(/^\+/, '');
  if (!/^\d{5,17}$/.test(digits)) throw new Refusal(422, { code: 'user.invalid_phone' });
  if (typed.startsWith('+')) return digits;
  if (digits.startsWith('00')) return digits.slice(2);
  const [, code] = setup.countries.find(([name]) => name === region);
  const inside = { 1: /^1(?=\d{10}$)/, 7: /^8(?=\d{10}$)/, 36: /^06/ }[code] ?? /^0(?=\d{9,10}$)/;
  return code + digits.replace(code === '39' ? /^$/ : inside, '');
}

// Two proofs: that the owner is here, and that the new address is theirs.
const changeAddress = (user, name) => flow(async step => {
  const kind = kinds[name], title = t(`${user[kind.member] ? 'change' : 'add'}_${name}`);
  await proof(step, user);
  const sent = await step({
    title, text: t(`new_${name}_text`), button: t('send_code'), fields: kind.fields(),
    async send(values) {
      const identifier = { type: name, value: kind.read(values) };
      return { identifier, ...await sendCode(identifier) };
    },
  });
  const { identifier } = sent;
  const record = await enterCode(step, title, kind.show(identifier.value), identifier, sent);
  const save = id => call('POST', kind.path, { proof: id, body: { [name]: identifier.value, newIdentifierVerificationRecordId: record } });
  try {
    await permitted(step, user, save);
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    // The address is somebody else's, say: nothing was changed, and the form is gone.
    await step({ title, text: reason(refusal), button: t('close'), fields: [], send: () => { throw givenUp; } });
  }
});

// Where another one remains.
const removeAddress = (user, name) => flow(async step => {
  const kind = kinds[name], to = kind.show(user[kind.member]);
  await proof(step, user);
  await step({
    title: t(`remove_${name}`), text: t(`remove_${name}_text`, { to }), button: t('remove'), fields: [],
    send: () => permitted(step, user, id => call('DELETE', kind.path, { proof: id })),
  });
});
