/**
 * Small fast hashes for placing members on rings and in buckets. Not for anything an attacker gains by colliding: a
 * member that picks its name to sit somewhere gains nothing but its place.
 * @module
 */

/** FNV-1a over UTF-16 units, finished as in murmur3: 32 bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return finish(hash);
}

/** Another 32 bits from `hash` for every `salt`. */
export function mix(hash: number, salt: number): number {
  return finish(hash ^ Math.imul(salt + 1, 0x9e3779b1));
}

function finish(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
