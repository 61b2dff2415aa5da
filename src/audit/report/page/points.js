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

