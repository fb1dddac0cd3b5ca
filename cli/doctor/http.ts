import type { AgentConfig } from '../../agent/config/config.ts';
import { type Finding, ok, problem } from './finding.ts';

const ANSWER_MS = 5000;

/** Whether it is the agent that answers where /metrics is asked for: a port that was taken is no reason to end. */
export async function checkHttp({ http }: AgentConfig): Promise<Finding[]> {
  if (http === null) return [];
  const area = 'http';
  const url = `http://${http.host.includes(':') ? `[${http.host}]` : http.host}:${http.port}/metrics`;
  const trouble = {
    why: 'scrapes and probes fail, or ask another program',
    mend: `who listens there: ss -ltnp 'sport = :${http.port}'; then another http.listen, and a restart`,
  };
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
    const text = (await response.text()).slice(0, 1 << 20);
    return text.includes('edgewood_build_info')
      ? [ok(area, `${url} answers`)]
      : [problem(area, `${url} is answered by another program (${response.status})`, trouble)];
  } catch (error) {
    const { cause, message } = error as { cause?: { code?: string }; message: string };
    return [problem(area, `${url} does not answer (${cause?.code ?? message})`, trouble)];
  }
}
