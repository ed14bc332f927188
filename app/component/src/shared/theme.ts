// The theme for what CSS does not reach, such as a canvas. Elsewhere `var(--st-text-color)` is enough.

/** Whether the page is dark. */
export function isDark(root: ShadowRoot | HTMLElement): boolean {
  const [, r, g, b] = /^#(..)(..)(..)/.exec(themeValue(root, "--st-background-color")) ?? [];
  return r !== undefined && [r, g, b].reduce((sum, part) => sum + parseInt(part ?? "0", 16), 0) < 3 * 128;
}

/** The value of a theme variable, such as `--st-background-color`. */
export function themeValue(root: ShadowRoot | HTMLElement, name: string): string {
  const host = root instanceof ShadowRoot ? root.host : root;
  return getComputedStyle(host).getPropertyValue(name).trim();
}
