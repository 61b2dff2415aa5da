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

