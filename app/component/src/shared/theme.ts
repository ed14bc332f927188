// The theme for what CSS does not reach, such as a canvas. Elsewhere `var(--st-text-color)` is enough.

/** The value of a theme variable, such as `--st-background-color`. */
export function themeValue(root: ShadowRoot | HTMLElement, name: string): string {
  const host = root instanceof ShadowRoot ? root.host : root;
  return getComputedStyle(host).getPropertyValue(name).trim();
}
