// Parts that are as high as the window allows.

const MARGIN = 20; // pixels below

/**
 * Keep an element at the height that `choose` gives for the pixels that the window has below its top.
 *
 * `then` is called after each change. Returns what ends it.
 */
export function fillWindow(element: HTMLElement, choose: (left: number) => number, then?: () => void): () => void {
  const main = document.querySelector("[data-testid=stMain]");
  const content = document.querySelector("[data-testid=stMainBlockContainer]");
  const fit = (): void => {
    const top = element.getBoundingClientRect().top + (main?.scrollTop ?? 0);
    const height = `${Math.round(choose(innerHeight - top - MARGIN))}px`;
    if (element.style.height === height) return;
    element.style.height = height;
    then?.();
  };
  // what is above can change its height at any time, as filters that wrap do
  const observer = new ResizeObserver(fit);
  if (content) observer.observe(content);
  window.addEventListener("resize", fit);
  fit();
  return () => {
    observer.disconnect();
    window.removeEventListener("resize", fit);
  };
}
