function e(t){history.pushState({},"",t),dispatchEvent(new PopStateEvent("popstate",{state:{}}))}export{e as a};
