import { accessRules } from './access.ts';
import type { Struck } from './attack.ts';
import { hostileNames } from './names.ts';
import { openBroker, type SceneResult } from './open.ts';
import { packets } from './packets.ts';

export interface Extent {
  /** Messages of a flood. */
  readonly endless: number;
  /** Of the largest packet. */
  readonly hugeBytes: number;
}

export interface AttackResult extends Extent {
  readonly scenes: Readonly<Record<'open' | 'accessRules' | 'packets', Omit<SceneResult, 'attacks'>>>;
  readonly attacks: readonly Struck[];
  readonly passed: boolean;
}

const withoutAttacks = <T extends SceneResult>({ attacks: _, ...rest }: T): Omit<T, 'attacks'> => rest;

export async function attackAll(extent: Extent): Promise<AttackResult> {
  // Each has a broker and an agent of its own, which mostly wait.
  const [open, access, oversized, names] = await Promise.all([
    openBroker(extent.endless),
    accessRules(),
    packets(extent.hugeBytes),
    hostileNames(),
  ]);
  const attacks = [...open.attacks, ...access.attacks, ...oversized.attacks, ...names];
  const scenes = {
    open: withoutAttacks(open),
    accessRules: withoutAttacks(access),
    packets: withoutAttacks(oversized),
  };
  const whole = Object.values(scenes).every(
    ({ alerts: { stored, lost, gaps } }) => stored > 3 && lost === 0 && gaps === 0,
  );
  return { ...extent, scenes, attacks, passed: whole && attacks.every(({ passed }) => passed) };
}
