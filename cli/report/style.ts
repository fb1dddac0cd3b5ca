/**
 * The page's only style sheet. Colours are those of Okabe and Ito (2008), told apart by all common kinds of colour
 * vision; lines differ in dashes, too. Paper is white whatever the screen is.
 */
const LIGHT = `--bg:#fff;--fg:#1b1f24;--soft:#57606a;--rule:#d0d7de;--card:#f6f8fa;--this:#0072b2;--other:#c14a00;
--third:#00795a;--shade:#cc79a7;--shade-opacity:.32;--good:#00694e;--bad:#b3261e;--warn:#8a5a00`;
const DARK = `--bg:#11151a;--fg:#e6edf3;--soft:#a3adb8;--rule:#38414b;--card:#1a2028;--this:#56b4e9;--other:#f0a202;
--third:#2fcf9e;--shade:#cc79a7;--shade-opacity:.42;--good:#3ddc97;--bad:#ff8a80;--warn:#f0c04a`;

export const STYLE = `
:root{color-scheme:light dark;${LIGHT}}
@media screen and (prefers-color-scheme:dark){:root{${DARK}}}
*{box-sizing:border-box}
body{margin:0 auto;padding:24px;max-width:1000px;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
h1{font-size:24px;margin:0 0 4px;overflow-wrap:anywhere}h2{font-size:18px;margin:36px 0 10px}
p{margin:6px 0}.sub,.note{color:var(--soft);overflow-wrap:anywhere}
.verdict{border-left:6px solid var(--soft);background:var(--card);padding:12px 16px;margin:14px 0;font-size:17px;overflow-wrap:anywhere}
.verdict b{font-size:20px}.verdict ul{margin:6px 0 0;padding-left:22px;font-size:15px}
.good{border-color:var(--good)}.good b{color:var(--good)}.bad{border-color:var(--bad)}.bad b{color:var(--bad)}
.mixed{border-color:var(--warn)}.mixed b{color:var(--warn)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:10px;margin:14px 0}
.card{background:var(--card);padding:10px 12px;border:1px solid var(--rule);border-radius:6px}
.card span{display:block;color:var(--soft);font-size:13px}.card b{font-size:22px;font-variant-numeric:tabular-nums}
.card small{display:block;overflow-wrap:anywhere;color:var(--soft);font-size:12px}.card .better{color:var(--good)}.card .worse{color:var(--bad)}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:14px}
td,th{padding:3px 12px 3px 0;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
td:first-child,th:first-child{text-align:left}th{color:var(--soft);font-weight:600}
td.better{color:var(--good)}td.worse{color:var(--bad)}
figure{margin:14px 0;break-inside:avoid}figcaption{margin-bottom:4px;color:var(--soft);font-size:14px;overflow-wrap:anywhere}
figcaption b{color:var(--fg);font-size:15px;margin-right:6px}
.pair,.tiles{display:flex;flex-wrap:wrap;gap:16px}.pair figure{flex:1 1 400px;margin:0}.tiles svg{flex:0 0 auto}
svg{max-width:100%;height:auto;display:block}svg text{fill:var(--fg);font:12px system-ui,sans-serif}
.ticks text{fill:var(--soft)}.ticks.y text,.name{text-anchor:end}.ticks.x text,.title{text-anchor:middle}
.title{fill:var(--soft)}.heading{font-weight:600}
.grid path{stroke:var(--rule);fill:none}.axis path,path.axis,.zero{stroke:var(--soft);fill:none}
.chance{stroke:var(--soft);fill:none;stroke-dasharray:2 3}
.line{fill:none;stroke-width:2.2;stroke-linejoin:round}.line.this,.swatch.this{stroke:var(--this)}
.line.other,.swatch.other{stroke:var(--other)}.line.other{stroke-dasharray:7 3}.swatch{stroke-width:9;fill:none}.swatch.third{stroke:var(--third)}
.area{fill-opacity:.28;stroke-width:1.6}.area.this{fill:var(--this);stroke:var(--this)}
.area.other{fill:var(--other);stroke:var(--other);stroke-dasharray:7 3}
.bar.this{fill:var(--this)}.bar.other{fill:var(--other)}.bar.third{fill:var(--third)}
.trace{fill:none;stroke:var(--this);stroke-width:1.1}.labelled rect{fill:var(--shade);fill-opacity:var(--shade-opacity)}
.threshold{stroke:var(--fg);stroke-width:1.3;stroke-dasharray:6 4;fill:none}
.alarm{stroke:var(--fg);stroke-width:1.3;fill:none}.alarm.true,.alarm.unknown{fill:var(--fg)}
.dot{fill:var(--this);fill-opacity:.75}.dot.over{fill:var(--other);fill-opacity:1}
@media print{body{max-width:none;padding:0;font-size:12px}.verdict,.card{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
`.trim();
