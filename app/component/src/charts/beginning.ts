// The phases of a run before its first train step, in place of charts that have nothing to show yet.

import { el } from "../shared/dom";

/** Words, `done`, `now` or `next`, and how long it took, takes and took last time. */
export type Phase = [string, string, string];

const SIGNS: Record<string, string> = { done: "✓", now: "●", next: "○" };
const SAID: Record<string, string> = { done: "done", now: "in progress", next: "to come" };

export function beginningList(phases: Phase[]): HTMLElement {
  const items = phases.map(([words, state, note]) =>
    el("li", { className: state, ...(state === "now" ? { "aria-current": "step" } : {}) },
      el("span", { className: "sign", role: "img", "aria-label": SAID[state] ?? state }, SIGNS[state] ?? ""),
      el("span", {}, words),
      el("span", { className: "took" }, note)));
  return el("div", { className: "beginning" },
    el("p", {}, "The charts begin with the first train step. Until then:"), el("ol", {}, ...items));
}
