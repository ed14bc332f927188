var a=/[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\u00AD\u061C\u200B-\u200F\u202A-\u202E\u2060-\u2064\u2066-\u206F\uFEFF\uFFF9-\uFFFB]|[\u{E0000}-\u{E007F}]/gu,i=new Set(["‌","‍"]),d={0:"NUL",8:"BS",27:"ESC",127:"DEL",173:"SHY",1564:"ALM",8203:"ZWSP",8204:"ZWNJ",8205:"ZWJ",8206:"LRM",8207:"RLM",8234:"LRE",8235:"RLE",8236:"PDF",8237:"LRO",8238:"RLO",8288:"WJ",8294:"LRI",8295:"RLI",8296:"FSI",8297:"PDI",65279:"BOM"},F=`
.mark{unicode-bidi:isolate;direction:ltr;display:inline-block;font-size:0;
padding:0 .3em;margin:0 1px;border-radius:3px;background:light-dark(#F8E3C6,#57390F);color:light-dark(#6B3A00,#F9D9A8);
vertical-align:baseline;white-space:nowrap}
.mark::before{content:attr(data-mark);font:600 13px/1.3 var(--st-code-font,monospace)}`;function c(t){let r=t.codePointAt(0)??0,n=`U+${r.toString(16).toUpperCase().padStart(4,"0")}`,e=document.createElement("span");return e.className="mark",e.dataset.mark=d[r]??n,e.title=`Invisible character ${n}`,e.textContent=t,e}function u(t,r=!1){let n=document.createDocumentFragment(),e=0;for(let o of t.matchAll(a))!r&&i.has(o[0])||(n.append(t.slice(e,o.index),c(o[0])),e=o.index+o[0].length);return n.append(t.slice(e)),n}function l(t){return t.search(a)>=0}function x(t){let r=document.createTreeWalker(t,NodeFilter.SHOW_TEXT),n=[];for(;r.nextNode();)n.push(r.currentNode);for(let e of n)l(e.data)&&e.replaceWith(u(e.data))}var m=`:host,.tunixrt{--blue:light-dark(#DCE6FD,#1D3566);--green:light-dark(#D3EEE6,#12453A);--amber:light-dark(#F8E3C6,#57390F);
--red:light-dark(#FADBD8,#5E2420);--grey:light-dark(#ECEEF1,#262D37);--pink:light-dark(#F7DDF0,#4C2347);
--line:light-dark(#DDE2EA,#29313C);--soft:light-dark(#F4F6F9,#171C23);--quiet:light-dark(#57606F,#9AA5B4);
--strong:light-dark(#2456E6,#7DA6FF);--mono:var(--st-code-font,ui-monospace,monospace);
--code-quiet:light-dark(#4A5568,#9AA5B4);--code-blue:light-dark(#1D4AC7,#7DA6FF);--code-orange:light-dark(#974200,#F5A04E);
--code-green:light-dark(#0B6B53,#2FC79F)}
`;export{F as a,u as b,l as c,x as d,m as e};
