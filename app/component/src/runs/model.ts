// The table of runs in the browser: rows by id, filtered, sorted and grouped.

export interface Row {
  id: string;
  name: string;
  status: string;
  model: string | null;
  method: string | null;
  dataset: string;
  tags: string[];
  note: string;
  archived: boolean;
  created: number;
  started: number | null;
  seconds: number | null;
  train_step: number | null;
  total_train_steps: number | null;
  train_loss: number | null;
  eval_loss: number | null;
  best_eval_loss: number | null;
  base: number | null;
  tuned: number | null;
  learning_rate: number | null;
  lora_rank: number | null;
  batch_size: number | null;
  max_seq_length: number | null;
  trained_tokens: number | null;
  alerts: number | null;
  text: string; // what the search looks through
}

export interface Update {
  version: string;
  whole: boolean;
  columns: (keyof Row)[];
  rows: unknown[][];
  gone: string[];
  reading: number;
}

export type Facet = "status" | "model" | "dataset" | "method" | "tag";
export const FACETS: [Facet, string][] = [
  ["status", "State"], ["model", "Model"], ["dataset", "Dataset"], ["method", "Method"], ["tag", "Tag"],
];
export const PERIODS: [string, string, number][] = [
  ["1d", "Last 24 hours", 86400], ["7d", "Last 7 days", 7 * 86400], ["30d", "Last 30 days", 30 * 86400],
];

export interface View {
  q: string;
  facets: Record<Facet, string[]>;
  period: string;
  archived: boolean;
  sort: keyof Row;
  down: boolean;
  group: Facet | "";
  columns: (keyof Row)[];
}

export interface Group {
  group: string;
  count: number;
}
export type Item = Row | Group;

export const isGroup = (item: Item): item is Group => "group" in item;

/** The rows by id, newest first as the route tells them. */
export class Table {
  rows: Row[] = [];
  version = "";
  reading = 0;
  private readonly byId = new Map<string, Row>();
  private order: { of: Row[]; key: keyof Row; down: boolean; rows: Row[] } | null = null;

  /** Take over an answer of the route; whether anything changed. */
  take(update: Update): boolean {
    this.version = update.version;
    this.reading = update.reading;
    if (update.whole) this.byId.clear();
    for (const values of update.rows) {
      const row = Object.fromEntries(update.columns.map((name, i) => [name, values[i]])) as unknown as Row;
      row.text = [row.id, row.name, row.model, row.dataset, row.note, ...row.tags].join("\n").toLowerCase();
      this.byId.set(row.id, row);
    }
    for (const id of update.gone) this.byId.delete(id);
    if (!update.whole && !update.rows.length && !update.gone.length) return false;
    this.rows = [...this.byId.values()].sort((a, b) => b.created - a.created || (a.id < b.id ? 1 : -1));
    return true;
  }

  /** All rows by a column; sorted once, as a filter keeps the order. */
  sorted(key: keyof Row, down: boolean): readonly Row[] {
    const { order } = this;
    if (order?.of === this.rows && order.key === key && order.down === down) return order.rows;
    const rows = sorted([...this.rows], key, down);
    this.order = { of: this.rows, key, down, rows };
    return rows;
  }

  get(id: string): Row | undefined {
    return this.byId.get(id);
  }
}

export function valuesOf(row: Row, facet: Facet): readonly string[] {
  if (facet === "tag") return row.tags;
  const value = row[facet];
  return value ? [value] : [];
}

/** The rows that pass every filter; `except` leaves one facet out, for its own counts. */
export function filtered(rows: readonly Row[], view: View, now: number, except?: Facet): Row[] {
  const words = view.q.toLowerCase().split(/\s+/).filter(Boolean);
  const asked = FACETS.map(([facet]) => facet).filter((facet) => facet !== except && view.facets[facet].length);
  const wanted = asked.map((facet) => [facet, new Set(view.facets[facet])] as const);
  const since = now - (PERIODS.find(([key]) => key === view.period)?.[2] ?? Infinity);
  return rows.filter(
    (row) =>
      (view.archived || !row.archived) &&
      row.created >= since &&
      words.every((word) => row.text.includes(word)) &&
      wanted.every(([facet, values]) => valuesOf(row, facet).some((value) => values.has(value))),
  );
}

/** Sorted in place: what was not measured comes last, in either direction. */
function sorted(rows: Row[], key: keyof Row, down: boolean): Row[] {
  const sign = down ? -1 : 1;
  return rows.sort((a, b) => {
    const x = a[key];
    const y = b[key];
    const none = (value: unknown): boolean => value === null || value === "";
    if (none(x) || none(y)) return Number(none(x)) - Number(none(y));
    if (typeof x === "number" && typeof y === "number") return sign * (x - y);
    return sign * String(x).localeCompare(String(y), "en", { numeric: true });
  });
}

export function grouped(rows: readonly Row[], facet: Facet, folded: ReadonlySet<string>): Item[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const values = valuesOf(row, facet);
    for (const value of values.length ? values : [""]) {
      const found = groups.get(value);
      if (found) found.push(row);
      else groups.set(value, [row]);
    }
  }
  const names = [...groups.keys()].sort((a, b) => (a === "" ? 1 : b === "" ? -1 : a.localeCompare(b, "en")));
  return names.flatMap((name) => {
    const found = groups.get(name)!;
    return [{ group: name, count: found.length }, ...(folded.has(name) ? [] : found)];
  });
}

/** Each value of a facet with its number of rows under the other filters, the most frequent first. */
export function counts(rows: readonly Row[], view: View, facet: Facet, now: number): [string, number][] {
  const found = new Map<string, number>();
  for (const row of filtered(rows, view, now, facet)) {
    for (const value of valuesOf(row, facet)) found.set(value, (found.get(value) ?? 0) + 1);
  }
  for (const value of view.facets[facet]) if (!found.has(value)) found.set(value, 0);
  return [...found].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0], "en"));
}
