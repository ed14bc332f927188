/** What the list of traces and the reader beside it tell each other, and the words of scores by people. */

/** Event of the document: a trace was opened in the list. The reader need not wait for the page's own rerun. */
export const OPENED = "tunixrt-opened";
export interface Opened {
  reading: string; // address of the trace as the reader shows it
  scores: string; // address of its scores
  label: string;
}

/** The addresses of a trace, as Python gives them to the reader a moment later. */
export function opened(id: string): Opened {
  return { reading: `/api/traces/${id}/reading`, scores: `/api/traces/${id}/scores`, label: `Trace ${id.slice(0, 8)}` };
}

/** Event of the document: a trace got a score as a whole, or lost it. */
export const JUDGED = "tunixrt-judged";
export interface Judged {
  url: string; // of its scores
  value: number | null;
}

export const GRADES = [
  { label: "Good", value: 1, key: "g" },
  { label: "Unsure", value: 0.5, key: "u" },
  { label: "Bad", value: 0, key: "b" },
];

/** `Good` for 1; null for a value that no button gives. */
export function wordFor(value: number): string | null {
  return GRADES.find((grade) => grade.value === value)?.label ?? null;
}
