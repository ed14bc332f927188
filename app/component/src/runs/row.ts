// One row of the list of runs. It is filled again for another run, as new elements would cost half of a filter's time.

import { el } from "../shared/dom";
import { COLUMNS, facetWords, tags } from "./columns";
import type { Facet, Group, Row } from "./model";
import { state } from "./state";

/** What is shown in it besides the run itself. */
export interface Place {
  place: number;
  height: number;
  current: boolean; // the keyboard is here
}

export class RunRow {
  private readonly box = el("input", { type: "checkbox", tabIndex: -1 });
  private readonly link = el("a", { tabIndex: -1, dir: "auto" });
  private readonly code = el("code", {});
  private readonly extras = el("span", { className: "extras" });
  private readonly cells: HTMLElement[];
  readonly element: HTMLElement;
  private shown = "";
  private row: Row | null = null;

  constructor(private readonly columns: readonly (keyof Row)[], private readonly narrow: boolean) {
    this.cells = narrow
      ? [el("div", { className: "second", role: "gridcell" })]
      : columns.map((key) => el("div", { className: COLUMNS.get(key)!.number ? "cell number" : "cell", role: "gridcell" }));
    this.element = el("div", { role: "row" },
      el("div", { className: "cell check", role: "gridcell" }, this.box),
      el("div", { className: "cell name", role: "gridcell" }, this.link, this.code, this.extras), ...this.cells);
  }

  show(row: Row, at: Place, href: string, color: string | undefined): void {
    placed(this.element, at, `row${at.current ? " current" : ""}${color ? " selected" : ""}`);
    const shown = `${href} ${color ?? ""}`;
    if (row === this.row && shown === this.shown) return;
    this.row = row;
    this.shown = shown;
    this.element.setAttribute("aria-selected", String(color !== undefined));
    this.box.setAttribute("aria-label", `Select ${row.name} ${row.id}`);
    this.box.checked = color !== undefined;
    this.box.style.accentColor = color ?? "";
    this.link.href = href;
    this.link.textContent = row.name;
    this.code.textContent = row.id;
    this.extras.replaceChildren(
      ...(row.archived ? [el("small", { className: "archived" }, "archived")] : []),
      ...(row.note ? [el("span", { className: "noted", title: row.note }, "✎")] : []));
    if (this.narrow) this.second(row);
    else this.columns.forEach((key, i) => fill(this.cells[i]!, COLUMNS.get(key)!.cell(row)));
  }

  /** The second line of a row on a phone. */
  private second(row: Row): void {
    const value = (key: keyof Row): string => COLUMNS.get(key)!.cell(row) as string;
    const facts = [
      row.eval_loss == null ? "" : `eval ${value("eval_loss")}`,
      row.tuned == null ? "" : `exact ${value("tuned")}`,
      value("created").replace(/ \d\d:\d\d$/, ""),
    ].filter(Boolean);
    this.cells[0]!.replaceChildren(state(row), el("span", {}, facts.join(" · ")), tags(row));
  }
}

export function groupRow(group: Group, facet: Facet | "", open: boolean, at: Place): HTMLElement {
  const words = group.group ? facetWords(facet, group.group) : "Without";
  const made = el("div", { role: "row", "aria-expanded": String(open) },
    el("div", { role: "gridcell" }, el("span", { className: "fold" }, open ? "▾" : "▸"), el("bdi", {}, words),
      el("small", {}, String(group.count))));
  placed(made, at, `row group${at.current ? " current" : ""}`);
  return made;
}

function placed(element: HTMLElement, at: Place, className: string): void {
  const id = `row-${at.place}`;
  if (element.className !== className) element.className = className;
  if (element.id === id) return;
  element.id = id;
  element.dataset["i"] = String(at.place);
  element.setAttribute("aria-rowindex", String(at.place + 2));
  element.style.top = `${at.place * at.height}px`;
}

function fill(cell: HTMLElement, content: Node | string): void {
  if (typeof content !== "string") cell.replaceChildren(content);
  else if (cell.firstChild instanceof Text && !cell.firstChild.nextSibling) cell.firstChild.data = content;
  else cell.textContent = content;
}
