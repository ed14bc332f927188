/** The reader of model text: a trace or an answer, rendered or exactly as it is, with search, folds and judging. */

import type { Call, Mounted } from "./shared/kind";
import { el } from "./shared/dom";
import { fillWindow } from "./shared/fill";
import { load } from "./shared/load";
import { MARKS_CSS } from "./shared/marks";
import { MARKUP_CSS } from "./shared/markup";
import COLOURS_CSS from "./shared/colours.css";
import { copyText } from "./reader/copying";
import { OPENED } from "./reader/events";
import type { Opened } from "./reader/events";
import { ItemList } from "./reader/list";
import { gradeOf, JudgingBar } from "./reader/judging";
import type { Judge } from "./reader/judging";
import { bringIntoView } from "./reader/place";
import { itemsOf, textOf } from "./reader/reading";
import type { Item, Reading } from "./reader/reading";
import READER_CSS from "./reader/reader.css";
import { Search } from "./reader/search";

/**
 * `reading`: what to show, where there is no address to load it from. `fill`: as high as the window allows.
 * `step_button`: name of a button at each step, which sends the step's number as `step`.
 */
interface Data {
  url?: string;
  version?: string;
  reading?: Reading;
  judge?: Judge;
  fill?: boolean;
  label?: string;
  step_button?: string | null;
}

const EXACT = "tunixrt-reader-exact"; // in the browser's storage: Raw was chosen
const LEAST = 420; // pixels of the height of a reader that fills the window
const AROUND = 120; // pixels that a reader below a list leaves of the window
const WORTH_FOLDING = 6; // items
const WORTH_SEARCHING = 3_000; // characters

let exact = kept();
const readers = new Set<Reader>();

class Reader {
  private readonly scroller = el("div", { className: "scroller", tabIndex: 0, role: "region" });
  private readonly list: ItemList;
  private readonly search: Search;
  private readonly modes: HTMLButtonElement[];
  private readonly foldAll = el("button", { type: "button", className: "plain fold-all", hidden: true, onclick: () => this.fold() }, "Fold all");
  private readonly copyAll = el("button", { type: "button", className: "plain copy-all", title: "Copy the whole text as it is" }, "Copy all");
  private readonly frame: HTMLElement;
  private unfill?: () => void;
  private bar: JudgingBar | null = null;
  private reading: Reading | null = null;
  private data: Data = {};
  private call: Call<Data> | null = null;
  private shown = "";
  private allFolded = false;

  constructor(private readonly root: ShadowRoot | HTMLElement) {
    this.list = new ItemList(this.scroller, {
      get exact() { return exact; },
      extras: (item) => this.extras(item),
      onToggle: (at) => this.list.fold(at, !this.list.isFolded(at)),
    });
    this.search = new Search(this.list, this.scroller);
    this.modes = [this.mode("Rendered", false), this.mode("Raw", true)];
    const modes = el("span", { className: "modes", role: "group", "aria-label": "View" }, ...this.modes);
    this.copyAll.addEventListener("click", () => void copyText(this.list.items.map(textOf).join("\n\n"), this.copyAll));
    const tools = el("div", { className: "tools" }, modes, this.foldAll, this.search.element, this.copyAll);
    this.frame = el("div", { className: "reader" }, tools, this.scroller);
    const style = el("style", {}, COLOURS_CSS, MARKUP_CSS, MARKS_CSS, READER_CSS);
    this.scroller.append(this.list.element);
    root.append(style, this.frame);
    readers.add(this);
    document.addEventListener(OPENED, this.onOpened);
  }

  update(call: Call<Data>): void {
    this.call = call;
    this.take(call.data);
  }

  private readonly onOpened = (event: Event): void => {
    const { reading, scores, label } = (event as CustomEvent<Opened>).detail;
    if (this.data.judge) this.take({ ...this.data, url: reading, label, judge: { ...this.data.judge, url: scores } });
  };

  private take(data: Data): void {
    this.data = data;
    this.scroller.setAttribute("aria-label", this.data.label ?? "Text");
    if (this.data.fill) this.fill();
    const { url, version, reading } = this.data;
    const wanted = url ? `${url} ${version ?? ""}` : JSON.stringify([reading, data.step_button]);
    if (wanted === this.shown) return;
    this.shown = wanted;
    if (url) void this.fetch(url, wanted);
    else if (reading) this.show(reading);
  }

  private fill(): void {
    this.frame.classList.add("fill");
    this.unfill ??= fillWindow(this.frame, (left) => (left < LEAST ? Math.max(LEAST, innerHeight - AROUND) : left));
  }

  private async fetch(url: string, wanted: string): Promise<void> {
    this.frame.setAttribute("aria-busy", "true");
    try {
      const reading = await load<Reading>(url);
      if (this.shown === wanted) this.show(reading);
    } catch (error) {
      if (this.shown === wanted) this.fail(error instanceof Error ? error.message : String(error));
    } finally {
      if (this.shown === wanted) this.frame.removeAttribute("aria-busy");
    }
  }

