import { siteTopics } from '../../../core/protocol/topics.ts';
import { judge } from '../../../models/rollout/judge.ts';
import type { BrokerOptions } from '../../broker/options.ts';
import { Exit } from '../../errors.ts';
import { readFleet } from '../../rollout/advance.ts';
import { chosenRollout, withBroker, withStore } from '../../rollout/open.ts';
import { decisionWords, rolloutDocument, rolloutPage } from '../../rollout/view.ts';

export interface RolloutStatusOptions extends BrokerOptions {
  readonly model?: string | undefined;
  readonly registry?: string | undefined;
  readonly json: boolean;
}

/** Looks, and changes nothing: no keys are needed. */
export async function run(args: RolloutStatusOptions): Promise<number> {
  return withStore(args.registry, false, (store) =>
    withBroker(args, async (broker, reader) => {
      const rollout = chosenRollout(store, args.model);
      const read = await readFleet({ store, broker }, reader, rollout, true);
      const judgement = judge(rollout.plan, rollout.progress, read.hosts, Date.now());
      const newest = store.newestDocument(rollout.model);
      const sites = store.sites(rollout.model);
      const topics = sites.map((site) => siteTopics(site).rollout(rollout.model));
      const { found } = await broker.readRetained(topics);
      const behind = sites.filter(
        (_, i) => Buffer.from(found.get(topics[i] as string) ?? []).toString('utf8') !== newest?.envelope,
      );
      if (args.json) {
        const document = rolloutDocument(rollout, judgement, read, newest?.version ?? null);
        process.stdout.write(`${JSON.stringify({ ...document, behind })}\n`);
      } else {
        process.stdout.write(`${rolloutPage(rollout, judgement, read)}\nnext: ${decisionWords(judgement)}\n`);
        if (behind.length > 0) {
          process.stderr.write(
            `edgewood: the newest document (version ${newest?.version}) does not lie at ${behind.join(', ')}; \`edgewood rollout advance\` publishes it again\n`,
          );
        }
      }
      return rollout.progress.status === 'aborted' ? Exit.checkSaysNo : Exit.done;
    }),
  );
}
