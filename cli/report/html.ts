import { formatDuration } from '../../core/words.ts';
import { type ComparedMeasure, type Difference, MEASURE_WORDS } from '../../models/evaluation/comparison.ts';
import type { Assessment } from '../../models/training/assess.ts';
import { brief } from '../table.ts';
import { contributions, robustness } from './bars.ts';
import { curves, histogram } from './curves.ts';
import type { EvaluationReport } from './document.ts';
import { page, table } from './page.ts';
import { drift } from './quantiles.ts';
import { escaped } from './svg.ts';
import {
  ASSESSMENT_ROWS,
  assessmentColumns,
  differenceWords,
  ROBUSTNESS_HEADS,
  robustnessCells,
} from './text.ts';
import { timelines } from './timeline.ts';

/** One self-contained page; the same report gives the same bytes. */
export function renderHtml(report: EvaluationReport): string {
  const { model, against, evaluation } = report;
  const { provenance, detector, schema } = model.model;
  const title = `Evaluation of ${model.given}`;
  const span = (fromMs: number, toMs: number): string =>
    `${new Date(fromMs).toISOString().slice(0, 16)} to ${new Date(toMs).toISOString().slice(0, 16)}`;
  const trained = `${provenance.rows} rows, ${span(provenance.trainedFromMs, provenance.trainedToMs)}`;
  const files = evaluation.files.map(
    ({ host, metrics, fromMs, toMs, intervalMs }) =>
      `${host} (${metrics.rows} rows, ${span(fromMs, toMs)}, every ${formatDuration(intervalMs)})`,
  );
  return page(
    title,
    `<header>
<h1>${escaped(title)}</h1>
<p class="sub">${escaped(`${provenance.name}${provenance.version === '' ? '' : ` ${provenance.version}`}, ${detector}, sha256 ${model.sha256.slice(0, 16)}, trained on ${trained}`)}</p>
<p class="sub">${escaped(`Judged by ${files.join('; ')}`)}</p>
${verdicts(report)}
${cards(report)}
${evaluation.notes.map((note) => `<p class="note">Note: ${escaped(note)}</p>`).join('\n')}
</header>
<main>
${differenceTable(report)}
<h2>What it finds</h2>
<div class="pair">${curves(evaluation.seen, evaluation.otherSeen, against?.given ?? '')}</div>
${timelines(evaluation.seen)}
${histogram(evaluation.seen)}
${contributions(
  evaluation.contributions,
  schema.map(({ name }) => name),
  detector,
)}
<h2>How far it can be relied upon</h2>
${evaluation.robustness.length > 0 ? `${robustness(evaluation.robustness)}${table(ROBUSTNESS_HEADS, evaluation.robustness.map(robustnessCells))}` : ''}
${drift(evaluation.drift)}
<h2>All figures</h2>
${figuresTable(report)}
${latencyTable(report)}
</main>
<footer><p class="sub">${escaped(`edgewood, seed ${report.seed}${against === null ? '' : `; compared with ${against.given}, sha256 ${against.sha256.slice(0, 16)}`}. Definitions: docs/EVALUATION.md.`)}</p></footer>`,
  );
}

function verdicts({ against, evaluation, gate }: EvaluationReport): string {
  const out: string[] = [];
  if (against !== null && evaluation.comparison !== null) {
    const { outcome, verdict, level, caveat } = evaluation.comparison;
    const kind =
      outcome === 'better' ? 'good' : outcome === 'worse' ? 'bad' : /some/.test(outcome) ? 'mixed' : 'same';
    const words = verdict.charAt(0).toUpperCase() + verdict.slice(1);
    const than = outcome === 'better' || outcome === 'worse' ? 'than' : 'against';
    const but = caveat === null ? '' : `, <b>but ${escaped(caveat)}</b>`;
    out.push(
      `<div class="verdict ${caveat === null ? kind : 'mixed'}" id="verdict"><b>${escaped(words)}</b> ${than} ${escaped(against.given)}${but} (paired ${level * 100} % intervals on the same rows).</div>`,
    );
  }
  if (gate !== null) {
    const failed = gate.conditions.filter(({ met }) => !met);
    const items = failed
      .map(
        ({ condition, bound, found, detail }) =>
          `<li>${escaped(`${condition}: ${found === null ? detail : `${brief(found)}, ${detail} ${bound}`}`)}</li>`,
      )
      .join('');
    out.push(
      gate.passed
        ? `<div class="verdict good" id="gate"><b>Gate passed</b>: ${gate.conditions.length} of ${gate.conditions.length} conditions met.</div>`
        : `<div class="verdict bad" id="gate"><b>Gate failed</b>: ${failed.length} of ${gate.conditions.length} conditions not met.<ul>${items}</ul></div>`,
    );
  }
  return out.join('\n');
}

