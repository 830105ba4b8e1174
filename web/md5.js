// MD5 (RFC 1321), which the digest login of the server is made of and browsers do not offer.

const SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
const SINES = Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) >>> 0);

/** Return the MD5 of a text in UTF-8, as 32 hexadecimal digits. */
export function md5(text) {
  const bytes = new TextEncoder().encode(text);
  const words = new Uint32Array((((bytes.length + 8) >> 6) + 1) * 16);
  bytes.forEach((byte, i) => { words[i >> 2] |= byte << ((i % 4) * 8); });
  words[bytes.length >> 2] |= 0x80 << ((bytes.length % 4) * 8);
  words[words.length - 2] = bytes.length * 8;
  const sum = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  for (let start = 0; start < words.length; start += 16) {
    let [a, b, c, d] = sum;
    for (let i = 0; i < 64; i++) {
      const round = i >> 4;
      let mixed, place;
      if (round === 0) { mixed = (b & c) | (~b & d); place = i; }
      else if (round === 1) { mixed = (d & b) | (~d & c); place = (5 * i + 1) % 16; }
      else if (round === 2) { mixed = b ^ c ^ d; place = (3 * i + 5) % 16; }
      else { mixed = c ^ (b | ~d); place = (7 * i) % 16; }
      const turned = (a + mixed + SINES[i] + words[start + place]) | 0;
      const by = SHIFTS[round * 4 + (i % 4)];
      [a, d, c, b] = [d, c, b, (b + ((turned << by) | (turned >>> (32 - by)))) | 0];
    }
    [a, b, c, d].forEach((part, i) => { sum[i] += part; });
  }
  return [...new Uint8Array(sum.buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
