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

