/** Scrolling to a place in a text whose parts get their real height only when they are drawn. */

const SETTLED_MS = 1_000;
const EDGE = 8; // pixels from the edge within which a place counts as hidden
const ENDED_BY = ["wheel", "pointerdown", "keydown"];

let end = (): void => undefined;

/** Scroll to a place, and hold it in view while what is near it is drawn, until the reader is moved by hand. */
export function bringIntoView(scroller: HTMLElement, content: HTMLElement, place: Range | HTMLElement): void {
  end();
  const scroll = (): void => {
    const box = place.getBoundingClientRect();
    const frame = scroller.getBoundingClientRect();
    if (!box.height || (box.top >= frame.top + EDGE && box.bottom <= frame.bottom - EDGE)) return;
    scroller.scrollTop += box.top - frame.top - frame.height / 3;
  };
  const observer = new ResizeObserver(scroll);
  observer.observe(content);
  const timer = setTimeout(() => end(), SETTLED_MS);
  end = () => {
    observer.disconnect();
    clearTimeout(timer);
    for (const name of ENDED_BY) scroller.removeEventListener(name, end);
    end = () => undefined;
  };
  for (const name of ENDED_BY) scroller.addEventListener(name, end, { passive: true });
  scroll();
}
