// Which keys are no shortcuts of the page.

/** Whether a key goes into a field. Fields of other components are seen through their shadow root. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.composedPath()[0];
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.matches("textarea,select,input:not([type=checkbox],[type=radio],[type=button])");
}

/** Whether a key without Ctrl, Alt and Command is meant for the page: no field and no dialog has the focus. */
export function isForPage(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return false;
  const target = event.composedPath()[0];
  return !(target instanceof Element && target.closest("[role=dialog],dialog"));
}
