import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RegistryError } from '../../../models/registry/registry.ts';
import { openTestRegistry, registrable } from '../../support/records.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

type Step =
  | { readonly do: 'register'; readonly name: string }
  | {
      readonly do: 'set';
      readonly name: string;
      readonly alias: string;
      readonly version: number;
      readonly expected: number | null | undefined;
    }
  | { readonly do: 'remove' | 'rollback'; readonly name: string; readonly alias: string };

const name = fc.constantFrom('web', 'db');
const alias = fc.constantFrom('production', 'canary');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('register' as const), name }),
  fc.record({
    do: fc.constant('set' as const),
    name,
    alias,
    version: fc.integer({ min: 1, max: 5 }),
    expected: fc.constantFrom(undefined, undefined, null, 1, 2),
  }),
  fc.record({ do: fc.constantFrom('remove' as const, 'rollback' as const), name, alias }),
);

/** What it is to be: numbers of versions, and a stack of former targets for each alias. */
class Reference {
  readonly versions = new Map<string, number>();
  readonly current = new Map<string, number>();
  readonly before = new Map<string, number[]>();

  apply(step: Step): string {
    const versions = this.versions.get(step.name) ?? 0;
    if (step.do === 'register') {
      this.versions.set(step.name, versions + 1);
      return `version ${versions + 1}`;
    }
    if (versions === 0) return 'absent';
    const key = `${step.name}@${step.alias}`;
    const from = this.current.get(key) ?? null;
    const stack = this.before.get(key) ?? [];
    this.before.set(key, stack);
    if (step.do === 'set') {
      if (step.version > versions) return 'absent';
      if (step.expected !== undefined && step.expected !== from) return 'conflict';
      if (from !== null && from !== step.version) stack.push(from);
      this.current.set(key, step.version);
      return `${from} -> ${step.version}`;
    }
    if (step.do === 'remove') {
      if (from === null) return 'absent';
      stack.push(from);
      this.current.delete(key);
      return `${from} -> null`;
    }
    const to = stack.pop();
    if (to === undefined) return from === null ? 'absent' : 'conflict';
    this.current.set(key, to);
    return `${from} -> ${to}`;
  }
}

test('any sequence of changes does what a simple model of it does', () => {
  const directory = temporaryDirectory();
  let round = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const registry = openTestRegistry(`${directory}/${round++}`);
      const reference = new Reference();
      const apply = (one: Step): string => {
        try {
          if (one.do === 'register') {
            const record = registry.register(one.name, null, (version, createdAt) =>
              registrable(one.name, version, createdAt),
            );
            return `version ${record.version}`;
          }
          const change =
            one.do === 'set'
              ? registry.setAlias(one.name, one.alias, one.version, {
                  ...(one.expected === undefined ? {} : { expected: one.expected }),
                  why: null,
                })
              : one.do === 'remove'
                ? registry.removeAlias(one.name, one.alias, { why: null })
                : registry.rollback(one.name, one.alias, null);
          return `${change.from} -> ${change.to}`;
        } catch (error) {
          if (error instanceof RegistryError) return error.fault;
          throw error;
        }
      };
      let changes = 0;
      for (const one of steps) {
        const said = apply(one);
        expect([one, said]).toEqual([one, reference.apply(one)]);
        const [from, to] = said.split(' -> ');
        if (said.startsWith('version') || (to !== undefined && from !== to)) changes++;
      }
      const listed = registry.list();
      expect(listed.map((model) => [model.name, model.versions.length])).toEqual(
        [...reference.versions].sort(([a], [b]) => (a < b ? -1 : 1)),
      );
      const aliases = listed.flatMap((model) =>
        model.aliases.map((target) => [`${model.name}@${target.alias}`, target.version] as const),
      );
      expect(new Map(aliases)).toEqual(reference.current);
      expect(registry.audit()).toHaveLength(changes);
      registry.close();
    }),
    { numRuns: 40 },
  );
}, 60_000);
