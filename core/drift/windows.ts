import { slotSamples } from './calibration.ts';
import {
  type DriftReference,
  expectedWeights,
  knotsOf,
  mixedWeights,
  weekendShare,
  weeklyParts,
} from './reference.ts';
import { ABSENT, type CellWeights, LEFT_OUT, SlidingKs } from './sliding-ks.ts';

/** Share of a window that open incidents may keep out; what lasts longer comes in, and becomes drift. */
export const MOST_LEFT_OUT = 0.25;

/** The reference follows the days that the window covers in so many steps. */
const STEPS_PER_WINDOW = 48;

/** What a sample brings. */
export interface DriftSample {
  /** Unix milliseconds. */
  readonly timeMs: number;
  /** In schema order, NaN where missing. */
  readonly values: ArrayLike<number>;
  /** NaN where there was none. */
  readonly score: number;
  /** An incident is open. */
  readonly inIncident: boolean;
}

/**
 * The live windows of all streams. Of the samples of each slot (about 30 s) one enters, drawn by the slot's number, so
 * that windows filled anew from stored samples are the same. 30 kB a stream.
 */
export class DriftWindows {
  readonly reference: DriftReference;
  readonly slotMs: number;
  readonly streams: readonly SlidingKs[];
  /** Samples that came from before the slot of the last one, since the last decision. */
  backwards = 0;
  readonly #every: number;
  readonly #intervalMs: number;
  /** The sample that enters when its slot ends. */
  readonly #kept: Float64Array;
  #keptInIncident = false;
  #hasKept = false;
  /** Distance beyond the knots, summed over this half of the window and over the one before. */
  readonly #beyond: Float64Array;
  readonly #beyondBefore: Float64Array;
  readonly #last: Float64Array;
  readonly #runSinceMs: Float64Array;
  readonly #parts: readonly ReturnType<typeof weeklyParts>[];
  readonly #expected: CellWeights[];
  #weekendShare = Number.NaN;
  #slot = Number.NaN;
  #taken = false;
  #lastMs = Number.NaN;

  constructor(reference: DriftReference, intervalMs: number) {
    this.reference = reference;
    this.#every = slotSamples(reference.windowMs, intervalMs);
    this.#intervalMs = intervalMs;
    this.slotMs = this.#every * intervalMs;
    const capacity = Math.max(1, Math.round(reference.windowMs / this.slotMs));
    const streams = Array.from({ length: reference.streams }, (_, stream) => stream);
    this.#parts = streams.map((stream) => weeklyParts(reference, stream));
    this.#expected = streams.map((stream) => expectedWeights(reference, stream, 0));
    this.streams = this.#expected.map((weights) => new SlidingKs(weights, capacity));
    this.#kept = new Float64Array(reference.streams);
    this.#beyond = new Float64Array(reference.streams);
    this.#beyondBefore = new Float64Array(reference.streams);
    this.#last = new Float64Array(reference.streams).fill(Number.NaN);
    this.#runSinceMs = new Float64Array(reference.streams);
  }

  get strideMs(): number {
    return this.reference.windowMs / 2;
  }

  /** Of the window that ends with the last sample. */
  get weekendShare(): number {
    return this.#weekendShare;
  }

  /** When the last complete slot ended. */
  get endMs(): number {
    return this.#slot * this.slotMs;
  }

