// Colours of runs: the same run has the same colour on every page.

const LIGHT = [
  "#2456E6", "#D9480F", "#0E8F6E", "#B0208D", "#8A6100", "#7C3AED", "#0B84A5", "#C9271D", "#5B7F0A", "#64748B",
  "#DB4C97", "#8B4A2B",
];
const DARK = [
  "#6C9DFF", "#FF9A62", "#34D8AE", "#F08CDB", "#E6C34A", "#B79CFF", "#4CC9E6", "#FF7A70", "#A6D65C", "#AEB9C7",
  "#FF9CC9", "#D9A066",
];
const APART = 5; // places between a colour and the one taken in its stead: an unlike one
const DASHES: number[][] = [[], [6, 4], [2, 3], [8, 3, 2, 3]];

export interface Look {
  color: string;
  dash: number[];
}

// FNV-1a over the id: neighbours such as r-0001 and r-0002 get unlike colours
function hash(id: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) value = Math.imul(value ^ id.charCodeAt(i), 0x01000193);
  value ^= value >>> 15;
  return value >>> 0;
}

/** A look per run. Where two want the same colour, the one shown first keeps it and the later one takes the next. */
export function looks(ids: readonly string[], dark: boolean): Map<string, Look> {
  const palette = dark ? DARK : LIGHT;
  const taken = new Set<number>();
  const found = new Map<string, Look>();
  ids.forEach((id, place) => {
    const round = Math.floor(place / palette.length);
    if (place % palette.length === 0) taken.clear();
    let slot = hash(id) % palette.length;
    while (taken.has(slot)) slot = (slot + APART) % palette.length;
    taken.add(slot);
    found.set(id, { color: palette[slot]!, dash: DASHES[round % DASHES.length]! });
  });
  return found;
}

/** The colours of the curves of one run: train, eval and so on, in both modes readable on the page. */
export const CURVES = {
  blue: "#4C7DF0", rust: "#C4642B", teal: "#14967A", pink: "#C850AE", gray: "#7C8797",
  steps: ["#14967A", "#2E8BC0", "#4C7DF0", "#8A6BE8", "#C850AE", "#E0709A"],
} as const;