function cards({ model, against: other, evaluation }: EvaluationReport): string {
  const { metrics, latency, comparison } = evaluation;
  const of = (measure: ComparedMeasure): Difference | undefined =>
    comparison?.differences.find((one) => one.measure === measure);
  const headline: readonly (readonly [string, string, ComparedMeasure | null])[] =
    metrics.averagePrecision === null
      ? [
          ['alarms a day', brief(metrics.alarmsPerDay), 'alarmsPerDay'],
          ['injected spikes told', recallOf(metrics, 'spike'), null],
          ['injected level shifts told', recallOf(metrics, 'levelShift'), null],
        ]
      : [
          ['AUC-PR', brief(metrics.averagePrecision), 'averagePrecision'],
          ['ROC-AUC', brief(metrics.rocAuc), 'rocAuc'],
          ['event F1', brief(metrics.events?.f1 ?? null), 'eventF1'],
          ['false alarms a day', brief(metrics.falseAlarmsPerDay), 'falseAlarmsPerDay'],
        ];
  const rest: typeof headline = [
    ['latency, p99', `${brief(latency.score.p99Us)} µs`, null],
    ['model', `${brief(model.bytes.byteLength / 1000)} kB`, null],
  ];
  const card = ([name, value, measure]: (typeof headline)[number]): string => {
    const difference = measure === null ? undefined : of(measure);
    const kind =
      difference?.outcome === 'better' || difference?.outcome === 'worse' ? difference.outcome : '';
    const against =
      difference === undefined
        ? ''
        : `<small>${escaped(`${other?.given}: ${brief(difference.other)}`)}</small><small class="${kind}">${escaped(differenceWords(difference))}</small>`;
    return `<div class="card"><span>${escaped(name)}</span><b>${escaped(value)}</b>${against}</div>`;
  };
  return `<div class="cards">${[...headline, ...rest].map(card).join('')}</div>`;
}

function recallOf({ injected }: Assessment, kind: 'spike' | 'levelShift'): string {
  const figures = injected[kind];
  return figures === undefined || figures.faults === 0 ? '–' : `${figures.caught} of ${figures.faults}`;
}

function differenceTable({ against, evaluation: { comparison } }: EvaluationReport): string {
  if (comparison === null || against === null) return '';
  const { differences, level, draws } = comparison;
  return `<h2>${escaped(`Against ${against.given}`)}</h2>${table(
    ['measure', 'this', against.given, 'difference', `${level * 100} % from`, 'to', ''],
    differences.map((one) => [
      MEASURE_WORDS[one.measure],
      ...[one.value, one.other, one.difference, one.low, one.high].map(brief),
      one.outcome,
    ]),
  )}<p class="note">Intervals: ${draws} draws of blocks of up to a day, the same for both models.</p>`;
}

function figuresTable(report: EvaluationReport): string {
  const columns = assessmentColumns(report);
  return table(
    ['', ...columns.map(([name]) => name)],
    ASSESSMENT_ROWS.map(([name, of]) => [name, ...columns.map(([, figures]) => of(figures))]),
  );
}

function latencyTable({ evaluation: { latency } }: EvaluationReport): string {
  const { score, explained } = latency;
  return `<h2>Latency, µs a row</h2>${table(
    ['', 'p50', 'p95', 'p99', 'rows'],
    [
      ['score', ...[score.p50Us, score.p95Us, score.p99Us].map(brief), String(score.rows)],
      [
        'with explanation',
        ...[explained.p50Us, explained.p95Us, explained.p99Us].map(brief),
        String(explained.rows),
      ],
    ],
  )}`;
}
