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

