import{a as l,b as d,e as c}from"./c-422ZN2SG.js";import"./c-ED6AWZ7H.js";var p=`p {
  margin: 0;
  max-height: 420px;
  overflow-y: auto;
  white-space: pre-wrap;
  overflow-wrap: anywhere;
  font: 13px/1.6 var(--st-code-font);
  color: var(--st-text-color);
}
p.error { font: 14px/1.5 var(--st-font); color: var(--st-red-color); }
`;function T(e,t){d(e,p);let a=l("p",{dir:"auto",role:"log","aria-label":"The answer so far","aria-live":"off"});e.append(a);let o=t,s=new AbortController,i=async r=>{s.abort();let{signal:n}=s=new AbortController;await g(r,a,n),n.aborted||o.setTriggerValue("done",r)};return i(t.data.url),{update(r){let n=o.data.url;o=r,r.data.url!==n&&i(r.data.url)},destroy:()=>s.abort()}}async function g(e,t,a){t.replaceChildren(),t.className="";try{let s=(await c(e,{signal:a})).body?.pipeThrough(new TextDecoderStream).getReader();for(let i="",r=await s?.read();r&&!r.done;r=await s?.read()){let n=(i+r.value).split(`

`);i=n.pop()??"";for(let f of n)u(t,JSON.parse(f.replace(/^data: /,"")))}}catch(o){if(a.aborted)return;t.className="error",t.textContent=o instanceof Error?o.message:String(o)}}function u(e,t){let a=e.scrollHeight-e.scrollTop-e.clientHeight<24;t.text!==void 0?e.textContent=t.text:e.append(t.more??""),a&&(e.scrollTop=e.scrollHeight)}export{T as mount};
