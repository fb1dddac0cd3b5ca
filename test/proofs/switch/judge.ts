import { join } from 'node:path';
import { readMemory } from '../../../agent/central/progress.ts';
import { type CentralHooks, centralFrom } from '../../../agent/central/start.ts';
import { ModelSlots } from '../../../models/slots.ts';

/** What the next start would find. */
export interface Standing {
  readonly sha256: string | null;
  readonly slot: string | null;
  /** Digests that the host had written down as verified. */
  readonly verified: readonly string[];
  /** Version of the rollout that it believes. */
  readonly rollout: number;
}

/** As agent/agent.ts does it at a start: what the centre vouches for, then the slots. */
export function judgeCut(stateDir: string, installation: string, pin: string): Standing {
  const memory = readMemory(join(stateDir, 'models', 'central.json'), () => {});
  const config = { root: join(installation, 'root.json'), rootSha256: pin, model: 'host', sink: 'mqtt' };
  const slots = new ModelSlots(stateDir);
  const make = centralFrom(config, stateDir, () => {});
  if (make === null) throw new Error('the root is gone');
  const central = make({ site: 'default', slots } as CentralHooks);
  const loaded = slots.load(
    () => {},
    (sha256) => central.mayRun(sha256),
  );
  return {
    sha256: loaded?.sha256 ?? null,
    slot: loaded?.slot ?? null,
    verified: memory.progress.verified.map(({ artifactSha256 }) => artifactSha256),
    rollout: memory.trust.rollouts['host']?.version ?? 0,
  };
}
