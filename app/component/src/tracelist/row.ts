/** One row of the list of traces. */

import { el } from "../shared/dom";
import { marked } from "../shared/marks";
import { wordFor } from "../reader/events";
import type { Summary } from "./rows";

const VERDICTS = { right: ["Match", "green"], wrong: ["Differs", "amber"], unclear: ["Unclear", "grey"] } as const;
const NOT_FOUND = "–";

export interface State {
  at: number;
  current: boolean; // the keyboard is here
  shown: boolean; // it is read beside the list
  chosen: boolean; // to be compared
  address: string;
}

export function rowElement(row: Summary, state: State): HTMLElement {
  const [word, tint] = row.verdict ? VERDICTS[row.verdict] : [null, null];
  const facts = [`${row.steps.toLocaleString("en")} ${row.steps === 1 ? "step" : "steps"}`, row.source, row.model].filter(Boolean);
  const box = el("input", { type: "checkbox", tabIndex: -1, "aria-label": "Choose to compare" });
  box.checked = state.chosen;
  return el(
    "div",
    {
      className: `row${state.current ? " current" : ""}`, role: "row", id: `row-${state.at}`, "data-at": state.at,
      "aria-rowindex": state.at + 1, "aria-selected": String(state.shown),
    },
    el("span", { role: "gridcell", className: "choice" }, box),
    el(
      "span",
      { role: "gridcell", className: "what" },
      el("a", { href: state.address, tabIndex: -1, dir: "auto" }, marked(row.prompt || NOT_FOUND)),
      el("span", { className: "facts" }, marked(facts.join(" · "))),
    ),
    el(
      "span",
      { role: "gridcell", className: "signs" },
      word && el("span", { className: `chip ${tint}` }, word),
      row.judged !== null && el("span", { className: "judged", title: "Score by a person" }, wordFor(row.judged) ?? String(row.judged)),
    ),
  );
}
