(()=>{const d=document,f=new Intl.DateTimeFormat(navigator.language,{dateStyle:"long",timeStyle:"short"}),
local=n=>n.querySelectorAll("time[datetime]:not([title])").forEach(t=>{const a=new Date(t.dateTime);if(!isNaN(a)){t.title=t.textContent;t.lang=f.resolvedOptions().locale;t.textContent=f.format(a)}}),
islands=[...d.querySelectorAll("leptos-island")].map(e=>[e,e.innerHTML]);
d.addEventListener("lethe:hydrate",()=>islands.forEach(([e,h])=>{if(e.innerHTML!==h){const c=[...e.querySelectorAll("input")].map(i=>[i.id,i.checked,i.value]);e.innerHTML=h;c.forEach(([i,k,v])=>{const n=i&&d.getElementById(i);if(n){n.checked=k;if(n.type!="hidden")n.value=v}})}}));
local(d);new MutationObserver(m=>m.forEach(r=>r.addedNodes.forEach(n=>n.nodeType==1&&local(n.parentNode||n)))).observe(d.body,{childList:true,subtree:true});
d.querySelectorAll("[data-print],[data-copy]").forEach(b=>{b.hidden=false;b.onclick=async()=>{if("print"in b.dataset)return print();const s=b.parentNode.querySelector("[role=status]");s.textContent=await navigator.clipboard.writeText(location.href.split("#")[0]).then(()=>b.dataset.copy,()=>b.dataset.failed)}});
d.querySelectorAll("form[data-once]").forEach(f=>{let sent=false;const set=v=>{sent=v;f.querySelector(".card-foot a").hidden=v;f.querySelector(".card-foot [role=status]").textContent=v?f.dataset.once:""};
f.onsubmit=()=>!sent&&(set(true),true);addEventListener("pageshow",e=>e.persisted&&set(false))});
addEventListener("load",()=>setTimeout(()=>d.querySelectorAll(".note[role]").forEach(n=>{const c=[...n.childNodes];if(n.closest("leptos-island")||n.contains(d.activeElement))return;
n.style.minHeight=n.offsetHeight+"px";n.replaceChildren();setTimeout(()=>{n.append(...c);n.style.minHeight=""},50)}),500))
})()
