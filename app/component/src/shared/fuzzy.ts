// Which names match what was typed, best first.

export interface Match<Item> {
  item: Item;
  /** Indices of the matched letters in the name. */
  at: number[];
}

/** Items whose name holds the letters of `words` in order. Without words all of them, as they came. */
export function fuzzy<Item>(items: Item[], words: string, name: (item: Item) => string): Match<Item>[] {
  const wanted = [...words.toLowerCase().replace(/\s+/g, "")];
  if (!wanted.length) return items.map((item) => ({ item, at: [] }));
  const scored: { match: Match<Item>; score: number }[] = [];
  for (const item of items) {
    const at = places([...name(item)].map((letter) => letter.toLowerCase()), wanted);
    if (at) scored.push({ match: { item, at }, score: penalty(at) });
  }
  // a sort that keeps the order of equals: earlier items are the newer ones
  return scored.sort((a, b) => a.score - b.score).map(({ match }) => match);
}

/** Where the letters lie: as one piece if the name holds them so, else the first in order; null without a match. */
function places(letters: string[], wanted: string[]): number[] | null {
  const piece = letters.findIndex((_, i) => wanted.every((letter, k) => letters[i + k] === letter));
  if (piece >= 0) return wanted.map((_, k) => piece + k);
  const at: number[] = [];
  for (const letter of wanted) {
    const next = letters.indexOf(letter, (at.at(-1) ?? -1) + 1);
    if (next < 0) return null;
    at.push(next);
  }
  return at;
}

/** Gaps between the matched letters count most, then how late they begin. */
function penalty(at: number[]): number {
  const first = at[0] ?? 0;
  const last = at.at(-1) ?? 0;
  return (last - first + 1 - at.length) * 10 + first;
}
