/* Runs before Streamlit. Sets two things that Streamlit has no option for:

   The base address. Streamlit detects it by requests below the page's address, which fail twice per link to a page.

   The history. When the page changes, Streamlit first writes the next page's query behind the old page's address, and
   then the next page's address, so "back" would open an address that was never shown. The first entry is replaced. */
"use strict";
window.__streamlit = {BACKEND_BASE_URL: location.origin + "/", MAIN_PAGE_BASE_URL: location.origin + "/"};
(() => {
  const push = history.pushState.bind(history);
  const soon = 1000; // ms: one server response causes both entries
  let stayed = -Infinity; // time of the last change of the query without a change of the page
  history.pushState = (state, title, url) => {
    const next = new URL(url, location.href);
    const leaves = next.pathname !== location.pathname;
    if (leaves && next.search === location.search && performance.now() - stayed < soon) {
      history.replaceState(state, title, url);
    } else {
      push(state, title, url);
    }
    stayed = leaves ? -Infinity : performance.now();
  };
  addEventListener("popstate", () => { stayed = -Infinity; });
})();
