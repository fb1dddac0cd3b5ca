import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { artifactSha256, encodeModel, MAX_ARTIFACT_BYTES } from '../../models/artifact.ts';
import { ModelSlots, type Slot, type StoredSlot } from '../../models/slots.ts';
import { tinyModel } from '../support/artifacts.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const [first, second, third] = [tinyModel(1), tinyModel(2), tinyModel(3)];
const shaOf = (model: typeof first): string => artifactSha256(encodeModel(model));

interface Found {
  readonly slot: Slot | null;
  readonly sha256: string | null;
  readonly faults: readonly string[];
}

function load(slots: ModelSlots): Found {
  const faults: string[] = [];
  const loaded = slots.load((slot, fault) => faults.push(`${slot}: ${fault}`));
  return { slot: loaded?.slot ?? null, sha256: loaded?.sha256 ?? null, faults };
}

describe('slots', () => {
  test('nothing there is nothing wrong', () => {
    expect(load(new ModelSlots(temporaryDirectory()))).toEqual({ slot: null, sha256: null, faults: [] });
  });

  test('what is installed is what is loaded, to the bit; the one before is kept', () => {
    const state = temporaryDirectory();
    const slots = new ModelSlots(state);
    for (const model of [first, second, third]) {
      const installed = slots.install(model);
      expect(installed).toMatchObject({
        slot: 'current',
        sha256: shaOf(model),
        bytes: encodeModel(model).length,
      });
      const loaded = new ModelSlots(state).load(() => expect.fail('a fault'));
      expect(loaded?.model).toEqual(model);
      expect(loaded?.sha256).toBe(installed.sha256);
    }
    slots.discard('current');
    expect(load(slots)).toEqual({ slot: 'previous', sha256: shaOf(second), faults: [] });
    slots.discard('previous');
    expect(load(slots).slot).toBeNull();
    slots.discard('previous');
    expect(readdirSync(join(state, 'models'))).toEqual([]);
  });

  test('others may not read it, and may not list it', () => {
    const state = temporaryDirectory();
    const slots = new ModelSlots(state);
    slots.install(first);
    expect(statSync(slots.path('current')).mode & 0o007).toBe(0);
    expect(statSync(join(state, 'models')).mode & 0o007).toBe(0);
  });

  test('a model from the centre comes before what was learned here', () => {
    const slots = new ModelSlots(temporaryDirectory());
    slots.install(first);
    slots.stage(encodeModel(second));
    slots.commitCentral();
    const trusted = (sha256: string): boolean => sha256 === shaOf(second);
    expect(slots.load(() => expect.fail('a fault'), trusted)).toMatchObject({
      slot: 'central',
      sha256: shaOf(second),
    });
    truncateSync(slots.path('central'), 100);
    expect(slots.load(() => {}, trusted)).toMatchObject({ slot: 'current', sha256: shaOf(first) });
  });

  test('a central model that nobody vouches for does not run, and that is said', () => {
    const slots = new ModelSlots(temporaryDirectory());
    slots.install(first);
    writeFileSync(slots.path('central'), encodeModel(second));
    expect(load(slots)).toMatchObject({ slot: 'current', sha256: shaOf(first) });
    expect(load(slots).faults).toEqual([expect.stringMatching(/^central: .*nobody vouches/)]);
  });

  test('a central model is switched, and switched back, with the one before', () => {
    const slots = new ModelSlots(temporaryDirectory());
    const central = (): string | null =>
      slots.load(
        () => expect.fail('a fault'),
        () => true,
      )?.sha256 ?? null;
    for (const model of [first, second]) {
      slots.stage(encodeModel(model));
      slots.commitCentral();
      expect(central()).toBe(shaOf(model));
    }
    expect(slots.digest('central-previous')).toBe(shaOf(first));
    slots.revertCentral();
    expect(central()).toBe(shaOf(first));
    expect(slots.digest('central-previous')).toBeNull();
    slots.discard('central', 'candidate');
    expect(central()).toBeNull();
  });

  test.each<[string, (path: string) => void]>([
    ['cut off', (path) => truncateSync(path, statSync(path).size - 7)],
    ['empty', (path) => truncateSync(path, 0)],
    ['another file', (path) => writeFileSync(path, 'x'.repeat(500))],
    ['far too large', (path) => truncateSync(path, MAX_ARTIFACT_BYTES + 1)],
    [
      'a folder',
      (path) => {
        renameSync(path, `${path}.away`);
        mkdirSync(path);
      },
    ],
  ])('current is %s: previous runs, and it says so', (_, damage) => {
    const slots = new ModelSlots(temporaryDirectory());
    slots.install(first);
    slots.install(second);
    damage(slots.path('current'));
    const { slot, sha256, faults } = load(slots);
    expect([slot, sha256]).toEqual(['previous', shaOf(first)]);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(`current: ${slots.path('current')}: `);
  });

  test('both are damaged: no model, two faults', () => {
    const slots = new ModelSlots(temporaryDirectory());
    slots.install(first);
    slots.install(second);
    for (const slot of ['current', 'previous'] as const) truncateSync(slots.path(slot), 40);
    expect(load(slots)).toMatchObject({ slot: null });
    expect(load(slots).faults).toHaveLength(2);
  });
});

