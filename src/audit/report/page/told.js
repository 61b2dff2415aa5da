// --- What the page tells of records: the same as told.rs ------------------------------------------------------------

const visible = (text) => text.replace(HIDDEN, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);

function value(json) {
  if (json === null || json === undefined) return "";
  if (json === true) return "yes";
  if (json === false) return "no";
  if (typeof json === "number") return String(json);
  if (typeof json === "string") return visible(json);
  if (Array.isArray(json)) return json.map(value).join("; ");
  return Object.keys(json).sort().map((name) => `${name} ${value(json[name])}`).join(", ");
}

function time(seconds) {
  if (seconds < -62135596800 || seconds > 253402300799) return `${seconds} s after 1970`;
  const text = new Date(seconds * 1000).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 19)} UTC`;
}

function fact(record, name) {
  if (name === "skipped") return value(record.facts.consent?.skipped);
  if (name === "from" || name === "until") return typeof record.facts[name] === "number" ? time(record.facts[name]) : "";
  if (name !== "counter") return value(record.facts[name]);
  const data = decode(record.facts.data);
  return data.length < 37 ? "" : String(new DataView(data.buffer).getUint32(33));
}

function factsOf(record) {
  const told = (TABLE.facts[record.event] ?? []).map((name) => [TABLE.labels[name] ?? name, fact(record, name)]);
  if (record.claims.txn !== undefined) told.unshift(["incident", visible(record.claims.txn)]);
  return told.filter(([, text]) => text !== "");
}

function tells(record, what) {
  switch (what) {
    case "time": return time(record.claims.iat);
    case "place": return place(record);
    case "title": return TABLE.titles[record.event] ?? record.event;
    case "line": return factsOf(record).map(([label, text]) => `${label} ${text}`).join(" · ");
    case "rows": return [...factsOf(record), ["claimed time", time(record.claims.iat)], ["record", place(record)]].flat().join("\n");
    default: return fact(record, what);
  }
}

/** Whether the key of a record may not have belonged when it signed that: no kit was founded with it, or it was retired before. */
function outsiders(records) {
  const founders = new Set();
  const retired = new Map(); // key -> the earliest last place of its
  for (const { good, event, kid, facts } of records) {
    if (good && event === "kit.founded") founders.add(kid);
    if (good && event === "key.retired") retired.set(facts.key, Math.min(facts.last_seq, retired.get(facts.key) ?? Infinity));
  }
  return (record) => !founders.has(record.kid) || retired.get(record.kid) < record.seq;
}

/** Where the text says something else than the records, and of which records it tells. */
function untrue(records) {
  const by = new Map(records.map((record) => [record.hash, record]));
  const wrong = [];
  const shown = new Set();
  const outside = outsiders(records);
  for (const node of document.querySelectorAll("[data-record]")) {
    const record = by.get(node.dataset.record);
    const what = node.dataset.tells;
    const text = what === "rows" ? Array.from(node.children, (child) => child.textContent).join("\n") : node.textContent;
    if (!record) wrong.push(`the text tells of a record that is not in this file: “${node.textContent.slice(0, 80)}”`);
    else if (text !== tells(record, what)) {
      wrong.push(`the text about ${place(record)} is not what was signed: “${text.slice(0, 200).replaceAll("\n", " ")}”`);
      node.classList.add("untrue");
    } else if ((what === "rows" || what === "line") && (node.closest("[data-incident]") || (node.closest("[data-outside]") && outside(record)))) {
      shown.add(node.dataset.record);
    }
  }
  return { wrong, shown };
}

/** Of which pages and good records the text should tell and does not. */
function untold(records, vouched, stated, shown) {
  const wrong = [];
  const pages = new Set(Array.from(document.querySelectorAll("[data-incident]"), (node) => node.dataset.incident));
  for (const name of stated.pages) if (!pages.has(name)) wrong.push(`the page of incident ${name} is not there`);
  for (const record of records) {
    const due = ["open.intent", "mint.intent"].includes(record.event) && stated.unpaged === 0 && (stated.since === null || record.claims.iat >= stated.since);
    const told = due || (pages.has(visible(record.claims.txn ?? "")) && ["open.intent", "open.released", "mint.intent", "mint.issued", "incident.closed", "incident.reviewed"].includes(record.event));
    if (told && record.good && vouched.has(record.kid) && !shown.has(record.hash)) {
      wrong.push(`the text does not tell of ${place(record)} (${record.event})`);
    }
  }
  return wrong;
}

/** What the file says of its own extent, against what is in it. */
function lost(records, unreadable, stated) {
  const wrong = unreadable.map((where) => `${where} of the records is no record: it was changed after it was signed`);
  if (records.length + unreadable.length !== stated.records) {
    wrong.push(`there are ${records.length + unreadable.length} records, and the report was made with ${stated.records}`);
  }
  const there = new Set(records.map((record) => record.hash));
  for (const [chain, [seq, hash]] of Object.entries(stated.heads)) {
    if (!there.has(hash)) wrong.push(`${chain}/${seq}: the end of this chain, as the report was made with it, is not here`);
  }
  return wrong;
}

