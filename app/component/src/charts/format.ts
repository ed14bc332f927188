// Numbers in charts and tables.

import type { Along } from "./feed";

export type Axis = Along;

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** `48,212`, `2.345`, `2e-4`. */
export function numberWords(value: number): string {
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size >= 1e6) return short(value);
  if (size >= 1000) return whole.format(value);
  if (size < 1e-3) return value.toExponential(2).replace(/\.?0+e/, "e");
  return String(Number(value.toPrecision(4)));
}

function short(value: number): string {
  const [factor, unit] = Math.abs(value) >= 1e9 ? [1e9, "B"] : [1e6, "M"];
  return `${Number((value / factor).toPrecision(3))}${unit}`;
}

/** `41 s`, `28 min`, `1 h 05 min`. */
export function duration(seconds: number | null | undefined): string {
  if (seconds == null) return "–";
  const s = Math.max(0, Math.round(seconds));
  if (s < 120) return `${s} s`;
  const minutes = Math.round(s / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** Positions on the axis; in full with their unit beside the crosshair. */
export function axisWords(axis: Axis, values: readonly number[], full = false): string[] {
  return values.map((value) => {
    if (axis === "step") {
      if (value % 1 && !full) return "";
      return full ? `Train step ${whole.format(Math.round(value))}` : whole.format(value);
    }
    if (axis === "tokens") {
      const words = value >= 1e6 ? short(value) : value >= 1e4 ? `${Math.round(value / 1000)}k` : whole.format(value);
      return full ? `${whole.format(Math.round(value))} trained tokens` : words;
    }
    return full ? `${duration(value)} trained` : duration(value);
  });
}
