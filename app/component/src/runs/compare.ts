// Settings that differ between the selected runs, and their results.

import { swatch } from "../charts/marks";
import type { Look } from "../charts/colors";
import { duration, numberWords } from "../charts/format";
import { el } from "../shared/dom";
import { load } from "../shared/load";
import { state } from "./state";
import type { Row } from "./model";

interface Change {
  key: string;
  values: unknown[];
}

interface Compared {
  runs: { id: string; name: string; status: string }[];
  differences: Change[];
  settings: number;
  summaries: Summary[];
}

interface Summary {
  status: string;
  train_step: number | null;
  seconds: number | null;
  train_loss: number | null;
  eval_loss: number | null;
  best_eval_loss: number | null;
  best_train_step: number | null;
  trained_tokens: number | null;
  tokens_per_second: number | null;
  padding_share: number | null;
  peak_memory_bytes: number | null;
  alerts: number | null;
  exact_match: Record<string, number>;
  flexible_match: Record<string, number>;
  exact_match_of: Record<string, { low: number; high: number; rows: number }>;
}

const NONE = "–";
const loss = (value: number | null): string => (value == null ? NONE : value.toFixed(3));
const share = (value: number | null | undefined): string => (value == null ? NONE : `${(100 * value).toFixed(1)}%`);
const plain = (value: number | null): string => (value == null ? NONE : numberWords(value));

function exact(of: Summary, side: string): string {
  const value = of.exact_match[side];
  const told = of.exact_match_of[side];
  if (value == null || !told) return share(value);
  const [low, high] = [told.low, told.high].map((end) => (100 * Math.max(0, end)).toFixed(1));
  return `${share(value)} (${low} to ${high}, n = ${told.rows.toLocaleString("en-US")})`;
}

// name, value, and whether lower (-1) or higher (1) is better
const RESULTS: [string, (of: Summary) => string, ((of: Summary) => number | null | undefined)?, number?][] = [
  ["Train steps", (s) => plain(s.train_step)],
  ["Train loss", (s) => loss(s.train_loss), (s) => s.train_loss, -1],
  ["Eval loss", (s) => loss(s.eval_loss), (s) => s.eval_loss, -1],
  ["Best eval loss", (s) => loss(s.best_eval_loss), (s) => s.best_eval_loss, -1],
  ["At train step", (s) => plain(s.best_train_step)],
  ["Exact match, base", (s) => exact(s, "base"), (s) => s.exact_match["base"], 1],
  ["Exact match, tuned", (s) => exact(s, "tuned"), (s) => s.exact_match["tuned"], 1],
  ["Right in any form, base", (s) => share(s.flexible_match["base"])],
  ["Right in any form, base with its own prompt", (s) => share(s.flexible_match["base_own"])],
  ["Right in any form, tuned", (s) => share(s.flexible_match["tuned"]), (s) => s.flexible_match["tuned"], 1],
  ["Time", (s) => duration(s.seconds)],
  ["Trained tokens", (s) => plain(s.trained_tokens)],
  ["Tokens/s", (s) => plain(s.tokens_per_second == null ? null : Math.round(s.tokens_per_second))],
  ["Padding", (s) => share(s.padding_share)],
  ["Peak memory", (s) => (s.peak_memory_bytes == null ? NONE : `${(s.peak_memory_bytes / 1e9).toFixed(1)} GB`)],
  ["Alerts", (s) => plain(s.alerts)],
];

export class Comparison {
  readonly element = el("div", { className: "comparison" });
  private all = false;
  private asked = 0;
  private ids: readonly string[] = [];
  private found: Compared | null = null;
  private looks: ReadonlyMap<string, Look> = new Map();

  constructor(private readonly url: string) {}

  /** Show these runs; `state` changes when the results of one may have changed. */
  async show(ids: readonly string[], looks: ReadonlyMap<string, Look>, fresh: boolean): Promise<void> {
    const same = ids.join() === this.ids.join();
    this.looks = looks;
    this.ids = ids;
    if (!ids.length) {
      this.found = null;
      this.element.replaceChildren();
      return;
    }
    if (!same || fresh || !this.found) await this.fetch();
    else this.draw();
  }

  private async fetch(): Promise<void> {
    const asked = ++this.asked;
    const query = new URLSearchParams([...this.ids.map((id) => ["id", id]), ["all", String(this.all)]]);
    try {
      const found = await load<Compared>(`${this.url}?${query}`);
      if (asked !== this.asked) return;
      this.found = found;
      this.draw();
    } catch (error) {
      if (asked !== this.asked) return;
      const words = error instanceof Error ? error.message : String(error);
      this.element.replaceChildren(el("p", { className: "failure", role: "alert" }, words));
    }
  }

  private draw(): void {
    const found = this.found!;
    const rows = RESULTS.map(([name, words, value, better]): [string, HTMLElement[]] => {
      const best = value && better && found.runs.length > 1 ? top(found.summaries.map(value), better) : null;
      return [name, found.summaries.map((s) => el("td", best !== null && value!(s) === best ? { className: "best" } : {}, words(s)))];
    }).filter(([, cells]) => cells.some((cell) => cell.textContent !== NONE));
    const states = found.summaries.map((s) => el("td", {}, state({ status: s.status } as Row)));
    const card = (title: string, note: string, ...content: Node[]): HTMLElement =>
      el("section", { className: "card" }, el("header", {}, el("h2", {}, title), el("span", { className: "note" }, note)), ...content);
    this.element.replaceChildren(
      card("Results", "losses in nats per token", this.table([["State", states], ...rows])),
      ...(found.runs.length > 1 ? [card("Settings", settingsNote(found), this.settings(found))] : []),
    );
  }

  private settings(found: Compared): HTMLElement {
    const only = el("button", { type: "button", className: "toggle", "aria-pressed": String(!this.all) }, "Differences only");
    only.onclick = () => {
      this.all = !this.all;
      void this.fetch();
    };
    const shown = found.differences.map((change): [string, HTMLElement[]] => {
      const words = change.values.map(settingWords);
      return [change.key, words.map((text) => el("td", text === words[0] ? {} : { className: "differs" }, text))];
    });
    if (!shown.length) return el("div", {}, only, el("p", { className: "none" }, "All settings are equal."));
    return el("div", {}, only, this.table(shown));
  }

  private table(rows: [string, HTMLElement[]][]): HTMLElement {
    const head = this.found!.runs.map((run) => {
      const look = this.looks.get(run.id);
      return el("th", { scope: "col" }, swatch(look?.color, look?.dash), el("bdi", {}, run.name), el("code", {}, run.id));
    });
    const body = rows.map(([name, cells]) => el("tr", {}, el("th", { scope: "row" }, name), ...cells));
    return el("div", { className: "scroll" },
      el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, el("span", { className: "sr" }, "Figure")), ...head)), el("tbody", {}, ...body)));
  }
}

function settingsNote(found: Compared): string {
  const differing = found.differences.filter((one) => one.values.some((v) => !same(v, one.values[0]))).length;
  return `${differing} of ${found.settings} settings ${differing === 1 ? "differs" : "differ"}`;
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function top(values: (number | null | undefined)[], better: number): number | null {
  const known = values.filter((value): value is number => value != null);
  if (known.length < 2 || new Set(known).size < 2) return null;
  return better > 0 ? Math.max(...known) : Math.min(...known);
}

function settingWords(value: unknown): string {
  if (value === null || value === undefined) return "none";
  if (typeof value === "boolean") return value ? "on" : "off";
  if (typeof value === "number") return numberWords(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}