  /**
   * @param decide called at the end of each half window (a multiple of half a window's length) that this sample completes
   */
  update(sample: DriftSample, decide: (atMs: number) => void): void {
    const slot = Math.floor(sample.timeMs / this.slotMs);
    if (slot < this.#slot) {
      this.backwards++;
      // A clock that was set back for good: what came after is gone from the calendar.
      if ((this.#slot - slot) * this.slotMs > this.strideMs) this.#restart(slot);
      else return;
    }
    if (Number.isNaN(this.#slot)) this.#slot = slot;
    if (slot - this.#slot > (this.streams[0] as SlidingKs).capacity) this.#restart(slot);
    while (this.#slot < slot) this.#complete(decide);
    this.#follow(sample);
    const due = slot * this.slotMs + draw(slot, this.#every) * this.#intervalMs;
    // Before its turn a sample is only kept for the case that none comes later.
    if (!this.#taken) this.#keep(sample);
    if (sample.timeMs >= due) this.#taken = true;
  }

  /** Whether a sample of this time is the one of its slot that enters: the score of the others is of no matter. */
  enters(timeMs: number): boolean {
    const slot = Math.floor(timeMs / this.slotMs);
    if (slot === this.#slot && this.#taken) return false;
    return timeMs >= slot * this.slotMs + draw(slot, this.#every) * this.#intervalMs;
  }

  /** D of a stream's window as it stands after the last complete slot, against the reference for its days. */
  distance(stream: number): number {
    return (this.streams[stream] as SlidingKs).d;
  }

  /** Reference weights for the days of the window. */
  expected(stream: number): CellWeights {
    return this.#expected[stream] as CellWeights;
  }

  /** Mean distance of the window's values beyond the knots; as of the last decision's window. */
  meanBeyond(stream: number): number {
    const { count } = this.streams[stream] as SlidingKs;
    return ((this.#beyond[stream] as number) + (this.#beyondBefore[stream] as number)) / Math.max(1, count);
  }

  /** How long a stream has stood at its last value, in ms, and which that is. */
  standing(stream: number): { readonly value: number; readonly forMs: number } {
    const value = this.#last[stream] as number;
    return { value, forMs: Number.isNaN(value) ? 0 : this.#lastMs - (this.#runSinceMs[stream] as number) };
  }

  #restart(slot: number): void {
    for (const stream of this.streams) stream.clear();
    this.#hasKept = false;
    this.#beyond.fill(0);
    this.#beyondBefore.fill(0);
    this.#last.fill(Number.NaN);
    this.#slot = slot;
    this.#taken = false;
  }

  #follow({ timeMs, values, score }: DriftSample): void {
    const last = this.#last.length - 1;
    for (let stream = 0; stream <= last; stream++) {
      const x = stream === last ? score : (values[stream] as number);
      if (Number.isNaN(x) || x === this.#last[stream]) continue;
      this.#last[stream] = x;
      this.#runSinceMs[stream] = timeMs;
    }
    this.#lastMs = timeMs;
  }

  #keep({ values, score, inIncident }: DriftSample): void {
    const last = this.#kept.length - 1;
    for (let stream = 0; stream < last; stream++) this.#kept[stream] = values[stream] as number;
    this.#kept[last] = score;
    this.#keptInIncident = inIncident;
    this.#hasKept = true;
  }

  #enter(stream: number): void {
    const ks = this.streams[stream] as SlidingKs;
    if (!this.#hasKept) ks.push(ABSENT);
    else if (this.#keptInIncident && ks.leftOut < MOST_LEFT_OUT * ks.capacity) ks.push(LEFT_OUT);
    else {
      const x = this.#kept[stream] as number;
      ks.update(x);
      this.#beyond[stream] = (this.#beyond[stream] as number) + beyond(ks.values, x);
    }
  }

  #complete(decide: (atMs: number) => void): void {
    for (let stream = 0; stream < this.streams.length; stream++) this.#enter(stream);
    this.#hasKept = false;
    this.#taken = false;
    const half = Math.floor((this.#slot * this.slotMs) / this.strideMs);
    this.#slot++;
    const next = Math.floor((this.#slot * this.slotMs) / this.strideMs);
    this.#compare();
    if (next === half) return;
    decide(next * this.strideMs);
    this.backwards = 0;
    this.#beyondBefore.set(this.#beyond);
    this.#beyond.fill(0);
  }

  /** Sets the reference to the days that the window covers. */
  #compare(): void {
    const { weekendMs, windowMs } = this.reference;
    if (Number.isNaN(weekendMs)) return;
    // In steps of half an hour; a decision is at the end of one.
    const step = windowMs / STEPS_PER_WINDOW;
    const untilMs = Math.floor(this.endMs / step + 1e-9) * step;
    const share = weekendShare(weekendMs, untilMs - windowMs, untilMs);
    if (share === this.#weekendShare) return;
    this.#weekendShare = share;
    for (const [stream, parts] of this.#parts.entries()) {
      if (parts === null) continue;
      const weights = mixedWeights(...parts, share);
      this.#expected[stream] = { values: this.expected(stream).values, weights };
      this.streams[stream]?.setWeights(weights);
    }
  }
}

/** 0 .. n - 1 from a slot's number (the finaliser of MurmurHash3). */
function draw(slot: number, n: number): number {
  let h = slot | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) % n;
}

function beyond(knots: ArrayLike<number>, x: number): number {
  const most = knots.length - 1;
  if (most < 0 || Number.isNaN(x)) return 0;
  return Math.max(0, (knots[0] as number) - x, x - (knots[most] as number));
}

/** Bytes that the windows of a reference take, nearly all of what drift costs an agent. */
export function windowBytes(reference: DriftReference, intervalMs: number): number {
  const slots = Math.round(reference.windowMs / (slotSamples(reference.windowMs, intervalMs) * intervalMs));
  let bytes = 0;
  for (let stream = 0; stream < reference.streams; stream++) {
    let leaves = 1;
    while (leaves < 2 * knotsOf(reference, stream).length + 1) leaves *= 2;
    // Ring; twice the tree, and prefix sums, at the most in doubles; counts, weights and knots.
    bytes += 2 * slots + 3 * leaves * 8 + leaves * (4 + 8) + leaves * 4;
  }
  return bytes;
}
