// Small drawings: the sample of a line, marks of events, a picture of a chart.

import type uPlot from "uplot";

import type { RunEvent } from "./feed";

export const EVENT_COLORS: Record<string, string> = {
  checkpoint: "#7C8797", best: "#C4642B", alert: "#D14343", change: "#C850AE", resume: "#2E8BC0",
};

export function swatch(color?: string, dash?: number[]): SVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "swatch");
  svg.setAttribute("viewBox", "0 0 16 8");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", "M0 4H16");
  line.setAttribute("stroke", color ?? "currentColor");
  line.setAttribute("stroke-width", "3");
  if (dash?.length) line.setAttribute("stroke-dasharray", dash.map((n) => n / 1.5).join(" "));
  svg.append(line);
  return svg;
}

/** Events as small marks at the foot of the chart. */
export function marks(u: uPlot, events: readonly RunEvent[]): void {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  const size = 4.5 * devicePixelRatio;
  ctx.save();
  for (const event of events) {
    const x = u.valToPos(event.x, "x", true);
    if (x < left || x > left + width) continue;
    ctx.fillStyle = ctx.strokeStyle = EVENT_COLORS[event.kind] ?? "#7C8797";
    if (event.kind !== "checkpoint" && event.kind !== "best") {
      ctx.globalAlpha = 0.5;
      ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, top + height);
      ctx.stroke();
      ctx.globalAlpha = 1;
    }
    ctx.beginPath();
    ctx.moveTo(x - size, top + height);
    ctx.lineTo(x + size, top + height);
    ctx.lineTo(x, top + height - 1.6 * size);
    ctx.fill();
  }
  ctx.restore();
}

export function onBackground(canvas: HTMLCanvasElement, color: string): HTMLCanvasElement {
  const made = document.createElement("canvas");
  made.width = canvas.width;
  made.height = canvas.height;
  const ctx = made.getContext("2d")!;
  ctx.fillStyle = color || "#fff";
  ctx.fillRect(0, 0, made.width, made.height);
  ctx.drawImage(canvas, 0, 0);
  return made;
}