  private fail(message: string): void {
    this.reading = null;
    this.shown = ""; // the next update tries again
    this.list.show([]);
    this.judge();
    this.list.element.replaceChildren(el("p", { className: "failed", role: "alert" }, message));
  }

  private show(reading: Reading): void {
    this.reading = reading;
    this.allFolded = false;
    this.judge();
    this.list.show(itemsOf(reading, exact));
    this.scroller.scrollTop = 0;
    this.tell();
    this.search.find();
  }

  /** Rendered or Raw, the same for all readers of the page and kept by the browser. */
  private mode(name: string, raw: boolean): HTMLButtonElement {
    return el("button", { type: "button", onclick: () => { exact = raw; keep(raw); for (const one of readers) one.again(); } }, name);
  }

  private again(): void {
    if (!this.reading) return;
    const share = this.scroller.scrollTop / Math.max(1, this.scroller.scrollHeight);
    this.list.show(itemsOf(this.reading, exact), true);
    this.scroller.scrollTop = share * this.scroller.scrollHeight;
    this.tell();
    this.search.find();
  }

  private fold(): void {
    this.allFolded = !this.allFolded;
    this.list.foldAll(this.allFolded);
    this.tell();
  }

  private tell(): void {
    this.modes.forEach((button, i) => button.setAttribute("aria-pressed", String(exact === (i === 1))));
    this.foldAll.textContent = this.allFolded ? "Unfold all" : "Fold all";
    const { items } = this.list;
    this.foldAll.hidden = items.length < WORTH_FOLDING;
    this.search.element.hidden = !this.data.fill && items.reduce((sum, item) => sum + textOf(item).length, 0) < WORTH_SEARCHING;
  }

  private extras(item: Item): Node[] {
    const whole = item.kind === "answer" && item.name !== "Reference";
    if (item.step === undefined && !whole) return [];
    const scores = this.reading?.scores.filter((one) => one.step === (item.step ?? null)) ?? [];
    const ordered = [...scores].sort((a, b) => Number(b.human) - Number(a.human));
    const scored = ordered.map((score) => {
      const grade = gradeOf(score, this.data.judge ?? null);
      const text = grade ?? `${score.name.replaceAll("_", " ")} ${Number(score.value.toFixed(3))}`;
      return el("span", { className: `score ${grade?.toLowerCase() ?? (score.human ? "" : "automatic")}`, title: `${score.name} ${score.value}, by ${score.by}` }, text);
    });
    const { step_button: name } = this.data;
    if (!name || item.step === undefined) return scored;
    const send = (): void => this.call?.setTriggerValue("step", item.step);
    return [...scored, el("button", { className: "small at-step", type: "button", onclick: send }, name)];
  }

  private judge(): void {
    this.bar?.destroy();
    this.bar?.element.remove();
    this.bar = null;
    const { reading, data } = this;
    if (!reading || !data.judge) return;
    this.bar = new JudgingBar(data.judge, {
      steps: reading.steps.length,
      scores: reading.scores,
      aim: (step) => this.aim(step),
      judged: (step) => this.redraw(step),
    });
    this.frame.append(this.bar.element);
  }

  private placeOf(step: number | null): number {
    return this.list.items.findIndex((item) => (step === null ? item.kind === "answer" : item.step === step));
  }

  private aim(step: number | null): void {
    for (const old of this.list.element.querySelectorAll(".aimed")) old.classList.remove("aimed");
    if (step === null) {
      this.scroller.scrollTop = 0;
      return;
    }
    const at = this.placeOf(step);
    if (at < 0) return;
    const element = this.list.elementOf(at);
    element.classList.add("aimed");
    bringIntoView(this.scroller, this.list.element, element);
  }

  private redraw(step: number | null): void {
    const at = this.placeOf(step);
    if (at < 0) return;
    this.list.refresh(at);
    if (step !== null) this.list.elementOf(at).classList.add("aimed");
  }

  destroy(): void {
    readers.delete(this);
    document.removeEventListener(OPENED, this.onOpened);
    this.unfill?.();
    this.bar?.destroy();
    this.search.destroy();
    this.list.destroy();
    this.root.replaceChildren();
  }
}

function kept(): boolean {
  try {
    return localStorage.getItem(EXACT) === "1";
  } catch {
    return false; // the browser stores nothing for this page
  }
}

function keep(raw: boolean): void {
  try {
    localStorage.setItem(EXACT, raw ? "1" : "");
  } catch {
    // it is kept until the page is loaded again
  }
}

export function mount(root: ShadowRoot | HTMLElement): Mounted<Data> {
  return new Reader(root);
}
