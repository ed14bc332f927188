// Lines of a chart: their points over one axis, and what is said about them.

import uPlot from "uplot";

import type { Points, RunEvent } from "./feed";
import { numberWords } from "./format";

const MOST_TOLD = 12; // lines in the box beside the crosshair

export interface Line {
  key: string;
  label: string;
  color: string;
  points: Points;
  dash?: number[];
  width?: number;
  alpha?: number;
  right?: boolean; // on the right axis
  dots?: boolean;
}

export interface Panel {
  id: string;
  title: string;
  note: string;
  unit: string;
  lines: Line[];
  events?: RunEvent[];
  large?: boolean;
  log?: boolean;
  zero?: boolean; // the axis begins at zero
  right?: string; // unit of the right axis
  legend?: boolean;
  none?: string; // words in place of lines
}

/** The lines over one axis: their points side by side, with gaps where a line has no point. */
export function joined(lines: readonly Line[]): uPlot.AlignedData {
  const tables = lines.map((line): uPlot.AlignedData => [line.points.x ?? line.points.s, line.points.y]);
  return tables.length === 1 ? tables[0]! : uPlot.join(tables);
}

export function padded(low: number | null, high: number | null, panel: { zero?: boolean }): [number, number] {
  if (low == null || high == null) return [0, 1];
  const begin = panel.zero ? Math.min(0, low) : low;
  const room = (high - begin || Math.abs(high) || 1) * 0.06;
  return [panel.zero && low >= 0 ? 0 : begin - room, high + room];
}

export function nearest(u: uPlot, series: number, idx: number): number {
  const ys = u.data[series]!;
  for (let off = 0; off < ys.length; off++) {
    if (ys[idx - off] != null) return idx - off;
    if (ys[idx + off] != null) return idx + off;
  }
  return idx;
}

export function lastKnown(ys: ArrayLike<number | null | undefined>): number | null {
  for (let i = ys.length - 1; i >= 0; i--) if (ys[i] != null) return i;
  return null;
}

/** The lines nearest to the crosshair with their values there, from the top. */
export function told(panel: Panel, u: uPlot): [Line, number][] {
  const idx = u.cursor.idx ?? 0;
  const top = u.cursor.top ?? 0;
  const found: [Line, number, number][] = [];
  panel.lines.forEach((line, i) => {
    const value = u.data[i + 1]?.[nearest(u, i + 1, idx)];
    if (value == null) return;
    const scale = line.right ? "right" : "y";
    found.push([line, value, Math.abs(u.valToPos(value, scale) - top)]);
  });
  const near = found.sort((a, b) => a[2] - b[2]).slice(0, MOST_TOLD);
  return near.sort((a, b) => b[1] - a[1]).map(([line, value]) => [line, value]);
}

export function inWords(panel: Panel): string {
  const ends = panel.lines.map((line) => {
    const at = lastKnown(line.points.y);
    return at == null ? "" : `${line.label} ${numberWords(line.points.y[at]!)}`;
  });
  return `${panel.title}: ${ends.filter(Boolean).slice(0, MOST_TOLD).join(", ") || "nothing was recorded yet"}.`;
}
