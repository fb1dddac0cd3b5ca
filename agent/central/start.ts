import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { MAX_ENVELOPE_BYTES } from '../../core/protocol/trust.ts';
import { NO_TRUST, Trust } from '../../models/trust/trust.ts';
import type { CentralConfig } from '../config/config.ts';
import { messageOf } from '../delivery.ts';
import type { Log } from '../log.ts';
import { Central, type CentralDependencies } from './central.ts';
import { NO_PROGRESS, readMemory, writeMemory } from './progress.ts';

/** What the agent has to give; the rest is on disk. */
export type CentralHooks = Omit<
  CentralDependencies,
  'model' | 'trust' | 'memory' | 'store' | 'chunkPath' | 'log'
>;

/**
 * The root that was installed, and what was believed before the restart.
 * @returns null where there is no root that the configuration vouches for: then nothing of the centre is taken, which
 * is said, and keeps nothing else from working
 */
export function centralFrom(
  config: CentralConfig,
  stateDir: string,
  log: Log,
): ((hooks: CentralHooks) => Central) | null {
  const path = join(stateDir, 'models', 'central.json');
  try {
    const installed = readCapped(config.root);
    const kept = readMemory(path, (fault) => log('error', 'central.fault', { error: fault }));
    const { trust, progress } = believed(installed, config, kept.trust, log)
      ? { trust: new Trust(installed, config.rootSha256, kept.trust), progress: kept.progress }
      : { trust: new Trust(installed, config.rootSha256, NO_TRUST), progress: NO_PROGRESS };
    const { fleet, version } = trust.root;
    log('info', 'central.listening', { fleet, model: config.model, root: version });
    return (hooks) =>
      new Central({
        ...hooks,
        log,
        model: config.model,
        trust,
        memory: { trust: trust.state, progress },
        store: (memory) => writeMemory(path, memory),
        chunkPath: join(stateDir, 'models', 'candidate.part'),
      });
  } catch (error) {
    const mend =
      'check central.root and central.rootSha256; `edgewood keys root show FILE` prints the digest';
    log('error', 'central.unavailable', { root: config.root, error: messageOf(error), mend });
    return null;
  }
}

/** State that can't be read is as none, and is said: what had been seen is forgotten with it. */
function believed(installed: Buffer, config: CentralConfig, state: Trust['state'], log: Log): boolean {
  try {
    const trust = new Trust(installed, config.rootSha256, state);
    trust.rollout(config.model);
    return true;
  } catch (error) {
    // The root itself is at fault, not what was kept: that is for the caller to say.
    new Trust(installed, config.rootSha256, NO_TRUST);
    log('error', 'central.fault', { error: `what was kept is damaged: ${messageOf(error)}` });
    return false;
  }
}

function readCapped(path: string): Buffer {
  const { size } = statSync(path);
  if (size > MAX_ENVELOPE_BYTES)
    throw new Error(`${path} has ${size} bytes, at most ${MAX_ENVELOPE_BYTES} are read`);
  return readFileSync(path);
}
