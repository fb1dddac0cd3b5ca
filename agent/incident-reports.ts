import { type AlertContext, alertData } from '../core/alert.ts';
import type { Transition } from '../core/incident.ts';
import { type AlertData, EVENT_TYPES } from '../core/protocol/events.ts';
import type { Watcher } from '../core/watcher.ts';
import type { AgentDependencies } from './agent.ts';
import type { Commits } from './commits.ts';
import type { AgentConfig } from './config/config.ts';
import { messageOf } from './delivery.ts';
import type { NewEvent } from './store/store.ts';

/** What was running is found out meanwhile; an alert waits no longer. */
const SURVEY_DEADLINE_MS = 1000;

interface Dependencies extends Pick<AgentDependencies, 'store' | 'log' | 'survey'> {
  readonly commits: Commits;
  readonly processes: () => AgentConfig['processes'];
  readonly context: () => AlertContext;
}

/** Incidents on their way into the store: what is said of them, and what was running when they opened. */
export class IncidentReports {
  readonly #deps: Dependencies;

  constructor(deps: Dependencies) {
    this.#deps = deps;
  }

  tell(transition: Transition, watcher: Watcher): void {
    const { incident, state } = transition;
    // Made now and numbered when it is stored: with a full disk that is later, and the watcher moves on.
    const alert = alertData(transition, watcher, this.#deps.context(), { epoch: '', n: 0 });
    const surveyed = state === 'opened' ? this.#survey() : { processes: this.#processesOf(incident.id) };
    const event: NewEvent = {
      type: EVENT_TYPES.incident,
      severity: incident.severity,
      timeMs: transition.atMs,
      subject: incident.id,
      data: (sequence) => JSON.stringify({ ...alert, processes: surveyed.processes, sequence }),
    };
    this.#deps.commits.commit(event, ({ data }) => ({
      id: incident.id,
      state,
      severity: incident.severity,
      openedAtMs: incident.openedAtMs,
      resolvedAtMs: state === 'resolved' || state === 'invalidated' ? transition.atMs : null,
      data,
    }));
    this.#deps.log(state === 'opened' ? 'warning' : 'info', `incident.${state}`, {
      id: incident.id,
      severity: incident.severity,
      trigger: incident.trigger,
      sentence: alert.explanation.sentence,
    });
  }

  /**
   * What is running as the incident opens. It takes two readings of /proc some time apart, and no event is stored
   * meanwhile; should the process die, the next one finds the incident anew.
   */
  #survey(): { processes: AlertData['processes'] } {
    const surveyed: { processes: AlertData['processes'] } = { processes: null };
    const { survey, log } = this.#deps;
    if (survey === null || this.#deps.processes().count === 0) return surveyed;
    const release = this.#deps.commits.hold();
    const timer = setTimeout(release, SURVEY_DEADLINE_MS);
    survey(this.#deps.processes())
      .then(
        (processes) => {
          surveyed.processes = processes;
        },
        (error: unknown) => log('debug', 'processes.unavailable', { error: messageOf(error) }),
      )
      .finally(() => {
        clearTimeout(timer);
        release();
      });
    return surveyed;
  }

  /** Those that were running when it opened. */
  #processesOf(incidentId: string): AlertData['processes'] {
    const row = this.#deps.store.incident(incidentId);
    return row === null ? null : (JSON.parse(row.data) as AlertData).processes;
  }
}
