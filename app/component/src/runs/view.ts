// The view of the list in the address: a reload and a link show the same.

import { inAddress, keepInAddress } from "../shared/go";
import { COLUMNS, STANDARD } from "./columns";
import { FACETS, PERIODS, type Facet, type Row, type View } from "./model";

export const MOST_SELECTED = 50;
const NEWEST: keyof Row = "created";

export function viewInAddress(): View {
  const [sort, direction] = inAddress("sort").split(":");
  const columns = list("cols").filter((name): name is keyof Row => COLUMNS.has(name as keyof Row));
  const group = inAddress("group");
  return {
    q: inAddress("q"),
    facets: Object.fromEntries(FACETS.map(([facet]) => [facet, list(facet)])) as Record<Facet, string[]>,
    period: PERIODS.some(([key]) => key === inAddress("period")) ? inAddress("period") : "",
    archived: inAddress("archived") === "true",
    sort: COLUMNS.has(sort as keyof Row) ? (sort as keyof Row) : NEWEST,
    down: direction !== "up",
    group: FACETS.some(([facet]) => facet === group) ? (group as Facet) : "",
    columns: columns.length ? columns : [...STANDARD],
  };
}

export function writeView(view: View): void {
  keepInAddress({
    q: view.q.trim(),
    ...Object.fromEntries(FACETS.map(([facet]) => [facet, view.facets[facet].map(encoded).join()])),
    period: view.period,
    archived: view.archived ? "true" : null,
    sort: view.sort === NEWEST && view.down ? null : `${view.sort}:${view.down ? "down" : "up"}`,
    group: view.group,
    cols: view.columns.join() === STANDARD.join() ? null : view.columns.join(),
  });
}

export function selectionInAddress(): string[] {
  return [...new Set(list("runs"))].slice(0, MOST_SELECTED);
}

export function writeSelection(ids: readonly string[]): void {
  keepInAddress({ runs: ids.join() });
}

function list(name: string): string[] {
  return inAddress(name).split(",").filter(Boolean).map(decoded);
}

// commas part values: names of models and datasets stay readable otherwise
function encoded(text: string): string {
  return text.replaceAll("%", "%25").replaceAll(",", "%2C");
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
