/** Names that hold the letters of a text in order; pure. @module */

/**
 * Higher is better, undefined is no match. Letters that follow one another, and that begin a word, count more; of equals the
 * shorter name is first.
 */
export function scoreOf(name: string, wanted: string): number | undefined {
  const lower = name.toLowerCase();
  const whole = lower.indexOf(wanted);
  if (whole !== -1) return 1_000 + (isStart(lower, whole) ? 500 : 0) - lower.length - whole / 10;
  let score = 0;
  let at = -1;
  for (const letter of wanted) {
    if (letter === ' ') continue;
    const next = lower.indexOf(letter, at + 1);
    if (next === -1) return undefined;
    score += next === at + 1 ? 8 : isStart(lower, next) ? 6 : 1;
    at = next;
  }
  return score - lower.length / 10;
}

export function bestMatches<T extends { readonly name: string }>(
  entries: readonly T[],
  text: string,
  most: number,
): T[] {
  const wanted = text.toLowerCase();
  return entries
    .map((entry) => ({ entry, score: scoreOf(entry.name, wanted) }))
    .filter((one): one is { entry: T; score: number } => one.score !== undefined)
    .sort((a, b) => b.score - a.score)
    .slice(0, most)
    .map(({ entry }) => entry);
}

function isStart(text: string, at: number): boolean {
  return at === 0 || !/[a-z0-9]/.test(text[at - 1]!);
}
