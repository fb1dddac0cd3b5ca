import { describe, expect, test } from 'vitest';
import { centralLine } from '../../cli/central-view.ts';
import { checkCentral } from '../../cli/doctor/agent.ts';
import type { ReportedDocument } from '../../core/protocol/reported.ts';

const sha = 'a'.repeat(64);
const reported: ReportedDocument = {
  schemaVersion: 1,
  hostId: 'h',
  site: 's',
  bootId: 'b',
  at: '2026-01-01T00:00:00.000Z',
  agentVersion: '1.0.0',
  labels: {},
  root: 2,
  rollout: { model: 'host', version: 7, sha256: sha },
  desired: null,
  state: 'committed',
  release: { version: 3, artifactSha256: sha },
  running: null,
  slots: { current: null, previous: null, central: null, centralPrevious: null },
  figures: null,
  alarms: null,
  error: null,
  refused: {},
};

describe('what an operator sees of the centre', () => {
  test.each<[Partial<ReportedDocument>, string]>([
    [{}, 'root 2, host, rollout 7, release 3 watches'],
    [{ rollout: null, release: null, state: 'none' }, 'root 2, no rollout yet'],
    [
      {
        state: 'rejected',
        error: { code: 'worse', message: 'flags 90 \u001b[31mof 100' },
        refused: { older: 2 },
      },
      'root 2, host, rollout 7, release 3 was refused, flags 90 \\u001b[31mof 100, turned away: older 2',
    ],
  ])('in one line of status: %j', (change, line) => {
    expect(centralLine({ ...reported, ...change })).toBe(line);
  });

  test('the doctor says why nothing is taken, what was refused, and what was turned away', () => {
    const texts = (central: Parameters<typeof checkCentral>[0]['central']): string[] =>
      checkCentral({ central }).map(({ status, says }) => `${status}: ${says}`);
    expect(texts(null)).toEqual([]);
    expect(texts({ unavailable: true })).toEqual(['problem: is not listened to']);
    expect(texts(reported)).toEqual(['ok: root 2, rollout 7']);
    expect(texts({ ...reported, state: 'timed_out', refused: { older: 1 } })).toEqual([
      'ok: root 2, rollout 7',
      'warning: release 3: timed out',
      'warning: turned away: older 1',
    ]);
  });
});
