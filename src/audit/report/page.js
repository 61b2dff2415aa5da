// Verifies the records in this file, holds the text of the report against them, and says what came of it. Nothing is
// fetched; text is only ever put in as text. WORDS (the word list of kit words) and TABLE (what is told of each event) stand
// above, put there when the report was made; the hash in the content security policy covers them and this.

const EVENT_BASE = "https://breakglass.example/event/v1/";
const RELYING_PARTY = "breakglass.example";
const ENROLMENT_CHALLENGE = "breakglass fido2 enrolment v1\0";
const ES256 = { name: "ECDSA", namedCurve: "P-256" };
const SHA256 = { name: "ECDSA", hash: "SHA-256" };
// The same set as in words.rs.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\u{e0000}-\u{e007f}]/gu;
const subtle = globalThis.crypto?.subtle;
const utf8 = new TextEncoder();
const begun = performance.now();

// --- Bytes -----------------------------------------------------------------------------------------------------------

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const DIGIT = new Int8Array(128).fill(-1);
for (let at = 0; at < 64; at++) DIGIT[ALPHABET.charCodeAt(at)] = at;

/** base64url without padding, in its one canonical spelling; throws otherwise. By the browser itself where it can. */
function decode(text) {
  if (text.includes("=") || /\s/.test(text)) throw new Error("not base64url");
  return Uint8Array.fromBase64 ? Uint8Array.fromBase64(padded(text), STRICT) : decoded(text);
}

const STRICT = { alphabet: "base64url", lastChunkHandling: "strict" };
const padded = (text) => text + "==".slice(0, (4 - (text.length % 4)) % 4);

function decoded(text) {
  const length = text.length;
  const bytes = new Uint8Array((length * 3) >> 2);
  if (length % 4 === 1) throw new Error("not base64url");
  let bits = 0, held = 0, at = 0;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    const digit = code < 128 ? DIGIT[code] : -1;
    if (digit < 0) throw new Error("not base64url");
    bits = ((bits << 6) | digit) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[at++] = bits >> held;
    }
  }
  if (bits & ((1 << held) - 1)) throw new Error("not canonical base64url");
  return bytes;
}

function encode(bytes) {
  if (bytes.toBase64) return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const [a, b = 0, c = 0] = bytes.subarray(at, at + 3);
    const group = (a << 16) | (b << 8) | c;
    text += ALPHABET[group >> 18] + ALPHABET[(group >> 12) & 63] + ALPHABET[(group >> 6) & 63] + ALPHABET[group & 63];
  }
  return text.slice(0, Math.ceil((bytes.length * 4) / 3));
}

const digest = async (bytes) => new Uint8Array(await subtle.digest("SHA-256", bytes));
const joined = (...parts) => {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};
const same = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);

// --- P-256 -----------------------------------------------------------------------------------------------------------

const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const number = (bytes) => BigInt("0x" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""));
const bytes32 = (value) => Uint8Array.from(value.toString(16).padStart(64, "0").match(/../g), (pair) => parseInt(pair, 16));

/** x and y of a compressed point (SEC1 section 2.3.4), which WebCrypto need not read. */
function decompressed(point) {
  if (point.length !== 33 || (point[0] !== 2 && point[0] !== 3)) throw new Error("not a compressed point");
  const x = number(point.subarray(1));
  const square = (((x * x + P - 3n) * x) + B) % P;
  let y = 1n;
  for (let base = square, power = (P + 1n) / 4n; power > 0n; power >>= 1n, base = (base * base) % P) {
    if (power & 1n) y = (y * base) % P;
  }
  if ((y * y) % P !== square || x >= P) throw new Error("not on the curve");
  if ((y & 1n) !== BigInt(point[0] & 1)) y = P - y;
  return { x: encode(bytes32(x)), y: encode(bytes32(y)) };
}

