/** Boxes of an estimated height that are filled when they come near what is seen of a scroller. */

const NEAR = "600px 0px";

export class Lazy {
  private readonly waiting = new Map<Element, (box: HTMLElement) => void>();
  private readonly observer: IntersectionObserver;

  constructor(scroller: Element) {
    const fillSeen = (entries: IntersectionObserverEntry[]): void => {
      for (const entry of entries) if (entry.isIntersecting) this.fill(entry.target as HTMLElement);
    };
    this.observer = new IntersectionObserver(fillSeen, { root: scroller, rootMargin: NEAR });
  }

  /** A box that `fill` is called for once. `height`: an estimate in pixels, until then. */
  box(height: number, fill: (box: HTMLElement) => void): HTMLElement {
    const box = document.createElement("div");
    box.style.minHeight = `${height}px`;
    this.waiting.set(box, fill);
    this.observer.observe(box);
    return box;
  }

  /** Fill a box now, if it is not filled. */
  fill(box: HTMLElement): void {
    const fill = this.waiting.get(box);
    if (!fill) return;
    this.waiting.delete(box);
    this.observer.unobserve(box);
    fill(box);
    box.style.minHeight = "";
  }

  /** Forget all boxes. */
  clear(): void {
    this.waiting.clear();
    this.observer.disconnect();
  }
}
