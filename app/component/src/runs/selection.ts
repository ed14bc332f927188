// What is done with the selected runs: tag, note, archive, files.

import { el } from "../shared/dom";
import { send } from "../shared/load";
import { menu } from "./menu";
import type { Row } from "./model";

export interface SelectionCalls {
  rows(): Row[];
  clear(): void;
  changed(): void; // annotations were written
  failed(words: string): void;
  pictures(): void;
}

interface Annotations {
  add_tags?: string[];
  remove_tags?: string[];
  note?: string;
  archived?: boolean;
}

export class SelectionBar {
  readonly element: HTMLElement;
  private readonly count = el("strong", {});
  private readonly archive: HTMLButtonElement;
  private readonly note: HTMLButtonElement;
  private readonly csv = el("a", { className: "filter", download: "runs.csv" }, "CSV");

  /** `writes`: whether who looks may tag, note and archive; without it these are not offered. */
  constructor(private readonly url: string, private readonly calls: SelectionCalls, private readonly writes: boolean) {
    const tag = this.button("Tag");
    const closeTags = menu(tag, () => this.tagMenu(() => closeTags()));
    this.note = this.button("Note");
    const closeNote = menu(this.note, () => this.noteMenu(() => closeNote()));
    this.archive = this.button("Archive");
    this.archive.onclick = () => void this.write({ archived: !this.archived });
    tag.hidden = this.archive.hidden = !writes;
    const pictures = this.button("Pictures");
    pictures.title = "Saves each chart as a PNG file";
    pictures.onclick = () => calls.pictures();
    this.csv.title = "Every train record and evaluation of the selected runs";
    const clear = el("button", { type: "button", className: "clear" }, "Clear selection");
    clear.onclick = () => calls.clear();
    this.element = el("div", { className: "selection", role: "toolbar", "aria-label": "Selected runs", hidden: true },
      this.count, tag, this.note, this.archive, this.csv, pictures, clear);
  }

  draw(): void {
    const rows = this.calls.rows();
    this.element.hidden = !rows.length;
    this.count.textContent = `${rows.length} selected`;
    this.archive.firstChild!.textContent = this.archived ? "Take out of the archive" : "Archive";
    this.note.hidden = !this.writes || rows.length !== 1;
    this.csv.href = `${this.url}/curves.csv?${new URLSearchParams(rows.map((row) => ["id", row.id]))}`;
  }

  private get archived(): boolean {
    const rows = this.calls.rows();
    return rows.length > 0 && rows.every((row) => row.archived);
  }

  private button(words: string): HTMLButtonElement {
    return el("button", { type: "button", className: "filter" }, words);
  }

  private tagMenu(close: () => void): HTMLElement[] {
    const rows = this.calls.rows();
    const held = [...new Set(rows.flatMap((row) => row.tags))].sort();
    const input = el("input", { type: "text", maxLength: 80, placeholder: "New tag", "aria-label": "New tag", dir: "auto" });
    const form = el("form", { className: "annotate" }, input, el("button", { type: "submit", className: "filter" }, "Add"));
    form.onsubmit = (event) => {
      event.preventDefault();
      if (input.value.trim()) void this.write({ add_tags: [input.value.trim()] });
      close();
    };
    const known = held.map((tag) => {
      const button = el("button", { type: "button", className: "tag", title: `Remove ${tag}` }, el("bdi", {}, tag), " ×");
      button.onclick = () => {
        void this.write({ remove_tags: [tag] });
        close();
      };
      return button;
    });
    return [form, el("div", { className: "tags" }, ...known)];
  }

  private noteMenu(close: () => void): HTMLElement[] {
    const area = el("textarea", { rows: 5, maxLength: 20000, "aria-label": "Note", dir: "auto" });
    area.value = this.calls.rows()[0]?.note ?? "";
    const form = el("form", { className: "annotate column" }, area, el("button", { type: "submit", className: "filter" }, "Keep note"));
    form.onsubmit = (event) => {
      event.preventDefault();
      void this.write({ note: area.value });
      close();
    };
    return [form];
  }

  private async write(what: Annotations): Promise<void> {
    try {
      for (const row of this.calls.rows()) await send("PATCH", `${this.url}/${encodeURIComponent(row.id)}`, what);
    } catch (error) {
      this.calls.failed(error instanceof Error ? error.message : String(error));
    }
    this.calls.changed();
  }
}
