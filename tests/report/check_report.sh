#!/usr/bin/env bash
# Opens a report in headless Chromium and checks what a reader would: no error on the console, charts drawn, pictures
# decoded, sorting works, no text of the run ran as a script, nothing wider than a phone.
# usage: check_report.sh REPORT.html [live|static] [PICTURE.png]     exit: 0 good, 1 bad, 77 no chromium
set -euo pipefail
report=$(realpath "$1") mode=${2:-live} picture=${3:-}
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$browser" ]; then
  echo "skipped: no chromium"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

open_page() {  # open_page WIDTH PAGE OPTION...
  local width=$1 page=$2
  shift 2
  timeout 120 "$browser" --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-extensions \
    --user-data-dir="$work/profile" --enable-logging=stderr --log-level=0 --virtual-time-budget=10000 --window-size="$width,1400" "$@" "file://$page"
}

bad=0
fail() {
  echo "FAILED: $1"
  bad=1
}

# 1. The page as it is, under its own content policy.
open_page 1100 "$report" --dump-dom >"$work/dom.html" 2>"$work/log"
if grep -E 'CONSOLE' "$work/log"; then fail "messages on the console"; fi
grep -q "data-charts=\"$mode\"" "$work/dom.html" || fail "charts are not $mode"
count() { { grep -o "$1" "$work/dom.html" || true; } | wc -l; }
charts=$(count 'data-chart="') live=$(count 'class="chart live"') drawn=$(count 'class="marks"')
[ "$charts" -gt 0 ] || fail "no chart in the page"
if [ "$mode" = live ] && { [ "$live" -ne "$charts" ] || [ "$drawn" -ne "$charts" ]; }; then fail "$live of $charts charts are live, $drawn drawn"; fi

# 2. A copy without the policy and with a probe, which a policy by digest would not let run.
cat >"$work/probe.js" <<'JS'
addEventListener("load",async()=>{
  const wait=ms=>new Promise(done=>setTimeout(done,ms));
  for(let i=0;i<100&&!document.documentElement.dataset.charts;++i)await wait(50);
  const bad=[];
  const images=[...document.images];
  for(const image of images)if(!image.complete||image.naturalWidth===0)bad.push("picture not decoded: "+image.alt);
  if(window.hacked!==undefined)bad.push("text of the run ran as script");
  for(const box of document.querySelectorAll(".chart")){
    const svg=box.querySelector(box.classList.contains("live")?"svg.marks":"svg.static");
    const size=svg?svg.getBoundingClientRect():{width:0,height:0};
    if(size.width<200||size.height<80)bad.push("chart "+box.dataset.chart+" is "+size.width+" x "+size.height);
    if(svg&&/NaN|Infinity/.test(svg.outerHTML))bad.push("chart "+box.dataset.chart+" holds NaN");
  }
  if(document.documentElement.scrollWidth>innerWidth)bad.push("page is "+document.documentElement.scrollWidth+" wide in a window of "+innerWidth);
  for(const table of document.querySelectorAll("table.sortable")){
    const heads=[...table.tHead.rows[0].cells];
    const keys=column=>[...table.tBodies[0].rows].map(row=>row.cells[column].dataset.key);
    const rows=table.tBodies[0].rows.length;
    heads.forEach((head,column)=>{
      for(let click=0;click<2;++click){
        head.querySelector("button").click();
        const up=head.getAttribute("aria-sort")==="ascending",now=keys(column);
        if(now.length!==rows)bad.push("sorting lost rows");
        if(head.dataset.kind==="text"){
          const ordered=(a,b)=>(up?1:-1)*a.localeCompare(b,undefined,{numeric:true})<=0;
          if(now.some((name,i)=>i>0&&!ordered(now[i-1],name)))bad.push("names are not sorted");
          continue;
        }
        const numbers=now.filter(key=>key!=="").map(Number);
        if(now.slice(numbers.length).some(key=>key!==""))bad.push("what was not scored is not last");
        if(numbers.some((n,i)=>i>0&&(up?n<numbers[i-1]:n>numbers[i-1])))bad.push("column "+column+" is not sorted");
      }
    });
  }
  document.body.dataset.probe=bad.length?bad.join("; "):"good, "+images.length+" pictures";
});
JS
{
  sed '/http-equiv="Content-Security-Policy"/d' "$report"
  echo "<script>"
  cat "$work/probe.js"
  echo "</script>"
} >"$work/probed.html"
for width in 1100 500; do
  open_page "$width" "$work/probed.html" --dump-dom >"$work/dom.html" 2>"$work/log"
  verdict=$(grep -o 'data-probe="[^"]*"' "$work/dom.html" || true)
  echo "width $width: ${verdict:-no verdict}"
  [[ $verdict == 'data-probe="good'* ]] || fail "the probe at width $width"
done

# 3. A picture for people, when asked for.
if [ -n "$picture" ]; then open_page 1100 "$report" --hide-scrollbars --window-size=1100,4600 --screenshot="$(realpath -m "$picture")" 2>/dev/null; fi
exit $bad
