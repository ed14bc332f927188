// The display options above the charts, kept in the address.

import { el } from "../shared/dom";
import { inAddress, keepInAddress } from "../shared/go";
import type { Along } from "./feed";
import type { Options } from "./panels";

export interface Shown extends Options {
  x: Along;
}

const SMOOTHING: [number, string][] = [[0, "Raw"], [0.6, "0.60"], [0.9, "0.90"], [0.96, "0.96"]];
const AXES: [Along, string][] = [["step", "Train step"], ["tokens", "Tokens"], ["time", "Time"]];

export function shownInAddress(smoothing: number): Shown {
  const asked = inAddress("smoothing");
  const number = SMOOTHING.find(([value]) => asked !== "" && value === Number(asked))?.[0];
  const x = AXES.find(([value]) => value === inAddress("x"))?.[0] ?? "step";
  return {
    smoothing: number ?? smoothing, log: inAddress("log") === "true", skip: inAddress("skip") === "true",
    types: inAddress("types") === "true", more: inAddress("more") === "true", x,
  };
}

export interface Controls {
  element: HTMLElement;
  zoomed(on: boolean): void;
  withTypes(on: boolean): void;
  withMore(on: boolean): void;
}

export function controls(shown: Shown, standard: number, changed: () => void, reset: () => void): Controls {
  const set = (name: string, value: string, standardValue: string): void => {
    keepInAddress({ [name]: value === standardValue ? null : value });
    changed();
  };
  const toggle = (name: "log" | "skip" | "types" | "more", label: string): HTMLButtonElement => {
    const button = el("button", { type: "button", className: "toggle", "aria-pressed": String(shown[name]) }, label);
    button.onclick = () => {
      shown[name] = !shown[name];
      button.setAttribute("aria-pressed", String(shown[name]));
      set(name, String(shown[name]), "false");
    };
    return button;
  };
  const types = toggle("types", "By step type");
  const more = toggle("more", "More charts");
  const all = el("button", { type: "button", className: "toggle", hidden: true, onclick: reset }, "Show all");
  const element = el(
    "div",
    { className: "controls", role: "toolbar", "aria-label": "Display of the charts" },
    segments("Smoothing", SMOOTHING, () => shown.smoothing, (value) => {
      shown.smoothing = value;
      set("smoothing", String(value), String(standard));
    }),
    segments("Axis", AXES, () => shown.x, (value) => {
      shown.x = value;
      set("x", value, "step");
    }),
    toggle("log", "Log scale"),
    toggle("skip", "Skip first 20"),
    types,
    more,
    all,
    el("span", { className: "hint" }, "Drag to zoom, double-click to show all"),
  );
  types.hidden = more.hidden = true;
  return {
    element,
    zoomed: (on) => void (all.hidden = !on),
    withTypes: (on) => void (types.hidden = !on),
    withMore: (on) => void (more.hidden = !on),
  };
}

function segments<T>(label: string, all: [T, string][], now: () => T, pick: (value: T) => void): HTMLElement {
  const group = el("div", { className: "segments", role: "radiogroup", "aria-label": label });
  const buttons = all.map(([value, words]) => {
    const button = el("button", { type: "button", role: "radio" }, words);
    button.onclick = () => {
      pick(value);
      mark();
    };
    return button;
  });
  const mark = (): void =>
    buttons.forEach((button, i) => {
      const on = all[i]![0] === now();
      button.setAttribute("aria-checked", String(on));
      button.tabIndex = on ? 0 : -1;
    });
  group.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const root = group.getRootNode() as ShadowRoot;
    const at = buttons.indexOf(root.activeElement as HTMLButtonElement);
    if (!step || at < 0) return;
    event.preventDefault();
    const next = buttons[(at + step + buttons.length) % buttons.length]!;
    next.click();
    next.focus();
  };
  mark();
  group.append(...buttons);
  return group;
}
