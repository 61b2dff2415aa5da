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