/** An installation is: write current.edgewood.tmp, link current as previous, current.edgewood.tmp -> current. */
describe('a power cut while the third is installed over the second', () => {
  const cuts: [string, (state: string, slots: ModelSlots) => void, typeof first][] = [
    ['before anything', () => {}, second],
    ['with nothing written yet', (state) => writeFileSync(join(state, 'current.edgewood.tmp'), ''), second],
    [
      'in the middle of writing',
      (state) => writeFileSync(join(state, 'current.edgewood.tmp'), encodeModel(third).subarray(0, 1000)),
      second,
    ],
    [
      'after writing',
      (state) => writeFileSync(join(state, 'current.edgewood.tmp'), encodeModel(third)),
      second,
    ],
    [
      'between the renames',
      (state, slots) => {
        writeFileSync(join(state, 'current.edgewood.tmp'), encodeModel(third));
        renameSync(slots.path('current'), slots.path('previous'));
      },
      second,
    ],
    [
      'after the renames',
      (_state, slots) => {
        renameSync(slots.path('current'), slots.path('previous'));
        writeFileSync(slots.path('current'), encodeModel(third));
      },
      third,
    ],
  ];
  test.each(cuts)('%s', (_, cut, expected) => {
    const state = temporaryDirectory();
    const slots = new ModelSlots(state);
    slots.install(first);
    slots.install(second);
    cut(join(state, 'models'), slots);
    const after = new ModelSlots(state);
    expect(load(after)).toMatchObject({ sha256: shaOf(expected), faults: [] });
    // And the next installation works over what was left.
    expect(after.install(first).sha256).toBe(shaOf(first));
    expect(load(after)).toMatchObject({ slot: 'current', sha256: shaOf(first), faults: [] });
    expect(existsSync(join(state, 'models', 'current.edgewood.tmp'))).toBe(false);
    after.discard('current');
    expect(load(after)).toMatchObject({ slot: 'previous', sha256: shaOf(expected) });
  });
});

test('a failed installation leaves the current one', () => {
  const state = temporaryDirectory();
  const slots = new ModelSlots(state);
  slots.install(first);
  mkdirSync(join(state, 'models', 'current.edgewood.tmp'));
  expect(() => slots.install(second)).toThrow(/EISDIR/);
  expect(load(slots)).toEqual({ slot: 'current', sha256: shaOf(first), faults: [] });
});

test('a rollback swaps the current and the previous one, and is undone by another', () => {
  const state = temporaryDirectory();
  const slots = new ModelSlots(state);
  const fault = (slot: StoredSlot, text: string): never => expect.fail(`${slot}: ${text}`);
  expect(slots.rollback(fault)).toBeNull();
  slots.install(first);
  expect(slots.rollback(fault)).toBeNull();
  slots.install(second);
  expect(slots.rollback(fault)).toMatchObject({ slot: 'current', sha256: shaOf(first) });
  expect(load(new ModelSlots(state))).toEqual({ slot: 'current', sha256: shaOf(first), faults: [] });
  expect(slots.rollback(fault)?.sha256).toBe(shaOf(second));
  truncateSync(slots.path('previous'), 10);
  const faults: StoredSlot[] = [];
  expect(slots.rollback((slot) => faults.push(slot))).toBeNull();
  expect(faults).toEqual(['previous']);
  expect(load(slots).sha256).toBe(shaOf(second));
});
