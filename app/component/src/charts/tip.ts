// The box beside the crosshair: position, events and values there.

import type uPlot from "uplot";

import { el } from "../shared/dom";
import { axisWords, numberWords, type Axis } from "./format";
import { told, type Panel } from "./lines";
import { EVENT_COLORS, swatch } from "./marks";

const NEAR = 7; // pixels from a mark at which its words are told
const APART = 14; // pixels from the crosshair

export class Tip {
  private readonly box = el("div", { className: "tip", hidden: true });
  private of: uPlot | null = null; // the chart under the pointer

  constructor(private readonly host: HTMLElement) {
    host.append(this.box);
  }

  /** Follow the crosshair of a chart; those of charts that only mirror it are ignored. */
  follow(panel: Panel, u: uPlot, axis: Axis): void {
    const left = u.cursor.left ?? -1;
    if (left < 0) {
      if (this.of === u) this.box.hidden = true;
      return;
    }
    if (!u.over.matches(":hover")) return;
    this.of = u;
    this.box.hidden = false;
    const here = (panel.events ?? []).filter((event) => Math.abs(u.valToPos(event.x, "x") - left) <= NEAR);
    this.box.replaceChildren(
      el("div", { className: "at" }, axisWords(axis, [u.posToVal(left, "x")], true)[0] ?? ""),
      ...here.map((event) => el("div", { className: "event" }, swatch(EVENT_COLORS[event.kind]), event.words)),
      ...told(panel, u).map(([line, value]) =>
        el("div", {}, swatch(line.color, line.dash), el("bdi", {}, line.label), el("b", {}, numberWords(value))),
      ),
    );
    this.place(u, left);
  }

  private place(u: uPlot, left: number): void {
    const chart = u.over.getBoundingClientRect();
    const around = this.host.getBoundingClientRect();
    const x = chart.left - around.left + left;
    const wide = this.box.offsetWidth;
    const fits = x + APART + wide <= around.width;
    this.box.style.left = `${Math.max(0, fits ? x + APART : x - wide - APART)}px`;
    this.box.style.top = `${chart.top - around.top + 6}px`;
  }
}
