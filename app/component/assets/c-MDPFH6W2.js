import{a as i,b as p,e as d}from"./c-422ZN2SG.js";import"./c-ED6AWZ7H.js";var c=`p {
  margin: 0;
  max-height: 420px;
  overflow-y: auto;
  white-space: pre-wrap;
  overflow-wrap: anywhere;
  font: 13px/1.6 var(--st-code-font);
  color: var(--st-text-color);
}
p.error { font: 14px/1.5 var(--st-font); color: var(--st-red-color); }
`;function T(r,e){p(r,c);let o=i("p",{dir:"auto",role:"log","aria-label":"The answer so far","aria-live":"off"});r.append(o);let t=e.data.url,a=new AbortController;return f(t,o,a.signal),{update(n){n.data.url!==t&&(t=n.data.url,a.abort(),a=new AbortController,f(t,o,a.signal))},destroy:()=>a.abort()}}async function f(r,e,o){e.replaceChildren(),e.className="";try{let a=(await d(r,{signal:o})).body?.pipeThrough(new TextDecoderStream).getReader();for(let n="",l=await a?.read();l&&!l.done;l=await a?.read()){let s=(n+l.value).split(`

`);n=s.pop()??"";for(let m of s)g(e,JSON.parse(m.replace(/^data: /,"")))}}catch(t){if(o.aborted)return;e.className="error",e.textContent=t instanceof Error?t.message:String(t)}}function g(r,e){let o=r.scrollHeight-r.scrollTop-r.clientHeight<24;e.text!==void 0?r.textContent=e.text:r.append(e.more??""),o&&(r.scrollTop=r.scrollHeight)}export{T as mount};
