#include "report/assets.hpp"

namespace tenon::report {

// Series colours: Okabe-Ito's, told apart by colour-blind readers, darkened or lightened to the page's contrast.
const std::string_view kStyle = R"css(
:root{color-scheme:light dark;--paper:#fcfcfa;--panel:#f4f4f0;--ink:#1c1f23;--soft:#646a72;--rule:#e1e1db;--edge:#d3d3cc;--accent:#14598f;
--good:#23724c;--bad:#a8400f;--series-0:#0f6cab;--series-1:#c9560a;--series-2:#0c8564;--series-3:#a9528a;--series-4:#8f7400;--series-5:#4a5fc1}
@media (prefers-color-scheme:dark){:root{--paper:#16181b;--panel:#1e2125;--ink:#e6e7e8;--soft:#9ba1a9;--rule:#2b2f34;--edge:#3a3f45;--accent:#7cb9e8;
--good:#6cc79a;--bad:#f0986a;--series-0:#67b1e6;--series-1:#f09a5b;--series-2:#4fc7a0;--series-3:#dd9bc4;--series-4:#d6bc4a;--series-5:#98a7f2}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;
font-variant-numeric:tabular-nums}
main,header,footer{max-width:60rem;margin:0 auto;padding:0 1.5rem}
header{padding-top:3rem}
.eyebrow{margin:0;color:var(--soft);font-size:.8rem;letter-spacing:.08em;text-transform:uppercase}
h1{margin:.15rem 0 .4rem;font-size:2.3rem;line-height:1.15;font-weight:650;letter-spacing:-.02em;overflow-wrap:anywhere}
h2{margin:3rem 0 .4rem;padding-top:1.1rem;border-top:1px solid var(--rule);font-size:1.2rem;font-weight:650;letter-spacing:-.005em}
h3{margin:1.6rem 0 .3rem;font-size:.95rem;font-weight:650}
p{margin:.4rem 0 .8rem;max-width:44rem}
.soft,figcaption,.lead{color:var(--soft)}
.lead{display:flex;flex-wrap:wrap;gap:0 1.3em;margin:0;max-width:none}
.status{display:inline-block;margin-left:.75rem;padding:.1rem .6rem;border:1px solid currentColor;border-radius:1rem;font-size:.8rem;font-weight:600;
vertical-align:.45rem;letter-spacing:0}
.status.finished{color:var(--good)}.status.interrupted,.status.failed,.status.unknown{color:var(--bad)}.status.running{color:var(--accent)}
nav{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;margin:1.3rem 0 0;font-size:.9rem}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
.scores{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:1rem;margin:1.4rem 0 0}
.score{padding:1.1rem 1.3rem 1rem;background:var(--panel);border-radius:.6rem;border-top:3px solid var(--c)}
.score h3{display:flex;align-items:baseline;justify-content:space-between;gap:.8rem;margin:0;font-weight:600;overflow-wrap:anywhere}
.score h3 span{color:var(--soft);font-weight:400;font-size:.8rem;white-space:nowrap}
.big{margin:.1rem 0 0;font-size:3rem;line-height:1.15;font-weight:600;letter-spacing:-.03em}
.big small{font-size:1.1rem;font-weight:500;letter-spacing:0;color:var(--soft)}
.score .interval{margin:0;font-size:.9rem}
.score table{margin:.8rem 0 0;font-size:.87rem}
.score td,.score th{padding:.22rem 0;border-top:1px solid var(--rule);vertical-align:top}
.score th{font-weight:400;color:var(--soft);padding-right:.6rem;overflow-wrap:anywhere}
.score td{text-align:right;white-space:nowrap;padding-left:.8rem}
.score .foot{margin:.7rem 0 0;font-size:.82rem}
.better{color:var(--good)}.worse{color:var(--bad)}
.remarks{margin:1.4rem 0 0;padding:.8rem 1.2rem;border-left:3px solid var(--bad);background:var(--panel);border-radius:0 .4rem .4rem 0;font-size:.92rem}
.remarks ul,.notes{margin:.2rem 0;padding-left:1.1rem}
.notes li{margin:.25rem 0;max-width:44rem}
figure{margin:1rem 0 0}
.chart{width:100%;min-width:0;overflow:hidden;position:relative}
.chart svg{display:block;max-width:100%}
svg.static{width:100%;height:auto;font-size:11px}
svg.static text{fill:var(--soft)}svg.static .row-title{fill:var(--ink);font-weight:600;font-size:12.5px}
.chart.live>svg.static{display:none}
figure.chart-box h3{margin:1.4rem 0 .2rem}
.legend{display:flex;flex-wrap:wrap;gap:.15rem 1.1rem;margin:0 0 .5rem;padding:0;list-style:none;font-size:.84rem;color:var(--soft)}
.legend svg{width:1.7rem;height:.7rem;margin-right:.4rem;vertical-align:-.02rem}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(19rem,1fr));gap:0 2rem}
.tip{position:fixed;z-index:9;pointer-events:none;max-width:20rem;padding:.25rem .6rem;background:var(--ink);color:var(--paper);border-radius:.3rem;
font-size:.8rem;line-height:1.4;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th{text-align:left}
.scroll{overflow:auto;max-height:32rem;border:1px solid var(--rule);border-radius:.5rem}
.cases thead th{position:sticky;top:0;z-index:1;background:var(--panel);padding:0;border-bottom:1px solid var(--edge)}
.cases button{all:unset;box-sizing:border-box;width:100%;padding:.55rem .9rem;font-weight:600;font-size:.86rem;cursor:pointer;white-space:nowrap}
.cases button:focus-visible,summary:focus-visible,a:focus-visible{outline:2px solid var(--accent);outline-offset:-2px}
.cases button::after{content:"";display:inline-block;width:1em;text-align:right;color:var(--accent)}
.cases [aria-sort=ascending] button::after{content:"\2191"}.cases [aria-sort=descending] button::after{content:"\2193"}
.cases tbody th{min-width:10rem;font-weight:400;overflow-wrap:anywhere}
.cases tbody th,.cases tbody td{padding:.32rem .9rem;border-top:1px solid var(--rule)}
.cases tbody tr:first-child>*{border-top:0}
.cases tbody tr:hover{background:var(--panel)}
.cases .value{display:inline-block;width:4.2em}
.cases .place{position:relative;display:inline-block;width:min(8rem,45%);height:1px;background:var(--edge);vertical-align:.25rem}
.cases .place i{position:absolute;left:var(--v);top:-.22rem;width:.45rem;height:.45rem;margin-left:-.22rem;border-radius:50%;background:var(--c)}
.not-scored{color:var(--soft);font-style:italic}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(25rem,1fr));gap:1.4rem;margin-top:1rem}
.pictures figure{margin:0;min-width:0}
.pictures img{display:block;width:100%;height:auto;border-radius:.5rem;background:#000;image-rendering:pixelated}
.pictures figcaption{margin-top:.4rem;font-size:.86rem;overflow-wrap:anywhere}
.pictures figcaption b{color:var(--ink);font-weight:600}
.facts th{width:13rem;padding:.3rem 1rem .3rem 0;font-weight:400;color:var(--soft);vertical-align:top;border-top:1px solid var(--rule)}
.facts td{padding:.3rem 0;border-top:1px solid var(--rule);overflow-wrap:anywhere}
.facts tr:first-child>*{border-top:0}
pre{margin:.7rem 0;padding:1rem 1.2rem;background:var(--panel);border-radius:.5rem;overflow-x:auto;font:13px/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
pre .default{color:var(--soft);opacity:.75}pre .section{color:var(--accent);font-weight:600}
code{font:.92em ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
details{margin:.8rem 0}
summary{cursor:pointer;font-weight:600;font-size:.95rem}
.digests td,.digests th{padding:.2rem .8rem .2rem 0;font-weight:400;font-size:.8rem;overflow-wrap:anywhere}
.digests td{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;color:var(--soft);width:62%}
footer{padding-top:2.5rem;padding-bottom:3rem;color:var(--soft);font-size:.85rem}
@media (max-width:40rem){body{font-size:15px}main,header,footer{padding-left:1rem;padding-right:1rem}header{padding-top:1.6rem}h1{font-size:1.8rem}
.pictures{grid-template-columns:1fr}.cases .place{display:none}.facts th{width:8.5rem}.status{margin-left:.5rem}.pair{grid-template-columns:1fr}
.digests tr,.digests td,.digests th{display:block;width:auto;padding-right:0}.cases tbody th,.cases tbody td,.cases button{padding-left:.6rem;padding-right:.6rem}}
@media print{:root{color-scheme:light;--paper:#fff;--panel:#f6f6f4;--ink:#000;--soft:#555;--rule:#ddd;--edge:#bbb;--accent:#14598f;--good:#23724c;--bad:#a8400f;
--series-0:#0f6cab;--series-1:#c9560a;--series-2:#0c8564;--series-3:#a9528a;--series-4:#8f7400;--series-5:#4a5fc1}
body{font-size:10.5pt}nav,.tip{display:none}.scroll{max-height:none;overflow:visible;border:0}.cases thead th{position:static}
figure,.score,tr{break-inside:avoid}h2,h3{break-after:avoid}pre{white-space:pre-wrap}main,header,footer{max-width:none;padding-left:0;padding-right:0}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
)css";

}  // namespace tenon::report
