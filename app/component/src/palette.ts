// Ctrl-K: a search over pages, runs, datasets, traces and settings. `?`: the map of keys.
import { el, style } from "./shared/dom";
import { fuzzy, type Match } from "./shared/fuzzy";
import { go } from "./shared/go";
import type { Call, Mounted } from "./shared/kind";
import { load } from "./shared/load";
import { isTyping } from "./shared/typing";
import css from "./palette.css";

interface Place {
  kind: string;
  name: string;
  detail: string;
  address: string;
}

interface Data {
  pages: Place[];
  /** Route that answers with the places of the home; `?q=` adds the traces that contain it. */
  url: string;
  keys: [string, string][];
}

const SHOWN = 12;
const PAUSE = 150; // milliseconds without a key before the server is asked for traces

export function mount(root: ShadowRoot | HTMLElement, call: Call<Data>): Mounted<Data> {
  style(root, css);
  const palette = new Palette(root, call.data);
  return { update: (newest) => palette.update(newest.data), destroy: () => palette.end() };
}

class Palette {
  private readonly field = el("input", {
    type: "text",
    placeholder: "Go to a page, run, dataset, trace or setting",
    role: "combobox",
    autocomplete: "off",
    spellcheck: false,
    "aria-expanded": "true",
    "aria-controls": "places",
    "aria-label": "Go to",
  });
  private readonly list = el("ul", { id: "places", role: "listbox", "aria-label": "Places" });
  private readonly note = el("p", { role: "status" });
  private readonly dialog = el("dialog", { "aria-label": "Go to" }, this.field, this.list, this.note);
  private readonly keys = el("dialog", { "aria-label": "Keys" });
  private places: Place[] = [];
  private traces: Place[] = [];
  private found: Match<Place>[] = [];
  private current = 0;
  private asked?: AbortController;
  private timer?: ReturnType<typeof setTimeout>;
  private waiting = 0; // answers of the server

  constructor(
    root: ShadowRoot | HTMLElement,
    private data: Data,
  ) {
    root.append(this.dialog, this.keys);
    this.field.addEventListener("input", () => this.search());
    this.field.addEventListener("keydown", (event) => this.steer(event));
    this.list.addEventListener("click", (event) => this.clicked(event));
    this.dialog.addEventListener("close", () => this.list.replaceChildren());
    for (const dialog of [this.dialog, this.keys]) {
      // a click on the backdrop is one on the dialog itself
      dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    }
    document.addEventListener("keydown", this.heard, true);
  }

  update(data: Data): void {
    this.data = data;
  }

  end(): void {
    document.removeEventListener("keydown", this.heard, true);
    clearTimeout(this.timer);
    this.asked?.abort();
  }

  private readonly heard = (event: KeyboardEvent): void => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      event.stopPropagation();
      this.open();
    } else if (event.key === "?" && !event.ctrlKey && !event.metaKey && !isTyping(event)) {
      event.preventDefault();
      this.showKeys();
    }
  };

  private open(): void {
    if (this.dialog.open) return;
    this.keys.close();
    this.field.value = "";
    this.traces = [];
    this.dialog.showModal();
    this.search();
    this.field.focus();
    void this.ask("");
  }

  private showKeys(): void {
    if (this.dialog.open || this.keys.open) return;
    const rows = this.data.keys.flatMap(([key, meaning]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, meaning)]);
    this.keys.replaceChildren(el("h2", {}, "Keys"), el("dl", {}, ...rows));
    this.keys.showModal();
  }

  /** Ask the server for the places of the home, or for the traces that contain the words. */
  private async ask(words: string): Promise<void> {
    const asked = new AbortController();
    if (words) this.asked = asked;
    this.waiting += 1;
    this.note.textContent = "";
    try {
      const address = words ? `${this.data.url}?q=${encodeURIComponent(words)}` : this.data.url;
      const { places } = await load<{ places: Place[] }>(address, asked.signal);
      if (words) this.traces = places;
      else this.places = places;
    } catch (error) {
      if (!asked.signal.aborted) this.note.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      this.waiting -= 1;
    }
    if (!asked.signal.aborted) this.draw();
  }

  private search(): void {
    clearTimeout(this.timer);
    this.asked?.abort();
    const words = this.field.value.trim();
    this.traces = [];
    this.current = 0;
    this.timer = words.length < 3 ? undefined : setTimeout(() => this.searchTraces(words), PAUSE);
    this.draw();
  }

  private searchTraces(words: string): void {
    this.timer = undefined;
    void this.ask(words);
  }

  private draw(): void {
    const words = this.field.value.trim();
    const all = [...this.data.pages, ...this.places];
    const called = fuzzy(all, words, (place) => place.name);
    // such as an id, which is no name
    const told = words ? all.filter((place) => place.detail.toLowerCase().includes(words.toLowerCase())) : [];
    const known = [...called.slice(0, SHOWN), ...told.filter((place) => !called.some(({ item }) => item === place)).map((item) => ({ item, at: [] }))];
    const traces = this.traces.map((item) => ({ item, at: [] }));
    this.found = [...known.slice(0, SHOWN), ...traces];
    this.current = Math.min(this.current, Math.max(0, this.found.length - 1));
    this.list.replaceChildren(...this.found.map((match, i) => this.row(match, i)));
    const nothing = !this.found.length && !this.waiting && !this.timer;
    if (nothing) this.note.textContent = `Nothing is called "${words}".`;
    else if (this.note.textContent?.startsWith("Nothing")) this.note.textContent = "";
    this.mark();
  }

  private row({ item, at }: Match<Place>, i: number): HTMLElement {
    const name = el("span", { className: "name", dir: "auto" }, ...marked(item.name, at));
    const detail = el("span", { className: "detail", dir: "auto" }, item.detail);
    const kind = el("span", { className: "kind" }, item.kind);
    return el("li", { id: `place-${i}`, role: "option", "data-i": i }, name, detail, kind);
  }

  private mark(): void {
    [...this.list.children].forEach((row, i) => row.setAttribute("aria-selected", String(i === this.current)));
    this.list.children[this.current]?.scrollIntoView({ block: "nearest" });
    this.field.setAttribute("aria-activedescendant", this.found.length ? `place-${this.current}` : "");
  }

  private steer(event: KeyboardEvent): void {
    const last = this.found.length - 1;
    if (event.key === "ArrowDown") this.current = this.current < last ? this.current + 1 : 0;
    else if (event.key === "ArrowUp") this.current = this.current > 0 ? this.current - 1 : Math.max(0, last);
    else if (event.key === "Enter") return this.choose(this.current, event.ctrlKey || event.metaKey);
    else return;
    event.preventDefault();
    this.mark();
  }

  private clicked(event: MouseEvent): void {
    const row = (event.target as Element).closest("li");
    if (row) this.choose(Number(row.dataset.i), event.ctrlKey || event.metaKey);
  }

  private choose(i: number, elsewhere: boolean): void {
    const place = this.found[i]?.item;
    if (!place) return;
    this.dialog.close();
    if (elsewhere) window.open(place.address, "_blank", "noopener");
    else go(place.address);
  }
}

function marked(text: string, at: number[]): (Node | string)[] {
  const letters = [...text];
  const here = new Set(at);
  return letters.map((letter, i) => (here.has(i) ? el("mark", {}, letter) : letter));
}
