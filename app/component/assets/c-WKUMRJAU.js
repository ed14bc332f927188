import{a as f}from"./c-YJBAZNF4.js";import{a as u}from"./c-SPEULS5C.js";import{a as s,b as h,c as m}from"./c-422ZN2SG.js";import"./c-ED6AWZ7H.js";function g(o,t,i){let e=[...t.toLowerCase().replace(/\s+/g,"")];if(!e.length)return o.map(r=>({item:r,at:[]}));let a=[];for(let r of o){let n=b([...i(r)].map(d=>d.toLowerCase()),e);n&&a.push({match:{item:r,at:n},score:v(n)})}return a.sort((r,n)=>r.score-n.score).map(({match:r})=>r)}function b(o,t){let i=o.findIndex((a,r)=>t.every((n,d)=>o[r+d]===n));if(i>=0)return t.map((a,r)=>i+r);let e=[];for(let a of t){let r=o.indexOf(a,(e.at(-1)??-1)+1);if(r<0)return null;e.push(r)}return e}function v(o){let t=o[0]??0;return((o.at(-1)??0)-t+1-o.length)*10+t}var x=`dialog {
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
`;var y=12,w=150;function z(o,t){h(o,x);let i=new p(o,t.data);return{update:e=>i.update(e.data),destroy:()=>i.end()}}var p=class{constructor(t,i){this.data=i;t.append(this.dialog,this.keys),this.field.addEventListener("input",()=>this.search()),this.field.addEventListener("keydown",e=>this.steer(e)),this.list.addEventListener("click",e=>this.clicked(e)),this.dialog.addEventListener("close",()=>this.list.replaceChildren());for(let e of[this.dialog,this.keys])e.addEventListener("click",a=>a.target===e&&e.close());document.addEventListener("keydown",this.heard,!0)}data;field=s("input",{type:"text",placeholder:"Go to a page, run, dataset, trace or setting",role:"combobox",autocomplete:"off",spellcheck:!1,"aria-expanded":"true","aria-controls":"places","aria-label":"Go to"});list=s("ul",{id:"places",role:"listbox","aria-label":"Places"});note=s("p",{role:"status"});dialog=s("dialog",{"aria-label":"Go to"},this.field,this.list,this.note);keys=s("dialog",{"aria-label":"Keys"});places=[];traces=[];found=[];current=0;asked;timer;waiting=0;update(t){this.data=t}end(){document.removeEventListener("keydown",this.heard,!0),clearTimeout(this.timer),this.asked?.abort()}heard=t=>{(t.ctrlKey||t.metaKey)&&!t.shiftKey&&!t.altKey&&t.key.toLowerCase()==="k"?(t.preventDefault(),t.stopPropagation(),this.open()):t.key==="?"&&!t.ctrlKey&&!t.metaKey&&!f(t)&&(t.preventDefault(),this.showKeys())};open(){this.dialog.open||(this.keys.close(),this.field.value="",this.traces=[],this.dialog.showModal(),this.search(),this.field.focus(),this.ask(""))}showKeys(){if(this.dialog.open||this.keys.open)return;let t=this.data.keys.flatMap(([i,e])=>[s("dt",{},s("kbd",{},i)),s("dd",{},e)]);this.keys.replaceChildren(s("h2",{},"Keys"),s("dl",{},...t)),this.keys.showModal()}async ask(t){let i=new AbortController;t&&(this.asked=i),this.waiting+=1,this.note.textContent="";try{let e=t?`${this.data.url}?q=${encodeURIComponent(t)}`:this.data.url,{places:a}=await m(e,i.signal);t?this.traces=a:this.places=a}catch(e){i.signal.aborted||(this.note.textContent=e instanceof Error?e.message:String(e))}finally{this.waiting-=1}i.signal.aborted||this.draw()}search(){clearTimeout(this.timer),this.asked?.abort();let t=this.field.value.trim();this.traces=[],this.current=0,this.timer=t.length<3?void 0:setTimeout(()=>this.searchTraces(t),w),this.draw()}searchTraces(t){this.timer=void 0,this.ask(t)}draw(){let t=this.field.value.trim(),i=[...this.data.pages,...this.places],e=g(i,t,l=>l.name),a=t?i.filter(l=>l.detail.toLowerCase().includes(t.toLowerCase())):[],r=[...e.slice(0,y),...a.filter(l=>!e.some(({item:c})=>c===l)).map(l=>({item:l,at:[]}))],n=this.traces.map(l=>({item:l,at:[]}));this.found=[...r.slice(0,y),...n],this.current=Math.min(this.current,Math.max(0,this.found.length-1)),this.list.replaceChildren(...this.found.map((l,c)=>this.row(l,c))),!this.found.length&&!this.waiting&&!this.timer?this.note.textContent=`Nothing is called "${t}".`:this.note.textContent?.startsWith("Nothing")&&(this.note.textContent=""),this.mark()}row({item:t,at:i},e){let a=s("span",{className:"name",dir:"auto"},...C(t.name,i)),r=s("span",{className:"detail",dir:"auto"},t.detail),n=s("span",{className:"kind"},t.kind);return s("li",{id:`place-${e}`,role:"option","data-i":e},a,r,n)}mark(){[...this.list.children].forEach((t,i)=>t.setAttribute("aria-selected",String(i===this.current))),this.list.children[this.current]?.scrollIntoView({block:"nearest"}),this.field.setAttribute("aria-activedescendant",this.found.length?`place-${this.current}`:"")}steer(t){let i=this.found.length-1;if(t.key==="ArrowDown")this.current=this.current<i?this.current+1:0;else if(t.key==="ArrowUp")this.current=this.current>0?this.current-1:Math.max(0,i);else return t.key==="Enter"?this.choose(this.current,t.ctrlKey||t.metaKey):void 0;t.preventDefault(),this.mark()}clicked(t){let i=t.target.closest("li");i&&this.choose(Number(i.dataset.i),t.ctrlKey||t.metaKey)}choose(t,i){let e=this.found[t]?.item;e&&(this.dialog.close(),i?window.open(e.address,"_blank","noopener"):u(e.address))}};function C(o,t){let i=[...o],e=new Set(t);return i.map((a,r)=>e.has(r)?s("mark",{},a):a)}export{z as mount};
