/** A vector that follows from a name, so that a row whose name and vector do not belong together shows. */
export function namedVector(name: string): number[] {
  const bytes = new Bun.CryptoHasher("sha256").update(name).digest();
  return Array.from(bytes.subarray(0, 8), (byte) => byte + 1);
}
