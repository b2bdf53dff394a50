// Elements, and a dialog that goes through steps.

// Text is always set as text: nothing that came from elsewhere becomes markup.
function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, '');
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.filter(child => child != null));
  return element;
}

const givenUp = Symbol('given up');

// Runs `work`, which asks one thing after the other by `step`. Gives true when it came to its end, false when the person gave up.
async function flow(work) {
  const box = h('dialog', { 'aria-labelledby': 'step' });
  // Escape.
  box.addEventListener('cancel', event => {
    event.preventDefault();
    box.giveUp?.();
  });
  document.body.append(box);
  const before = document.activeElement;
  try {
    await work(options => step(box, options));
    return true;
  } catch (error) {
    if (error !== givenUp) throw error;
    return false;
  } finally {
    box.close();
    box.remove();
    before?.focus();
  }
}

// One form: resolves with what `send` makes of its values. What `send` refuses is told, and the form stays as it is. A choice is another
// way on: it resolves with what it gives, or stays when that is nothing.
function step(box, { title, text, fields, button, choices = [], send }) {
  return new Promise((resolve, reject) => {
    const problem = h('p', { class: 'problem', id: 'problem', role: 'alert' });
    const news = h('p', { class: 'hint', role: 'status' });
    const inputs = fields.map(field);
    const submit = h('button', { class: 'main' }, button);
    const attempt = async work => {
      if (form.hasAttribute('aria-busy')) return;
      form.setAttribute('aria-busy', 'true');
      problem.replaceChildren();
      news.replaceChildren();
      inputs.forEach(input => input.removeAttribute('aria-invalid'));
      try {
        const result = await work();
        if (result !== undefined) return resolve(result);
        news.append(t('sent_again'));
      } catch (error) {
        if (!(error instanceof Refusal)) return reject(error);
        show();
        problem.append(reason(error));
        inputs.filter(input => input.matches('input') && !input.readOnly).forEach(input => input.setAttribute('aria-invalid', 'true'));
        inputs.find(input => input.hasAttribute('aria-invalid'))?.select();
      } finally {
        form.removeAttribute('aria-busy');
      }
    };
    const values = () => Object.fromEntries(inputs.map(input => [input.name, input.value]));
    const form = h('form', { novalidate: true, onsubmit: event => {
      event.preventDefault();
      attempt(async () => (await send(values())) ?? true);
    } },
    h('h2', { id: 'step', tabindex: '-1' }, title),
    text && h('p', { class: 'lead' }, text),
    ...inputs.map((input, index) => (fields[index].isHidden ? input : labelled(input, fields[index]))),
    problem, news, submit,
    h('button', { class: 'second', type: 'button', onclick: () => box.giveUp() }, t('cancel')),
    choices.length ? h('div', { class: 'ways' }, ...choices.map(choice =>
      h('p', {}, h('button', { class: 'link', type: 'button', onclick: () => attempt(choice.run) }, choice.label)))) : null);
    const show = () => {
      // What is under way is waited for: it may succeed.
      box.giveUp = () => { if (!form.hasAttribute('aria-busy')) reject(givenUp); };
      box.replaceChildren(form);
      if (!box.open) box.showModal();
      (inputs.find((input, index) => input.matches('input') && !fields[index].isHidden) ?? form.querySelector('h2')).focus();
    };
    show();
  });
}

function field({ name, type = 'text', autocomplete, value, isHidden, isCode, inputmode, hint, options }) {
  if (options) {
    return h('select', { id: name, name, autocomplete }, ...options.map(([key, text]) => h('option', { value: key, selected: key === value }, text)));
  }
  const about = hint ? `problem ${name}-hint` : 'problem';
  const element = h('input', {
    id: name, name, type, autocomplete, value, class: isHidden ? 'aside' : isCode ? 'code' : null, 'aria-describedby': isHidden ? null : about,
    inputmode: isCode ? 'numeric' : inputmode, autocapitalize: 'none', spellcheck: 'false', maxlength: isCode ? 32 : null,
    // For password managers alone, which want to know whose password it is.
    readonly: isHidden, tabindex: isHidden ? '-1' : null, 'aria-hidden': isHidden ? 'true' : null,
  });
  return element;
}

const labelled = (input, { name, label, hint }) => h('div', { class: 'field' },
  h('label', { for: name }, label), input, hint ? h('p', { class: 'hint', id: `${name}-hint` }, hint) : null);

const codeField = () => ({ name: 'code', label: t('code'), autocomplete: 'one-time-code', isCode: true });

// Full-width letters as input methods write them, and blanks: not what was meant.
const plain = text => text.normalize('NFKC').replace(/[\s-]/g, '');
