// A box that a button opens below itself.

import { el } from "../shared/dom";

/** Open a box with what `content` makes; a click elsewhere and Escape close it. Returns a function that closes it. */
export function menu(button: HTMLElement, content: () => HTMLElement[]): () => void {
  let box: HTMLElement | null = null;
  const close = (): void => {
    box?.remove();
    box = null;
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
  };
  const outside = (event: Event): void => {
    if (!event.composedPath().some((node) => node === box || node === button)) close();
  };
  button.setAttribute("aria-haspopup", "true");
  button.setAttribute("aria-expanded", "false");
  button.onclick = () => {
    if (box) return close();
    box = el("div", { className: "menu" }, ...content());
    box.onkeydown = (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      close();
      button.focus();
    };
    const host = button.closest<HTMLElement>(".workbench")!;
    host.append(box);
    place(box, button, host);
    button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", outside, true);
    box.querySelector<HTMLElement>("input, button, textarea")?.focus({ preventScroll: true });
  };
  return close;
}

function place(box: HTMLElement, button: HTMLElement, host: HTMLElement): void {
  const at = button.getBoundingClientRect();
  const around = host.getBoundingClientRect();
  const left = Math.min(at.left - around.left, around.width - box.offsetWidth);
  box.style.left = `${Math.max(0, left)}px`;
  box.style.top = `${at.bottom - around.top + 4}px`;
}
