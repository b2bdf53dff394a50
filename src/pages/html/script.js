// Comforts only: every page works without.
(() => {
  const each = (selector, work) => document.querySelectorAll(selector).forEach(work);

  // A form is sent once, until the person comes back to the page.
  each('form', form => form.addEventListener('submit', event => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = '1';
  }));
  addEventListener('pageshow', () => each('form', form => delete form.dataset.sent));

  // The code is sent when its last digit is in; not again by itself after it was wrong.
  each('form[data-code]', form => {
    const input = form.querySelector('.code'), length = Number(form.dataset.code);
    const plain = text => text.normalize('NFKC').replace(/[\s-]/g, '');
    const isRetry = input.getAttribute('aria-invalid') === 'true';
    if (!isRetry) each('[data-script]', hint => { hint.hidden = false; });
    let isComposing = false;
    input.addEventListener('compositionstart', () => { isComposing = true; });
    input.addEventListener('compositionend', () => { isComposing = false; look(); });
    const look = () => {
      if (isComposing) return;
      const code = plain(input.value);
      if (/^\d+$/.test(code) && code.length === length) {
        input.value = code;
        if (!isRetry) form.requestSubmit();
      }
    };
    input.addEventListener('input', look);
  });

  // Counts down to when the message can be sent again. The words are the server's; only the number changes.
  each('[data-wait]', button => {
    const text = button.form.querySelector('[data-wait-text]');
    const end = performance.now() + 1000 * Number(button.dataset.wait);
    const tick = () => {
      const left = Math.ceil((end - performance.now()) / 1000);
      button.disabled = left > 0;
      text.hidden = left <= 0;
      const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
      text.textContent = text.dataset.waitText.replace('{time}', clock);
      if (left > 0) setTimeout(tick, 250);
    };
    tick();
  });
})();
