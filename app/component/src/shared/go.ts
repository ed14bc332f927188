// Moving between pages within the session.

/**
 * Open an address of the dashboard without a new document, so that the session and Back keep their state.
 *
 * Streamlit listens for `popstate` and reads the address then. It does not document this: tests/browser holds it.
 */
export function go(address: string): void {
  history.pushState({}, "", address);
  dispatchEvent(new PopStateEvent("popstate", { state: {} }));
}

/** Whether a click asks for this tab: with a modifier or another button the browser opens a new one by itself. */
export function staysHere(event: MouseEvent): boolean {
  return event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
}

/** A value in the query of this page; empty if there is none. */
export function inAddress(name: string): string {
  return new URLSearchParams(location.search).get(name) ?? "";
}

/** Set values in the query of this page without a rerun; `null` and "" remove a name. */
export function keepInAddress(values: Record<string, string | null>): void {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(values)) {
    if (value) address.searchParams.set(name, value);
    else address.searchParams.delete(name);
  }
  // a comma and a colon need no escape in a query, and a reader sees what is chosen
  address.search = address.search.replaceAll("%2C", ",").replaceAll("%3A", ":");
  history.replaceState(history.state, "", address);
}
