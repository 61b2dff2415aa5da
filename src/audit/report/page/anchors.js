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

