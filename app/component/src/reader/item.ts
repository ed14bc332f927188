/** One item of a reading: its head with name, notes and buttons, and its texts. */

import { el } from "../shared/dom";
import { marked } from "../shared/marks";
import { copyText } from "./copying";
import type { Item } from "./reading";
import { textOf } from "./reading";

const FIRST = 200; // characters of a folded item that its head shows

export interface HowItIs {
  folded: boolean;
  extras: Node[];
  onToggle(): void;
}

export function itemElement(item: Item, bodies: HTMLElement[], how: HowItIs): HTMLElement {
  if (item.kind === "heading") return el("h2", { className: "heading" }, item.name);
  // the text of a step without a name is beside its number
  const bare = item.kind === "step" && !item.name && !how.folded;
  const looks = ["item", item.kind, how.folded && "folded", bare && "bare"].filter(Boolean).join(" ");
  const element = el("section", { className: looks, "data-step": item.step });
  element.append(head(item, how));
  bodies.forEach((body, i) => {
    const caption = item.pieces[i]?.caption;
    if (caption) element.append(el("div", { className: "caption" }, marked(caption)));
    element.append(body);
  });
  return element;
}

function head(item: Item, how: HowItIs): HTMLElement {
  const number =
    item.step !== undefined &&
    el("span", { className: "number" }, el("span", { className: "sr" }, "Step "), (item.step + 1).toLocaleString("en"));
  const name = item.name && el("span", { className: `chip ${item.tint ?? "grey"}` }, marked(item.name));
  const toggle = el(
    "button",
    { className: "toggle", type: "button", "aria-expanded": String(!how.folded), onclick: how.onToggle },
    el("span", { className: "arrow", "aria-hidden": "true" }),
    number,
    name,
    item.note && el("span", { className: "note" }, marked(item.note)),
    how.folded && el("span", { className: "first", dir: "auto" }, marked(textOf(item).slice(0, FIRST).replace(/\s+/g, " "))),
  );
  return el("div", { className: "head" }, toggle, el("span", { className: "actions" }, copyButton(item), ...how.extras));
}

function copyButton(item: Item): HTMLElement {
  const button = el("button", { className: "small copy", type: "button", title: "Copy the exact text" }, "Copy");
  button.addEventListener("click", () => void copyText(textOf(item), button));
  return button;
}
