/** The clipboard. */

const SHOWN_MS = 1_500;

/** Copy a text; the button that asked for it says whether it worked. */
export async function copyText(text: string, button: HTMLElement): Promise<void> {
  const before = button.textContent;
  try {
    await write(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => (button.textContent = before), SHOWN_MS);
}

async function write(text: string): Promise<void> {
  // the clipboard exists only on https and on this machine; a selection can be copied anywhere
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error("the browser copies nothing");
}
