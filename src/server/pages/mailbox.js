"use strict";
// Text reaches the page as text only: what a message says is never read as markup.
const list = document.getElementById("messages");
const state = document.getElementById("state");
const seen = new Set();
let isFirst = true;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function show(message) {
  const card = make("article", isFirst ? "" : "fresh");
  const line = make("div", "line");
  line.append(make("span", "kind", message.kind === "sms" ? "Text message" : "E-mail"), make("span", "to", message.to));
  const time = make("time", "", new Date(message.createdAt).toLocaleTimeString());
  time.dateTime = message.createdAt;
  line.append(time);
  card.append(line);
  if (message.subject) card.append(make("h2", "", message.subject));
  if (message.code) {
    const code = make("div", "code");
    const copy = make("button", "", "Copy");
    copy.type = "button";
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(message.code);
      copy.textContent = "Copied";
    });
    code.append(make("output", "", message.code), copy);
    card.append(code);
  }
  const details = make("details");
  details.open = !message.code;
  details.append(make("summary", "", `${message.type}, ${message.locale}`), make("pre", "", message.text));
  card.append(details);
  return card;
}

async function look() {
  try {
    const answer = await fetch(location.pathname, { headers: { accept: "application/json" }, cache: "no-store" });
    const messages = await answer.json();
    for (const message of [...messages].reverse()) {
      if (seen.has(message.id)) continue;
      if (!seen.size) list.replaceChildren();
      seen.add(message.id);
      list.prepend(show(message));
    }
    if (!seen.size) list.replaceChildren(make("p", "empty", "Nothing yet. Codes and notices appear here as they are sent."));
    state.textContent = `${seen.size} ${seen.size === 1 ? "message" : "messages"}, newest first`;
    isFirst = false;
  } catch {
    state.textContent = "The server does not answer; trying again.";
  }
}

look();
setInterval(look, 1500);
