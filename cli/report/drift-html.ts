import { basename } from 'node:path';
import type { FeatureDrift } from '../../models/drift/comparison.ts';
import { brief } from '../table.ts';
import type { DriftReport } from './drift-document.ts';
import { distributions, severities, windows } from './drift-plots.ts';
import {
  byWeight,
  EXPLAINED,
  FEATURE_HEADS,
  featureCells,
  headline,
  liveSpan,
  spanWords,
  VERDICT_WORDS,
} from './drift-text.ts';
import { page, table } from './page.ts';
import { escaped } from './svg.ts';

/** More are in the table alone: the page has to stay readable. */
const FEATURES_DRAWN = 16;

/** One self-contained page; the same report gives the same bytes. */
export function renderDriftHtml(report: DriftReport): string {
  const { comparison, reference, source } = report;
  const { verdict, notes, decisions, features, undecided } = comparison;
  const title = `Drift of ${report.live.host} from ${basename(reference.shown)}`;
  const kind = { steady: 'good', drifting: 'bad', suspected: 'mixed', undecided: 'same' }[verdict];
  const sorted = byWeight(features);
  const drawn = sorted.filter(({ d }) => d !== null).slice(0, FEATURES_DRAWN);
  const plots =
    undecided === null
      ? drawn
          .map(
            (feature, i) =>
              `<div class="pair">${distributions(feature, i)}${windows(feature, features.indexOf(feature), i, decisions)}</div>`,
          )
          .join('\n')
      : // Nothing over time beside them: two in a row.
        `<div class="pair">${drawn.map(distributions).join('\n')}</div>`;
  const left = sorted.length - drawn.length;
  const sha256 = reference.sha256 === null ? '' : `, sha256 ${reference.sha256.slice(0, 16)}`;
  const word = VERDICT_WORDS[verdict];
  return page(
    title,
    `<header>
<h1>${escaped(title)}</h1>
<p class="sub">${escaped(`Reference (a ${reference.kind}${sha256}): ${spanWords(reference.shown, source)}`)}</p>
<p class="sub">${escaped(`Live: ${spanWords(report.live.host, liveSpan(report))}`)}</p>
<div class="verdict ${kind}" id="verdict"><b>${escaped(word.charAt(0).toUpperCase() + word.slice(1))}</b>: ${escaped(headline(comparison))}.</div>
${cards(sorted, report)}
${notes.map((note) => `<p class="note">Note: ${escaped(note)}</p>`).join('\n')}
</header>
<main>
${severities(decisions)}
<h2>${undecided === null ? 'Distributions, and windows over time' : 'Distributions'}</h2>
${plots}
${left > 0 ? `<p class="note">${left} more are in the table alone.</p>` : ''}
<h2>All figures</h2>
${table(FEATURE_HEADS, sorted.map(featureCells))}
<p class="note">${escaped(EXPLAINED.join(' '))}</p>
</main>
<footer><p class="sub">edgewood. Definitions, and the meaning of a severity: docs/DRIFT.md.</p></footer>`,
  );
}

function cards(sorted: readonly FeatureDrift[], { comparison }: DriftReport): string {
  const count = (wanted: FeatureDrift['verdict']): string =>
    String(sorted.filter(({ verdict }) => verdict === wanted).length);
  const largest = sorted.reduce<FeatureDrift | null>(
    (most, one) => ((one.effect ?? -1) > (most?.effect ?? -1) ? one : most),
    null,
  );
  const entries: (readonly [string, string, string])[] = [
    ['severity', comparison.severity === null ? '–' : `${comparison.severity} of 10`, ''],
    ['features drifting', `${count('drifting')} of ${sorted.length}`, ''],
    ['suspected', count('suspected'), ''],
    [
      'largest shift',
      largest === null || largest.effect === null ? '–' : `${brief(Number(largest.effect.toFixed(2)))} SD`,
      largest?.name ?? '',
    ],
  ];
  return `<div class="cards">${entries.map(([name, value, small]) => `<div class="card"><span>${escaped(name)}</span><b>${escaped(value)}</b>${small === '' ? '' : `<small>${escaped(small)}</small>`}</div>`).join('')}</div>`;
}
