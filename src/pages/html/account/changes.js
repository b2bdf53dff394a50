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
    field: () => ({ name: 'email', label: t('new_email'), type: 'email', autocomplete: 'email' }),
    read: ({ email }) => email.normalize('NFKC').trim(),
    show: address => address,
  },
  phone: {
    path: '/api/my-account/primary-phone',
    member: 'primaryPhone',
    field: () => ({ name: 'phone', label: t('new_phone'), type: 'tel', autocomplete: 'tel', inputmode: 'tel', hint: t('phone_hint') }),
    // Digits with the country's code, which only a plus sign announces.
    read({ phone }) {
      const number = plain(phone).replace(/[().]/g, '');
      if (!/^\+\d{5,15}$/.test(number)) throw new Refusal(422, { code: 'user.invalid_phone' });
      return number.slice(1);
    },
    show: phoneText,
  },
};

// Two proofs: that the owner is here, and that the new address is theirs.
const changeAddress = (user, name) => flow(async step => {
  const kind = kinds[name], title = t(`${user[kind.member] ? 'change' : 'add'}_${name}`);
  await proof(step, user);
  const sent = await step({
    title, text: t(`new_${name}_text`), button: t('send_code'), fields: [kind.field()],
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

const endSession = (user, id) => flow(step => permitted(step, user, proof =>
  call('DELETE', `/api/my-account/sessions/${id}?revokeGrantsTarget=all`, { proof })));
