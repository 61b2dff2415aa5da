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

