// Shows openapi.json, without anything from elsewhere, and sends requests with the key typed above.
"use strict";

const at = (id) => document.getElementById(id);

// An element with a class, text and children. Text is always text, never markup.
function make(tag, { text, kind, ...rest } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), rest);
  if (kind) element.className = kind;
  if (text !== undefined) element.textContent = text;
  element.append(...children.filter(Boolean));
  return element;
}

const plain = (text) => (text || "").replaceAll("`", "");

const nameOf = (reference) => reference.split("/").pop();

// A schema in a word: string, integer[], Template, "a" | "b".
function typeOf(schema = {}) {
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  const options = schema.anyOf || schema.oneOf;
  if (options) return options.map(typeOf).filter((one) => one !== "null").join(" | ");
  if (schema.type === "array") return `${typeOf(schema.items || schema.prefixItems?.[0])}[]`;
  return schema.type || "any";
}

// Every schema that a schema needs, by name.
function needed(schema, schemas, found = new Map()) {
  for (const [, name] of JSON.stringify(schema || {}).matchAll(/#\/components\/schemas\/(\w+)/g)) {
    if (!found.has(name) && schemas[name]) {
      found.set(name, schemas[name]);
      needed(schemas[name], schemas, found);
    }
  }
  return found;
}

function table(heads, rows) {
  const head = make("tr", {}, ...heads.map((text) => make("th", { text, scope: "col" })));
  const body = rows.map((row) => make("tr", {}, ...row.map((cell) =>
    make("td", {}, cell instanceof Node ? cell : document.createTextNode(cell ?? "")))));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
}

function parameters(operation, inputs) {
  const rows = (operation.parameters || []).map((one) => {
    const input = make("input", { placeholder: String(one.schema?.default ?? "") });
    input.setAttribute("aria-label", one.name);
    inputs.push([one, input]);
    const required = one.required ? " (required)" : "";
    return [make("code", { text: one.name }), `${one.in}${required}`, typeOf(one.schema),
      plain(one.description || one.schema?.description), input];
  });
  return rows.length ? table(["parameter", "in", "type", "what", "value"], rows) : null;
}

function answers(operation) {
  return table(["answer", "what", "body"], Object.entries(operation.responses).map(
    ([status, { description, content }]) => {
      const [media, body] = Object.entries(content || {})[0] || [];
      return [status, description, media ? `${typeOf(body.schema)} (${media})` : ""];
    }));
}

function models(operation, schemas) {
  const found = [...needed({ ...operation, responses: { ...operation.responses } }, schemas)];
  if (!found.length) return null;
  const shown = make("details", {}, make("summary", { text: `${found.length} models` }));
  shown.addEventListener("toggle", () => {
    if (shown.childElementCount > 1) return;
    for (const [name, schema] of found) {
      shown.append(make("pre", { text: `${name} ${JSON.stringify(schema, null, 2)}` }));
    }
  });
  return shown;
}

function addressOf(path, inputs) {
  const query = new URLSearchParams();
  let address = path;
  for (const [one, input] of inputs) {
    if (one.in === "path") address = address.replace(`{${one.name}}`, encodeURIComponent(input.value));
    if (one.in === "query" && input.value !== "") query.append(one.name, input.value);
  }
  return query.size ? `${address}?${query}` : address;
}

async function send(method, path, inputs, media, area, output) {
  const headers = at("key").value ? { Authorization: `Bearer ${at("key").value}` } : {};
  for (const [one, input] of inputs) {
    if (one.in === "header" && input.value) headers[one.name] = input.value;
  }
  if (area?.value) headers["Content-Type"] = media;
  output.textContent = "…";
  try {
    const answer = await fetch(addressOf(path, inputs), {
      method: method.toUpperCase(), headers, body: area?.value || undefined });
    let text = await answer.text();
    try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: as it came */ }
    output.textContent = `${answer.status} ${answer.statusText}\n\n${text}`;
    output.classList.toggle("bad", !answer.ok);
  } catch (error) {
    output.textContent = `The gateway does not answer: ${error.message}`;
    output.classList.add("bad");
  }
}

function details(method, path, operation, schemas) {
  const inputs = [];
  const [media, body] = Object.entries(operation.requestBody?.content || {})[0] || [];
  const example = body?.example;
  const area = media && make("textarea", { rows: 8, spellcheck: false,
    value: typeof example === "string" ? example : JSON.stringify(example ?? {}, null, 2) });
  area?.setAttribute("aria-label", "body");
  const output = make("pre", { text: "", hidden: true });
  const button = make("button", { type: "button", text: "Send" });
  button.addEventListener("click", () => {
    output.hidden = false;
    send(method, path, inputs, media, area, output);
  });
  return make("div", { kind: "inside" },
    make("p", { text: plain(operation.description) }),
    parameters(operation, inputs),
    media && make("p", { text: `Body: ${typeOf(body.schema)} (${media})` }), area,
    answers(operation), models(operation, schemas), button, output);
}

function entry(method, path, operation, schemas) {
  const summary = make("summary", {},
    make("span", { kind: `method ${method}`, text: method.toUpperCase() }),
    make("code", { text: path }), make("span", { text: operation.summary }));
  const shown = make("details", { id: operation.operationId }, summary);
  shown.dataset.words = `${method} ${path} ${operation.summary} ${operation.description}`.toLowerCase();
  shown.addEventListener("toggle", () => {
    if (shown.childElementCount === 1) shown.append(details(method, path, operation, schemas));
  });
  return shown;
}

function show(description) {
  at("version").textContent = description.info.version;
  at("about").textContent = plain(description.info.description);
  const sections = new Map(description.tags.map(({ name, description: text }) => [name,
    make("section", {}, make("h2", { text: name }, make("small", { text })))]));
  for (const [path, operations] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      sections.get(operation.tags[0]).append(
        entry(method, path, operation, description.components.schemas));
    }
  }
  at("operations").replaceChildren(...sections.values());
  at("operations").removeAttribute("aria-busy");
  const linked = location.hash && at(location.hash.slice(1));
  if (linked) { linked.open = true; linked.scrollIntoView(); }
}

function narrow() {
  const wanted = at("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const section of document.querySelectorAll("section")) {
    let left = 0;
    for (const one of section.querySelectorAll(":scope > details")) {
      one.hidden = !wanted.every((word) => one.dataset.words.includes(word));
      left += one.hidden ? 0 : 1;
    }
    section.hidden = left === 0;
  }
}

at("find").addEventListener("input", narrow);
at("access").addEventListener("submit", (event) => event.preventDefault());
fetch("openapi.json").then((answer) => answer.json()).then(show).catch((error) => {
  at("operations").textContent = `openapi.json cannot be read: ${error.message}`;
});
