/** The rows of a listing of the store, page by page as they are needed. */

import { load } from "../shared/load";

export interface Summary {
  id: string;
  prompt: string;
  steps: number;
  source: string | null;
  model: string | null;
  verdict: "right" | "wrong" | "unclear" | null; // null: no reference
  judged: number | null; // the newest score by a person
}

interface Page {
  traces: Summary[];
  next: string | null;
}

const PAGE = 60;

export class Rows {
  all: Summary[] = [];
  begun = false; // the first page is there
  fromTop = true; // the listing's newest row is the first one here
  private next: string | null = null;
  private loading: Promise<void> | null = null;

  constructor(private readonly url: string) {}

  get more(): boolean {
    return this.next !== null;
  }

  /** Load the first page; where `shown` is further down, the page that begins with it. */
  async begin(shown: string | null): Promise<void> {
    let page = await this.page({});
    if (shown && page.next && !page.traces.some(({ id }) => id === shown)) {
      const later = await this.page({ start: shown });
      if (later.traces[0]?.id === shown) {
        page = later;
        this.fromTop = false;
      }
    }
    this.all = page.traces;
    this.next = page.next;
    this.begun = true;
  }

  /** Load one more page; calls at the same time share it. */
  async extend(): Promise<void> {
    if (this.next === null) return;
    this.loading ??= this.page({ after: this.next }).then((page) => {
      this.all.push(...page.traces);
      this.next = page.next;
    }).finally(() => (this.loading = null));
    await this.loading;
  }

  private page(query: Record<string, string>): Promise<Page> {
    const sign = this.url.includes("?") ? "&" : "?";
    return load<Page>(`${this.url}${sign}${new URLSearchParams({ limit: String(PAGE), ...query })}`);
  }
}
