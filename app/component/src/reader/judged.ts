/** Words of scores by people, and the event that tells the list of traces of a new one. */

/** Event of the document: a trace got a score as a whole, or lost it. Detail: the address of its scores, the value. */
export const JUDGED = "tunixrt-judged";

export const GRADES = [
  { label: "Good", value: 1, key: "g" },
  { label: "Unsure", value: 0.5, key: "u" },
  { label: "Bad", value: 0, key: "b" },
];

/** `Good` for 1; null for a value that no button gives. */
export function wordFor(value: number): string | null {
  return GRADES.find((grade) => grade.value === value)?.label ?? null;
}
