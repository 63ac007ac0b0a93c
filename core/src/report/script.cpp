#include "report/assets.hpp"

namespace tenon::report {

// Draws the charts with Vega when it is there, and sorts tables. A chart that fails keeps its static drawing and says so
// on the console.
const std::string_view kScript = R"js(
(function(){
"use strict";
const specs=JSON.parse(document.getElementById("charts").textContent);
const vega=window.tenonVega;
const tip=document.createElement("div");
tip.className="tip";tip.hidden=true;document.body.append(tip);
function showTip(handler,event,item,value){
  tip.hidden=!value;
  if(!value)return;
  tip.textContent=String(value);
  const x=Math.min(event.clientX+14,window.innerWidth-tip.offsetWidth-8);
  const y=event.clientY+tip.offsetHeight+20>window.innerHeight?event.clientY-tip.offsetHeight-10:event.clientY+14;
  tip.style.left=Math.max(4,x)+"px";tip.style.top=y+"px";
}
async function draw(box){
  const place=document.createElement("div");
  box.append(place);
  try{
    const view=new vega.View(vega.parse(specs[box.dataset.chart],null,{ast:true}),
      {expr:vega.expressionInterpreter,renderer:"svg",container:place,hover:true,logLevel:2});
    view.tooltip(showTip);
    let width=Math.floor(box.clientWidth);
    if(width>0)view.width(width);
    await view.runAsync();
    box.classList.add("live");
    new ResizeObserver(function(){
      const now=Math.floor(box.clientWidth);
      if(now>0&&now!==width){width=now;view.width(now).runAsync()}
    }).observe(box);
  }catch(error){
    place.remove();
    console.error("chart "+box.dataset.chart+": "+error);
  }
}
async function drawAll(){
  if(vega)for(const box of document.querySelectorAll(".chart[data-chart]"))await draw(box);
  document.documentElement.dataset.charts=vega?"live":"static";
}
drawAll();

for(const table of document.querySelectorAll("table.sortable")){
  const heads=[...table.tHead.rows[0].cells],body=table.tBodies[0];
  heads.forEach(function(head,column){
    head.querySelector("button").addEventListener("click",function(){
      const first=head.dataset.first,now=head.getAttribute("aria-sort");
      const order=now?(now==="ascending"?"descending":"ascending"):first;
      for(const other of heads)other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort",order);
      const sign=order==="ascending"?1:-1,text=head.dataset.kind==="text";
      const rows=[...body.rows].map(function(row){
        const key=row.cells[column].dataset.key;
        return{row:row,key:text?key:(key===""?NaN:Number(key))};
      });
      rows.sort(function(a,b){
        if(text)return sign*a.key.localeCompare(b.key,undefined,{numeric:true});
        const lost=Number.isNaN(a.key)-Number.isNaN(b.key);  // what was not scored stays at the end
        return lost||(Number.isNaN(a.key)?0:sign*(a.key-b.key));
      });
      body.append(...rows.map(function(r){return r.row}));
    });
  });
}
})();
)js";

}  // namespace tenon::report
