// Elements without markup: text is always a text node.

type Child = Node | string | null | undefined | false;
type Properties = Record<string, unknown>;

/**
 * A new element. Keys with a dash and `role` become attributes, functions named `on...` listeners, all else properties.
 */
export function el<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function" && key.startsWith("on")) {
      made.addEventListener(key.slice(2), value as EventListener);
    } else if (key.includes("-") || key === "role" || key === "for") {
      made.setAttribute(key, String(value));
    } else {
      (made as unknown as Properties)[key] = value;
    }
  }
  made.append(...children.filter((child): child is Node | string => child !== null && child !== undefined && child !== false));
  return made;
}

/** Add a style sheet to the component's root, once. */
export function style(root: ShadowRoot | HTMLElement, text: string): void {
  root.append(el("style", {}, text));
}