const imported = ({ x, y }) => subtle.importKey("jwk", { kty: "EC", crv: "P-256", x, y }, ES256, false, ["verify"]);
/** RFC 7638. */
const thumbprint = async ({ x, y }) => encode(await digest(utf8.encode(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`)));

/** r and s of a DER signature, as WebCrypto wants them. */
function raw(der) {
  const both = new Uint8Array(64);
  let at = 2;
  if (der[0] !== 0x30 || der[1] !== der.length - 2) throw new Error("not a DER signature");
  for (const end of [32, 64]) {
    const length = der[at + 1];
    let value = der.subarray(at + 2, at + 2 + length);
    if (der[at] !== 2 || length < 1 || value.length !== length) throw new Error("not a DER signature");
    if (length === 33 && value[0] === 0) value = value.subarray(1);
    if (value.length > 32) throw new Error("not a DER signature");
    both.set(value, end - value.length);
    at += 2 + length;
  }
  if (at !== der.length) throw new Error("not a DER signature");
  return both;
}

// --- Records ---------------------------------------------------------------------------------------------------------

const text8 = new TextDecoder("utf-8", { fatal: true });

const headers = new Map();

/** A header, which many records of one key have in common. */
function headerOf(part) {
  let header = headers.get(part);
  if (!header) {
    header = JSON.parse(text8.decode(decode(part)));
    header.short = Array.from(decode(header.kid).subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join("");
    headers.set(part, header);
  }
  return header;
}

/** Whether s is in the lower half of the group's order, as every record has it. */
const isLow = (signature) => signature[32] < 0x7f || number(signature.subarray(32)) <= N >> 1n;

/** One line, taken apart as strictly as the signature needs. */
function parse(line) {
  const parts = line.split(".");
  if (parts.length !== 3) throw new Error("not three parts");
  const header = headerOf(parts[0]);
  const claims = JSON.parse(text8.decode(decode(parts[1])));
  const signature = decode(parts[2]);
  const uris = Object.keys(claims.events);
  const body = claims.events[uris[0]];
  if (header.alg !== "ES256" || header.typ !== "secevent+jwt" || uris.length !== 1 || !uris[0].startsWith(EVENT_BASE)) {
    throw new Error("not a record");
  }
  if (signature.length !== 64 || !isLow(signature)) throw new Error("not a signature in its lower form");
  if (typeof header.kid !== "string" || !Number.isSafeInteger(body.seq) || claims.sub_id?.format !== "opaque") {
    throw new Error("not a record");
  }
  return {
    line, claims, signature, kid: header.kid, body, facts: body.facts, seq: body.seq, event: uris[0].slice(EVENT_BASE.length),
    chain: `${claims.sub_id.id}-${header.short}`, input: parts[0].length + 1 + parts[1].length, hash: "", good: false, counter: null,
  };
}

const place = (record) => `${record.chain}/${record.seq}`;
const element = (id) => document.getElementById(id);

/** The lines of the file. */
const lines = () => element("records").textContent.split("\n").slice(1, -1);

/** Whether a line says that it enrols a key: only such a header carries certificates. */
function enrols(line) {
  try {
    return headerOf(line.slice(0, line.indexOf("."))).x5c !== undefined;
  } catch {
    return false;
  }
}

// --- Assertions ------------------------------------------------------------------------------------------------------

const party = subtle?.digest("SHA-256", utf8.encode(RELYING_PARTY)).then((hash) => new Uint8Array(hash));

/** The counter of an assertion over the challenge whose hash is `over`, or null where it is none. */
async function asserted(key, { over, data, signature }) {
  try {
    const bytes = decode(data);
    const flags = bytes[32];
    const counter = new DataView(bytes.buffer).getUint32(33);
    const shape = bytes.length >= 37 && (flags & 0x45) === 0x05 && (flags & 0x80 ? bytes.length > 37 : bytes.length === 37);
    if (!shape || counter === 0 || !same(bytes.subarray(0, 32), await party)) return null;
    return (await subtle.verify(SHA256, key, raw(decode(signature)), joined(bytes, decode(over)))) ? counter : null;
  } catch {
    return null;
  }
}

// --- All of it at once: in threads beside the page, while that is read --------------------------------------------------

/** The keys that these enrolments name, each with its enrolment and, where it has one, its FIDO2 side. */
async function enrolled(enrolments) {
  const keys = new Map();
  for (const line of enrolments) {
    try {
      const record = parse(line);
      if (record.event !== "key.enrolled") continue;
      const coordinates = decompressed(decode(record.facts.signing));
      if (keys.has(record.kid) || (await thumbprint(coordinates)) !== record.kid) continue;
      const key = { key: await imported(coordinates), line, enrolment: null };
      const bytes = utf8.encode(line);
      if (!(await subtle.verify(SHA256, key.key, record.signature, bytes.subarray(0, record.input)))) continue;
      keys.set(record.kid, key);
      const { fido2, signing } = record.facts;
      if (!fido2) continue;
      key.fido2 = await imported(decompressed(decode(fido2.public)));
      const over = encode(await digest(joined(utf8.encode(ENROLMENT_CHALLENGE), decode(signing))));
      key.first = await asserted(key.fido2, { over, ...fido2.proof });
    } catch { /* no key, or no FIDO2 side: what needs it cannot be verified, and that is said */ }
  }
  return keys;
}

/** Hash, verdict on the signature, and counter of one record. */
async function judged({ line, input, kid, assertion }, keys) {
  const bytes = utf8.encode(line);
  const hash = encode(await digest(bytes));
  const key = keys.get(kid);
  if (!key) return { hash, good: false, counter: null };
  const signature = decode(line.slice(line.lastIndexOf(".") + 1));
  const good = await subtle.verify(SHA256, key.key, signature, bytes.subarray(0, input));
  const counter = assertion ? await asserted(key.fido2, assertion) : null;
  return { hash, good, counter };
}

const allJudged = (tasks, keys) => Promise.all(tasks.map((task) => judged(task, keys)));

/** As a thread beside the page, which runs this same script: keys come first, then tasks. */
function serve() {
  let keys;
  globalThis.onmessage = async ({ data }) => {
    if (data.keys) keys = data.keys;
    else postMessage({ at: data.at, found: await allJudged(data.tasks, keys) });
  };
}

/** Threads for that; none where the browser lends none. */
function threads(keys) {
  try {
    const script = new Blob([element("verifier").textContent], { type: "text/javascript" });
    const url = URL.createObjectURL(script);
    const allowed = globalThis.trustedTypes?.createPolicy("verifier", { createScriptURL: (text) => text });
    const some = Math.max(1, Math.min(navigator.hardwareConcurrency || 1, 8));
    return Array.from({ length: some }, () => thread(new Worker(allowed ? allowed.createScriptURL(url) : url), keys));
  } catch {
    return [];
  }
}

/** What was asked of a thread that is lost is done here. */
function thread(worker, keys) {
  const asked = new Map();
  let number = 0, lost = false;
  worker.onmessage = ({ data }) => {
    asked.get(data.at).done(data.found);
    asked.delete(data.at);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    lost = true;
    for (const { here } of asked.values()) here();
    asked.clear();
  };
  worker.postMessage({ keys });
  const ask = (tasks) => new Promise((done, failed) => {
    const here = () => allJudged(tasks, keys).then(done, failed);
    if (lost) return here();
    asked.set(++number, { done, here });
    worker.postMessage({ at: number, tasks });
  });
  return { ask, open: 0 };
}

/** Gives work to whichever thread has least of it, and keeps the rest for the one that is done first. */
function crew(keys) {
  const lent = threads(keys), queue = [];
  const busy = (thread) => {
    if (thread.open === AHEAD || queue.length === 0) return;
    const { tasks, done, failed } = queue.shift();
    thread.open += 1;
    thread.ask(tasks).then((found) => {
      thread.open -= 1;
      done(found);
      busy(thread);
    }, failed);
  };
  if (lent.length === 0) return (tasks) => allJudged(tasks, keys);
  return (tasks) => new Promise((done, failed) => {
    queue.push({ tasks, done, failed });
    busy(lent.reduce((least, one) => (one.open < least.open ? one : least)));
  });
}

/** Records that a thread is given at a time, and how many times that before it has answered. */
const TASKS = 64, AHEAD = 8;

/**
 * Takes every line apart and has all of them judged, in threads beside this one from the first lines on: `verified` ends with
 * them. What cannot be read is kept with its number.
 */
async function begin(all) {
  const keys = await enrolled(all.filter(enrols));
  const judge = crew(keys);
  const records = [], unreadable = [], work = [];
  let taken = [];
  const give = () => {
    const its = taken;
    const tasks = its.map(({ line, input, kid, event, facts }) => ({ line, input, kid, assertion: event === "open.asserted" ? facts : null }));
    work.push(judge(tasks).then((all) => all.forEach((one, index) => Object.assign(its[index], one))));
    taken = [];
  };
  all.forEach((line, at) => {
    let record;
    try {
      record = parse(line);
    } catch {
      unreadable.push(`line ${at + 1} of ${all.length}`);
      return;
    }
    const key = keys.get(record.kid);
    if (key?.line === line) key.enrolment ??= record;
    records.push(record);
    if (taken.push(record) === TASKS) give();
  });
  give();
  return { records, unreadable, keys, verified: Promise.all(work) };
}

/** When the text of the page is there. */
const read = () => new Promise((done) => {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => done());
  else done();
});

// --- What the records say of themselves: the same as faults.rs ------------------------------------------------------

/** Keys of founders of these kits, and whom they and their like have signed for. */
function vouching(records, keys, kits) {
  const good = records.filter((record) => record.good);
  const vouched = new Set(good.filter((record) => kits.has(record.hash) && keys.has(record.kid)).map((record) => record.kid));
  for (let before = -1; before !== vouched.size;) {
    before = vouched.size;
    for (const record of good) {
      if (record.event !== "key.admitted" || !vouched.has(record.kid)) continue;
      if (keys.get(record.facts.key)?.enrolment.hash === record.facts.enrolment) vouched.add(record.facts.key);
    }
  }
  return vouched;
}

function faultsOf(records, keys, vouched, stated) {
  const faults = new Set();
  const kits = new Set(stated.kits.map((kit) => kit.id));
  const omitted = new Map(Object.entries(stated.omitted));
  const isOmitted = (chain, seq) => (omitted.get(chain) ?? []).some(([from, to]) => from <= seq && seq <= to);
  const chains = new Map();
  for (const record of records) {
    if (!chains.has(record.chain)) chains.set(record.chain, []);
    chains.get(record.chain).push(record);
  }
  const all = new Map(); // chain -> seq -> hashes
  for (const [chain, its] of chains) {
    its.sort((one, other) => one.seq - other.seq || (one.hash < other.hash ? -1 : 1));
    const places = new Map();
    for (const record of its) places.set(record.seq, [...(places.get(record.seq) ?? []), record.hash]);
    all.set(chain, places);
    if (!keys.has(its[0].kid)) {
      faults.add(`key ${chain}`);
      continue;
    }
    if (!vouched.has(its[0].kid)) faults.add(`vouched ${chain}`);
    for (const record of its) if (!record.good) faults.add(`signature ${place(record)} ${record.hash}`);
    missing(chain, [...places.keys()], omitted.get(chain) ?? [], faults);
    links(chain, its.filter((record) => record.good), kits, faults);
    assertions(chain, its.filter((record) => record.good), keys.get(its[0].kid), omitted.has(chain), faults);
  }
  const lacking = new Map();
  for (const record of records.filter((one) => one.good && vouched.has(one.kid))) {
    const heads = Object.entries(record.body.seen ?? {});
    if (record.event === "exported") heads.push(...Object.entries(record.facts.heads));
    for (const [chain, [seq, hash]] of heads) {
      const places = all.get(chain);
      if (places?.get(seq)?.includes(hash) || isOmitted(chain, seq)) continue;
      if (places?.has(seq)) faults.add(`other ${chain}/${seq}`);
      else if (!places || chains.get(chain).at(-1).seq <= seq) lacking.set(chain, Math.max(lacking.get(chain) ?? 0, seq));
    }
  }
  for (const [chain, seq] of lacking) faults.add(`lacks ${chain}/${seq}`);
  return faults;
}

function missing(chain, taken, omitted, faults) {
  const run = (from, to) => from < to && faults.add(`missing ${chain}/${from}..${to - 1}`);
  let next = 0;
  for (const seq of taken) {
    let from = next;
    for (const [first, last] of omitted.filter(([first, last]) => last >= next && first < seq)) {
      run(from, first);
      from = last + 1;
    }
    run(from, seq);
    next = seq + 1;
  }
}

function links(chain, good, kits, faults) {
  const at = new Map();
  for (const record of good) at.set(record.seq, [...(at.get(record.seq) ?? []), record]);
  for (const [seq, here] of at) {
    if (here.length > 1) faults.add(`fork ${chain}/${seq}`);
    const before = at.get(seq - 1);
    for (const { body } of here) {
      if (before && !before.some((one) => one.hash === body.prev)) faults.add(`link ${chain}/${seq}`);
      if (body.kit !== undefined && !kits.has(body.kit)) faults.add(`kit ${chain}/${seq}`);
    }
  }
}

function assertions(chain, good, key, partial, faults) {
  let last = key.first ?? null;
  if (key.enrolment.facts.fido2 && last === null) faults.add(`assertion ${chain}/0`);
  const uses = new Set();
  for (const record of good) {
    if (["open.intent", "drill.begun", "key.witness"].includes(record.event)) uses.add(record.hash);
    if (record.event !== "open.asserted") continue;
    if (record.counter === null) {
      faults.add(`assertion ${place(record)}`);
      continue;
    }
    if (!partial && !uses.has(record.facts.over)) faults.add(`over ${place(record)}`);
    if (last !== null && record.counter <= last) faults.add(`counter ${place(record)}`);
    last = record.counter;
  }
}

const MEANING = {
  signature: "its signature is not that of its key: it was changed after it was signed",
  key: "the enrolment of this key is lacking: nothing of its chain can be verified",
  vouched: "no key of the kit has signed for this key",
  kit: "it names another kit",
  missing: "no record has this place",
  fork: "two good records have this place",
  link: "it does not name the record before",
  lacks: "another record has seen this one, and it is not here",
  other: "another record has seen another one in this place",
  assertion: "its FIDO2 signature is not by that key over that record",
  over: "its FIDO2 signature is over a record that asks for none",
  counter: "the key's counter did not rise",
};

function sentence(fault) {
  const [kind, where] = fault.split(" ");
  return `${where}: ${MEANING[kind] ?? kind}`;
}

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

/** Where the text says something else than the records, and of which records it tells. */
function untrue(records) {
  const by = new Map(records.map((record) => [record.hash, record]));
  const wrong = [];
  const shown = new Set();
  for (const node of document.querySelectorAll("[data-record]")) {
    const record = by.get(node.dataset.record);
    const what = node.dataset.tells;
    const text = what === "rows" ? Array.from(node.children, (child) => child.textContent).join("\n") : node.textContent;
    if (!record) wrong.push(`the text tells of a record that is not in this file: “${node.textContent.slice(0, 80)}”`);
    else if (text !== tells(record, what)) {
      wrong.push(`the text about ${place(record)} is not what was signed: “${text.slice(0, 200).replaceAll("\n", " ")}”`);
      node.classList.add("untrue");
    } else if (what === "rows" || what === "line") shown.add(node.closest("[data-incident]") ? node.dataset.record : "");
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

// --- What the reader brings ------------------------------------------------------------------------------------------

/** The six words of a kit id: its first 66 bits, eleven at a time. */
function kitWords(kit) {
  const bits = number(decode(kit).subarray(0, 9)) >> 6n;
  const list = WORDS.split(" ");
  return Array.from({ length: 6 }, (_, at) => list[Number((bits >> BigInt(55 - 11 * at)) & 2047n)]).join(" ");
}

/** Whether what was typed names this kit: `true`, `false`, or `null` where nothing was typed. */
function names(typed, kit) {
  const text = typed.trim();
  if (text === "") return null;
  if (/^[0-9a-fA-F]{64}$/.test(text)) return encode(bytes32(BigInt("0x" + text))) === kit;
  return text === kit || text.toLowerCase().split(/[\s,;-]+/).join(" ") === kitWords(kit);
}

/** Key ids of a key set, computed from its coordinates. */
async function pinned(text) {
  if (text.trim() === "") return new Set();
  const { keys } = JSON.parse(text);
  return new Set(await Promise.all(keys.map(({ x, y }) => thumbprint({ x, y }))));
}

// --- The verdict -----------------------------------------------------------------------------------------------------

const SIGNS = { unverified: "?", verified: "\u2713", stated: "!", wrong: "\u2717" };

function say(state, title, text, list) {
  const section = element("verdict");
  section.dataset.state = state;
  section.querySelector(".sign").textContent = SIGNS[state];
  element("verdict-title").textContent = title;
  element("verdict-text").textContent = text;
  const items = list.slice(0, 50).map((line) => {
    const item = document.createElement("li");
    item.textContent = line;
    return item;
  });
  if (list.length > 50) items.push(Object.assign(document.createElement("li"), { textContent: `and ${list.length - 50} more` }));
  element("verdict-list").replaceChildren(...items);
  element("verdict-list").hidden = list.length === 0;
}

const plural = (many, one) => `${many.toLocaleString("en")} ${one}${many === 1 ? "" : "s"}`;

/** The marks beside the records. */
function marks(records, anchored) {
  const by = new Map(records.map((record) => [record.hash, record]));
  for (const node of document.querySelectorAll("[data-mark]")) {
    const record = by.get(node.dataset.mark);
    const good = record?.good === true;
    node.textContent = !good ? "DOES NOT VERIFY" : anchored ? "\u2713 verified here" : "signature fits";
    node.dataset.good = good ? (anchored ? "yes" : "alone") : "no";
  }
}

async function main() {
  const stated = JSON.parse(element("stated").textContent);
  if (!subtle) {
    await read();
    say("unverified", "Not verified: this browser cannot", "It offers no WebCrypto for this page. Open the file from disk in a current browser, or verify without it as the last chapter says.", []);
    return;
  }
  // The browser reads the text of the page while the records are verified.
  const { records, unreadable, keys, verified } = await begin(lines());
  await Promise.all([read(), verified]);
  const text = untrue(records);
  const evidence = records.filter((record) => record.good && record.event === "open.asserted").length;
  const vouched = vouching(records, keys, new Set(stated.kits.map((kit) => kit.id)));
  const found = faultsOf(records, keys, vouched, stated);
  const expected = new Set(stated.faults);
  const told = [...found].filter((fault) => expected.has(fault));
  const wrong = [
    ...[...found].filter((fault) => !expected.has(fault)).map(sentence),
    ...[...expected].filter((fault) => !found.has(fault)).map((fault) => `the report calls this wrong, and it is not: ${sentence(fault)}`),
    ...lost(records, unreadable, stated),
    ...text.wrong,
    ...untold(records, vouched, stated, text.shown),
  ];
  for (const kit of stated.kits) {
    const founding = records.find((record) => record.hash === kit.id);
    if (!kit.founded && !founding?.good) continue; // the report says so; no words can name it
    if (!founding?.good || founding.event !== "kit.founded") wrong.push(`the founding record of ${kit.name} is not here, or is not good`);
    else if (visible(founding.facts.name) !== kit.name) wrong.push(`the kit that the report calls ${kit.name} was founded as ${visible(founding.facts.name)}`);
  }
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  const good = records.filter((record) => record.good).length;
  const figures = `${plural(good, "record")} in ${plural(new Set(records.map((one) => one.chain)).size, "chain")} and ${plural(evidence, "FIDO2 assertion")}`;
  const faulty = told.map((fault) => `the report says so itself: ${sentence(fault)}`);

  const judge = async () => {
    const asked = performance.now();
    const jwks = await pinned(element("jwks").value);
    let anchored = 0, other = [];
    for (const input of document.querySelectorAll("input[data-kit]")) {
      const kit = stated.kits.find((one) => one.id === input.dataset.kit);
      const founder = records.find((record) => record.hash === kit?.id)?.kid;
      const named = names(input.value, input.dataset.kit);
      const known = founder !== undefined && (named === true || (named === null && jwks.has(founder)));
      if (named === false) other.push(`${kit?.name}: what you typed is not this kit. Its founding record here has other words: this file is about another kit, or was made up.`);
      if (jwks.size > 0 && named === null && !known) other.push(`${kit?.name}: the key that founded it is not in your key set`);
      input.parentElement.querySelector("output").textContent = known ? "\u2713 this kit" : named === false ? "\u2717 another kit" : "";
      if (known) anchored += 1;
    }
    const all = anchored === stated.kits.length && anchored > 0 && document.querySelectorAll("input[data-kit]").length === anchored;
    marks(records, all && wrong.length === 0 && other.length === 0);
    if (wrong.length > 0) {
      say("wrong", "This file was changed, or made to deceive", `Its text and its records do not fit together: ${plural(wrong.length, "contradiction")}. Keep it as evidence, and get the records from their source.`, [...wrong, ...other, ...faulty]);
    } else if (other.length > 0) {
      say("wrong", "Not the kit that you know", "What you brought and what this file holds do not fit together.", [...other, ...faulty]);
    } else if (!all) {
      const left = stated.kits.length - anchored;
      say("unverified", "Not verified yet", `The signatures fit together: ${figures}. That proves nothing until you say from the bags which ${left === 1 ? "kit" : "kits"} this is about: ${plural(left, "kit")} to go.`, faulty);
    } else if (faulty.length > 0) {
      say("stated", "Verified, but for what the report itself calls wrong", `${figures} verified here in ${seconds} s, from what you typed. The text says what they say.`, faulty);
    } else {
      say("verified", "Verified in this browser", `${figures} verified here in ${seconds} s, from what you typed. The text says what they say, and the links of every chain hold.`, []);
    }
    document.body.dataset.judged = String(Math.round(performance.now() - asked));
  };
  element("anchors").addEventListener("submit", (event) => {
    event.preventDefault();
    judge().catch((error) => say("wrong", "What you brought cannot be read", String(error.message), []));
  });
  await judge();
  document.body.dataset.checked = String(Math.round(performance.now()));
}

if (globalThis.document) {
  main().catch(async (error) => {
    await read();
    say("wrong", "This file cannot be read", `Its script stopped: ${error.message}`, []);
    document.body.dataset.checked = "failed";
  });
} else {
  serve();
}
