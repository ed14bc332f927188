function a(s,e={},...r){let t=document.createElement(s);for(let[n,i]of Object.entries(e))i==null||i===!1||(typeof i=="function"&&n.startsWith("on")?t.addEventListener(n.slice(2),i):n.includes("-")||n==="role"||n==="for"?t.setAttribute(n,String(i)):t[n]=i);return t.append(...r.filter(n=>n!=null&&n!==!1)),t}function p(s,e){s.append(a("style",{},e))}function h(s,e,r){let t=[...e.toLowerCase().replace(/\s+/g,"")];if(!t.length)return s.map(i=>({item:i,at:[]}));let n=[];for(let i of s){let o=g([...r(i)].map(d=>d.toLowerCase()),t);o&&n.push({match:{item:i,at:o},score:y(o)})}return n.sort((i,o)=>i.score-o.score).map(({match:i})=>i)}function g(s,e){let r=s.findIndex((n,i)=>e.every((o,d)=>s[i+d]===o));if(r>=0)return e.map((n,i)=>r+i);let t=[];for(let n of e){let i=s.indexOf(n,(t.at(-1)??-1)+1);if(i<0)return null;t.push(i)}return t}function y(s){let e=s[0]??0;return((s.at(-1)??0)-e+1-s.length)*10+e}function u(s){history.pushState({},"",s),dispatchEvent(new PopStateEvent("popstate",{state:{}}))}var l=class extends Error{};async function f(s,e){return await(await x(s,{signal:e})).json()}async function x(s,e){let r;try{r=await fetch(s,e)}catch(t){throw t instanceof DOMException&&t.name==="AbortError"?t:new l("The server does not answer. Check that it is running and that the tunnel is open.")}if(!r.ok)throw new l(await w(r));return r}async function w(s){try{let e=await s.json();if(e.error?.message)return e.error.message}catch{}return`The server answered with status ${s.status}.`}var m=`dialog {
  border: 1px solid var(--st-border-color);
  border-radius: 10px;
  padding: 0;
  margin: 12vh auto auto;
  width: min(620px, calc(100vw - 32px));
  background: var(--st-background-color);
  color: var(--st-text-color);
  font: 14px/1.5 var(--st-font);
  box-shadow: 0 18px 60px rgb(0 0 0 / 35%);
}
dialog:focus { outline: none; }
dialog::backdrop { background: rgb(8 12 18 / 45%); }
input {
  width: 100%;
  box-sizing: border-box;
  border: 0;
  border-bottom: 1px solid var(--st-border-color);
  padding: 14px 16px;
  font: inherit;
  font-size: 16px;
  color: inherit;
  background: none;
  outline: none;
}
input::placeholder { color: inherit; opacity: .62; }
ul { list-style: none; margin: 0; padding: 6px; max-height: min(420px, 56vh); overflow-y: auto; }
li { display: flex; align-items: baseline; gap: 12px; padding: 7px 10px; border-radius: 6px; cursor: pointer; }
li[aria-selected=true] { background: color-mix(in srgb, var(--st-primary-color) 14%, transparent); }
li .name { flex: 0 1 auto; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
li .detail { flex: 1 1 0; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; opacity: .72; }
li .kind { font-size: 13px; opacity: .72; white-space: nowrap; }
mark { background: none; color: inherit; font-weight: 650; text-decoration: underline; text-underline-offset: 3px; }
p { margin: 0; padding: 10px 16px 12px; opacity: .72; }
p:empty { display: none; }
h2 { font-size: 15px; font-weight: 600; margin: 0; padding: 14px 16px 8px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 8px 18px; margin: 0; padding: 4px 16px 16px; }
dd { margin: 0; }
kbd {
  border: 1px solid var(--st-border-color);
  border-radius: 4px;
  padding: 1px 6px;
  font: 13px/1.4 var(--st-code-font);
}
`;var v=12,k=150;function D(s,e){p(s,m);let r=new c(s,e.data);return{update:t=>r.update(t.data),destroy:()=>r.end()}}var c=class{constructor(e,r){this.data=r;e.append(this.dialog,this.keys),this.field.addEventListener("input",()=>this.search()),this.field.addEventListener("keydown",t=>this.steer(t)),this.list.addEventListener("click",t=>this.clicked(t)),this.dialog.addEventListener("close",()=>this.list.replaceChildren());for(let t of[this.dialog,this.keys])t.addEventListener("click",n=>n.target===t&&t.close());document.addEventListener("keydown",this.heard,!0)}data;field=a("input",{type:"text",placeholder:"Go to a page, run, dataset or trace",role:"combobox",autocomplete:"off",spellcheck:!1,"aria-expanded":"true","aria-controls":"places","aria-label":"Go to"});list=a("ul",{id:"places",role:"listbox","aria-label":"Places"});note=a("p",{role:"status"});dialog=a("dialog",{"aria-label":"Go to"},this.field,this.list,this.note);keys=a("dialog",{"aria-label":"Keys"});places=[];traces=[];found=[];current=0;asked;timer;waiting=0;update(e){this.data=e}end(){document.removeEventListener("keydown",this.heard,!0),clearTimeout(this.timer),this.asked?.abort()}heard=e=>{(e.ctrlKey||e.metaKey)&&!e.shiftKey&&!e.altKey&&e.key.toLowerCase()==="k"?(e.preventDefault(),e.stopPropagation(),this.open()):e.key==="?"&&!e.ctrlKey&&!e.metaKey&&!E(e)&&(e.preventDefault(),this.showKeys())};open(){this.dialog.open||(this.keys.close(),this.field.value="",this.traces=[],this.dialog.showModal(),this.search(),this.field.focus(),this.ask(""))}showKeys(){if(this.dialog.open||this.keys.open)return;let e=this.data.keys.flatMap(([r,t])=>[a("dt",{},a("kbd",{},r)),a("dd",{},t)]);this.keys.replaceChildren(a("h2",{},"Keys"),a("dl",{},...e)),this.keys.showModal()}async ask(e){let r=new AbortController;e&&(this.asked=r),this.waiting+=1,this.note.textContent="";try{let t=e?`${this.data.url}?q=${encodeURIComponent(e)}`:this.data.url,{places:n}=await f(t,r.signal);e?this.traces=n:this.places=n}catch(t){r.signal.aborted||(this.note.textContent=t instanceof Error?t.message:String(t))}finally{this.waiting-=1}r.signal.aborted||this.draw()}search(){clearTimeout(this.timer),this.asked?.abort();let e=this.field.value.trim();this.traces=[],this.current=0,this.timer=e.length<3?void 0:setTimeout(()=>this.searchTraces(e),k),this.draw()}searchTraces(e){this.timer=void 0,this.ask(e)}draw(){let e=this.field.value.trim(),r=h([...this.data.pages,...this.places],e,i=>i.name),t=this.traces.map(i=>({item:i,at:[]}));this.found=[...r.slice(0,v),...t],this.current=Math.min(this.current,Math.max(0,this.found.length-1)),this.list.replaceChildren(...this.found.map((i,o)=>this.row(i,o))),!this.found.length&&!this.waiting&&!this.timer?this.note.textContent=`Nothing is called "${e}".`:this.note.textContent?.startsWith("Nothing")&&(this.note.textContent=""),this.mark()}row({item:e,at:r},t){let n=a("span",{className:"name",dir:"auto"},...T(e.name,r)),i=a("span",{className:"detail",dir:"auto"},e.detail),o=a("span",{className:"kind"},e.kind);return a("li",{id:`place-${t}`,role:"option","data-i":t},n,i,o)}mark(){[...this.list.children].forEach((e,r)=>e.setAttribute("aria-selected",String(r===this.current))),this.list.children[this.current]?.scrollIntoView({block:"nearest"}),this.field.setAttribute("aria-activedescendant",this.found.length?`place-${this.current}`:"")}steer(e){let r=this.found.length-1;if(e.key==="ArrowDown")this.current=this.current<r?this.current+1:0;else if(e.key==="ArrowUp")this.current=this.current>0?this.current-1:Math.max(0,r);else return e.key==="Enter"?this.choose(this.current,e.ctrlKey||e.metaKey):void 0;e.preventDefault(),this.mark()}clicked(e){let r=e.target.closest("li");r&&this.choose(Number(r.dataset.i),e.ctrlKey||e.metaKey)}choose(e,r){let t=this.found[e]?.item;t&&(this.dialog.close(),r?window.open(t.address,"_blank","noopener"):u(t.address))}};function E(s){let e=s.composedPath()[0];return e instanceof HTMLElement&&(e.isContentEditable||/^(INPUT|TEXTAREA|SELECT)$/.test(e.tagName))}function T(s,e){let r=[...s],t=new Set(e);return r.map((n,i)=>t.has(i)?a("mark",{},n):n)}export{D as mount};
