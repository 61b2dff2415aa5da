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
