import { minuteMatcher } from './config/cron.ts';

const MINUTE_MS = 60_000;
/** What is longer is no snooze: it is a setting. */
export const MAX_SNOOZE_MS = 24 * 3_600_000;

/** As configured: it begins whenever the schedule says, and lasts. */
export interface MaintenanceWindow {
  readonly name: string;
  readonly schedule: string;
  readonly durationMs: number;
  readonly timezone: string | null;
  readonly training: 'exclude' | 'include';
}

/** A time without alerts that somebody asked for. JSON: it survives a restart. */
export interface Snooze {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly reason: string;
  readonly training: 'exclude' | 'include';
}

/** Under way now. */
export interface ActiveMaintenance {
  readonly kind: 'window' | 'snooze';
  readonly name: string;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly training: 'exclude' | 'include';
}

const NONE: readonly ActiveMaintenance[] = [];

/** When no alert shall be raised: by schedule, or because somebody said so. Knows the time only by what it is asked. */
export class Maintenance {
  #windows: readonly WindowClock[];
  snooze: Snooze | null;
  /** What keeps alerts back since the time that was last followed. */
  active: readonly ActiveMaintenance[] = NONE;

  constructor(windows: readonly MaintenanceWindow[], snooze: Snooze | null) {
    this.#windows = windows.map((window) => new WindowClock(window));
    this.snooze = snooze;
  }

  configure(windows: readonly MaintenanceWindow[]): void {
    this.#windows = windows.map((window) => new WindowClock(window));
  }

  /** Whether models learn from what happens now. */
  get excluded(): boolean {
    return this.active.some(({ training }) => training === 'exclude');
  }

  /** Goes on to a time, and tells what began and what ended on the way. */
  follow(nowMs: number, tell: (state: 'began' | 'ended', what: ActiveMaintenance) => void): void {
    const before = this.active;
    const now = this.at(nowMs);
    if (before.length === 0 && now.length === 0) return;
    this.active = now;
    for (const one of before) if (!now.some((other) => same(one, other))) tell('ended', one);
    for (const one of now) if (!before.some((other) => same(one, other))) tell('began', one);
  }

  at(nowMs: number): readonly ActiveMaintenance[] {
    const { snooze } = this;
    if (this.#windows.length === 0 && snooze === null) return NONE;
    const active = this.#windows.flatMap((window) => window.at(nowMs) ?? []);
    // A clock that was set back must not make a snooze longer than it was meant to be.
    if (snooze !== null && nowMs < snooze.untilMs && nowMs >= snooze.fromMs - MAX_SNOOZE_MS) {
      const { fromMs, untilMs, training, reason } = snooze;
      active.push({ kind: 'snooze', name: reason, fromMs, untilMs, training });
    }
    return active;
  }
}

const same = (a: ActiveMaintenance, b: ActiveMaintenance): boolean =>
  a.kind === b.kind && a.name === b.name && a.fromMs === b.fromMs && a.untilMs === b.untilMs;

/** Follows one window minute by minute; after a jump of the clock it looks back over a whole duration. */
class WindowClock {
  readonly #window: MaintenanceWindow;
  readonly #matches: (minute: number) => boolean;
  #checked: number | null = null;
  #begunMinute: number | null = null;

  constructor(window: MaintenanceWindow) {
    this.#window = window;
    this.#matches = minuteMatcher({ expression: window.schedule, timezone: window.timezone });
  }

  at(nowMs: number): ActiveMaintenance | null {
    const { name, durationMs, training } = this.#window;
    const minute = Math.floor(nowMs / MINUTE_MS);
    this.#follow(minute, Math.ceil(durationMs / MINUTE_MS));
    if (this.#begunMinute === null) return null;
    const fromMs = this.#begunMinute * MINUTE_MS;
    const untilMs = fromMs + durationMs;
    return nowMs < untilMs ? { kind: 'window', name, fromMs, untilMs, training } : null;
  }

  #follow(minute: number, lengthMinutes: number): void {
    const checked = this.#checked;
    if (checked === minute) return;
    const near = checked !== null && minute > checked && minute - checked <= lengthMinutes;
    if (!near) this.#begunMinute = null;
    for (let m = near ? checked + 1 : minute - lengthMinutes; m <= minute; m++) {
      if (this.#matches(m)) this.#begunMinute = m;
    }
    this.#checked = minute;
  }
}
