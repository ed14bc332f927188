// Search, filters, grouping and columns of the list.

import { el } from "../shared/dom";
import { COLUMNS, STANDARD, facetWords } from "./columns";
import { FACETS, PERIODS, type Facet, type Row, type View } from "./model";
import { menu } from "./menu";

export interface ToolbarCalls {
  changed(): void;
  counts(facet: Facet): [string, number][];
}

export class Toolbar {
  readonly element: HTMLElement;
  readonly search: HTMLInputElement;
  private readonly count = el("span", { className: "count", role: "status" });
  private readonly filters = new Map<Facet, HTMLButtonElement>();
  private readonly period: HTMLButtonElement;
  private readonly clear: HTMLButtonElement;

  constructor(private readonly view: View, private readonly calls: ToolbarCalls) {
    this.search = el("input", { type: "search", placeholder: "Search name, id, model, tag, note", "aria-label": "Search runs",
      dir: "auto" });
    this.search.value = view.q;
    this.search.oninput = () => {
      view.q = this.search.value;
      calls.changed();
    };
    for (const [facet, title] of FACETS) {
      const button = el("button", { type: "button", className: "filter" }, title);
      menu(button, () => this.facetMenu(facet));
      this.filters.set(facet, button);
    }
    this.period = el("button", { type: "button", className: "filter" }, "Date");
    menu(this.period, () => this.periodMenu());
    this.clear = el("button", { type: "button", className: "clear" }, "Clear");
    this.clear.onclick = () => this.reset();
    const group = el("button", { type: "button", className: "filter" }, "Group");
    menu(group, () => this.groupMenu());
    const columns = el("button", { type: "button", className: "filter" }, "Columns");
    menu(columns, () => this.columnMenu());
    this.element = el("div", { className: "toolbar", role: "search" }, this.search,
      el("div", { className: "filters" }, ...this.filters.values(), this.period, this.clear),
      el("div", { className: "filters end" }, this.count, group, columns));
    this.draw(0, 0, 0);
    this.count.textContent = "Reading the runs";
  }

  /** Mark what filters, and say how many rows are left. */
  draw(shown: number, all: number, reading: number): void {
    const { view } = this;
    for (const [facet, title] of FACETS) {
      const chosen = view.facets[facet];
      const words = chosen.length === 1 ? facetWords(facet, chosen[0]!) : `${title} (${chosen.length})`;
      mark(this.filters.get(facet)!, chosen.length ? words : title, chosen.length > 0);
    }
    const period = PERIODS.find(([key]) => key === view.period);
    mark(this.period, period?.[1] ?? "Date", !!period);
    const filtering = !!(view.q.trim() || period || view.archived || FACETS.some(([f]) => view.facets[f].length));
    this.clear.hidden = !filtering;
    const number = shown.toLocaleString("en-US");
    const of = shown === all ? "" : ` of ${all.toLocaleString("en-US")}`;
    this.count.textContent = `${number}${of} ${all === 1 ? "run" : "runs"}${reading ? `, reading ${reading}` : ""}`;
  }

  private reset(): void {
    Object.assign(this.view, { q: "", period: "", archived: false });
    for (const [facet] of FACETS) this.view.facets[facet] = [];
    this.search.value = "";
    this.calls.changed();
    this.search.focus();
  }

  private facetMenu(facet: Facet): HTMLElement[] {
    const chosen = new Set(this.view.facets[facet]);
    const found = this.calls.counts(facet).map(([value, count]) =>
      this.choice("checkbox", facetWords(facet, value), chosen.has(value), count, () => {
        chosen.has(value) ? chosen.delete(value) : chosen.add(value);
        this.view.facets[facet] = [...chosen];
      }),
    );
    return found.length ? found : [el("p", { className: "none" }, facet === "tag" ? "No run has a tag yet." : "Nothing to choose.")];
  }

  private periodMenu(): HTMLElement[] {
    const pick = (key: string) => () => void (this.view.period = key);
    return [
      this.choice("radio", "Any date", !this.view.period, null, pick("")),
      ...PERIODS.map(([key, words]) => this.choice("radio", words, this.view.period === key, null, pick(key))),
      el("hr", {}),
      this.choice("checkbox", "Show archived", this.view.archived, null, () => {
        this.view.archived = !this.view.archived;
      }),
    ];
  }

  private groupMenu(): HTMLElement[] {
    const pick = (facet: Facet | "") => () => void (this.view.group = facet);
    return [
      this.choice("radio", "No groups", !this.view.group, null, pick("")),
      ...FACETS.map(([facet, title]) => this.choice("radio", title, this.view.group === facet, null, pick(facet))),
    ];
  }

  private columnMenu(): HTMLElement[] {
    const chosen = new Set(this.view.columns);
    const all = [...COLUMNS].map(([key, column]) =>
      this.choice("checkbox", column.title, chosen.has(key), null, () => {
        chosen.has(key) ? chosen.delete(key) : chosen.add(key);
        this.view.columns = [...COLUMNS.keys()].filter((name): name is keyof Row => chosen.has(name));
      }),
    );
    const standard = el("button", { type: "button", className: "clear" }, "Standard columns");
    standard.onclick = () => {
      this.view.columns = [...STANDARD];
      this.calls.changed();
    };
    return [...all, el("hr", {}), standard];
  }

  private choice(type: string, words: string, on: boolean, count: number | null, act: () => void): HTMLElement {
    const box = el("input", { type, name: "choice" });
    box.checked = on;
    box.onchange = () => {
      act();
      this.calls.changed();
    };
    const end = count === null ? [] : [el("small", {}, String(count))];
    return el("label", { className: "choice" }, box, el("bdi", {}, words), ...end);
  }
}

function mark(button: HTMLButtonElement, words: string, on: boolean): void {
  if (button.firstChild?.textContent !== words) button.firstChild!.textContent = words;
  button.classList.toggle("on", on);
}
