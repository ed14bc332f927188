// A text that a model is writing, as it comes. It is a text node: nothing in it is read as markup.
import { el, style } from "./shared/dom";
import type { Call, Mounted } from "./shared/kind";
import { answerOf } from "./shared/load";
import css from "./stream.css";

interface Data {
  /** Route that sends events with `more` to add, or `text` to show instead. */
  url: string;
}

/** Shows the text of the route, and sets `done` when it has ended, so that the page follows at once. */
export function mount(root: ShadowRoot | HTMLElement, call: Call<Data>): Mounted<Data> {
  style(root, css);
  const box = el("p", { dir: "auto", role: "log", "aria-label": "The answer so far", "aria-live": "off" });
  root.append(box);
  let newest = call;
  let reading = new AbortController();
  const begin = async (url: string): Promise<void> => {
    reading.abort();
    const { signal } = (reading = new AbortController());
    await read(url, box, signal);
    if (!signal.aborted) newest.setTriggerValue("done", url);
  };
  void begin(call.data.url);
  return {
    update(one) {
      const before = newest.data.url;
      newest = one;
      if (one.data.url !== before) void begin(one.data.url);
    },
    destroy: () => reading.abort(),
  };
}

async function read(url: string, box: HTMLElement, signal: AbortSignal): Promise<void> {
  box.replaceChildren();
  box.className = "";
  try {
    const response = await answerOf(url, { signal });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (let left = "", part = await reader?.read(); part && !part.done; part = await reader?.read()) {
      const events = (left + part.value).split("\n\n");
      left = events.pop() ?? "";
      for (const event of events) show(box, JSON.parse(event.replace(/^data: /, "")) as { more?: string; text?: string });
    }
  } catch (error) {
    if (signal.aborted) return;
    box.className = "error";
    box.textContent = error instanceof Error ? error.message : String(error);
  }
}

function show(box: HTMLElement, event: { more?: string; text?: string }): void {
  // who has scrolled back to read is left there
  const follows = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
  if (event.text !== undefined) box.textContent = event.text;
  else box.append(event.more ?? "");
  if (follows) box.scrollTop = box.scrollHeight;
}
