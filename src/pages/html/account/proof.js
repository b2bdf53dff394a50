// Proving that the owner is here now. ONE verification record is kept, and used for all that asks for one until the server says that it
// is over: it expires, and dies with what it rests on. The server's clock decides, not this machine's.
let kept;

// The ways in which this account can prove it.
function methods(user) {
  return [
    user.hasPassword && { name: 'password' },
    user.primaryEmail && { name: 'email', to: user.primaryEmail, identifier: { type: 'email', value: user.primaryEmail } },
    user.primaryPhone && { name: 'phone', to: phoneText(user.primaryPhone), identifier: { type: 'phone', value: user.primaryPhone } },
  ].filter(Boolean);
}

// The id of a living record, asked for where there is none; nothing for an account that has nothing to show.
async function proof(step, user) {
  const ways = methods(user);
  let way = ways[0];
  while (!kept && way) {
    const others = ways.filter(other => other !== way).map(other => ({ label: t(`by_${other.name}`, other), run: () => ({ way: other }) }));
    const answer = await (way.identifier ? byCode : byPassword)(step, user, way, others);
    kept = answer.record;
    way = answer.way;
  }
  return kept;
}

// Runs what needs a proof, and asks for another one when that one is over.
async function permitted(step, user, work) {
  for (;;) {
    const id = await proof(step, user);
    try {
      return await work(id);
    } catch (refusal) {
      if (refusal.code !== 'verification_record.permission_denied' || !id) throw refusal;
      kept = undefined;
    }
  }
}

const byPassword = (step, user, way, choices) => step({
  title: t('confirm'), text: t('confirm_password'), button: t('go_on'), choices,
  fields: [whose(user), { name: 'password', label: t('password'), type: 'password', autocomplete: 'current-password' }],
  send: async ({ password }) => ({ record: (await verifyPassword(password)).verificationRecordId }),
});

async function byCode(step, user, way, choices) {
  const sent = await step({
    title: t('confirm'), text: t('confirm_code', way), button: t('send_code'), choices, fields: [],
    send: () => sendCode(way.identifier),
  });
  if (sent.way) return sent;
  return { record: await enterCode(step, t('confirm'), way.to, way.identifier, sent) };
}

// Asks for the code that was sent; gives the record it verified.
async function enterCode(step, title, to, identifier, sent) {
  let record = sent.verificationRecordId;
  return step({
    title, text: t('code_sent', { to }), button: t('go_on'), fields: [codeField()],
    choices: [{ label: t('again'), run: async () => { record = (await sendCode(identifier)).verificationRecordId; } }],
    send: async ({ code }) => (await verifyCode(identifier, record, plain(code))).verificationRecordId,
  });
}

const whose = user => ({ name: 'username', value: user.username ?? user.primaryEmail ?? '', autocomplete: 'username', isHidden: true });
