"use strict";
// Shows the OpenAPI document. Everything in it reaches the page as text.
let doc;

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

// `code` between back ticks, paragraphs between empty lines.
function prose(text) {
  const box = make("div");
  for (const paragraph of (text || "").split(/\n\s*\n/).filter(Boolean)) box.append(make("p", "", ...inline(paragraph)));
  return box;
}
function inline(text) {
  return text.split(/(`[^`]+`)/).filter(Boolean).map((part) => (part.startsWith("`") ? make("code", "", part.slice(1, -1)) : part));
}

function resolve(value) {
  while (value && value.$ref) value = value.$ref.slice(2).split("/").reduce((at, key) => at?.[key.replace(/~1/g, "/").replace(/~0/g, "~")], doc);
  return value || {};
}

function typeOf(schema) {
  const name = schema.$ref ? schema.$ref.split("/").pop() : undefined;
  schema = resolve(schema);
  const several = schema.oneOf || schema.anyOf;
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (several) return [...new Set(several.map(typeOf))].join(" | ");
  if (schema.type === "array") return `${typeOf(schema.items || {})}[]`;
  const type = Array.isArray(schema.type) ? schema.type.join(" | ") : schema.type;
  return (type === "object" || !type) && name ? name : type || "any";
}

function limits(schema) {
  schema = resolve(schema);
  const said = [["minLength", "length from", ""], ["maxLength", "length to", ""], ["minimum", "from", ""], ["maximum", "to", ""], ["default", "default", ""]];
  return said.filter(([key]) => schema[key] !== undefined).map(([key, before, after]) => `${before} ${JSON.stringify(schema[key])}${after}`).join(", ");
}

// All members of an object, those of its parts included: [name, schema, is required].
function members(schema, depth = 0) {
  schema = resolve(schema);
  if (depth > 6) return [];
  const own = Object.entries(schema.properties || {}).map(([name, part]) => [name, part, (schema.required || []).includes(name)]);
  return [...(schema.allOf || []).flatMap((part) => members(part, depth + 1)), ...own];
}

function example(schema, depth = 0) {
  const plain = resolve(schema);
  if (schema.example !== undefined) return schema.example;
  if (plain.example !== undefined) return plain.example;
  if (plain.examples?.length) return plain.examples[0];
  if (plain.const !== undefined) return plain.const;
  if (plain.enum) return plain.enum[0];
  if (plain.default !== undefined) return plain.default;
  if (depth > 5) return null;
  const choice = (plain.oneOf || plain.anyOf || []).find((part) => part.type !== "null");
  if (choice) return example(choice, depth + 1);
  const type = Array.isArray(plain.type) ? plain.type.find((name) => name !== "null") : plain.type;
  if (type === "array") return [example(plain.items || {}, depth + 1)];
  const parts = members(schema);
  if (parts.length) return Object.fromEntries(parts.map(([name, part]) => [name, example(part, depth + 1)]));
  return { string: "text", integer: 0, number: 0, boolean: true, object: {} }[type] ?? null;
}

function sample(text) {
  const copy = make("button", "", "Copy");
  copy.type = "button";
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    copy.textContent = "Copied";
  });
  return make("div", "sample", make("pre", "", make("code", "", text)), copy);
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curl(method, path, operation, parameters, body) {
  const query = parameters.filter((parameter) => parameter.in === "query" && parameter.required).map((parameter) => `${parameter.name}=${example(parameter.schema || {})}`);
  const target = location.origin + path.replace(/\{([^}]+)\}/g, (_, name) => `$${name}`) + (query.length ? `?${query.join("&")}` : "");
  const lines = [`curl ${method === "get" || (method === "post" && body) ? "" : `-X ${method.toUpperCase()} `}"${target}"`];
  if (operation.security?.length) lines.push('-H "Authorization: Bearer $TOKEN"');
  if (parameters.some((parameter) => parameter.name === "Verification-Id")) lines.push('-H "Verification-Id: $RECORD"');
  if (body?.type === "application/json") lines.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body.example))}`);
  else if (body) lines.push(...Object.entries(body.example).filter(([, value]) => value !== null).map(([name, value]) => `--data-urlencode ${quoted(`${name}=${value}`)}`));
  return lines.join(" \\\n  ");
}

function table(rows) {
  return make("table", "", make("tbody", "", ...rows.map((cells) => make("tr", "", ...cells.map((cell) => make("td", "", ...[cell].flat()))))));
}

function fields(schema) {
  return table(members(schema).map(([name, part, required]) => {
    const about = make("span", "quiet", typeOf(part), required ? ", required" : "", limits(part) ? `, ${limits(part)}` : "");
    return [make("code", "", name), [about, ...(part.description || resolve(part).description ? [prose(part.description || resolve(part).description)] : [])]];
  }));
}

function responses(operation) {
  return table(Object.entries(operation.responses || {}).sort().map(([status, answer]) => {
    answer = resolve(answer);
    const content = Object.values(answer.content || {})[0];
    const errors = +status >= 400 ? Object.entries(content?.examples || {}) : [];
    if (errors.length) {
      return [make("span", "status", status), errors.map(([name, one]) => make("p", "", make("code", "", resolve(one).value?.code || name), " ", ...inline(resolve(one).value?.message || "")))];
    }
    const cell = [make("p", "", ...inline(answer.description || ""))];
    if (content?.schema && +status < 400 && (members(content.schema).length || resolve(content.schema).type === "array")) {
      const details = make("details", "", make("summary", "", typeOf(content.schema)), sample(JSON.stringify(content.example ?? example(content.schema), null, 2)));
      details.open = true;
      cell.push(details);
    }
    return [make("span", "status", status), cell];
  }));
}

function show(path, method, item, operation) {
  const parameters = [...(item.parameters || []), ...(operation.parameters || [])].map(resolve);
  const section = make("section", "", make("h3", "", ...inline(operation.summary || operation.operationId)));
  section.id = operation.operationId;
  section.append(make("p", "path", make("span", `method ${method}`, method), " ", make("code", "", path)), prose(operation.description));
  if (parameters.length) {
    section.append(make("h4", "", "Parameters"), table(parameters.map((parameter) => [make("code", "", parameter.name),
      [make("span", "quiet", parameter.in, parameter.required ? ", required" : "", `, ${typeOf(parameter.schema || {})}`), prose(parameter.description)]])));
  }
  const content = Object.entries(resolve(operation.requestBody).content || {});
  const [type, media] = content[0] || [];
  const body = media && { type, example: media.example ?? example(media.schema || {}) };
  if (media) section.append(make("h4", "", `Body (${content.map(([name]) => name).join(", ")})`), fields(media.schema || {}));
  section.append(make("h4", "", "With curl"), sample(curl(method, path, operation, parameters, body)));
  section.append(make("h4", "", "Answers"), responses(operation));
  return section;
}

async function start() {
  const [intro, index, operations] = ["intro", "index", "operations"].map((id) => document.getElementById(id));
  doc = await (await fetch("/api/openapi.json")).json();
  intro.append(prose(doc.info.description), make("p", "quiet", `Version ${doc.info.version} · `, Object.assign(make("a", "", "OpenAPI document"), { href: "/api/openapi.json" })));
  const groups = new Map((doc.tags || []).map((tag) => [tag.name, { about: tag.description, list: [] }]));
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const method of ["get", "post", "put", "patch", "delete"].filter((name) => item[name])) {
      const tag = item[method].tags?.[0] || "Other";
      if (!groups.has(tag)) groups.set(tag, { list: [] });
      groups.get(tag).list.push([path, method, item, item[method]]);
    }
  }
  operations.replaceChildren();
  for (const [tag, { about, list }] of groups) {
    if (!list.length) continue;
    const links = list.map(([path, method, , operation]) => {
      const link = make("a", "", make("span", `method ${method}`, method), make("span", "", ...inline(operation.summary || path)));
      link.href = `#${operation.operationId}`;
      link.dataset.text = `${tag} ${method} ${path} ${operation.summary} ${operation.operationId}`.toLowerCase();
      return link;
    });
    index.append(make("div", "", make("h2", "", tag), ...links));
    operations.append(make("h2", "", tag), prose(about), ...list.map((entry) => show(...entry)));
  }
  document.getElementById("search").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/);
    for (const link of index.querySelectorAll("a")) link.hidden = !words.every((word) => link.dataset.text.includes(word));
    for (const group of index.children) group.hidden = !group.querySelector("a:not([hidden])");
  });
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

start().catch((error) => document.getElementById("operations").replaceChildren(make("p", "", `The document cannot be shown: ${error.message}`)));
