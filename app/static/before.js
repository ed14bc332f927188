/* Runs before Streamlit. Two things that it has no option for:

   It finds out where it is mounted by asking below the address of the page, which fails twice for every link that leads
   to a page. Here it is told.

   When a page is left, it first writes the next page's query behind the address of the old page, and then the next
   page's address: the button "back" would lead to a page that never was. The first of the two is replaced. */
"use strict";
window.__streamlit = {BACKEND_BASE_URL: location.origin + "/", MAIN_PAGE_BASE_URL: location.origin + "/"};
(() => {
  const push = history.pushState.bind(history);
  const soon = 1000; // ms: both come with one answer of the server
  let stayed = -Infinity; // when the query changed and the page did not
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
